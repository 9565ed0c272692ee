//! How far actions in single precision and their gradients are from those in double precision.

use crate::device::{Failure, to_host};
use crate::theory::Action;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::fmt;

/// Errors of an action, or of its gradient relative to its largest number, from which on a loss may notice them.
const NOTICED: f64 = 1e-2;

/// The largest errors on some configurations.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Precision {
    /// Configurations.
    pub count: usize,
    /// Of an action.
    pub action: f64,
    /// Of a number of its gradient, in units of the largest of all configurations.
    pub gradient: f64,
}

impl Precision {
    /// Of [`Action::action_on_device`] on the device of configurations against [`Action::action`] in double precision on the host, both of
    /// the numbers that the device has.
    ///
    /// # Shapes
    /// `phi`: `[batch, component, site]`
    ///
    /// # Errors
    /// What the device gives as the reason that it did not compute.
    pub fn measured(action: &dyn Action, phi: Tensor<3>) -> Result<Self, Failure> {
        let (shape, numbers) = (phi.dims(), to_host(phi.clone())?);
        let here = Tensor::from_inner(phi).require_grad();
        let data = TensorData::new(numbers, shape);
        let exact = Tensor::<3>::from_data(data, (&Device::flex().autodiff(), DType::F64)).require_grad();
        let [found, by_found] = values(&|field| action.action_on_device(field), here)?;
        let [exact, by_exact] = values(&|field| action.action(field), exact)?;
        let largest = by_exact.iter().fold(f64::MIN_POSITIVE, |largest, number| largest.max(number.abs()));
        let (action, gradient) =
            (largest_difference(&found, &exact), largest_difference(&by_found, &by_exact));
        Ok(Self { count: shape[0], action, gradient: gradient / largest })
    }

    /// On these and other configurations.
    pub fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            action: larger(self.action, other.action),
            gradient: larger(self.gradient, other.gradient),
        }
    }

    /// Whether a loss may notice the errors.
    pub fn is_poor(&self) -> bool {
        // What is no number is poor.
        !(self.action < NOTICED && self.gradient < NOTICED)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, action, gradient } = self;
        write!(
            f,
            "train.determinant = \"device\": on {count} configurations of the first batch the action is off by {action:.1e} at most, \
             and its gradient by {gradient:.1e} of its largest number, against double precision"
        )
    }
}

/// Actions and their gradients by the field.
fn values(action: &dyn Fn(Tensor<3>) -> Tensor<1>, field: Tensor<3>) -> Result<[Vec<f64>; 2], Failure> {
    let actions = action(field.clone());
    let gradients = field.grad(&actions.clone().sum().backward()).expect("its gradient was asked for");
    Ok([to_host(actions)?, to_host(gradients)?])
}

fn largest_difference(found: &[f64], exact: &[f64]) -> f64 {
    found.iter().zip(exact).map(|(found, exact)| (found - exact).abs()).fold(0.0, larger)
}

/// The larger of two numbers; what is no number stays none.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_the_largest_error() {
        for differences in [[f64::NAN, 1.0], [1.0, f64::NAN]] {
            let off = largest_difference(&differences, &[0.0, 0.0]);
            let found = Precision { count: 1, action: off, gradient: 0.0 };
            assert!(off.is_nan() && found.is_poor() && Precision::default().and(found).is_poor());
            assert!(found.and(Precision::default()).is_poor());
        }
        assert_eq!(largest_difference(&[1.0, -2.0], &[0.5, 1.0]), 3.0);
        assert!(!Precision { count: 1, action: 1e-4, gradient: 1e-5 }.is_poor());
    }
}
