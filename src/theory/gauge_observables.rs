//! Observables of a U(1) gauge field with or without Wilson fermions.

use super::observables::{Derived, Observables};
use super::schwinger::Schwinger;
use crate::kernel::gauge::{GaugeAction, reduced};
use crate::lattice::Lattice;
use std::f64::consts::PI;
use std::sync::Arc;

/// Wilson loops, by extents.
const LOOPS: [[usize; 2]; 5] = [[1, 1], [1, 2], [2, 2], [2, 3], [3, 3]];

/// Charges whose probability is a number of its own: 0, ±1, … up to this.
const CHARGES: usize = 4;

/// A pivot below this is one of a nearly singular operator: half of the digits are gone.
const SMALL_PIVOT: f64 = 1e-8;

/// Places of the measured numbers; loops come first, charges after [`Q2`], what belongs to fermions after those.
const ACTION: usize = LOOPS.len();
const Q: usize = ACTION + 1;
const Q2: usize = Q + 1;
const P: usize = Q2 + 1;
const ASYMMETRY: usize = P + CHARGES + 1;
const CONDENSATE: usize = ASYMMETRY + CHARGES;
const NEGATIVE: usize = CONDENSATE + 1;
const PIVOT: usize = NEGATIVE + 1;
const SINGULAR: usize = PIVOT + 1;
const CORRELATOR: usize = SINGULAR + 1;

const ONE_CHARGE: &str = "configurations of one sign of the topological charge";

/// With `U_μ = e^{iθ_μ}` and Re W of a loop the cosine of the sum of its plaquettes:
///
/// - `plaquette` = ⟨Re P⟩; `wilson_loop_r_t` = ⟨Re W(r x t)⟩, both orientations averaged
/// - `creutz_ratio_2` = -ln(W(2,2) W(1,1)/W(1,2)²), `creutz_ratio_3` = -ln(W(3,3) W(2,2)/W(2,3)²): the string tension
/// - `topological_charge` = ⟨Q⟩, `Q = (1/2π) Σ (P reduced to (-π, π])`, zero because the action is even;
///   `topological_charge_squared` = ⟨Q²⟩, `topological_susceptibility` = ⟨Q²⟩/V
/// - `charge_probability_n` = P(|Q| = n), `charge_asymmetry_n` = P(Q = n) - P(Q = -n), zero
/// - `action_density` = ⟨S⟩/V
///
/// and, with fermions:
///
/// - `condensate` = ⟨tr D⁻¹⟩/V; `pseudoscalar_t` = C(t) = ⟨Σ_x,spins |D⁻¹(t x, 0 x')|²⟩, x' averaged over space
/// - `effective_mass_t`: arcosh of `[C(t+1) + C(t-1)] / 2C(t)`; `pion_mass` that at T/2; `pion_mass_plateau`: arcosh of
///   `Σ_t [C(t+1) + C(t-1)] / 2Σ_t C(t)`, t from T/4 to T/2
/// - `negative_determinants`: share of configurations with det D < 0, which its square does not show; `smallest_pivot` of the
///   elimination, `nearly_singular` how often it is below 10⁻⁸
///
/// C is averaged over t and T - t, between which reflection does not choose. Source: A22, Sec. 4 and app. A.
pub struct GaugeObservables {
    lattice: Lattice,
    theory: Schwinger,
    action: Arc<GaugeAction>,
}

impl GaugeObservables {
    /// Of this theory.
    pub fn new(lattice: Lattice, theory: Schwinger) -> Self {
        let action = Arc::clone(theory.kernel());
        Self { lattice, theory, action }
    }

    fn extents(&self) -> [usize; 2] {
        self.lattice.extents().try_into().expect("two extents")
    }

    fn fits(&self, [r, t]: [usize; 2]) -> bool {
        self.extents().iter().all(|&extent| r.max(t) < extent)
    }

    /// `(1/V) Σ Re W` of all loops of these extents.
    fn wilson_loop(&self, plaquettes: &[f64], [r, t]: [usize; 2]) -> f64 {
        let shapes: &[[usize; 2]] = if r == t { &[[r, t]] } else { &[[r, t], [t, r]] };
        let sum: f64 = shapes.iter().map(|shape| self.sum_of_loops(plaquettes, *shape)).sum();
        sum / (shapes.len() * plaquettes.len()) as f64
    }

