//! The determinant and its gradient on a GPU, in single precision: the CPU's elimination, with a workgroup for each configuration.
//!
//! The matrices of the slice in turn are in shared memory where they fit, up to X = 16 with 16 KiB, and what a slice leaves behind for
//! the gradient is in global memory. A unit computes some numbers of a matrix, and every sum has a fixed order.

mod blocks;
mod complex;
mod elimination;
mod inverse;
mod kernel;
mod magnitude;
mod ring;
mod shape;
mod walk;

use super::operator::Wilson;
use crate::kernel::gpu::{Buffer, groups};
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::prelude::CubeDim;
use kernel::{eliminate_slices, invert_remaining, walk_back};
use shape::{Blocks, MOST_SPACE};

/// Words of a buffer, at most: as many as WebGPU promises to bind at once.
const MOST_WORDS: usize = (1 << 27) / size_of::<f32>();

/// Whether the kernels take an operator.
///
/// # Errors
/// The rule that is broken.
pub fn fits(extents: [usize; 2]) -> Result<(), String> {
    let [times, space] = extents;
    if space > MOST_SPACE {
        return Err(format!("determinants on a GPU need at most {MOST_SPACE} sites in space, got {space}"));
    }
    let words = kept_words(extents);
    match words <= MOST_WORDS {
        true => Ok(()),
        false => Err(format!(
            "determinants on a GPU keep {words} numbers of {times} slices, and {MOST_WORDS} at most"
        )),
    }
}

fn kept_words([times, space]: [usize; 2]) -> usize {
    Blocks::of(space, true, usize::MAX).kept_words(times)
}

/// Adds `-2 ln|det D|` to actions and, where there are some, its gradients to those by the links.
///
/// # Shapes
/// `field`, `gradients`: `[batch, μ, site]`; `actions`: `[batch]`
///
/// # Panics
/// If the operator does not fit.
pub fn add(wilson: &Wilson, client: &Client, field: &Buffer, actions: &Buffer, gradients: Option<&Buffer>) {
    let [times, space] = wilson.extents();
    fits([times, space]).unwrap_or_else(|rule| panic!("{rule}"));
    let shape = Blocks::of(space, gradients.is_some(), client.properties().hardware.max_shared_memory_size);
    let words = [shape.kept_words(times), shape.far_words(), shape.remaining_words()];
    let batch = actions.words();
    let size = (MOST_WORDS / words.into_iter().fold(1, usize::max)).min(batch);
    // Nothing is read of what is not used, but it has to be named.
    let [kept, far, remaining] = words.map(|words| Buffer::empty(client, (size * words).max(1)));
    let (kappa, around) = (wilson.kappa() as f32, if wilson.is_antiperiodic() { -1.0 } else { 1.0 });
    for start in (0..batch).step_by(size.max(1)) {
        let count = size.min(batch - start);
        let (workgroups, dim) = (groups(count), CubeDim::new_1d(shape.units as u32));
        let [start, count, times] = [start, count, times].map(|number| number as u32);
        // SAFETY: workgroups beyond the count stop, and each has its part of the buffers; links are those of its configuration.
        unsafe {
            eliminate_slices::launch_unchecked(
                client,
                workgroups.clone(),
                dim,
                field.arg(),
                kept.arg(),
                far.arg(),
                remaining.arg(),
                start,
                count,
                times,
                kappa,
                around,
                shape,
            );
            invert_remaining::launch_unchecked(
                client,
                workgroups.clone(),
                dim,
                remaining.arg(),
                actions.arg(),
                start,
                count,
                shape,
            );
        }
        let Some(gradients) = gradients else { continue };
        // SAFETY: as above.
        unsafe {
            walk_back::launch_unchecked(
                client,
                workgroups,
                dim,
                field.arg(),
                kept.arg(),
                far.arg(),
                remaining.arg(),
                gradients.arg(),
                start,
                count,
                times,
                kappa,
                around,
                shape,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::DEVICE_EXTENTS;

    #[test]
    fn what_a_specification_may_ask_for_fits_and_what_is_larger_does_not() {
        assert_eq!(fits(DEVICE_EXTENTS), Ok(()));
        let [times, space] = DEVICE_EXTENTS;
        for extents in [[4, space + 2], [2 * times, space]] {
            assert!(fits(extents).is_err_and(|rule| rule.contains("on a GPU")), "{extents:?}");
        }
    }

    /// 16 x 16 in the 16 KiB that every adapter has.
    #[test]
    fn matrices_are_in_shared_memory_where_they_fit() {
        for (space, bytes, near) in
            [(16, 1 << 14, true), (20, 1 << 14, false), (20, 1 << 15, true), (32, 1 << 20, false)]
        {
            assert_eq!(Blocks::of(space, true, bytes).near, near, "{space} in {bytes}");
        }
    }
}
