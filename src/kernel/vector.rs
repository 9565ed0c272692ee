//! A register of samples: one trait, and its implementations for AVX-512, AVX2 with FMA, NEON and plain arrays.
//!
//! The kernels keep a fixed number of samples ("lanes") innermost, so every operation here is elementwise. All
//! methods are `inline(always)`: they become single instructions inside the `#[target_feature]` functions that
//! [`Isa::dispatch`] selects, and must not be called from elsewhere with an instruction set the machine lacks.

use super::pool::Pool;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};
use std::sync::OnceLock;

/// Elements the kernels compute with: `f32` for work, `f64` for verification.
pub trait Scalar:
    burn::tensor::Element
    + bytemuck::Pod
    + Default
    + Send
    + Sync
    + AddAssign
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
{
    /// Rounds to this type.
    fn from_f64(value: f64) -> Self;
    /// Hyperbolic tangent of every element, in place.
    fn tanh_in_place(values: &mut [Self]);
    /// `e^self`.
    fn exponential(self) -> Self;
    /// Spare buffers of this type.
    fn pool() -> &'static Pool<Self>;
    /// Runs a kernel with the vectors of an instruction set.
    fn dispatch<K: Kernel<Elem = Self>>(isa: Isa, kernel: K) -> K::Output;
    /// `gradient · (1 - y²)`, the derivative of `y = tanh(x)` applied to a gradient.
    fn tanh_gradient(gradient: Self, y: Self) -> Self;
}

impl Scalar for f32 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn tanh_in_place(values: &mut [Self]) {
        for value in values {
            *value = tanh_f32(*value);
        }
    }

    #[inline(always)]
    fn exponential(self) -> Self {
        exp_f32(self)
    }

    fn pool() -> &'static Pool<Self> {
        static POOL: Pool<f32> = Pool::new();
        &POOL
    }

    fn dispatch<K: Kernel<Elem = Self>>(isa: Isa, kernel: K) -> K::Output {
        // SAFETY: `Isa::available` lists an instruction set only where it was detected.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => with_avx512(kernel),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => with_avx2(kernel),
                #[cfg(target_arch = "aarch64")]
                Isa::Neon => kernel.run::<Neon>(),
                Isa::Portable => kernel.run::<Portable<f32>>(),
            }
        }
    }

    #[inline(always)]
    fn tanh_gradient(gradient: Self, y: Self) -> Self {
        gradient * (1.0 - y * y)
    }
}

impl Scalar for f64 {
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn tanh_in_place(values: &mut [Self]) {
        for value in values {
            *value = value.tanh();
        }
    }

    #[inline(always)]
    fn exponential(self) -> Self {
        self.exp()
    }

    fn pool() -> &'static Pool<Self> {
        static POOL: Pool<f64> = Pool::new();
        &POOL
    }

    fn dispatch<K: Kernel<Elem = Self>>(_: Isa, kernel: K) -> K::Output {
        // SAFETY: plain arrays need no instruction set.
        unsafe { kernel.run::<Portable<f64>>() }
    }

    #[inline(always)]
    fn tanh_gradient(gradient: Self, y: Self) -> Self {
        gradient * (1.0 - y * y)
    }
}

/// Branch-free exponential that the compiler vectorises; relative error below 3e-7, arguments cut off at ±87.
///
/// `e^x = 2^k e^r` with |r| ≤ ln 2 / 2 and a Taylor polynomial of degree 7 (next term 2e-8 of the result).
#[inline(always)]
fn exp_f32(x: f32) -> f32 {
    // Written so that NaN stays NaN, which `clamp` on vectors would not promise.
    let x = if x > 87.0 { 87.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    // Adding 1.5·2²³ rounds to an integer in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * 0.693_359_4) + k * 2.121_944_4e-4;
    let mut p = 1.0 / 5040.0;
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + c;
    }
    p * f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23)
}

