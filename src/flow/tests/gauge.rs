//! Laws of flows of link angles: those of every flow, on the circle, and what gauge transformations leave as it is.

use super::*;
use crate::kernel::gauge::{Plaquettes, reduced};
use crate::kernel::{GaugeCoupling, Spline, TanMixture, coupling::CouplingMap};
use crate::spec::{
    FixedWeights, GaugeBaseSpec, GaugeSpec, LearnedWeights, MapSpec, PureGaugeSpec, SectorWeights,
    SectorsSpec, Spec, SplineSpec, TanSpec,
};
use crate::theory::Schwinger;
use std::f64::consts::PI;

const LINKS: usize = 2 * 4 * 8;

fn lattice() -> Lattice {
    Lattice::new([4, 8])
}

fn spec(layers: usize, kernel_size: usize, hidden: Vec<usize>, map: MapSpec) -> GaugeSpec {
    let initial = InitialSpec::Kaiming(KaimingSpec { width: 1.5 });
    GaugeSpec {
        layers,
        kernel_size,
        hidden,
        dilations: None,
        map,
        initial,
        symmetrise: Symmetrise::Never,
        sectors: None,
        base: GaugeBaseSpec::HaarUniform,
    }
}

/// Flows to hold against the laws, with double-precision parameters of some size.
fn flows_of_links() -> Vec<(Flow, Vec<f64>)> {
    let [eight, three] = [8, 3].map(|knots| MapSpec::Spline(SplineSpec { knots }));
    let tan = |components: usize| MapSpec::Tan(TanSpec { components });
    let dilated = GaugeSpec { dilations: Some(vec![1, 1, 1]), ..spec(3, 3, vec![5, 4], three) };
    let equivariant = |gauge: GaugeSpec| GaugeSpec { symmetrise: Symmetrise::Equivariant, ..gauge };
    let cases = [
        spec(9, 3, vec![5], eight),
        spec(8, 1, vec![6, 3], three),
        dilated,
        spec(9, 3, vec![4], tan(2)),
        equivariant(spec(9, 3, vec![4], three)),
        equivariant(spec(8, 3, vec![3], tan(3))),
        moving(1, LEARNED, spec(8, 3, vec![3], three)),
        moving(2, FIXED, equivariant(spec(8, 3, vec![3], tan(2)))),
        GaugeSpec { base: PURE, ..spec(9, 3, vec![4], three) },
    ];
    let flow = |gauge: GaugeSpec| {
        let flow = Flow::new(&FlowSpec::Gauge(gauge), lattice());
        let mut parameters: Vec<f64> = flow.initial_parameters(Seed(4)).into_iter().map(f64::from).collect();
        // What is learned of sectors starts at zero.
        parameters.iter_mut().filter(|number| **number == 0.0).for_each(|number| *number = -0.7);
        (flow, parameters)
    };
    cases.map(flow).into()
}

const LEARNED: SectorWeights = SectorWeights::Learned(LearnedWeights {});
const PURE: GaugeBaseSpec = GaugeBaseSpec::PureGauge(PureGaugeSpec { beta: 1.5 });
const FIXED: SectorWeights = SectorWeights::Fixed(FixedWeights { moving: 0.4 });

fn moving(largest: usize, weights: SectorWeights, gauge: GaugeSpec) -> GaugeSpec {
    GaugeSpec { sectors: Some(SectorsSpec { largest, weights }), ..gauge }
}

/// The field of uniform flux and charge 1.
fn flux() -> Vec<f64> {
    let mut flux = vec![0.0; LINKS];
    Plaquettes::new(lattice()).add_flux(1.0, &mut flux);
    flux
}

fn angles(flow: &Flow, count: usize) -> Vec<f64> {
    flow.base().draw(&Seed(8).stream("angles"), 0, count).into_iter().map(f64::from).collect()
}

/// How far two lists of angles are apart on the circle, at most.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| reduced(a - b).abs()).fold(0.0, f64::max)
}

