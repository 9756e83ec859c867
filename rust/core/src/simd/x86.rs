//! Lanes in the registers of AVX2 and AVX-512: the one file of intrinsics.
//!
//! `Avx2` and `Avx512` are private, so values of them exist only inside `run_avx2` and `run_avx512`, which
//! are entered only on machines that have the instructions. That is the reason behind every `unsafe` below.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::Kernel;
use super::lanes::{LANES, Lanes};

#[target_feature(enable = "avx2,fma")]
pub(super) fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2, 3, 2>()
}

#[target_feature(enable = "avx2,fma,avx512f")]
pub(super) fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512, 4, 4>()
}

/// Lanes 0-7 and 8-15.
#[derive(Clone, Copy)]
struct Avx2(__m256, __m256);

impl Lanes for Avx2 {
    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: used inside `run_avx2` only.
        unsafe { Self(_mm256_setzero_ps(), _mm256_setzero_ps()) }
    }

    #[inline(always)]
    fn load(values: &[f32; LANES]) -> Self {
        let first = values.as_ptr();
        // SAFETY: used inside `run_avx2` only; the 16 values are there, and the loads need no alignment.
        unsafe { Self(_mm256_loadu_ps(first), _mm256_loadu_ps(first.add(8))) }
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        // SAFETY: used inside `run_avx2` only.
        unsafe { Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn plus_product(self, x: Self, y: Self) -> Self {
        // SAFETY: used inside `run_avx2` only.
        unsafe { Self(_mm256_fmadd_ps(x.0, y.0, self.0), _mm256_fmadd_ps(x.1, y.1, self.1)) }
    }

    #[inline(always)]
    fn tree(self) -> f32 {
        // SAFETY: used inside `run_avx2` only.
        unsafe { tree_of_eight(_mm256_add_ps(self.0, self.1)) }
    }
}

#[derive(Clone, Copy)]
struct Avx512(__m512);

impl Lanes for Avx512 {
    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: used inside `run_avx512` only.
        unsafe { Self(_mm512_setzero_ps()) }
    }

    #[inline(always)]
    fn load(values: &[f32; LANES]) -> Self {
        // SAFETY: used inside `run_avx512` only; the 16 values are there, and the load needs no alignment.
        unsafe { Self(_mm512_loadu_ps(values.as_ptr())) }
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        // SAFETY: used inside `run_avx512` only.
        unsafe { Self(_mm512_sub_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn plus_product(self, x: Self, y: Self) -> Self {
        // SAFETY: used inside `run_avx512` only.
        unsafe { Self(_mm512_fmadd_ps(x.0, y.0, self.0)) }
    }

    #[inline(always)]
    fn tree(self) -> f32 {
        // SAFETY: used inside `run_avx512` only.
        unsafe {
            let upper = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0)));
            tree_of_eight(_mm256_add_ps(_mm512_castps512_ps256(self.0), upper))
        }
    }
}

/// The tree from 8 lanes on.
///
/// # Safety
/// The machine must have AVX.
#[inline(always)]
unsafe fn tree_of_eight(eight: __m256) -> f32 {
    // SAFETY: the caller's promise; SSE is part of every x86-64 machine.
    unsafe {
        let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }
}