/// Branch-free tanh that the compiler vectorises; absolute error below 3e-7 on all reals.
///
/// `tanh x = 1 - 2/(e^{2x}+1)` for large |x|, and the continued fraction of tanh, cut after five terms, below
/// |x| = 0.6, where the first form would lose digits.
#[inline(always)]
fn tanh_f32(x: f32) -> f32 {
    let magnitude = if x.abs() > 10.0 { 10.0 } else { x.abs() };
    let large = 1.0 - 2.0 / (exp_f32(2.0 * magnitude) + 1.0);
    let q = magnitude * magnitude;
    let small = magnitude * (945.0 + q * (105.0 + q)) / (945.0 + q * (420.0 + 15.0 * q));
    (if magnitude < 0.6 { small } else { large }).copysign(x)
}

/// `LANES` numbers that are computed on together.
///
/// # Safety
/// `load` and `store` need `LANES` readable or writable elements at the pointer; every method needs the
/// instruction set that the type stands for.
pub trait Vector: Copy {
    /// Element type.
    type Elem: Scalar;
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

    // SAFETY of every block below: the trait's contract (valid pointers, the instruction set is present).
    impl Vector for Avx512 {
        type Elem = f32;
        const LANES: usize = 16;
        const REGISTERS: usize = 32;
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(unsafe { _mm512_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, self.0) }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            Self(unsafe { _mm512_set1_ps(value) })
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
        }
        #[inline(always)]
        unsafe fn leaky_relu(self, slope: Self) -> Self {
            Self(unsafe { _mm512_max_ps(self.0, _mm512_mul_ps(self.0, slope.0)) })
        }
        #[inline(always)]
        unsafe fn leaky_gradient(self, activation: Self, slope: Self) -> Self {
            unsafe {
                let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(activation.0, _mm512_setzero_ps());
                Self(_mm512_mask_blend_ps(positive, _mm512_mul_ps(self.0, slope.0), self.0))
            }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe { _mm512_reduce_add_ps(self.0) }
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
            Self(unsafe { _mm256_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm256_storeu_ps(to, self.0) }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            Self(unsafe { _mm256_set1_ps(value) })
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, addend.0) })
        }
        #[inline(always)]
        unsafe fn leaky_relu(self, slope: Self) -> Self {
            Self(unsafe { _mm256_max_ps(self.0, _mm256_mul_ps(self.0, slope.0)) })
        }
        #[inline(always)]
        unsafe fn leaky_gradient(self, activation: Self, slope: Self) -> Self {
            unsafe {
                let positive = _mm256_cmp_ps::<_CMP_GT_OQ>(activation.0, _mm256_setzero_ps());
                Self(_mm256_blendv_ps(_mm256_mul_ps(self.0, slope.0), self.0, positive))
            }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe {
                let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
            }
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

    // SAFETY of every block below: the trait's contract; NEON is part of every aarch64 target of Rust.
    impl Vector for Neon {
        type Elem = f32;
        const LANES: usize = 8;
        const REGISTERS: usize = 16;
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { Self(vld1q_f32(from), vld1q_f32(from.add(4))) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe {
                vst1q_f32(to, self.0);
                vst1q_f32(to.add(4), self.1);
            }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            unsafe { Self(vdupq_n_f32(value), vdupq_n_f32(value)) }
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            unsafe { Self(vfmaq_f32(addend.0, self.0, factor.0), vfmaq_f32(addend.1, self.1, factor.1)) }
        }
        #[inline(always)]
        unsafe fn leaky_relu(self, slope: Self) -> Self {
            unsafe {
                Self(
                    vmaxq_f32(self.0, vmulq_f32(self.0, slope.0)),
                    vmaxq_f32(self.1, vmulq_f32(self.1, slope.1)),
                )
            }
        }
        #[inline(always)]
        unsafe fn leaky_gradient(self, activation: Self, slope: Self) -> Self {
            unsafe {
                Self(
                    vbslq_f32(vcgtzq_f32(activation.0), self.0, vmulq_f32(self.0, slope.0)),
                    vbslq_f32(vcgtzq_f32(activation.1), self.1, vmulq_f32(self.1, slope.1)),
                )
            }
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe { vaddvq_f32(vaddq_f32(self.0, self.1)) }
        }
    }
}
#[cfg(target_arch = "aarch64")]
pub use arm::Neon;