/// Links after a gauge transformation: `θ_μ(x) + α(x) - α(x+μ)` with an angle for each site.
fn transformed(links: &[f64]) -> Vec<f64> {
    let (lattice, volume) = (lattice(), LINKS / 2);
    let alpha: Vec<f64> = Seed(3).stream("gauge").angles(0, 1, volume).into_iter().map(f64::from).collect();
    let one = |(place, angle): (usize, &f64)| {
        let (mu, site) = (place % LINKS / volume, place % volume);
        angle + alpha[site] - alpha[lattice.forward(site, mu)]
    };
    links.iter().enumerate().map(one).collect()
}

#[test]
fn the_inverse_undoes_a_flow_of_links() {
    for (flow, parameters) in flows_of_links() {
        let bound = flow.bind(&parameters, &Device::flex());
        let z = angles(&flow, 3);
        let (theta, log_det) = bound.forward_and_log_det(bound.field(z.clone()));
        assert!(distance(&list(theta.clone()), &z) > 0.1, "it does something");
        let (back, inverse_log_det) = bound.inverse_and_log_det(theta);
        assert!(distance(&list(back), &z) < 1e-10);
        assert!(list(log_det + inverse_log_det).iter().all(|sum| sum.abs() < 1e-9));
        let (again, log_q) = bound.sample_and_log_prob(bound.field(z));
        assert!(list(log_q - bound.log_prob(again)).iter().all(|d| d.abs() < 1e-9));
    }
}

