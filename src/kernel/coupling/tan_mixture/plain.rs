//! Mixtures of tangent maps in plain tensor operations.

use crate::kernel::coupling::circle::plain_reduced;
use crate::kernel::coupling::networks::Direction;
use burn::tensor::Tensor;
use std::f64::consts::PI;

/// Halvings of the circle: until its parts are what double precision rounds to.
const HALVINGS: usize = 53;

/// See [`super::TanMixture`].
pub fn apply(
    components: usize,
    direction: Direction,
    x: Tensor<3>,
    parameters: Tensor<3>,
) -> (Tensor<3>, Tensor<3>) {
    let s = parameters.clone().narrow(1, 0, components);
    let shift = parameters.narrow(1, components, 1);
    match direction {
        Direction::Forward => {
            let (step, slope) = mixture(&x, s);
            (x + step + shift, slope.log())
        }
        Direction::Inverse => {
            let goal = x - shift;
            let reduced = plain_reduced(goal.clone());
            let found = solve(&reduced, s.clone());
            let (step, slope) = mixture(&found, s.clone());
            // A last step of Newton's method, whose derivative is that of the solution.
            let found = found.clone() - (found + step - reduced.clone()) / slope.detach();
            let (_, slope) = mixture(&found, s);
            (goal - reduced + found, -slope.log())
        }
    }
}

/// `h(x) - x` and `h'(x)`.
fn mixture(x: &Tensor<3>, s: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
    let half = plain_reduced(x.clone()) * 0.5;
    let (sine, cosine) = (half.clone().sin(), half.cos());
    let (a, b) = ((s.clone() * 0.5).exp(), (s * -0.5).exp());
    let product = sine.clone() * cosine.clone();
    let above = a.clone() * (sine.clone() * sine);
    let below = b.clone() * (cosine.clone() * cosine);
    let step = ((a.clone() - b.clone()) * product / (above.clone() + below.clone())).atan() * 2.0;
    let slope = (a * above + b * below).recip();
    (step.mean_dim(1), slope.mean_dim(1))
}

/// The angles in [-π, π] whose images are `goal`, without a derivative.
fn solve(goal: &Tensor<3>, s: Tensor<3>) -> Tensor<3> {
    let (goal, s) = (goal.clone().detach(), s.detach());
    let mut middle = goal.zeros_like();
    let mut width = PI;
    for _ in 0..HALVINGS {
        let (step, _) = mixture(&middle, s.clone());
        width *= 0.5;
        let off = goal.clone() - middle.clone() - step;
        middle = middle + off.sign() * width;
    }
    middle
}
