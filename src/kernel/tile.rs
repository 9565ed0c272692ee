//! Tiles: `LANES` samples side by side, `[site][channel][lane]`, how a batch is cut into them, and the way back to tensors.

use super::isa::Scalar;
use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Shape, TensorData};

/// Samples `[sample, channel, site]` as a tile `[site][channel][lane]`; lanes without a sample are zero.
pub fn gathered<T: Scalar>(from: &[T], channels: usize, volume: usize, lanes: usize) -> Vec<T> {
    let mut tile = vec![T::default(); volume * channels * lanes];
    for (lane, sample) in from.chunks_exact(channels * volume).enumerate() {
        for (channel, row) in sample.chunks_exact(volume).enumerate() {
            for (site, &value) in row.iter().enumerate() {
                tile[(site * channels + channel) * lanes + lane] = value;
            }
        }
    }
    tile
}

/// A tile `[site][channel][lane]` back to samples `[sample, channel, site]`.
pub fn scatter<T: Scalar>(tile: &[T], channels: usize, volume: usize, lanes: usize, to: &mut [T]) {
    let samples = to.len() / (channels * volume);
    for lane in 0..samples {
        for channel in 0..channels {
            let row = &mut to[(lane * channels + channel) * volume..][..volume];
            for (site, value) in row.iter_mut().enumerate() {
                *value = tile[(site * channels + channel) * lanes + lane];
            }
        }
    }
}

/// The chunk of a tile; the last one may be shorter.
pub fn part<T>(all: &[T], tile: usize, size: usize) -> &[T] {
    &all[tile * size..((tile + 1) * size).min(all.len())]
}

/// One chunk for each tile, all of them empty if there is nothing to chunk.
pub fn chunks_or_nothing<T>(all: &mut [T], size: usize, tiles: usize) -> Vec<&mut [T]> {
    match all {
        [] => (0..tiles).map(|_| &mut [][..]).collect(),
        all => all.chunks_mut(size).collect(),
    }
}

/// The sum of vectors in the order of the tiles, so that it does not depend on the number of threads.
pub fn sum_in_order<T: Scalar>(terms: &[Vec<T>], length: usize) -> Vec<T> {
    let mut sum = vec![T::default(); length];
    for term in terms {
        sum.iter_mut().zip(term).for_each(|(sum, &term)| *sum += term);
    }
    sum
}

/// Numbers as a tensor of burn's on the CPU.
pub fn tensor<T: Scalar>(values: Vec<T>, shape: Shape) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(values, shape))
}
