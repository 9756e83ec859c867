//! The bounds of all pairs.

use super::super::mirror::mirror;
use super::measured::{Measured, PANEL};
use crate::Error;
use crate::blocks;
use crate::control::Control;
use crate::pages::Pages;
use crate::simd::{Kernel, Lanes, Simd};

/// Bounds compared with floors in one go.
const GROUP: usize = 32;
/// Rows whose differences a sum of 32 bits holds: 2^16 of 2^16.
const SUMMED: usize = 1 << 15;

/// A bound for each pair of rows.
pub(super) struct Table {
    simd: Simd,
    rows: usize,
    /// From one row of the table to the next.
    stride: usize,
    /// Row-major and symmetric.
    bounds: Pages<u16>,
}

impl Table {
    /// Computes the bounds: rows^2 / 2 x dimensions multiply-adds in int16, 2 x rows^2 bytes.
    pub(super) fn new(measured: &Measured, control: &impl Control) -> Result<Self, Error> {
        let (rows, stride) = (measured.rows(), measured.padded());
        let mut bounds = Pages::zeroed(rows.saturating_mul(stride))?;
        if rows > 0 {
            blocks::fill(&mut bounds, stride, PANEL, control, |first, panel| {
                for (place, some) in measured.upper_triangle(first..first + panel.len() / stride) {
                    measured.bounds(some, place, &mut panel[place..], stride);
                }
                Ok(())
            })?;
            mirror(&mut bounds, stride, 0);
        }
        Ok(Self { simd: measured.simd, rows, stride, bounds })
    }

    pub(super) fn row(&self, row: usize) -> &[u16] {
        &self.bounds[row * self.stride..][..self.rows]
    }

    /// How far the bounds of a row lie above all floors, in sum.
    pub(super) fn above(&self, row: usize, floors: &[u16]) -> u64 {
        self.simd.run(Above { bounds: self.row(row), floors })
    }

    /// The rows whose bounds with a row lie above their floors, ascending.
    pub(super) fn reached(&self, row: usize, floors: &[u16]) -> Vec<u32> {
        self.simd.run(Reached { bounds: self.row(row), floors })
    }
}

struct Above<'a> {
    bounds: &'a [u16],
    floors: &'a [u16],
}

impl Kernel for Above<'_> {
    type Output = u64;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> u64 {
        let mut total = 0;
        for (bounds, floors) in self.bounds.chunks(SUMMED).zip(self.floors.chunks(SUMMED)) {
            let mut sums = [0u32; GROUP];
            let (bounds, bounds_tail) = bounds.as_chunks::<GROUP>();
            let (floors, floors_tail) = floors.as_chunks::<GROUP>();
            for (bounds, floors) in bounds.iter().zip(floors) {
                for l in 0..GROUP {
                    sums[l] += u32::from(bounds[l].saturating_sub(floors[l]));
                }
            }
            for (l, (bound, floor)) in bounds_tail.iter().zip(floors_tail).enumerate() {
                sums[l] += u32::from(bound.saturating_sub(*floor));
            }
            for sum in sums {
                total += u64::from(sum);
            }
        }
        total
    }
}

struct Reached<'a> {
    bounds: &'a [u16],
    floors: &'a [u16],
}

impl Kernel for Reached<'_> {
    type Output = Vec<u32>;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> Vec<u32> {
        let mut reached = Vec::new();
        for (group, (bounds, floors)) in self.bounds.chunks(GROUP).zip(self.floors.chunks(GROUP)).enumerate()
        {
            let mut most = 0;
            for (bound, floor) in bounds.iter().zip(floors) {
                most |= bound.saturating_sub(*floor);
            }
            if most == 0 {
                continue;
            }
            for (l, (bound, floor)) in bounds.iter().zip(floors).enumerate() {
                if bound > floor {
                    reached.push((group * GROUP + l) as u32);
                }
            }
        }
        reached
    }
}
