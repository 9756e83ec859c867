//! Bounds of the rows of one region, brought up to date until they fall below a cutoff.

use std::cmp::Reverse;

use super::super::super::Candidates;
use super::super::NearestKey;
use super::bounds::{Rank, RowBound, WorkingRow};
use super::regions::Regions;
use crate::quantise::{Quantised, TILE, Tiles};
use crate::simd::Simd;

/// The members near a region are compared first where all others are at least so many times as many.
const NEAR_FIRST_FACTOR: u32 = 4;

/// What the refreshes of all regions share.
pub(super) struct Shared<'a, N> {
    pub(super) simd: Simd,
    pub(super) quantised: &'a Quantised,
    pub(super) keys: &'a N,
    pub(super) candidates: &'a Candidates<'a>,
    pub(super) regions: &'a Regions,
    /// The members.
    pub(super) tiles: &'a Tiles,
}

/// Rows of one region.
pub(super) struct Refresh<'a, N> {
    pub(super) at: &'a Shared<'a, N>,
    pub(super) region: usize,
    /// The place of the first row.
    pub(super) first: usize,
    pub(super) known: &'a mut [RowBound],
    pub(super) cutoff: Rank,
    pub(super) compared: u64,
    /// How many rows turned out to be inadmissible.
    pub(super) inadmissible: usize,
}

impl<N: NearestKey> Refresh<'_, N> {
    /// Lowers all bounds above the cutoff, by the members near the region and then by all, oldest first. Gives the rows
    /// that stay above it.
    pub(super) fn run(&mut self) -> Vec<WorkingRow> {
        let mut above: Vec<u32> = (0..self.known.len() as u32).filter(|&one| self.is_above(one)).collect();
        above.retain(|&one| self.is_candidate(one));
        let (size, near) = (self.at.tiles.rows() as u32, self.at.regions.near(self.region));
        let mut waiting = Vec::new();
        for &one in &above {
            let known = &mut self.known[one as usize];
            let covered = near.set.partition_point(|&place| place < known.covered) as u32;
            known.covered_near = known.covered_near.max(covered);
            // The least bound cannot fall.
            let uncovered = near.set.len() as u32 - known.covered_near;
            if known.bound > N::LEAST && uncovered > 0 && uncovered * NEAR_FIRST_FACTOR < size - known.covered
            {
                waiting.push((known.covered_near / TILE as u32, one));
            }
        }
        if !waiting.is_empty() {
            self.compare(waiting, &near.tiles, |known, compared| known.covered_near = compared);
            above.retain(|&one| self.is_above(one));
        }
        let uncovered = above.iter().filter_map(|&one| {
            let known = &self.known[one as usize];
            (known.bound > N::LEAST && known.covered < size).then_some((known.covered / TILE as u32, one))
        });
        let uncovered = uncovered.collect();
        self.compare(uncovered, self.at.tiles, |known, compared| known.covered = compared);
        above.retain(|&one| self.is_above(one));
        above.into_iter().map(|one| self.working_row(one)).collect()
    }

    fn working_row(&self, one: u32) -> WorkingRow {
        let row = self.at.regions.row(self.first + one as usize);
        WorkingRow::new(self.at.keys, row, self.known[one as usize].bound)
    }

    /// Whether a row is still a candidate; one that is not gets the least bound.
    fn is_candidate(&mut self, one: u32) -> bool {
        let row = self.at.regions.row(self.first + one as usize) as usize;
        let candidate = self.at.candidates.contains(row);
        if !candidate {
            self.known[one as usize].bound = f32::NEG_INFINITY;
            self.inadmissible += 1;
        }
        candidate
    }

    fn is_above(&self, one: u32) -> bool {
        self.working_row(one).rank > self.cutoff
    }

    /// Compares rows with tiles, each from its own tile on, until they fall below the cutoff; `note` stores how many
    /// members of the tiles they were compared with.
    fn compare(&mut self, mut waiting: Vec<(u32, u32)>, tiles: &Tiles, note: impl Fn(&mut RowBound, u32)) {
        let &Shared { simd, quantised, regions, .. } = self.at;
        waiting.sort_unstable_by_key(|&(tile, one)| (Reverse(tile), one));
        let mut active: Vec<u32> = Vec::with_capacity(waiting.len());
        let mut rows: Vec<u32> = Vec::with_capacity(waiting.len());
        let mut nearest = vec![0.0; waiting.len()];
        let begin = waiting.last().map_or(tiles.len(), |&(tile, _)| tile as usize);
        for tile in begin..tiles.len() {
            while let Some((_, one)) = waiting.pop_if(|(next, _)| *next as usize <= tile) {
                active.push(one);
                rows.push(regions.row(self.first + one as usize));
            }
            quantised.nearest(simd, &rows, tiles.tile(tile), &mut nearest);
            self.compared += (active.len() * tiles.tile(tile).rows()) as u64;
            let compared = tiles.rows().min((tile + 1) * TILE) as u32;
            let mut remaining = 0;
            for at in 0..active.len() {
                let known = &mut self.known[active[at] as usize];
                known.bound = known.bound.min(nearest[at] + quantised.slack());
                note(known, compared);
                if self.is_above(active[at]) {
                    (active[remaining], rows[remaining]) = (active[at], rows[at]);
                    remaining += 1;
                }
            }
            active.truncate(remaining);
            rows.truncate(remaining);
            if active.is_empty() && waiting.is_empty() {
                break;
            }
        }
    }
}