    fn sum_of_loops(&self, plaquettes: &[f64], [high, wide]: [usize; 2]) -> f64 {
        let [times, space] = self.extents();
        let flux = |t: usize, x: usize| {
            let rows = (t..t + high).map(|t| t % times * space);
            rows.map(|row| (x..x + wide).map(|x| plaquettes[row + x % space]).sum::<f64>()).sum::<f64>()
        };
        (0..times).map(|t| (0..space).map(|x| flux(t, x).cos()).sum::<f64>()).sum()
    }

    fn measure_charge(plaquettes: &[f64], out: &mut [f64]) {
        let charge = plaquettes.iter().map(|angle| reduced(*angle)).sum::<f64>() / (2.0 * PI);
        let whole = charge.round();
        debug_assert!((charge - whole).abs() < 1e-6, "a topological charge of {charge}");
        (out[Q], out[Q2]) = (whole, whole * whole);
        out[P..CONDENSATE].fill(0.0);
        let size = whole.abs() as usize;
        if size <= CHARGES {
            out[P + size] = 1.0;
        }
        if (1..=CHARGES).contains(&size) {
            out[ASYMMETRY + size - 1] = whole.signum();
        }
    }

    fn measure_fermions(&self, field: &[f64], out: &mut [f64]) {
        let Some(found) = self.action.with_wilson(|wilson, work| wilson.propagator(field, work)) else {
            return;
        };
        let times = found.pseudoscalar.len();
        out[CONDENSATE] = found.condensate;
        out[NEGATIVE] = f64::from(u8::from(found.determinant.sign < 0.0));
        out[PIVOT] = found.determinant.smallest_pivot;
        out[SINGULAR] = f64::from(u8::from(found.determinant.smallest_pivot < SMALL_PIVOT));
        for (t, out) in out[CORRELATOR..].iter_mut().enumerate() {
            *out = 0.5 * (found.pseudoscalar[t] + found.pseudoscalar[(times - t) % times]);
        }
    }

    fn of_loops(&self) -> Vec<Derived> {
        let exact = self.theory.exact();
        let of_loop = |(place, [r, t]): (usize, [usize; 2])| {
            let name = if r * t == 1 { "plaquette".into() } else { format!("wilson_loop_{r}_{t}") };
            let known = exact.map(|exact| exact.wilson_loop(r * t));
            let found = Derived::new(name, move |a| a[place]).exact(known);
            if r * t == 1 { found.primary() } else { found }
        };
        let fitting = LOOPS.into_iter().enumerate().filter(|(_, shape)| self.fits(*shape));
        let mut all: Vec<Derived> = fitting.map(of_loop).collect();
        for (name, [inner, mixed, outer]) in [("creutz_ratio_2", [0, 1, 2]), ("creutz_ratio_3", [2, 3, 4])] {
            if self.fits(LOOPS[outer]) {
                let ratio = move |w: &dyn Fn(usize) -> f64| -(w(outer) * w(inner) / w(mixed).powi(2)).ln();
                let known = exact.map(|exact| {
                    ratio(&|place| exact.wilson_loop(LOOPS[place].into_iter().product::<usize>()))
                });
                all.push(Derived::new(name, move |a| ratio(&|place| a[place])).exact(known));
            }
        }
        all
    }

    fn of_charge(&self) -> Vec<Derived> {
        let (exact, volume) = (self.theory.exact(), self.lattice.volume() as f64);
        let square = exact.map(|exact| exact.charge_squared());
        let mut all = vec![
            Derived::new("action_density", move |a| a[ACTION] / volume)
                .exact(exact.map(|exact| -self.action.beta() * exact.wilson_loop(1)))
                .primary(),
            Derived::new("topological_charge", |a| a[Q]).vanishes(ONE_CHARGE),
            Derived::new("topological_charge_squared", |a| a[Q2]).exact(square).primary(),
            Derived::new("topological_susceptibility", move |a| a[Q2] / volume)
                .exact(square.map(|square| square / volume)),
        ];
        all.extend((0..=CHARGES).map(|charge| {
            let signs = if charge == 0 { 1.0 } else { 2.0 };
            let known = exact.map(|exact| signs * exact.charge_probability(charge));
            Derived::new(format!("charge_probability_{charge}"), move |a| a[P + charge]).exact(known)
        }));
        all.extend((1..=CHARGES).map(|charge| {
            let value = move |a: &[f64]| a[ASYMMETRY + charge - 1];
            Derived::new(format!("charge_asymmetry_{charge}"), value).vanishes(ONE_CHARGE)
        }));
        all
    }

