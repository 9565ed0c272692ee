//! The transform on a GPU: a launch for each direction, a unit for each number.

use super::waves::Waves;
use crate::kernel::fused::{Back, Pass};
use crate::kernel::gpu::{Buffer, flat};
use burn::backend::{Cube, TensorMetadata};
use burn_cubecl::cubecl;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use std::sync::Arc;

/// Numbers along one direction, of which `stride` lie inside: `to(k) = Σ_n wave(kn mod L) from(n)`.
#[cube(launch_unchecked)]
fn along(from: &[f32], wave: &[f32], to: &mut [f32], #[comptime] extent: usize, #[comptime] stride: usize) {
    let place = ABSOLUTE_POS;
    if place >= to.len() {
        terminate!();
    }
    let k = place / stride % extent;
    let first = place - k * stride;
    let mut angle = 0usize;
    let mut sum = f32::new(0.0);
    for n in 0..extent {
        sum += wave[angle] * from[first + n * stride];
        angle = (angle + k) % extent;
    }
    to[place] = sum;
}

/// The transform, `[batch, component, site]` → `[batch, component, momentum]`.
pub fn pass(field: CubeTensor, waves: Arc<Waves>, keep: bool) -> Pass<Cube> {
    let output = transformed(field, &waves);
    Pass { output, back: keep.then(|| Arc::new(Symmetric(waves)) as Arc<dyn Back<Cube>>) }
}

/// The way back of a symmetric operation is the operation.
#[derive(Debug)]
struct Symmetric(Arc<Waves>);

impl Back<Cube> for Symmetric {
    fn gradients(&self, by_output: CubeTensor, _: &[bool]) -> Vec<Option<CubeTensor>> {
        vec![Some(transformed(by_output, &self.0))]
    }
}

fn transformed(field: CubeTensor, waves: &Waves) -> CubeTensor {
    let (client, device, shape) = (field.client.clone(), field.device.clone(), field.shape());
    let (count, dim) = flat(shape.num_elements());
    let transformed = waves.directions().fold(Buffer::tensor(field), |from, (wave, stride)| {
        let words: Vec<u32> = wave.iter().map(|&wave| (wave as f32).to_bits()).collect();
        let (wave, to) = (Buffer::table(&client, &words), Buffer::empty(&client, from.words()));
        // SAFETY: units beyond the end stop; what a unit reads lies along its direction, in the same configuration.
        unsafe {
            along::launch_unchecked(
                &client,
                count.clone(),
                dim,
                from.arg(),
                wave.arg(),
                to.arg(),
                words.len(),
                stride,
            );
        }
        to
    });
    transformed.into_tensor(&client, &device, shape)
}
