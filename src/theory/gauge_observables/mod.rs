//! Observables of a U(1) gauge field with or without Wilson fermions.

use crate::kernel::gauge::reduced;
use crate::lattice::Lattice;
use crate::theory::observables::{Derived, Observables};
use crate::theory::schwinger::Schwinger;
use std::f64::consts::PI;

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
const FRACTION: usize = ASYMMETRY + CHARGES;
const CONDENSATE: usize = FRACTION + 1;
const NEGATIVE: usize = CONDENSATE + 1;
const PIVOT: usize = NEGATIVE + 1;
const SINGULAR: usize = PIVOT + 1;
const CORRELATOR: usize = SINGULAR + 1;

/// A charge is whole within this, unless its angles are too large for their digits.
const ROUNDING: f64 = 1e-6;

const ONE_CHARGE: &str = "configurations of one sign of the topological charge";

/// With `U_μ = e^{iθ_μ}` and Re W of a loop the cosine of the sum of its plaquettes:
///
/// - `plaquette` = ⟨Re P⟩; `wilson_loop_r_t` = ⟨Re W(r x t)⟩, both orientations averaged
/// - `creutz_ratio_2` = -ln(W(2,2) W(1,1)/W(1,2)²), `creutz_ratio_3` = -ln(W(3,3) W(2,2)/W(2,3)²): the string tension
/// - `topological_charge` = ⟨Q⟩, `Q = (1/2π) Σ (P reduced to (-π, π])`, zero because the action is even;
///   `topological_charge_squared` = ⟨Q²⟩, `topological_susceptibility` = ⟨Q²⟩/V
/// - `fractional_charge`: how often Q is not whole, which no configuration should be
/// - `charge_probability_n` = P(|Q| = n), `charge_asymmetry_n` = P(Q = n) - P(Q = -n), zero
/// - `action_density` = ⟨S⟩/V
///
/// and, with fermions:
///
/// - `condensate` = ⟨tr D⁻¹⟩/V; `pseudoscalar_t` = C(t) = ⟨Σ_x,spins |D⁻¹(t x, 0 x')|²⟩, x' averaged over space
/// - `effective_mass_t`: arcosh of `[C(t+1) + C(t-1)] / 2C(t)`; `pion_mass` that at T/2; `pion_mass_plateau`: the fit
///   of `C(t+1) + C(t-1) = 2 cosh(m) C(t)` with weights 1/C(t), t from T/4 to T/2: arcosh of `Σ_t [C(t+1) + C(t-1)] / 2Σ_t C(t)`
/// - `negative_determinants`: share of configurations with det D < 0, which its square does not show; `smallest_pivot` of the
///   elimination, on average, `nearly_singular` how often it is below 10⁻⁸
///
/// C is averaged over t and T - t, between which reflection does not choose. Source: A22, Sec. 4 and app. A.
pub struct GaugeObservables {
    lattice: Lattice,
    theory: Schwinger,
}

impl GaugeObservables {
    /// Of this theory.
    pub fn new(lattice: Lattice, theory: Schwinger) -> Self {
        Self { lattice, theory }
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
        (out[Q], out[Q2]) = (whole, whole * whole);
        out[P..CONDENSATE].fill(0.0);
        out[FRACTION] = f64::from(u8::from((charge - whole).abs() > ROUNDING));
        let size = whole.abs() as usize;
        if size <= CHARGES {
            out[P + size] = 1.0;
        }
        if (1..=CHARGES).contains(&size) {
            out[ASYMMETRY + size - 1] = whole.signum();
        }
    }

    fn measure_fermions(&self, field: &[f64], out: &mut [f64]) {
        let Some(found) = self.theory.kernel().with_wilson(|wilson, work| wilson.propagator(field, work))
        else {
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
                .exact(exact.map(|exact| -self.theory.kernel().beta() * exact.wilson_loop(1)))
                .primary(),
            Derived::new("topological_charge", |a| a[Q]).vanishes(ONE_CHARGE),
            Derived::new("topological_charge_squared", |a| a[Q2]).exact(square).primary(),
            Derived::new("topological_susceptibility", move |a| a[Q2] / volume)
                .exact(square.map(|square| square / volume)),
        ];
        all.push(
            Derived::new("fractional_charge", |a| a[FRACTION]).never(
                "the topological charge was no whole number: the angles are too large for their digits",
            ),
        );
        all.extend((0..=CHARGES).map(|charge| {
            let signs = if charge == 0 { 1.0 } else { 2.0 };
            let known = exact.map(|exact| signs * exact.charge_probability(charge));
            Derived::new(format!("charge_probability_{charge}"), move |a| a[P + charge]).exact(known).sector()
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
        match self.theory.kernel().wilson() {
            Some(_) => CORRELATOR + self.extents()[0] / 2 + 1,
            None => CONDENSATE,
        }
    }

    fn measure(&self, field: &[f64], action: f64, out: &mut [f64]) {
        let mut plaquettes = vec![0.0; self.lattice.volume()];
        self.theory.kernel().plaquettes().angles(field, &mut plaquettes);
        for (out, shape) in out.iter_mut().zip(LOOPS) {
            *out = self.wilson_loop(&plaquettes, shape);
        }
        out[ACTION] = action;
        Self::measure_charge(&plaquettes, out);
        self.measure_fermions(field, out);
    }

    fn derived(&self) -> Vec<Derived> {
        let fermions = if self.theory.kernel().wilson().is_some() { self.of_fermions() } else { Vec::new() };
        self.of_loops().into_iter().chain(self.of_charge()).chain(fermions).collect()
    }
}

#[cfg(test)]
mod tests;
