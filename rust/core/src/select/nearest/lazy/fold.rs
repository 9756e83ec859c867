//! The outer circle: rows of one region on their way below a cutoff.

use std::cmp::Reverse;

use super::super::super::Admission;
use super::super::NearestKey;
use super::known::{Candidate, Known, Rank};
use super::regions::Regions;
use crate::quantise::{Quantised, TILE, Tiles};
use crate::simd::Simd;

/// The rows near a region are met first where all others are at least so many times as many.
const WORTH_A_LOOK: u32 = 4;

/// What is there to meet.
pub(super) struct Place<'a, N> {
    pub(super) simd: Simd,
    pub(super) quantised: &'a Quantised,
    pub(super) keys: &'a N,
    pub(super) admission: &'a Admission<'a>,
    pub(super) regions: &'a Regions,
    /// The set.
    pub(super) tiles: &'a Tiles,
}

/// Rows of one region.
pub(super) struct Fold<'a, N> {
    pub(super) at: &'a Place<'a, N>,
    pub(super) region: usize,
    /// The place of the first row.
    pub(super) first: usize,
    pub(super) known: &'a mut [Known],
    pub(super) cutoff: Rank,
    pub(super) compared: u64,
    /// How many rows the limits turned out to refuse.
    pub(super) refused: usize,
}

impl<N: NearestKey> Fold<'_, N> {
    /// Lowers all bounds above the cutoff, by the set rows near the region and then by all, oldest first. Gives the
    /// rows that stay above it.
    pub(super) fn run(&mut self) -> Vec<Candidate> {
        let mut above: Vec<u32> = (0..self.known.len() as u32).filter(|&one| self.is_above(one)).collect();
        above.retain(|&one| self.is_admitted(one));
        let (size, near) = (self.at.tiles.rows() as u32, self.at.regions.near(self.region));
        let mut waiting = Vec::new();
        for &one in &above {
            let known = &mut self.known[one as usize];
            let covered = near.set.partition_point(|&place| place < known.covered) as u32;
            known.near = known.near.max(covered);
            // The least bound cannot fall.
            let left = near.set.len() as u32 - known.near;
            if known.bound > N::LEAST && left > 0 && left * WORTH_A_LOOK < size - known.covered {
                waiting.push((known.near / TILE as u32, one));
            }
        }
        if !waiting.is_empty() {
            self.meet(waiting, &near.tiles, |known, met| known.near = met);
            above.retain(|&one| self.is_above(one));
        }
        let unmet = above.iter().filter_map(|&one| {
            let known = &self.known[one as usize];
            (known.bound > N::LEAST && known.covered < size).then_some((known.covered / TILE as u32, one))
        });
        let unmet = unmet.collect();
        self.meet(unmet, self.at.tiles, |known, met| known.covered = met);
        above.retain(|&one| self.is_above(one));
        above.into_iter().map(|one| self.candidate(one)).collect()
    }

    fn candidate(&self, one: u32) -> Candidate {
        let row = self.at.regions.row(self.first + one as usize);
        Candidate::new(self.at.keys, row, self.known[one as usize].bound)
    }

    /// Whether a row can be picked; one that the limits refuse is closed.
    fn is_admitted(&mut self, one: u32) -> bool {
        let row = self.at.regions.row(self.first + one as usize) as usize;
        let open = self.at.admission.is_open(row);
        if !open {
            self.known[one as usize].bound = f32::NEG_INFINITY;
            self.refused += 1;
        }
        open
    }

    fn is_above(&self, one: u32) -> bool {
        self.candidate(one).rank > self.cutoff
    }

    /// Lets rows meet tiles, each from its own tile on, until they fall below the cutoff; `note` keeps how many rows
    /// of the tiles they met.
    fn meet(&mut self, mut waiting: Vec<(u32, u32)>, tiles: &Tiles, note: impl Fn(&mut Known, u32)) {
        let &Place { simd, quantised, regions, .. } = self.at;
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
            let met = tiles.rows().min((tile + 1) * TILE) as u32;
            let mut kept = 0;
            for at in 0..active.len() {
                let known = &mut self.known[active[at] as usize];
                known.bound = known.bound.min(nearest[at] + quantised.slack());
                note(known, met);
                if self.is_above(active[at]) {
                    (active[kept], rows[kept]) = (active[at], rows[at]);
                    kept += 1;
                }
            }
            active.truncate(kept);
            rows.truncate(kept);
            if active.is_empty() && waiting.is_empty() {
                break;
            }
        }
    }
}
