//! Initial weights.

use crate::kernel::ConvStack;
use crate::rng::Stream;

/// Kaiming-uniform weights as PyTorch draws them by default (`a = √5`), for weight and bias alike:
/// uniform in `±width / √fan_in` with `fan_in = in · K^d`.
pub fn kaiming_uniform(stack: &ConvStack, width: f64, stream: &Stream, first: u64) -> Vec<f32> {
    let shapes = stack.parameter_shapes();
    let tensor = |index: usize| {
        let fan_in: usize = shapes[index / 2 * 2].1[1..].iter().product();
        let count = shapes[index].1.iter().product();
        stream.uniforms(first + index as u64, count, (width / (fan_in as f64).sqrt()) as f32)
    };
    (0..shapes.len()).flat_map(tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::Lattice;
    use crate::rng::Seed;

    #[test]
    fn weights_fill_the_bounds_of_their_fan_in() {
        let stack = ConvStack::new(Lattice::new([10, 10]), vec![1, 12, 12, 2], 5);
        let values = kaiming_uniform(&stack, 1.0, &Seed(1).stream("init"), 0);
        assert_eq!(values.len(), stack.parameter_count());
        let mut rest = &values[..];
        for (index, (name, shape)) in stack.parameter_shapes().into_iter().enumerate() {
            let (tensor, others) = rest.split_at(shape.iter().product());
            let bound = [25f32, 25.0, 300.0, 300.0, 300.0, 300.0][index].sqrt().recip();
            let largest = tensor.iter().fold(0f32, |most, v| most.max(v.abs()));
            assert!(largest <= bound, "{name}: {largest} > {bound}");
            assert!(tensor.len() < 100 || largest > 0.9 * bound, "{name}: {largest} of {bound}");
            rest = others;
        }
    }
}
