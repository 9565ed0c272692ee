//! Initial weights.

use crate::kernel::ConvStack;
use crate::rng::Stream;
use crate::spec::InitialSpec;

/// Uniform parameters of a stack, packed; its i-th tensor is item `first + i` of the stream.
///
/// - Kaiming as PyTorch draws by default (`a = √5`), weight and bias alike: in `±width / √fan_in`
/// - Xavier as `torch.nn.init.xavier_uniform_`: weights in `±gain √(6 / (fan_in + fan_out))`. It is for weights alone, and a fresh
///   convolution keeps the biases of PyTorch's default: in `±1 / √fan_in`, whatever the gain
///
/// `fan_in = in · K^d`, `fan_out = out · K^d`. Source: A22, caption of Fig. 4, which does not speak of biases.
pub fn uniform(stack: &ConvStack, initial: InitialSpec, stream: &Stream, first: u64) -> Vec<f32> {
    let shapes = stack.parameter_shapes();
    let tensor = |index: usize| {
        // The bias of a convolution comes after its weight, `[out, in, K, …]`.
        let (weight, is_bias) = (&shapes[index / 2 * 2].1, index % 2 == 1);
        let bound = bound(initial, weight, is_bias);
        stream.uniforms(first + index as u64, shapes[index].1.iter().product(), bound as f32)
    };
    (0..shapes.len()).flat_map(tensor).collect()
}

/// The bound for the weight of a convolution, or for its bias.
fn bound(initial: InitialSpec, weight: &[usize], is_bias: bool) -> f64 {
    let taps: usize = weight[2..].iter().product();
    let [fan_out, fan_in] = [weight[0], weight[1]].map(|channels| (channels * taps) as f64);
    match initial {
        InitialSpec::Kaiming(kaiming) => kaiming.width / fan_in.sqrt(),
        InitialSpec::Xavier(_) if is_bias => 1.0 / fan_in.sqrt(),
        InitialSpec::Xavier(xavier) => xavier.gain * (6.0 / (fan_in + fan_out)).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::Lattice;
    use crate::rng::Seed;
    use crate::spec::{KaimingSpec, XavierSpec};

    /// Draws of all tensors of a stack.
    const DRAWS: u64 = 200;

    /// Every tensor stays within its bound and, over all draws, fills it evenly: its second moment is `bound² / 3`, with the
    /// variance `bound⁴ (1/5 - 1/9)`; five standard errors are allowed for.
    fn assert_uniform(stack: &ConvStack, initial: InitialSpec, bounds: &[f64]) {
        let stream = Seed(1).stream("init");
        let draws: Vec<Vec<f32>> =
            (0..DRAWS).map(|draw| uniform(stack, initial, &stream, draw << 32)).collect();
        let mut first = 0;
        for ((name, shape), &bound) in stack.parameter_shapes().into_iter().zip(bounds) {
            let place = first..first + shape.iter().product::<usize>();
            let values: Vec<f64> =
                draws.iter().flat_map(|draw| &draw[place.clone()]).map(|&value| f64::from(value)).collect();
            let largest = values.iter().fold(0f64, |most, value| most.max(value.abs()));
            // The bound itself is rounded to single precision.
            assert!(largest <= bound * (1.0 + f64::from(f32::EPSILON)), "{name}: {largest} > {bound}");
            let n = values.len() as f64;
            // All of n draws are below this with probability e⁻¹⁰.
            assert!(largest > (1.0 - 10.0 / n) * bound, "{name}: {largest} of {bound}");
            let second = values.iter().map(|value| value * value).sum::<f64>() / n;
            let error = bound * bound * ((1.0 / 5.0 - 1.0 / 9.0) / n).sqrt();
            assert!((second - bound * bound / 3.0).abs() < 5.0 * error, "{name}: {second}");
            first = place.end;
        }
        assert_eq!((first, bounds.len()), (stack.parameter_count(), stack.parameter_shapes().len()));
    }

    #[test]
    fn weights_fill_the_bounds_of_their_fan_in() {
        let stack = ConvStack::new(Lattice::new([10, 10]), vec![1, 12, 12, 2], 5);
        let values = uniform(&stack, InitialSpec::default(), &Seed(1).stream("init"), 0);
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

    #[test]
    fn both_choices_are_uniform_in_the_bounds_of_their_fans() {
        let plane = ConvStack::new(Lattice::new([10, 10]), vec![1, 12, 12, 2], 5);
        let (fan_in, fan_out) = ([25f64, 300.0, 300.0], [300f64, 300.0, 50.0]);
        for width in [1.0, 0.25] {
            let bounds: Vec<f64> = fan_in.iter().flat_map(|fan| [width / fan.sqrt(); 2]).collect();
            assert_uniform(&plane, InitialSpec::Kaiming(KaimingSpec { width }), &bounds);
        }
        for gain in [1.0, 0.5] {
            let of_convolution = |(fan_in, fan_out): (&f64, &f64)| {
                [gain * (6.0 / (fan_in + fan_out)).sqrt(), 1.0 / fan_in.sqrt()]
            };
            let bounds: Vec<f64> = fan_in.iter().zip(&fan_out).flat_map(of_convolution).collect();
            assert_uniform(&plane, InitialSpec::Xavier(XavierSpec { gain }), &bounds);
        }
    }

    /// 27 taps: `fan_in = 2 · 27`, `fan_out = 4 · 27`.
    #[test]
    fn fans_count_the_taps_of_all_dimensions() {
        let solid = ConvStack::new(Lattice::new([4, 4, 4]), vec![2, 4], 3);
        let kaiming = [54f64.sqrt().recip(); 2];
        assert_uniform(&solid, InitialSpec::default(), &kaiming);
        let xavier = [(6.0 / 162f64).sqrt(), 54f64.sqrt().recip()];
        assert_uniform(&solid, InitialSpec::Xavier(XavierSpec { gain: 1.0 }), &xavier);
    }
}