    fn of_fermions(&self) -> Vec<Derived> {
        let times = self.extents()[0];
        let c = move |a: &[f64], t: usize| a[CORRELATOR + (t % times).min(times - t % times)];
        let curvature = move |a: &[f64], t: usize| c(a, t + 1) + c(a, t + times - 1);
        let mass = move |a: &[f64], t: usize| (curvature(a, t) / (2.0 * c(a, t))).acosh();
        let plateau = (times / 4).max(1)..times / 2 + 1;
        let mut all = vec![
            Derived::new("condensate", |a| a[CONDENSATE]).primary(),
            Derived::new("pion_mass", move |a| mass(a, times / 2)),
            Derived::new("pion_mass_plateau", move |a| {
                let sum = |of: &dyn Fn(usize) -> f64| plateau.clone().map(of).sum::<f64>();
                (sum(&|t| curvature(a, t)) / (2.0 * sum(&|t| c(a, t)))).acosh()
            }),
            Derived::new("negative_determinants", |a| a[NEGATIVE]),
            Derived::new("smallest_pivot", |a| a[PIVOT]),
            Derived::new("nearly_singular", |a| a[SINGULAR]).never(
                "the operator of the fermions was nearly singular: pivots of its elimination below 1e-8",
            ),
        ];
        all.extend(
            (0..=times / 2).map(|t| Derived::new(format!("pseudoscalar_{t}"), move |a: &[f64]| c(a, t))),
        );
        all.extend((1..times / 2).map(|t| Derived::new(format!("effective_mass_{t}"), move |a| mass(a, t))));
        all
    }
}

impl Observables for GaugeObservables {
    fn width(&self) -> usize {
        match self.action.wilson() {
            Some(_) => CORRELATOR + self.extents()[0] / 2 + 1,
            None => CONDENSATE,
        }
    }

    fn measure(&self, field: &[f64], action: f64, out: &mut [f64]) {
        let mut plaquettes = vec![0.0; self.lattice.volume()];
        self.action.plaquettes().angles(field, &mut plaquettes);
        for (out, shape) in out.iter_mut().zip(LOOPS) {
            *out = self.wilson_loop(&plaquettes, shape);
        }
        out[ACTION] = action;
        Self::measure_charge(&plaquettes, out);
        self.measure_fermions(field, out);
    }

