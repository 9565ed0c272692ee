//! A register of samples: one trait, and its implementations for AVX-512, AVX2 with FMA, NEON and plain arrays.
//!
//! The kernels keep a fixed number of samples ("lanes") innermost, so every operation here is elementwise. All
//! methods are `inline(always)`: they become single instructions inside the `#[target_feature]` functions that
//! `Scalar::dispatch` selects, and must not be called from elsewhere with an instruction set the machine lacks.

use super::element::Element;

/// The most lanes of any vector, for arrays that hold one number of each.
pub const MOST_LANES: usize = 16;

/// `LANES` numbers that are computed on together.
///
/// # Safety
/// `load` and `store` need `LANES` readable or writable elements at the pointer; every method needs the
/// instruction set that the type stands for.
pub trait Vector: Copy {
    /// Element type.
    type Elem: Element;
    /// Samples per vector.
    const LANES: usize;
    /// Vector registers of the instruction set, which bounds the size of an accumulator block.
    const REGISTERS: usize;
    /// Reads `LANES` elements.
    unsafe fn load(from: *const Self::Elem) -> Self;
    /// Writes `LANES` elements.
    unsafe fn store(self, to: *mut Self::Elem);
    /// The same number in every lane.
    unsafe fn splat(value: Self::Elem) -> Self;
    /// `self · factor + addend`.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// LeakyReLU: `x` where positive, else `slope · x` (0 ≤ slope ≤ 1).
    unsafe fn leaky_relu(self, slope: Self) -> Self;
    /// Derivative of LeakyReLU applied to a gradient: `self` where `activation > 0`, else `slope · self`.
    unsafe fn leaky_gradient(self, activation: Self, slope: Self) -> Self;
    /// Sum over the lanes, always in the same order.
    unsafe fn sum(self) -> Self::Elem;
    /// The sums of `LANES` vectors, each that of [`Self::sum`].
    #[inline(always)]
    unsafe fn sums(of: *const Self) -> Self {
        let mut found = [Self::Elem::default(); MOST_LANES];
        for (lane, sum) in found.iter_mut().enumerate().take(Self::LANES) {
            // SAFETY: the caller promises `LANES` vectors.
            *sum = unsafe { (*of.add(lane)).sum() };
        }
        // SAFETY: no vector has more lanes.
        unsafe { Self::load(found.as_ptr()) }
    }
}

/// Vector for machines without a special path, and for `f64`: an array that the compiler may vectorise.
#[derive(Clone, Copy)]
pub struct Portable<T>([T; 8]);