/// Instruction sets with a kernel path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// NEON (always there on 64-bit ARM).
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// Whatever the compiler makes of plain arrays.
    Portable,
}

impl Isa {
    /// Every path this machine can run, best first.
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                found.push(Self::Avx512);
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                found.push(Self::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        found.push(Self::Neon);
        found.push(Self::Portable);
        found
    }

    /// The path in use: the best one, or the one that `FLOWQCD_ISA` names.
    pub fn active() -> Self {
        static ACTIVE: OnceLock<Isa> = OnceLock::new();
        *ACTIVE.get_or_init(|| Self::requested().ok().flatten().unwrap_or(Self::available()[0]))
    }

    /// The path that the environment variable `FLOWQCD_ISA` (avx512, avx2, neon, portable) names, if it is set.
    ///
    /// # Errors
    /// The name, if this machine has no such path.
    pub fn requested() -> Result<Option<Self>, String> {
        let Ok(name) = std::env::var("FLOWQCD_ISA") else { return Ok(None) };
        let found = Self::available().into_iter().find(|isa| isa.name() == name);
        found.map(Some).ok_or(name)
    }

    /// Lower-case name, as in `FLOWQCD_ISA`.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }
}

/// A computation written once for every vector type.
///
/// `run` must be `#[inline(always)]`, and so must everything it calls with vectors; closures handed to functions that
/// are not inlined compute without the instruction set.
pub trait Kernel {
    /// Element type.
    type Elem: Scalar;
    /// Result.
    type Output;
    /// The computation.
    ///
    /// # Safety
    /// The instruction set of `V` must be there.
    unsafe fn run<V: Vector<Elem = Self::Elem>>(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn with_avx512<K: Kernel<Elem = f32>>(kernel: K) -> K::Output {
    // SAFETY: passed on from the caller.
    unsafe { kernel.run::<Avx512>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn with_avx2<K: Kernel<Elem = f32>>(kernel: K) -> K::Output {
    // SAFETY: passed on from the caller.
    unsafe { kernel.run::<Avx2>() }
}

/// Lanes and registers of the vectors that an instruction set computes `T` with.
pub fn vector_shape<T: Scalar>(isa: Isa) -> (usize, usize) {
    struct Shape<T>(std::marker::PhantomData<T>);
    impl<T: Scalar> Kernel for Shape<T> {
        type Elem = T;
        type Output = (usize, usize);
        #[inline(always)]
        unsafe fn run<V: Vector<Elem = T>>(self) -> (usize, usize) {
            (V::LANES, V::REGISTERS)
        }
    }
    T::dispatch(isa, Shape(std::marker::PhantomData))
}

/// Floating-point operations per second of independent fused multiply-adds on all threads, measured for a moment.
pub fn fma_peak() -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Twice the rounding of a result near one.
    const TANH_ERROR: f64 = 3e-7;

    #[test]
    fn tanh_is_accurate_everywhere() {
        let mut worst = 0f64;
        for i in -400_000..=400_000 {
            let x = i as f32 * 5e-5;
            worst = worst.max((f64::from(tanh_f32(x)) - f64::from(x).tanh()).abs());
        }
        assert!(worst < TANH_ERROR, "absolute error {worst:e}");
        assert_eq!(tanh_f32(f32::INFINITY), 1.0);
        assert_eq!(tanh_f32(-1e30), -1.0);
        assert_eq!(tanh_f32(0.0), 0.0);
        assert!(tanh_f32(f32::NAN).is_nan());
    }

    #[test]
    fn exp_is_accurate_wherever_it_is_a_number() {
        let mut worst = 0f64;
        for i in -86_000..=86_000 {
            let x = i as f32 * 1e-3;
            worst = worst.max((f64::from(exp_f32(x)) / f64::from(x).exp() - 1.0).abs());
        }
        assert!(worst < TANH_ERROR, "relative error {worst:e}");
        assert!(exp_f32(f32::NAN).is_nan());
    }

    #[test]
    fn the_portable_path_is_always_there() {
        assert_eq!(Isa::available().last(), Some(&Isa::Portable));
    }
}
