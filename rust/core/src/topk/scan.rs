//! One block of scores beside a floor: which rows reach it, and whether all are finite.

use super::order::key_of;
use crate::simd::{Kernel, LANES, Lanes};

/// Rows whose comparisons make one mask.
const GROUP: usize = 64;

/// How far ahead of its use memory is asked for, in rows: what the machine fetches by itself ends with each page,
/// and is a quarter slower.
const AHEAD: usize = 1024;

/// Most rows of a block: all rows of the first may survive, and what is asked for ahead of the end is lost.
pub(super) const BLOCK: usize = 1 << 14;

/// A row with the key of its score, ordered as the answer is.
pub(super) type Entry = u64;

#[inline(always)]
pub(super) fn entry(key: u32, row: u32) -> Entry {
    u64::from(key) << 32 | u64::from(row)
}

#[inline(always)]
pub(super) fn key_in(entry: Entry) -> u32 {
    (entry >> 32) as u32
}

#[inline(always)]
pub(super) fn row_in(entry: Entry) -> u32 {
    entry as u32
}

/// Appends the rows of a block that reach the floor.
pub(super) struct Scan<'a> {
    /// At most [`BLOCK`] scores.
    pub(super) scores: &'a [f32],
    /// The row of the first.
    pub(super) first: u32,
    /// Not NaN, and above minus infinity.
    pub(super) floor: f32,
    /// What is appended to.
    pub(super) entries: &'a mut Vec<Entry>,
}

impl Kernel for Scan<'_> {
    /// Whether all scores are finite. Where they are not, what was appended means nothing.
    type Output = bool;

    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> bool {
        let floor = V::all(self.floor);
        let mut least = [V::all(f32::INFINITY); GROUP / LANES];
        // The place of each mask that is not empty, and the mask. Written always and retained by moving the end,
        // since whether a group has survivors cannot be predicted.
        let mut marks = [(0u32, 0u64); BLOCK / GROUP + 1];
        let mut end = 0;
        let (groups, rest) = self.scores.as_chunks::<GROUP>();
        for (at, group) in (0u32..).zip(groups) {
            for quarter in 0..GROUP / LANES {
                V::fetch(self.scores, at as usize * GROUP + quarter * LANES + AHEAD);
            }
            let mask = reaching(group, floor, &mut least);
            marks[end] = (at, mask);
            end += usize::from(mask != 0);
        }
        let mut last = [f32::MIN; GROUP];
        last[..rest.len()].copy_from_slice(rest);
        let mask = reaching(&last, floor, &mut least) & ((1 << rest.len()) - 1);
        marks[end] = (groups.len() as u32, mask);
        end += usize::from(mask != 0);

        let least = least[0].lesser(least[1]).lesser(least[2]).lesser(least[3]).least();
        let mut finite = least > f32::NEG_INFINITY;
        for &(at, mut mask) in &marks[..end] {
            self.entries.reserve(GROUP);
            while mask != 0 {
                let place = at * GROUP as u32 + mask.trailing_zeros();
                let score = self.scores[place as usize];
                finite &= score.is_finite();
                self.entries.push(entry(key_of(score), self.first + place));
                mask &= mask - 1;
            }
        }
        finite
    }
}

/// Which of the scores reach the floor or are NaN, the first in the lowest bit; plus infinity is among them.
/// Minus infinity is not, and shows in `least`.
#[inline(always)]
fn reaching<V: Lanes>(group: &[f32; GROUP], floor: V, least: &mut [V; GROUP / LANES]) -> u64 {
    let mut mask = 0;
    for (quarter, values) in group.as_chunks::<LANES>().0.iter().enumerate() {
        let values = V::load(values);
        mask |= u64::from(values.not_below(floor)) << (quarter * LANES);
        least[quarter] = values.lesser(least[quarter]);
    }
    mask
}
