//! What the machine could do at best, to hold the kernels against.

use super::isa::{Isa, Scalar, vector_shape};
use super::vector::{Kernel, Vector};

/// Floating-point operations per second of independent fused multiply-adds on a device, measured for a moment.
pub fn fma_peak(device: &burn::tensor::Device) -> f64 {
    #[cfg(feature = "wgpu")]
    if let Some(peak) = super::gpu::fma_peak(device) {
        return peak;
    }
    let _ = device;
    cpu_peak()
}

fn cpu_peak() -> f64 {
    let (lanes, _) = vector_shape::<f32>(Isa::active());
    let operations = (2 * CHAIN * CHAINS * lanes * rayon::current_num_threads()) as f64;
    let once = || {
        let start = std::time::Instant::now();
        rayon::broadcast(|_| std::hint::black_box(f32::dispatch(Isa::active(), Chains)));
        operations / start.elapsed().as_secs_f64()
    };
    (0..100).map(|_| once()).fold(0.0, f64::max)
}

/// Multiply-adds of one chain in one run.
const CHAIN: usize = 1 << 17;
/// Chains that are independent of each other: more than latency times throughput anywhere, fewer than registers.
const CHAINS: usize = 12;

struct Chains;

impl Kernel for Chains {
    type Elem = f32;
    type Output = f32;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = f32>>(self) -> f32 {
        // SAFETY: the caller has checked that the instruction set of `V` is there.
        unsafe {
            let factor = V::splat(std::hint::black_box(0.999));
            let addend = V::splat(std::hint::black_box(0.001));
            let mut sums = [addend; CHAINS];
            for _ in 0..CHAIN {
                for sum in &mut sums {
                    *sum = sum.mul_add(factor, addend);
                }
            }
            let mut total = addend;
            for sum in sums {
                total = total.mul_add(factor, sum);
            }
            total.sum()
        }
    }
}