macro_rules! portable {
    ($t:ty) => {
        impl Vector for Portable<$t> {
            type Elem = $t;
            const LANES: usize = 8;
            const REGISTERS: usize = 16;
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: the caller promises LANES readable elements; the read may be unaligned.
                Self(unsafe { from.cast::<[$t; 8]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: the caller promises LANES writable elements; the write may be unaligned.
                unsafe { to.cast::<[$t; 8]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            unsafe fn splat(value: $t) -> Self {
                Self([value; 8])
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] * factor.0[i] + addend.0[i]))
            }
            #[inline(always)]
            unsafe fn leaky_relu(self, slope: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i].max(self.0[i] * slope.0[i])))
            }
            #[inline(always)]
            unsafe fn leaky_gradient(self, activation: Self, slope: Self) -> Self {
                Self(std::array::from_fn(|i| {
                    if activation.0[i] > 0.0 { self.0[i] } else { self.0[i] * slope.0[i] }
                }))
            }
            #[inline(always)]
            unsafe fn sum(self) -> $t {
                let [a, b, c, d, e, f, g, h] = self.0;
                ((a + e) + (c + g)) + ((b + f) + (d + h))
            }
        }
    };
}
portable!(f32);
portable!(f64);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    /// Sixteen `f32` in an AVX-512 register.
    #[derive(Clone, Copy)]
    pub struct Avx512(__m512);

    impl Vector for Avx512 {
        type Elem = f32;
        const LANES: usize = 16;
        const REGISTERS: usize = 32;
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller promises LANES readable elements, and the instruction set.
            Self(unsafe { _mm512_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller promises LANES writable elements, and the instruction set.
            unsafe { _mm512_storeu_ps(to, self.0) }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller promises the instruction set.
            Self(unsafe { _mm512_set1_ps(value) })
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            // SAFETY: the caller promises the instruction set.
            Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
        }
        #[inline(always)]
        unsafe fn leaky_relu(self, slope: Self) -> Self {
            // SAFETY: the caller promises the instruction set.
            Self(unsafe { _mm512_max_ps(self.0, _mm512_mul_ps(self.0, slope.0)) })
        }
        #[inline(always)]
        unsafe fn leaky_gradient(self, activation: Self, slope: Self) -> Self {
            // SAFETY: the caller promises the instruction set.
            unsafe {
                let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(activation.0, _mm512_setzero_ps());
                Self(_mm512_mask_blend_ps(positive, _mm512_mul_ps(self.0, slope.0), self.0))
            }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            // SAFETY: the caller promises the instruction set.
            unsafe { _mm512_reduce_add_ps(self.0) }
        }
        /// Halves, quarters, pairs and single lanes of as many vectors are added at once, in the order of the sum of one.
        #[inline(always)]
        unsafe fn sums(of: *const Self) -> Self {
            // SAFETY: the caller promises LANES vectors, and the instruction set.
            unsafe {
                // The quarter q of the r-th has four lanes of the vector 4 q + r.
                let [a, b, c, d] =
                    [four_lanes(of), four_lanes(of.add(1)), four_lanes(of.add(2)), four_lanes(of.add(3))];
                let [low, high] = [_mm512_shuffle_ps::<0x44>(a, b), _mm512_shuffle_ps::<0xee>(a, b)];
                let ab = _mm512_add_ps(low, high);
                let [low, high] = [_mm512_shuffle_ps::<0x44>(c, d), _mm512_shuffle_ps::<0xee>(c, d)];
                let cd = _mm512_add_ps(low, high);
                let [low, high] = [_mm512_shuffle_ps::<0x88>(ab, cd), _mm512_shuffle_ps::<0xdd>(ab, cd)];
                Self(_mm512_add_ps(low, high))
            }
        }
    }

    /// Halves of every fourth vector added, then quarters: four lanes of each, one after the other.
    #[inline(always)]
    unsafe fn four_lanes(of: *const Avx512) -> __m512 {
        // SAFETY: the caller promises this vector and the twelve after it, and the instruction set.
        unsafe {
            let [a, b, c, d] = [(*of).0, (*of.add(4)).0, (*of.add(8)).0, (*of.add(12)).0];
            let [low, high] = [_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xee>(a, b)];
            let ab = _mm512_add_ps(low, high);
            let [low, high] = [_mm512_shuffle_f32x4::<0x44>(c, d), _mm512_shuffle_f32x4::<0xee>(c, d)];
            let cd = _mm512_add_ps(low, high);
            let [low, high] = [_mm512_shuffle_f32x4::<0x88>(ab, cd), _mm512_shuffle_f32x4::<0xdd>(ab, cd)];
            _mm512_add_ps(low, high)
        }
    }

    /// Eight `f32` in an AVX register, with FMA.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256);

    impl Vector for Avx2 {
        type Elem = f32;
        const LANES: usize = 8;
        const REGISTERS: usize = 16;
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller promises LANES readable elements, and the instruction set.
            Self(unsafe { _mm256_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller promises LANES writable elements, and the instruction set.
            unsafe { _mm256_storeu_ps(to, self.0) }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller promises the instruction set.
            Self(unsafe { _mm256_set1_ps(value) })
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            // SAFETY: the caller promises the instruction set.
            Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, addend.0) })
        }
        #[inline(always)]
        unsafe fn leaky_relu(self, slope: Self) -> Self {
            // SAFETY: the caller promises the instruction set.
            Self(unsafe { _mm256_max_ps(self.0, _mm256_mul_ps(self.0, slope.0)) })
        }
        #[inline(always)]
        unsafe fn leaky_gradient(self, activation: Self, slope: Self) -> Self {
            // SAFETY: the caller promises the instruction set.
            unsafe {
                let positive = _mm256_cmp_ps::<_CMP_GT_OQ>(activation.0, _mm256_setzero_ps());
                Self(_mm256_blendv_ps(_mm256_mul_ps(self.0, slope.0), self.0, positive))
            }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            // SAFETY: the caller promises the instruction set.
            unsafe {
                let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
            }
        }
        /// Halves, pairs and single lanes of as many vectors are added at once, in the order of the sum of one.
        #[inline(always)]
        unsafe fn sums(of: *const Self) -> Self {
            // SAFETY: the caller promises LANES vectors, and the instruction set.
            unsafe {
                // The half q of the r-th has four lanes of the vector 4 q + r.
                let [a, b, c, d] = [halves(of), halves(of.add(1)), halves(of.add(2)), halves(of.add(3))];
                let [low, high] = [_mm256_shuffle_ps::<0x44>(a, b), _mm256_shuffle_ps::<0xee>(a, b)];
                let ab = _mm256_add_ps(low, high);
                let [low, high] = [_mm256_shuffle_ps::<0x44>(c, d), _mm256_shuffle_ps::<0xee>(c, d)];
                let cd = _mm256_add_ps(low, high);
                let [low, high] = [_mm256_shuffle_ps::<0x88>(ab, cd), _mm256_shuffle_ps::<0xdd>(ab, cd)];
                Self(_mm256_add_ps(low, high))
            }
        }
    }

    /// Halves of a vector and of the fourth after it added: four lanes of each, one after the other.
    #[inline(always)]
    unsafe fn halves(of: *const Avx2) -> __m256 {
        // SAFETY: the caller promises this vector and the four after it, and the instruction set.
        unsafe {
            let [a, b] = [(*of).0, (*of.add(4)).0];
            let [low, high] = [_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b)];
            _mm256_add_ps(low, high)
        }
    }
}
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::Vector;
    use std::arch::aarch64::*;

    /// Eight `f32` in two NEON registers.
    #[derive(Clone, Copy)]
    pub struct Neon(float32x4_t, float32x4_t);

    impl Vector for Neon {
        type Elem = f32;
        const LANES: usize = 8;
        const REGISTERS: usize = 16;
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller promises LANES readable elements, and the instruction set.
            unsafe { Self(vld1q_f32(from), vld1q_f32(from.add(4))) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller promises LANES writable elements, and the instruction set.
            unsafe {
                vst1q_f32(to, self.0);
                vst1q_f32(to.add(4), self.1);
            }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller promises the instruction set.
            unsafe { Self(vdupq_n_f32(value), vdupq_n_f32(value)) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            // SAFETY: the caller promises the instruction set.
            unsafe { Self(vfmaq_f32(addend.0, self.0, factor.0), vfmaq_f32(addend.1, self.1, factor.1)) }
        }
        #[inline(always)]
        unsafe fn leaky_relu(self, slope: Self) -> Self {
            // SAFETY: the caller promises the instruction set.
            unsafe {
                Self(
                    vmaxq_f32(self.0, vmulq_f32(self.0, slope.0)),
                    vmaxq_f32(self.1, vmulq_f32(self.1, slope.1)),
                )
            }
        }
        #[inline(always)]
        unsafe fn leaky_gradient(self, activation: Self, slope: Self) -> Self {
            // SAFETY: the caller promises the instruction set.
            unsafe {
                Self(
                    vbslq_f32(vcgtzq_f32(activation.0), self.0, vmulq_f32(self.0, slope.0)),
                    vbslq_f32(vcgtzq_f32(activation.1), self.1, vmulq_f32(self.1, slope.1)),
                )
            }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            // SAFETY: the caller promises the instruction set.
            unsafe { vaddvq_f32(vaddq_f32(self.0, self.1)) }
        }
    }
}
#[cfg(target_arch = "aarch64")]
pub use arm::Neon;

/// A computation written once for every vector type.
///
/// `run` must be `#[inline(always)]`, and so must everything it calls with vectors; closures handed to functions that
/// are not inlined compute without the instruction set.
pub trait Kernel {
    /// Element type.
    type Elem: Element;
    /// Result.
    type Output;
    /// Whether double precision is work, and compiled for every instruction set, or verification only.
    const DOUBLE_IS_WORK: bool = false;
    /// The computation.
    ///
    /// # Safety
    /// The instruction set of `V` must be there.
    unsafe fn run<V: Vector<Elem = Self::Elem>>(self) -> Self::Output;
}