/// Central differences in double precision: the error of the log det is far below 1e-6.
#[test]
fn the_log_det_of_a_flow_of_links_is_that_of_the_numeric_jacobian() {
    for (flow, parameters) in flows_of_links() {
        let bound = flow.bind(&parameters, &Device::flex());
        let z = angles(&flow, 1);
        let (_, log_det) = bound.forward_and_log_det(bound.field(z.clone()));
        let h = 1e-5;
        let mut jacobian = vec![vec![0.0; LINKS]; LINKS];
        for column in 0..LINKS {
            let at = |step: f64| {
                let mut z = z.clone();
                z[column] += step;
                list(bound.forward_and_log_det(bound.field(z)).0)
            };
            let (up, down) = (at(h), at(-h));
            (0..LINKS).for_each(|row| jacobian[row][column] = reduced(up[row] - down[row]) / (2.0 * h));
        }
        let (expected, found) = (log_abs_det(jacobian), list(log_det)[0]);
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
}

/// `⟨log q + S⟩` with fermions, by central differences in double precision, through the force of the determinant and through the
/// density; every tenth parameter.
#[test]
fn the_gradient_through_the_determinant_is_that_of_finite_differences() {
    let action = Schwinger::new(lattice(), 2.0, 0.2, true);
    for (flow, parameters) in flows_of_links() {
        let loss = |parameters: &[f64], device: &Device| {
            let bound = flow.bind(parameters, device);
            let (theta, log_q) = bound.sample_and_log_prob(bound.field(angles(&flow, 3)));
            let loss = (log_q + action.action(theta)).sum();
            let gradient =
                device.is_autodiff().then(|| bound.gradient(&loss.backward()).expect("the CPU computes"));
            (list(loss)[0], gradient)
        };
        let gradient = loss(&parameters, &Device::flex().autodiff()).1.unwrap();
        let scale = gradient.iter().fold(1.0, |scale: f64, g| scale.max(g.abs()));
        for index in (0..parameters.len()).step_by(10).chain([parameters.len() - 1]) {
            let at = |step: f64| {
                let mut moved = parameters.clone();
                moved[index] += step;
                loss(&moved, &Device::flex()).0
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            // The curvature of a spline jumps at its knots; elsewhere the difference is good to 1e-8.
            assert!((gradient[index] - difference).abs() < 1e-6 * scale, "{} {difference}", gradient[index]);
        }
    }
}

/// The same of the density at fixed configurations alone.
#[test]
fn the_gradient_of_the_density_of_a_flow_of_links_is_that_of_finite_differences() {
    for (flow, parameters) in flows_of_links() {
        let log_q = |parameters: &[f64], device: &Device| {
            let bound = flow.bind(parameters, device);
            let log_q = bound.log_prob(bound.field(angles(&flow, 2))).sum();
            let gradient =
                device.is_autodiff().then(|| bound.gradient(&log_q.backward()).expect("the CPU computes"));
            (list(log_q)[0], gradient)
        };
        let gradient = log_q(&parameters, &Device::flex().autodiff()).1.unwrap();
        let scale = gradient.iter().fold(1.0, |scale: f64, g| scale.max(g.abs()));
        for index in (0..parameters.len()).step_by(25).chain([parameters.len() - 1]) {
            let at = |step: f64| {
                let mut moved = parameters.clone();
                moved[index] += step;
                log_q(&moved, &Device::flex()).0
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            // As above.
            assert!((gradient[index] - difference).abs() < 1e-6 * scale, "{} {difference}", gradient[index]);
        }
    }
}

/// `Σ_k w_k q(θ - k A)` of a flow that is the same but for its moves, whose last parameter is the logit of a charge.
#[test]
fn the_density_of_a_flow_that_moves_between_sectors_is_that_of_the_mixture() {
    let map = MapSpec::Tan(TanSpec { components: 2 });
    for (largest, weights, logit) in [(1, LEARNED, -0.7), (2, FIXED, (0.4f64 / 0.6 / 4.0).ln())] {
        let still = spec(8, 3, vec![4], map);
        let flows = [still.clone(), moving(largest, weights, still)];
        let [still, moving] = flows.map(|gauge| Flow::new(&FlowSpec::Gauge(gauge), lattice()));
        let mut parameters: Vec<f64> = still.initial_parameters(Seed(4)).into_iter().map(f64::from).collect();
        let one = still.bind(&parameters, &Device::flex());
        let count = 2 * largest + 1;
        assert_eq!(moving.flops_per_sample(), count as f64 * still.flops_per_sample());
        assert_eq!(moving.flops_in_training(), count as f64 * still.flops_in_training());
        assert_eq!(moving.activations_per_sample(), count as f64 * still.activations_per_sample());
        parameters.resize(moving.layout().len(), logit);
        let bound = moving.bind(&parameters, &Device::flex());

        let (items, stream) = (40..57, Seed(8).stream("angles"));
        let z: Vec<f64> = moving.base().draw(&stream, 40, 17).into_iter().map(f64::from).collect();
        let sample = bound.sample(bound.field(z.clone()), &stream, items);
        assert!(sample.charges.iter().any(|k| *k != 0) && sample.charges.len() == 17);
        let (theta, _) = one.forward_and_log_det(one.field(z.clone()));
        let expected: Vec<f64> = list(theta)
            .chunks(LINKS)
            .zip(&sample.charges)
            .flat_map(|(theta, &k)| theta.iter().zip(flux()).map(move |(theta, a)| theta + k as f64 * a))
            .collect();
        assert!(distance(&list(sample.phi.clone()), &expected) < 1e-12);

        let weight =
            |k: i64| (if k == 0 { 0.0 } else { logit }).exp() / (1.0 + 2.0 * largest as f64 * logit.exp());
        let terms: Vec<Vec<f64>> = (-(largest as i64)..=largest as i64)
            .map(|k| {
                let back = expected.chunks(LINKS).flat_map(|theta| {
                    theta.iter().zip(flux()).map(move |(theta, a)| theta - k as f64 * a).collect::<Vec<f64>>()
                });
                let log_q = list(one.log_prob(one.field(back.collect::<Vec<f64>>())));
                log_q.into_iter().map(|log_q| weight(k).ln() + log_q).collect()
            })
            .collect();
        let [found, again] = [list(sample.log_q), list(bound.log_prob(sample.phi))];
        for place in 0..17 {
            let most = terms.iter().map(|term| term[place]).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = terms.iter().map(|term| (term[place] - most).exp()).sum();
            let expected = most + sum.ln();
            assert!(sum > 1.0 && sum < count as f64, "all alike, or one alone");
            // Rounding of inverses, as above.
            assert!((found[place] - expected).abs() < 1e-9, "{} is not {expected}", found[place]);
            assert!((again[place] - expected).abs() < 1e-9, "{} is not {expected}", again[place]);
        }

        let part = bound.sample(bound.field(z[5 * LINKS..9 * LINKS].to_vec()), &stream, 45..49);
        assert_eq!(part.charges, sample.charges[5..9]);
        assert_eq!(list(part.log_q), found[5..9]);
    }
}

/// Weights of the model average to Z, and its charges are as often as moves of the charges of its couplings make them.
#[test]
fn a_flow_that_moves_between_sectors_is_normalised_and_moves_charges() {
    const COUNT: usize = 20_000;
    let lattice = Lattice::new([4, 4]);
    let map = MapSpec::Tan(TanSpec { components: 2 });
    let gauge = moving(2, LEARNED, spec(8, 3, vec![4], map));
    let flow = Flow::new(&FlowSpec::Gauge(gauge), lattice);
    let mut parameters = flow.initial_parameters(Seed(4));
    let place = parameters.len() - 2;
    parameters[place..].copy_from_slice(&[0.5, -1.0]);
    let bound = flow.bind(&parameters, &Device::flex());
    let stream = Seed(9).stream("draws");
    let z = flow.base().draw(&stream, 0, COUNT);
    let sample = bound.sample(bound.field(z.clone()), &stream, 0..COUNT as u64);

    let action = Schwinger::new(lattice, 0.5, 0.0, true);
    let log_z = action.log_partition().expect("it is known without fermions");
    let (theta, log_q) = (list(sample.phi), list(sample.log_q));
    let weights: Vec<f64> = theta
        .chunks(32)
        .zip(log_q)
        .map(|(theta, log_q)| (-action.action_f64(theta) - log_q - log_z).exp())
        .collect();
    let mean = weights.iter().sum::<f64>() / COUNT as f64;
    let variance = weights.iter().map(|weight| (weight - mean).powi(2)).sum::<f64>() / COUNT as f64;
    let error = (variance / COUNT as f64).sqrt();
    assert!(error < 0.05 && (mean - 1.0).abs() < 4.0 * error, "{mean} +- {error}");

    let sum = 1.0 + 2.0 * (0.5f64.exp() + (-1.0f64).exp());
    let weight = |k: i64| [1.0, 0.5f64.exp(), (-1.0f64).exp()][k.unsigned_abs() as usize] / sum;
    let mut flux = vec![0.0; 32];
    Plaquettes::new(lattice).add_flux(1.0, &mut flux);
    let charge = |theta: &[f64]| action.topological_charge(theta).expect("it is there").abs() as usize;
    let (mut drawn, mut expected) = ([0.0; 8], [0.0; 8]);
    theta.chunks(32).for_each(|theta| drawn[charge(theta)] += 1.0 / COUNT as f64);
    for theta in list(bound.forward_and_log_det(bound.field(z)).0).chunks(32) {
        for k in -2..=2 {
            let moved: Vec<f64> = theta.iter().zip(&flux).map(|(theta, a)| theta + k as f64 * a).collect();
            expected[charge(&moved)] += weight(k) / COUNT as f64;
        }
    }
    for (charge, (drawn, expected)) in drawn.into_iter().zip(expected).enumerate().take(4) {
        // An upper bound of the error, which draws of charges alone make.
        let error = (expected / COUNT as f64).sqrt();
        assert!(
            expected > 0.01 && (drawn - expected).abs() < 5.0 * error,
            "|Q| = {charge}: {drawn} {expected}"
        );
    }
}

#[test]
fn gauge_transformations_go_through_a_flow_and_leave_its_density() {
    for (flow, parameters) in flows_of_links() {
        let bound = flow.bind(&parameters, &Device::flex());
        let z = angles(&flow, 1);
        let (theta, log_q) = bound.sample_and_log_prob(bound.field(z.clone()));
        let (moved, moved_log_q) = bound.sample_and_log_prob(bound.field(transformed(&z)));
        assert!(distance(&list(moved), &transformed(&list(theta))) < 1e-10);
        assert!((list(log_q)[0] - list(moved_log_q)[0]).abs() < 1e-9);
    }
}

/// Whole turns of links, and steps after which masks repeat, change nothing else.
#[test]
fn a_flow_of_links_commutes_with_turns_and_with_translations_by_its_period() {
    for (flow, parameters) in flows_of_links() {
        let bound = flow.bind(&parameters, &Device::flex());
        let z = angles(&flow, 2);
        let turned: Vec<f64> =
            (0i32..).zip(&z).map(|(place, angle)| angle + f64::from(place % 5 - 2) * 2.0 * PI).collect();
        let (theta, log_det) = bound.forward_and_log_det(bound.field(z.clone()));
        let (same, same_log_det) = bound.forward_and_log_det(bound.field(turned));
        assert!(distance(&list(theta.clone()), &list(same)) < 1e-10);
        assert!(list(log_det.clone() - same_log_det).iter().all(|d| d.abs() < 1e-9));
        let shift = |x: Tensor<3>| {
            let rolled: Tensor<4> = x.reshape([2, 2, 4, 8]).roll_dim(4, 3);
            rolled.reshape([2, 2, -1])
        };
        let (shifted, shifted_log_det) = bound.forward_and_log_det(shift(bound.field(z)));
        assert!(distance(&list(shift(theta)), &list(shifted)) < 1e-10);
        assert!(list(log_det - shifted_log_det).iter().all(|d| d.abs() < 1e-9));
    }
}

/// To the last bit on the CPU: couplings as links change their sign, densities where they are made even.
#[test]
fn a_flow_of_links_that_is_made_even_is_so_under_charge_conjugation() {
    fn law<E: Element>(flow: &Flow, parameters: &[E], symmetrise: Symmetrise) {
        let bits = |tensor: Tensor<3>| list(tensor).into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let bound = flow.bind(parameters, &Device::flex());
        let z = bound.field(angles(flow, 17));
        let [(theta, there), (mirrored, mirrored_there)] =
            [z.clone(), -z].map(|z| bound.forward_and_log_det(z));
        let is_odd = bits(theta.clone()) == bits(-mirrored) && list(there) == list(mirrored_there);
        assert_eq!(is_odd, symmetrise == Symmetrise::Equivariant, "{symmetrise:?} in {:?}", E::dtype());
        let is_even = list(bound.log_prob(theta.clone())) == list(bound.log_prob(-theta));
        assert_eq!(is_even, symmetrise != Symmetrise::Never, "{symmetrise:?} in {:?}", E::dtype());
    }
    let modes = [Symmetrise::Never, Symmetrise::AfterTraining, Symmetrise::Always, Symmetrise::Equivariant];
    for map in [MapSpec::default(), MapSpec::Tan(TanSpec { components: 3 })] {
        let pass = Flow::new(&FlowSpec::Gauge(spec(8, 3, vec![4], map)), lattice()).flops_per_sample();
        for symmetrise in modes {
            let gauge = GaugeSpec { symmetrise, ..spec(8, 3, vec![4], map) };
            let flow = Flow::new(&FlowSpec::Gauge(gauge), lattice());
            let single = flow.initial_parameters(Seed(4));
            law(&flow, &single, symmetrise);
            let double: Vec<f64> = single.into_iter().map(f64::from).collect();
            law(&flow, &double, symmetrise);
            let [drawn, trained] = [flow.flops_per_sample(), flow.flops_in_training()].map(|f| f / pass);
            let expected = match symmetrise {
                Symmetrise::Never => [1.0, 1.0],
                Symmetrise::AfterTraining => [2.0, 1.0],
                Symmetrise::Always | Symmetrise::Equivariant => [2.0, 2.0],
            };
            assert_eq!([drawn, trained], expected, "{symmetrise:?}");
            let gauge = moving(2, LEARNED, GaugeSpec { symmetrise, ..spec(8, 3, vec![4], map) });
            let flow = Flow::new(&FlowSpec::Gauge(gauge), lattice());
            let moves = [flow.flops_per_sample(), flow.flops_in_training()].map(|f| f / pass);
            assert_eq!(moves, expected.map(|passes| 5.0 * passes), "{symmetrise:?}");
            law(&flow, &flow.initial_parameters(Seed(4)), symmetrise);
        }
    }
}

#[test]
fn every_layer_moves_an_eighth_of_the_links_and_eight_layers_all() {
    for layers in [1, 2, 8] {
        let gauge = spec(layers, 3, vec![4], MapSpec::default());
        let flow = Flow::new(&FlowSpec::Gauge(gauge), lattice());
        let parameters = flow.initial_parameters(Seed(4));
        let bound = flow.bind(&parameters, &Device::flex());
        let z = angles(&flow, 1);
        let (theta, _) = bound.forward_and_log_det(bound.field(z.clone()));
        let moved = list(theta).iter().zip(&z).filter(|(a, b)| reduced(*a - *b).abs() > 1e-5).count();
        assert_eq!(moved, layers * LINKS / 8);
    }
}

/// What a specification says of networks and lattices is what the couplings say.
#[test]
fn specifications_and_couplings_agree_on_parameters_and_lattices() {
    let text = "version = 1\nseed = 1\ntheory.schwinger = { extents = EXTENTS, beta = 2.0, kappa = 0.0 }\n\
                flow.gauge = { layers = 8, kernel_size = 1, hidden = [4] }\n\
                train = { batch.size = 8, optimizer.adam.learning_rate = 1e-3, stop.steps = 1 }\n";
    for knots in [2, 8, 11] {
        assert_eq!(MapSpec::Spline(SplineSpec { knots }).parameters(), Spline { knots }.parameters());
    }
    let reads = |knots: usize| {
        let set = format!("flow.gauge.map.spline.knots={knots}");
        Spec::parse(&text.replace("EXTENTS", "[4, 4]"), &[set]).is_ok()
    };
    assert!(reads(Spline::MOST_KNOTS) && !reads(Spline::MOST_KNOTS + 1));
    for components in [1, 6] {
        let tan = MapSpec::Tan(TanSpec { components });
        assert_eq!(tan.parameters(), TanMixture { components }.parameters());
    }
    for extents in [[2, 4], [4, 4], [4, 6], [6, 6], [8, 4], [10, 8], [12, 8]] {
        let is_read = Spec::parse(&text.replace("EXTENTS", &format!("{extents:?}")), &[]).is_ok();
        assert_eq!(is_read, GaugeCoupling::<Spline>::fits(&extents).is_ok(), "{extents:?}");
    }
}

#[test]
fn uniform_links_have_the_density_of_their_measure() {
    let base = HaarUniform::new(lattice());
    let z = base.draw(&Seed(1).stream("z"), 0, 3);
    let data = TensorData::new(z, [3, 2, LINKS / 2]);
    let log_r = list(base.log_density(Tensor::from_data(data, &Device::flex())));
    // Rounded to single precision.
    let expected = -(LINKS as f64) * (2.0 * PI).ln();
    assert!(log_r.len() == 3 && log_r.iter().all(|log_r| (log_r - expected).abs() < 1e-5), "{log_r:?}");
}
