//! The absolute value of a long product in single precision: a number from one to two and a power of two, so that a factor costs one
//! rounding and no product leaves the range.

use crate::kernel::gpu::elementary::log_one_plus;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Words of a product: the number, the exponent.
pub const WORDS: usize = 2;

/// ln 2 in two parts, the first short enough for exact products with exponents.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// The empty product.
#[cube]
pub fn begin(words: &mut [f32], place: usize) {
    words[place] = f32::new(1.0);
    words[place + 1] = f32::new(0.0);
}

/// Times a number that is not negative. What is no number stays none.
#[cube]
pub fn multiply(words: &mut [f32], place: usize, factor: f32) {
    let mut number = words[place] * factor;
    let mut exponent = words[place + 1];
    #[unroll]
    for step in 0..7usize {
        let (power, up, down) = comptime!({
            let power = 64 >> step;
            (power as f32, 2f32.powi(power), 2f32.powi(1 - power))
        });
        let large = number >= up;
        exponent += select(large, f32::new(power), f32::new(0.0));
        number *= select(large, f32::new(comptime!(1.0 / up)), f32::new(1.0));
        let small = number < down;
        exponent -= select(small, f32::new(power), f32::new(0.0));
        number *= select(small, f32::new(up), f32::new(1.0));
    }
    words[place] = number;
    words[place + 1] = exponent;
}

/// The same product elsewhere.
#[cube]
pub fn copy(words: &[f32], place: usize, to: &mut [f32], target: usize) {
    to[target] = words[place];
    to[target + 1] = words[place + 1];
}

/// Its logarithm.
#[cube]
pub fn logarithm(words: &[f32], place: usize) -> f32 {
    let (number, exponent) = (words[place], words[place + 1]);
    exponent * f32::new(comptime!(LN_2[0]))
        + (exponent * f32::new(comptime!(LN_2[1])) + log_one_plus(number - 1.0))
}
