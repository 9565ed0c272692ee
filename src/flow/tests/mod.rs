//! Laws of every flow: it inverts, its log det is that of its Jacobian, its gradient is that of its loss.

mod gauge;

use super::*;
use crate::spec::{AffineSpec, BaseSpec, FreeFieldSpec, InitialSpec, KaimingSpec, Symmetrise};
use crate::theory::{Action, Phi4};

const EXTENTS: [usize; 2] = [4, 6];

/// Flows to hold against the laws, with double-precision parameters of some size.
fn flows() -> Vec<(Flow, Vec<f64>)> {
    let free = FreeFieldSpec { mass_squared: 0.7 };
    let [free_field, spectrum] = [BaseSpec::FreeField(free.clone()), BaseSpec::LearnedSpectrum(free)];
    let plain = BaseSpec::UnitNormal;
    let cases = [
        (3, 3, vec![5, 4], plain.clone()),
        (2, 1, vec![], plain.clone()),
        (4, 3, vec![7], plain),
        (2, 3, vec![4], free_field),
        (3, 3, vec![5], spectrum),
    ];
    let modes = [Symmetrise::Never, Symmetrise::Always, Symmetrise::Equivariant];
    modes
        .into_iter()
        .flat_map(|mode| cases.clone().map(|case| (case, mode)))
        .map(|((layers, kernel_size, hidden, base), symmetrise)| {
            let initial = InitialSpec::Kaiming(KaimingSpec { width: 1.5 });
            let affine = AffineSpec { layers, kernel_size, hidden, initial, symmetrise, base };
            let flow = Flow::new(&FlowSpec::Affine(affine), Lattice::new(EXTENTS));
            let parameters = flow.initial_parameters(Seed(4)).into_iter().map(f64::from).collect();
            (flow, parameters)
        })
        .collect()
}

fn field(count: usize) -> Vec<f64> {
    let volume = EXTENTS[0] * EXTENTS[1];
    Seed(8).stream("field").normals(0, count, volume).into_iter().map(f64::from).collect()
}

fn list<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

