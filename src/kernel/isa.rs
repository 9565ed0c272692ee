//! The instruction sets that kernels are compiled for, and the choice of one at run time.

use super::element::Element;
#[cfg(target_arch = "aarch64")]
use super::vector::Neon;
#[cfg(target_arch = "x86_64")]
use super::vector::{Avx2, Avx512};
use super::vector::{Kernel, Portable, Vector};
use std::sync::OnceLock;

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

/// Numbers that kernels run on: `f32` for work, `f64` for verification.
pub trait Scalar: Element {
    /// Runs a kernel with the vectors of an instruction set.
    fn dispatch<K: Kernel<Elem = Self>>(isa: Isa, kernel: K) -> K::Output;
}

impl Scalar for f32 {
    fn dispatch<K: Kernel<Elem = Self>>(isa: Isa, kernel: K) -> K::Output {
        // SAFETY: `Isa::available` lists an instruction set only where it was detected.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => with_avx512::<Avx512, K>(kernel),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => with_avx2::<Avx2, K>(kernel),
                #[cfg(target_arch = "aarch64")]
                Isa::Neon => kernel.run::<Neon>(),
                Isa::Portable => kernel.run::<Portable<f32>>(),
            }
        }
    }
}

impl Scalar for f64 {
    /// Arrays that the compiler vectorises for the instruction set, without fused operations: the same digits everywhere.
    fn dispatch<K: Kernel<Elem = Self>>(isa: Isa, kernel: K) -> K::Output {
        // SAFETY: `Isa::available` lists an instruction set only where it was detected.
        unsafe {
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 if K::DOUBLE_IS_WORK => with_avx512::<Portable<f64>, K>(kernel),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 if K::DOUBLE_IS_WORK => with_avx2::<Portable<f64>, K>(kernel),
                _ => kernel.run::<Portable<f64>>(),
            }
        }
    }
}

/// Runs a kernel with AVX-512 allowed, whatever its vectors are made of.
///
/// # Safety
/// The instruction set must be there.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn with_avx512<V: Vector, K: Kernel<Elem = V::Elem>>(kernel: K) -> K::Output {
    // SAFETY: passed on from the caller.
    unsafe { kernel.run::<V>() }
}

/// Runs a kernel with AVX2 and FMA allowed, whatever its vectors are made of.
///
/// # Safety
/// The instruction set must be there.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn with_avx2<V: Vector, K: Kernel<Elem = V::Elem>>(kernel: K) -> K::Output {
    // SAFETY: passed on from the caller.
    unsafe { kernel.run::<V>() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::vector::MOST_LANES;
    use crate::rng::Seed;

    #[test]
    fn the_portable_path_is_always_there() {
        assert_eq!(Isa::available().last(), Some(&Isa::Portable));
    }

    /// Sums of as many vectors as lanes, all at once and one after the other.
    struct Sums(Vec<f32>);

    impl Kernel for Sums {
        type Elem = f32;
        type Output = [Vec<f32>; 2];
        #[inline(always)]
        unsafe fn run<V: Vector<Elem = f32>>(self) -> [Vec<f32>; 2] {
            // SAFETY: there are more numbers than those of as many vectors as lanes.
            unsafe {
                let vectors: Vec<V> =
                    (0..V::LANES).map(|place| V::load(self.0[place * V::LANES..].as_ptr())).collect();
                let mut at_once = vec![0.0; V::LANES];
                V::sums(vectors.as_ptr()).store(at_once.as_mut_ptr());
                [at_once, vectors.iter().map(|vector| vector.sum()).collect()]
            }
        }
    }

    #[test]
    fn sums_of_many_vectors_are_those_of_each_to_the_last_bit() {
        let numbers = Seed(1).stream("numbers").normals(0, 1, MOST_LANES * MOST_LANES);
        for isa in Isa::available() {
            let [at_once, each] = f32::dispatch(isa, Sums(numbers.clone()));
            assert_eq!(at_once, each, "{}", isa.name());
        }
    }
}
