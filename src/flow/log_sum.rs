//! Logarithms of sums of densities, which no mixture of two can do without.

use burn::tensor::Tensor;

/// `ln (e^a + e^b) - c`.
///
/// - value: `max(a, b) + ln(1 + e^{-|a-b|}) - c`, which overflows nowhere and keeps the digits of the larger
/// - gradient: `w ∂a + (1-w) ∂b` with `w = 1/(1 + e^{b-a})`, also where both are equal and the larger is neither
///
/// # Shapes
/// `[batch]`, `[batch]` → `[batch]`
pub fn log_sum(a: Tensor<1>, b: Tensor<1>, c: f64) -> Tensor<1> {
    let [left, right] = [a.clone().detach(), b.clone().detach()];
    let difference = left.clone() - right.clone();
    let value = left.max_pair(right) + difference.clone().abs().neg().exp().log1p() - c;
    let weight = (difference.neg().exp() + 1.0).recip();
    // Linear in a and b with the right slopes; then shifted to the right value.
    let slopes = (a - b.clone()) * weight + b;
    let shift = value - slopes.clone().detach();
    slopes + shift
}