#[test]
fn the_inverse_undoes_the_flow() {
    for (flow, parameters) in flows() {
        let bound = flow.bind(&parameters, &Device::flex());
        let z = field(3);
        let (phi, log_det) = bound.forward_and_log_det(bound.field(z.clone()));
        let (back, inverse_log_det) = bound.inverse_and_log_det(phi.clone());
        assert!(list(back).iter().zip(&z).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!(list(log_det + inverse_log_det).iter().all(|sum| sum.abs() < 1e-12));
        let (again, log_q) = bound.sample_and_log_prob(bound.field(z));
        let difference = list(log_q - bound.log_prob(again));
        assert!(difference.iter().all(|d| d.abs() < 1e-11), "{difference:?}");
    }
}

/// Central differences in double precision: the error of the log det is far below 1e-6.
#[test]
fn the_log_det_is_that_of_the_numeric_jacobian() {
    for (flow, parameters) in flows() {
        let bound = flow.bind(&parameters, &Device::flex());
        let z = field(1);
        let (_, log_det) = bound.forward_and_log_det(bound.field(z.clone()));
        let (n, h) = (z.len(), 1e-5);
        let mut jacobian = vec![vec![0.0; n]; n];
        for column in 0..n {
            let at = |step: f64| {
                let mut z = z.clone();
                z[column] += step;
                list(bound.forward_and_log_det(bound.field(z)).0)
            };
            let (up, down) = (at(h), at(-h));
            (0..n).for_each(|row| jacobian[row][column] = (up[row] - down[row]) / (2.0 * h));
        }
        let (expected, found) = (log_abs_det(jacobian), list(log_det)[0]);
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
}

/// Gaussian elimination with partial pivoting.
fn log_abs_det(mut a: Vec<Vec<f64>>) -> f64 {
    let n = a.len();
    let mut log = 0.0;
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap();
        a.swap(k, pivot);
        log += a[k][k].abs().ln();
        let (upper, lower) = a.split_at_mut(k + 1);
        for row in lower {
            let factor = row[k] / upper[k][k];
            (k..n).for_each(|column| row[column] -= factor * upper[k][column]);
        }
    }
    log
}

/// `⟨log q + S⟩` by central differences in double precision; every tenth parameter.
#[test]
fn the_gradient_of_the_loss_is_that_of_finite_differences() {
    let action = Phi4::new(Lattice::new(EXTENTS), -1.0, 0.7);
    for (flow, parameters) in flows() {
        let loss = |parameters: &[f64], device: &Device| {
            let bound = flow.bind(parameters, device);
            let (phi, log_q) = bound.sample_and_log_prob(bound.field(field(5)));
            let loss = (log_q + action.action(phi)).sum();
            let gradient =
                device.is_autodiff().then(|| bound.gradient(&loss.backward()).expect("the CPU computes"));
            (list(loss)[0], gradient)
        };
        let gradient = loss(&parameters, &Device::flex().autodiff()).1.unwrap();
        for index in (0..parameters.len()).step_by(10) {
            let at = |step: f64| {
                let mut moved = parameters.clone();
                moved[index] += step;
                loss(&moved, &Device::flex()).0
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            let scale = gradient.iter().fold(1.0, |scale: f64, g| scale.max(g.abs()));
            assert!((gradient[index] - difference).abs() < 1e-7 * scale, "{} {difference}", gradient[index]);
        }
    }
}

/// Else every pass at fixed parameters would pay for gradients that nobody reads.
#[test]
fn fixed_parameters_take_no_part_in_gradients() {
    let (flow, parameters) = flows().remove(0);
    for device in [Device::flex(), Device::flex().autodiff()] {
        let bound = flow.bind(&parameters, &device);
        let fixed = bound.at_fixed_parameters();
        let phi = || bound.field(field(2));
        let (moving, still) = (bound.log_prob(phi()), fixed.log_prob(phi()));
        assert_eq!((moving.is_tracked(), still.is_tracked()), (device.is_autodiff(), false));
        assert_eq!(list(moving), list(still));
    }
}

#[test]
fn one_layer_moves_the_sites_of_its_parity_and_no_others() {
    let base = BaseSpec::UnitNormal;
    let affine = AffineSpec {
        layers: 1,
        kernel_size: 3,
        hidden: vec![5],
        initial: InitialSpec::default(),
        symmetrise: Symmetrise::Never,
        base,
    };
    let lattice = Lattice::new(EXTENTS);
    let flow = Flow::new(&FlowSpec::Affine(affine), lattice);
    let parameters: Vec<f64> = flow.initial_parameters(Seed(4)).into_iter().map(f64::from).collect();
    let bound = flow.bind(&parameters, &Device::flex());
    let z = field(1);
    let (y, _) = bound.forward_and_log_det(bound.field(z.clone()));
    for (site, (before, after)) in z.iter().zip(list(y)).enumerate() {
        assert_eq!(*before != after, lattice.parity(site) == 0, "site {site}");
    }
}

/// Layers alternate between the sublattices, so the stack commutes with translations that keep parity.
#[test]
fn the_flow_commutes_with_even_translations() {
    for (flow, parameters) in flows() {
        let bound = flow.bind(&parameters, &Device::flex());
        let z = bound.field(field(2));
        let on_lattice = |x: Tensor<3>| x.reshape([2, 1, EXTENTS[0] as i32, EXTENTS[1] as i32]);
        let shift = |x: Tensor<3>| {
            let rolled: Tensor<4> = on_lattice(x).roll_dim(1, 2).roll_dim(3, 3);
            rolled.reshape([2, 1, -1])
        };
        let (phi, log_det) = bound.forward_and_log_det(z.clone());
        let (shifted, shifted_log_det) = bound.forward_and_log_det(shift(z));
        assert!(list(shift(phi) - shifted).iter().all(|d| d.abs() < 1e-12));
        assert!(list(log_det - shifted_log_det).iter().all(|d| d.abs() < 1e-12));
    }
}

/// Couplings keep the names and the initial weights that they have alone; a second stack of them gets a number.
#[test]
fn parameters_of_couplings_do_not_depend_on_what_is_before_them() {
    let lattice = Lattice::new(EXTENTS);
    let affine = |base: BaseSpec| {
        FlowSpec::Affine(AffineSpec {
            layers: 2,
            kernel_size: 3,
            hidden: vec![4],
            initial: InitialSpec::default(),
            symmetrise: Symmetrise::Never,
            base,
        })
    };
    let free = FreeFieldSpec { mass_squared: 2.0 };
    let [alone, behind] = [BaseSpec::UnitNormal, BaseSpec::FreeField(free)].map(affine);
    let parts = |flow: &Flow| {
        let names: Vec<String> = flow.layout().slots().iter().map(|slot| slot.name.clone()).collect();
        (names, flow.initial_parameters(Seed(4)))
    };
    let (names, weights) = parts(&Flow::new(&alone, lattice));
    let (all_names, all_weights) = parts(&Flow::new(&behind, lattice));
    assert_eq!(all_names[0], "flow.base.log_mass_squared");
    assert_eq!(all_weights[0], 2f32.ln());
    assert_eq!((&all_names[1..], &all_weights[1..]), (&names[..], &weights[..]));

    let two = vec![coupling::build(&alone, lattice), coupling::build(&alone, lattice)];
    let two = Flow::from_parts(lattice, Arc::new(UnitNormal::new(lattice, 1)), two);
    let (two_names, two_weights) = parts(&two);
    assert_eq!(two_names[names.len()], names[0].replace("flow.", "flow.1."));
    assert_ne!(two_weights[..weights.len()], two_weights[weights.len()..]);
}

/// To the last bit on the CPU: both signs go through the same networks, and sums of two do not depend on their order.
#[test]
fn an_equivariant_flow_commutes_with_the_change_of_sign() {
    let bits = |tensor: Tensor<3>| list(tensor).into_iter().map(f64::to_bits).collect::<Vec<_>>();
    for (index, (flow, parameters)) in flows().iter().enumerate() {
        let bound = flow.bind(parameters, &Device::flex());
        let z = bound.field(field(3));
        let [(phi, there), (mirrored, mirrored_there)] =
            [z.clone(), -z].map(|z| bound.forward_and_log_det(z));
        let is_odd = bits(phi.clone()) == bits(-mirrored) && list(there) == list(mirrored_there);
        assert_eq!(is_odd, flow.symmetrise == Symmetrise::Equivariant, "flow {index}");
        let is_even = list(bound.log_prob(phi.clone())) == list(bound.log_prob(-phi));
        assert_eq!(is_even, flow.symmetrise != Symmetrise::Never, "flow {index}");
    }
}

/// Flows of [`flows`] in pairs, as they are and symmetrised.
#[test]
fn the_density_of_a_symmetrised_flow_is_the_mean_of_two() {
    let all = flows();
    let (plain, others) = all.split_at(all.len() / 3);
    for ((plain, parameters), (even, same)) in plain.iter().zip(others) {
        assert_eq!(parameters, same);
        assert!(even.is_symmetrised() && !plain.is_symmetrised());
        assert_eq!(even.flops_per_sample(), 2.0 * plain.flops_per_sample());
        let [plain, even] = [plain, even].map(|flow| flow.bind(parameters, &Device::flex()));
        let phi: Vec<f64> = field(3).into_iter().map(|phi| 0.5 * phi).collect();
        let [log_q, mirrored] = [1.0, -1.0].map(|sign| list(plain.log_prob(plain.field(phi.clone()) * sign)));
        let found = [1.0, -1.0].map(|sign| list(even.log_prob(even.field(phi.clone()) * sign)));
        let expected: Vec<f64> =
            log_q.iter().zip(&mirrored).map(|(a, b)| (0.5 * (a.exp() + b.exp())).ln()).collect();
        assert!(log_q.iter().zip(&mirrored).any(|(a, b)| (a - b).abs() > 1e-3), "nothing to symmetrise");
        for found in found {
            assert!(
                found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-10),
                "{found:?} {expected:?}"
            );
        }
    }
}
