//! 16 whole running sums of products: what approximate values are made of.

use super::lanes::{LANES, Lanes, Portable};

/// Two neighbouring int16 elements of a quantised row.
pub(crate) type Pair = [i16; 2];

/// 16 int32 sums, worked on together. They are exact, so every instruction set gives the same.
pub(crate) trait Sums: Copy {
    /// What the sums become as float32.
    type Floats: Lanes;
    /// All zeros.
    fn zero() -> Self;
    /// `self + x[0] * ys[l][0] + x[1] * ys[l][1]` in each lane `l`; neither it nor a part of it may overflow.
    fn plus_products(self, x: Pair, ys: &[Pair; LANES]) -> Self;
    /// The sums, each rounded to the nearest float32.
    fn floats(self) -> Self::Floats;
    /// Which sums are at least this: bit `l` for lane `l`.
    fn at_least(self, least: i32) -> u16;
    /// Gives `(sum / 2 + half) / 2^15` of each sum, both divisions rounded down, and 0 instead of less: below 2^16.
    fn above(self, half: i32, to: &mut [u16; LANES]);
    /// Gives the 16 sums.
    fn store(self, sums: &mut [i32; LANES]);
}

/// Sums in plain Rust.
#[derive(Clone, Copy)]
pub(super) struct PortableSums([i32; LANES]);

impl Sums for PortableSums {
    type Floats = Portable;

    #[inline(always)]
    fn zero() -> Self {
        Self([0; LANES])
    }

    #[inline(always)]
    fn plus_products(mut self, x: Pair, ys: &[Pair; LANES]) -> Self {
        for (sum, y) in self.0.iter_mut().zip(ys) {
            *sum += i32::from(x[0]) * i32::from(y[0]) + i32::from(x[1]) * i32::from(y[1]);
        }
        self
    }

    #[inline(always)]
    fn floats(self) -> Portable {
        Portable(self.0.map(|sum| sum as f32))
    }

    #[inline(always)]
    fn at_least(self, least: i32) -> u16 {
        self.0.iter().enumerate().fold(0, |bits, (l, &sum)| bits | u16::from(sum >= least) << l)
    }

    #[inline(always)]
    fn above(self, half: i32, to: &mut [u16; LANES]) {
        for (to, sum) in to.iter_mut().zip(self.0) {
            *to = (((sum >> 1) + half).max(0) >> 15) as u16;
        }
    }

    #[inline(always)]
    fn store(self, sums: &mut [i32; LANES]) {
        *sums = self.0;
    }
}