    fn derived(&self) -> Vec<Derived> {
        let fermions = if self.action.wilson().is_some() { self.of_fermions() } else { Vec::new() };
        self.of_loops().into_iter().chain(self.of_charge()).chain(fermions).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn all(extents: [usize; 2], kappa: f64, field: &[f64]) -> std::collections::BTreeMap<String, f64> {
        let lattice = Lattice::new(extents);
        let observables = GaugeObservables::new(lattice, Schwinger::new(lattice, 2.0, kappa, true));
        let mut row = vec![f64::NAN; observables.width()];
        observables.measure(field, 7.0, &mut row);
        observables.derived().into_iter().map(|one| (one.name.clone(), (one.value)(&row))).collect()
    }

    fn field(extents: [usize; 2], width: f64) -> Vec<f64> {
        let normals = Seed(2).stream("links").normals(0, 2, extents.iter().product());
        normals.into_iter().map(|normal| width * f64::from(normal)).collect()
    }

    /// Loops as products of links along their paths.
    #[test]
    fn loops_are_products_of_links() {
        let extents = [4, 6];
        let (lattice, angles) = (Lattice::new(extents), field(extents, 1.0));
        let volume = lattice.volume();
        let found = all(extents, 0.0, &angles);
        let path = |from: usize, mu: usize, steps: usize| {
            (0..steps).fold((from, 0.0), |(site, angle), _| {
                (lattice.forward(site, mu), angle + angles[mu * volume + site])
            })
        };
        let of = |from: usize, high: usize, wide: usize| {
            let (corner, up) = path(from, 0, high);
            let (_, along) = path(corner, 1, wide);
            let (corner, right) = path(from, 1, wide);
            let (_, beside) = path(corner, 0, high);
            (up + along - beside - right).cos()
        };
        for (name, high, wide) in [("plaquette", 1, 1), ("wilson_loop_2_2", 2, 2), ("wilson_loop_3_3", 3, 3)]
        {
            let expected = (0..volume).map(|site| of(site, high, wide)).sum::<f64>() / volume as f64;
            assert!((found[name] - expected).abs() < 1e-12, "{name}");
        }
        let both: f64 = (0..volume).map(|site| of(site, 1, 2) + of(site, 2, 1)).sum();
        assert!((found["wilson_loop_1_2"] - 0.5 * both / volume as f64).abs() < 1e-12);
        assert!((found["action_density"] - 7.0 / volume as f64).abs() < 1e-15);
    }

    #[test]
    fn the_charge_is_whole_and_has_its_indicators() {
        let extents = [6, 8];
        for charge in [-2.0, 0.0, 1.0] {
            let mut angles = field(extents, 0.1);
            let theory = Schwinger::new(Lattice::new(extents), 2.0, 0.0, true);
            theory.kernel().plaquettes().add_flux(charge, &mut angles);
            let found = all(extents, 0.0, &angles);
            assert_eq!(found["topological_charge"], charge);
            assert_eq!(found["topological_charge_squared"], charge * charge);
            let size = charge.abs();
            assert_eq!(found[&format!("charge_probability_{size}")], 1.0);
            let sum = |name: &str| -> f64 {
                found.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, value)| value).sum()
            };
            assert_eq!(sum("charge_probability"), 1.0);
            let sign = if charge == 0.0 { 0.0 } else { charge.signum() };
            assert_eq!(sum("charge_asymmetry"), sign);
        }
    }

    /// Free fermions: `D⁻¹` of momenta `1 - 2κ Σ cos p + 2iκ Σ σ sin p`.
    #[test]
    fn unit_links_have_the_propagator_of_free_fermions() {
        let (extents, kappa) = ([8, 6], 0.21);
        let [times, space] = extents;
        let found = all(extents, kappa, &vec![0.0; 2 * times * space]);
        let momenta = || {
            (0..times * space).map(|index| {
                let (n, m) = ((index / space) as f64 + 0.5, (index % space) as f64);
                [2.0 * PI * n / times as f64, 2.0 * PI * m / space as f64]
            })
        };
        let parts = |p: [f64; 2]| {
            let scalar = 1.0 - 2.0 * kappa * (p[0].cos() + p[1].cos());
            let vector = p.map(|p| 2.0 * kappa * p.sin());
            (scalar, vector, scalar * scalar + vector[0] * vector[0] + vector[1] * vector[1])
        };
        let condensate =
            momenta().map(|p| 2.0 * parts(p).0 / parts(p).2).sum::<f64>() / (times * space) as f64;
        assert!((found["condensate"] - condensate).abs() < 1e-12);
        for t in 0..=times / 2 {
            let mut sum = 0.0;
            for x in 0..space {
                let mut entries = [[0.0; 2]; 3];
                for p in momenta() {
                    let (scalar, vector, norm) = parts(p);
                    let phase = p[0] * t as f64 + p[1] * x as f64;
                    for (entry, part) in entries.iter_mut().zip([scalar, vector[0], vector[1]]) {
                        let part = part / norm / (times * space) as f64;
                        *entry = [entry[0] + part * phase.cos(), entry[1] + part * phase.sin()];
                    }
                }
                // tr over spins of a + i b·σ times its adjoint.
                sum += 2.0 * entries.iter().flatten().map(|part| part * part).sum::<f64>();
            }
            let found = found[&format!("pseudoscalar_{t}")];
            assert!((found - sum).abs() < 1e-12 * sum, "t = {t}: {found}, not {sum}");
        }
    }
}
