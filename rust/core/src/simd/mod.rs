//! Which instructions the kernels use, chosen when the program runs.
//!
//! A `Kernel` is written once, over 16 float32 `Lanes`. `Simd::run` compiles it once for each instruction set
//! and calls the one that the machine has. Every operation on lanes is an IEEE operation, fused multiply-add
//! included, so all copies give the same bits. A `TileKernel` is the same for whole `Sums` of int16 products.

mod lanes;
mod sums;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use lanes::{LANES, Lanes};
pub(crate) use sums::{Pair, Sums};

use std::sync::OnceLock;

use crate::Error;
use lanes::Portable;
use sums::PortableSums;

/// The variable that forces an instruction set, for tests and for finding faults: `portable`, `avx2` or
/// `avx512`.
pub const VARIABLE: &str = "SAGE_SIMD";

/// Work that is compiled once for each instruction set.
///
/// `R` x `C` is the tile of row pairs whose running sums fit the registers. Implementations and all they call
/// must be `#[inline(always)]`, and closures are best not handed to library functions: what is not inlined is
/// compiled without the instruction set.
pub(crate) trait Kernel {
    /// What the work gives.
    type Output;
    /// Does the work.
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> Self::Output;
}

/// Work on sums of int16 products that is compiled once for each instruction set; otherwise as [`Kernel`].
///
/// `R` rows with twice 16 sums each fit the registers.
pub(crate) trait TileKernel {
    /// What the work gives.
    type Output;
    /// Does the work.
    fn run<S: Sums, const R: usize>(self) -> Self::Output;
}

/// Asks for the memory of `values[at]` ahead of its load; `at` may lie beyond the end.
#[inline(always)]
pub(crate) fn fetch<T>(values: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    x86::fetch(values.as_ptr().wrapping_add(at));
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, at);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// An instruction set that this machine is known to have.
///
/// Values come only from [`Simd::available`] and [`Simd::active`], so holding one proves the instructions
/// exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simd(Path);

impl Simd {
    /// Every instruction set of this machine, the slowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut found = vec![Self(Path::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 {
                found.push(Self(Path::Avx2));
            }
            // Without VNNI (before 2019) AVX-512 gains little over AVX2.
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni");
            if avx2 && avx512 {
                found.push(Self(Path::Avx512));
            }
        }
        found
    }

    /// The instruction set in use: the one that [`VARIABLE`] names, else the fastest of the machine.
    ///
    /// The variable is read once.
    ///
    /// # Errors
    /// [`Error::Argument`] where the variable names a set that this machine lacks, or none.
    pub fn active() -> Result<Self, Error> {
        static ACTIVE: OnceLock<Result<Simd, Error>> = OnceLock::new();
        ACTIVE.get_or_init(|| Self::named(std::env::var(VARIABLE).ok().as_deref())).clone()
    }

    fn named(wanted: Option<&str>) -> Result<Self, Error> {
        let available = Self::available();
        let found = match wanted {
            None | Some("") => available.last(),
            Some(name) => available.iter().find(|simd| simd.name() == name),
        };
        found.copied().ok_or_else(|| Error::Argument {
            what: format!(
                "{VARIABLE}={} names no instruction set of this machine, which has {}",
                wanted.unwrap_or_default(),
                available.iter().map(|simd| simd.name()).collect::<Vec<_>>().join(", "),
            ),
        })
    }

    /// The name that [`VARIABLE`] knows it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Path::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => "avx512",
        }
    }

    /// Runs the copy of `kernel` that is compiled for this instruction set.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Path::Portable => kernel.run::<Portable, 2, 2>(),
            // SAFETY: `Self(Path::Avx2)` is made only by `available`, after it found avx2 and fma.
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => unsafe { x86::run_avx2(kernel) },
            // SAFETY: `Self(Path::Avx512)` is made only by `available`, after it found all that is enabled.
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => unsafe { x86::run_avx512(kernel) },
        }
    }

    /// Runs the copy of `kernel` that is compiled for this instruction set.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) fn run_tiles<K: TileKernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Path::Portable => kernel.run::<PortableSums, 2>(),
            // SAFETY: as in `run`.
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => unsafe { x86::run_tiles_avx2(kernel) },
            // SAFETY: as in `run`.
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => unsafe { x86::run_tiles_avx512(kernel) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_set_can_be_named_and_the_last_is_the_default() {
        for simd in Simd::available() {
            assert_eq!(Simd::named(Some(simd.name())), Ok(simd));
        }
        assert_eq!(Simd::named(None), Ok(*Simd::available().last().unwrap()));
        assert_eq!(Simd::named(Some("")), Simd::named(None));
    }

    #[test]
    fn an_unknown_set_is_refused() {
        let refused = Simd::named(Some("sse9")).unwrap_err();
        assert!(refused.to_string().starts_with("SAGE_SIMD=sse9 names no instruction set"), "{refused}");
    }
}
