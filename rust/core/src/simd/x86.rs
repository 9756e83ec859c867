//! Lanes in the registers of AVX2 and AVX-512: the one file of intrinsics.
//!
//! The lanes and sums here are private, so values of them exist only inside the `run_` functions, which are
//! entered only on machines that have the instructions. That is the reason behind every `unsafe` below.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::lanes::{LANES, Lanes};
use super::sums::{Pair, Sums};
use super::{Kernel, TileKernel};

#[target_feature(enable = "avx2,fma")]
pub(super) fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2, 3, 2>()
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512, 4, 4>()
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn run_tiles_avx2<K: TileKernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2Sums, 2>()
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn run_tiles_avx512<K: TileKernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512Sums, 8>()
}

/// Lanes 0-7 and 8-15.
#[derive(Clone, Copy)]
struct Avx2(__m256, __m256);

impl Lanes for Avx2 {
    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: used inside AVX2's `run_` functions only.
        unsafe { Self(_mm256_setzero_ps(), _mm256_setzero_ps()) }
    }

    #[inline(always)]
    fn load(values: &[f32; LANES]) -> Self {
        let first = values.as_ptr();
        // SAFETY: used inside AVX2's `run_` functions only; the 16 values are there, and the loads need no alignment.
        unsafe { Self(_mm256_loadu_ps(first), _mm256_loadu_ps(first.add(8))) }
    }

    #[inline(always)]
    fn all(value: f32) -> Self {
        // SAFETY: used inside AVX2's `run_` functions only.
        unsafe { Self(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
    }

    #[inline(always)]
    fn fetch(values: &[f32], at: usize) {
        fetch(values.as_ptr().wrapping_add(at));
    }

    #[inline(always)]
    fn store(self, values: &mut [f32; LANES]) {
        let first = values.as_mut_ptr();
        // SAFETY: used inside AVX2's `run_` functions only; there is room for 16 values, at any alignment.
        unsafe {
            _mm256_storeu_ps(first, self.0);
            _mm256_storeu_ps(first.add(8), self.1);
        }
    }

    #[inline(always)]
    fn lesser(self, other: Self) -> Self {
        // SAFETY: used inside AVX2's `run_` functions only.
        unsafe { Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn not_below(self, other: Self) -> u16 {
        // SAFETY: used inside AVX2's `run_` functions only.
        unsafe {
            let low = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(self.0, other.0));
            let high = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(self.1, other.1));
            (low | high << 8) as u16
        }
    }

    #[inline(always)]
    fn least(self) -> f32 {
        // SAFETY: used inside AVX2's `run_` functions only.
        unsafe { least_of_eight(_mm256_min_ps(self.0, self.1)) }
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        // SAFETY: used inside AVX2's `run_` functions only.
        unsafe { Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
    }

    #[inline(always)]
    fn plus_product(self, x: Self, y: Self) -> Self {
        // SAFETY: used inside AVX2's `run_` functions only.
        unsafe { Self(_mm256_fmadd_ps(x.0, y.0, self.0), _mm256_fmadd_ps(x.1, y.1, self.1)) }
    }

    #[inline(always)]
    fn tree(self) -> f32 {
        // SAFETY: used inside AVX2's `run_` functions only.
        unsafe { tree_of_eight(_mm256_add_ps(self.0, self.1)) }
    }
}

#[derive(Clone, Copy)]
struct Avx512(__m512);

impl Lanes for Avx512 {
    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: used inside AVX-512's `run_` functions only.
        unsafe { Self(_mm512_setzero_ps()) }
    }

    #[inline(always)]
    fn load(values: &[f32; LANES]) -> Self {
        // SAFETY: used inside AVX-512's `run_` functions only; the 16 values are there, and the load needs no alignment.
        unsafe { Self(_mm512_loadu_ps(values.as_ptr())) }
    }

    #[inline(always)]
    fn all(value: f32) -> Self {
        // SAFETY: used inside AVX-512's `run_` functions only.
        unsafe { Self(_mm512_set1_ps(value)) }
    }

    #[inline(always)]
    fn fetch(values: &[f32], at: usize) {
        fetch(values.as_ptr().wrapping_add(at));
    }

    #[inline(always)]
    fn store(self, values: &mut [f32; LANES]) {
        // SAFETY: used inside AVX-512's `run_` functions only; there is room for 16 values, at any alignment.
        unsafe { _mm512_storeu_ps(values.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn lesser(self, other: Self) -> Self {
        // SAFETY: used inside AVX-512's `run_` functions only.
        unsafe { Self(_mm512_min_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn not_below(self, other: Self) -> u16 {
        // SAFETY: used inside AVX-512's `run_` functions only.
        unsafe { _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn least(self) -> f32 {
        // SAFETY: used inside AVX-512's `run_` functions only.
        unsafe { _mm512_reduce_min_ps(self.0) }
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        // SAFETY: used inside AVX-512's `run_` functions only.
        unsafe { Self(_mm512_sub_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn plus_product(self, x: Self, y: Self) -> Self {
        // SAFETY: used inside AVX-512's `run_` functions only.
        unsafe { Self(_mm512_fmadd_ps(x.0, y.0, self.0)) }
    }

    #[inline(always)]
    fn tree(self) -> f32 {
        // SAFETY: used inside AVX-512's `run_` functions only.
        unsafe {
            let upper = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0)));
            tree_of_eight(_mm256_add_ps(_mm512_castps512_ps256(self.0), upper))
        }
    }
}

/// Asks for a cache line.
#[inline(always)]
pub(super) fn fetch<T>(place: *const T) {
    // SAFETY: SSE is part of every x86-64 machine; a prefetch reads nothing that the program can see, and an
    // address that is not mapped is no fault.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) }
}

/// The tree from 8 lanes on.
#[inline]
#[target_feature(enable = "avx")]
fn tree_of_eight(eight: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

/// The least of 8 lanes.
#[inline]
#[target_feature(enable = "avx")]
fn least_of_eight(eight: __m256) -> f32 {
    let four = _mm_min_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_min_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_min_ss(two, _mm_movehdup_ps(two)))
}

/// Both elements of a pair as one 32-bit word.
#[inline(always)]
fn word(pair: Pair) -> i32 {
    i32::from(pair[0]) & 0xffff | i32::from(pair[1]) << 16
}

/// Lanes 0-7 and 8-15.
#[derive(Clone, Copy)]
struct Avx2Sums(__m256i, __m256i);

impl Sums for Avx2Sums {
    type Floats = Avx2;

    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: used inside AVX2's `run_` functions only.
        unsafe { Self(_mm256_setzero_si256(), _mm256_setzero_si256()) }
    }

    #[inline(always)]
    fn plus_products(self, x: Pair, ys: &[Pair; LANES]) -> Self {
        let first = ys.as_ptr().cast::<__m256i>();
        // SAFETY: used inside AVX2's `run_` functions only; the 16 pairs fill two registers, at any alignment.
        unsafe {
            let x = _mm256_set1_epi32(word(x));
            let products = |at| _mm256_madd_epi16(x, _mm256_loadu_si256(first.add(at)));
            Self(_mm256_add_epi32(self.0, products(0)), _mm256_add_epi32(self.1, products(1)))
        }
    }

    #[inline(always)]
    fn floats(self) -> Avx2 {
        // SAFETY: used inside AVX2's `run_` functions only.
        unsafe { Avx2(_mm256_cvtepi32_ps(self.0), _mm256_cvtepi32_ps(self.1)) }
    }

    #[inline(always)]
    fn at_least(self, least: i32) -> u16 {
        // SAFETY: used inside AVX2's `run_` functions only.
        unsafe {
            let least = _mm256_set1_epi32(least);
            let below = |sums| _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(least, sums)));
            !(below(self.0) | below(self.1) << 8) as u16
        }
    }

    #[inline(always)]
    fn above(self, half: i32, to: &mut [u16; LANES]) {
        // SAFETY: used inside AVX2's `run_` functions only; there is room for 16 values, at any alignment.
        unsafe {
            let half = _mm256_set1_epi32(half);
            let above = |sums| {
                let raised = _mm256_add_epi32(_mm256_srai_epi32::<1>(sums), half);
                _mm256_srli_epi32::<15>(_mm256_max_epi32(raised, _mm256_setzero_si256()))
            };
            // Packing goes by halves of registers.
            let packed = _mm256_packus_epi32(above(self.0), above(self.1));
            let in_order = _mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
            _mm256_storeu_si256(to.as_mut_ptr().cast(), in_order);
        }
    }

    #[inline(always)]
    fn store(self, sums: &mut [i32; LANES]) {
        let first = sums.as_mut_ptr().cast::<__m256i>();
        // SAFETY: used inside AVX2's `run_` functions only; there is room for 16 values, at any alignment.
        unsafe {
            _mm256_storeu_si256(first, self.0);
            _mm256_storeu_si256(first.add(1), self.1);
        }
    }
}

#[derive(Clone, Copy)]
struct Avx512Sums(__m512i);

impl Sums for Avx512Sums {
    type Floats = Avx512;

    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: used inside AVX-512's `run_` functions only.
        unsafe { Self(_mm512_setzero_si512()) }
    }

    #[inline(always)]
    fn plus_products(self, x: Pair, ys: &[Pair; LANES]) -> Self {
        // SAFETY: used inside AVX-512's `run_` functions only; the 16 pairs fill one register, at any alignment.
        unsafe {
            let ys = _mm512_loadu_si512(ys.as_ptr().cast());
            Self(_mm512_dpwssd_epi32(self.0, _mm512_set1_epi32(word(x)), ys))
        }
    }

    #[inline(always)]
    fn floats(self) -> Avx512 {
        // SAFETY: used inside AVX-512's `run_` functions only.
        unsafe { Avx512(_mm512_cvtepi32_ps(self.0)) }
    }

    #[inline(always)]
    fn at_least(self, least: i32) -> u16 {
        // SAFETY: used inside AVX-512's `run_` functions only.
        unsafe { _mm512_cmpge_epi32_mask(self.0, _mm512_set1_epi32(least)) }
    }

    #[inline(always)]
    fn above(self, half: i32, to: &mut [u16; LANES]) {
        // SAFETY: used inside AVX-512's `run_` functions only; there is room for 16 values, at any alignment.
        unsafe {
            let raised = _mm512_add_epi32(_mm512_srai_epi32::<1>(self.0), _mm512_set1_epi32(half));
            let above = _mm512_srli_epi32::<15>(_mm512_max_epi32(raised, _mm512_setzero_si512()));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(above));
        }
    }

    #[inline(always)]
    fn store(self, sums: &mut [i32; LANES]) {
        // SAFETY: used inside AVX-512's `run_` functions only; there is room for 16 values, at any alignment.
        unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), self.0) }
    }
}
