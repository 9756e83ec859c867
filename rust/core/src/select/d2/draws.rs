//! The course of the draws: what is proposed when, and when the weights are brought up to date.
//!
//! All of it follows from counts, so that the plain way and the fast one see the same proposals.

use rayon::prelude::*;

use super::super::{Candidates, Request, Selection};
use super::order::DrawOrder;
use super::weights::{Proposal, Weights};
use crate::control::FixedProgress;
use crate::{Control, Error, rng};

/// Proposals drawn by the same weights.
const BATCH: u64 = 64;

/// Which row is picked where the set is empty.
pub(in super::super) trait FirstPick {
    /// The first pick among the candidates, in draw order, and its gain; None where there is none.
    fn of(&self, candidates: impl Iterator<Item = u32> + Clone, key: u64) -> Option<(u32, f32)>;
}

/// Every candidate is as likely; the pick has no gain.
pub(super) struct Uniform;

impl FirstPick for Uniform {
    fn of(&self, mut candidates: impl Iterator<Item = u32> + Clone, key: u64) -> Option<(u32, f32)> {
        let count = candidates.clone().count();
        let place = (rng::uniform(key, 0) * count as f64) as usize;
        candidates.nth(place.min(count.checked_sub(1)?)).map(|row| (row, f32::NAN))
    }
}

/// The picks so far, and what the next proposals are drawn by.
pub(super) struct Draws<'a> {
    pub(super) weights: Weights<'a>,
    pub(super) selection: Selection,
    key: u64,
    count: usize,
    rows: u64,
    candidates: Candidates<'a>,
    /// The number of the next proposal.
    next: u64,
    /// Members that the weights do not cover yet.
    uncovered: u64,
    /// Comparisons with these that the proposals since took, had each been compared with all of them.
    compared: u64,
    /// Rows that cannot be picked any more, and whose weights are not cleared yet.
    unavailable: Vec<u32>,
}

impl<'a> Draws<'a> {
    /// Starts with the preselected rows or, where there are none, a first pick. No weight is set.
    pub(super) fn new(
        request: &Request<'a>,
        key: u64,
        order: Option<&'a [u32]>,
        first: &impl FirstPick,
    ) -> Result<(Self, Vec<u32>), Error> {
        let candidates = request.candidates()?;
        let order = DrawOrder::new(order, candidates.rows())?;
        let mut draws = Self {
            weights: Weights::new(candidates.rows(), order, |row| candidates.contains(row))?,
            selection: Selection::default(),
            key,
            count: request.count(),
            rows: candidates.rows() as u64,
            candidates,
            next: 0,
            uncovered: 0,
            compared: 0,
            unavailable: Vec::new(),
        };
        let mut set: Vec<u32> = request.preselected().iter().map(|&row| row as u32).collect();
        if set.is_empty() && !draws.is_done() {
            // Proposal 0, whether it draws or not.
            draws.next += 1;
            let rows = (0..draws.candidates.rows()).map(|place| draws.weights.row(place));
            let rows = rows.filter(|&row| draws.candidates.contains(row as usize));
            if let Some((row, gain)) = first.of(rows, key) {
                draws.accept(row, gain);
                set.push(row);
            }
        }
        Ok((draws, set))
    }

    pub(super) fn is_done(&self) -> bool {
        self.candidates.is_done()
    }

    /// The progress that is reported between the picks.
    pub(super) fn watch<'c, C>(&self, control: &'c C) -> FixedProgress<'c, C> {
        FixedProgress { control, done: self.selection.rows.len() as u64, total: self.count as u64 }
    }

    /// The next proposals, by the weights as they are.
    pub(super) fn batch(&mut self) -> Vec<Proposal> {
        let first = self.next;
        self.next += BATCH;
        self.compared += BATCH * self.uncovered;
        (first..self.next).into_par_iter().map(|number| self.weights.propose(self.key, number)).collect()
    }

    /// Picks a row.
    pub(super) fn accept(&mut self, row: u32, key: f32) {
        self.selection.push(row as usize, f64::from(key));
        self.candidates.pick(row as usize);
        self.unavailable.push(row);
        self.uncovered += 1;
    }

    /// Whether a row can be picked; one that cannot is not proposed again after this batch.
    pub(super) fn admit(&mut self, row: u32) -> bool {
        let admissible = self.candidates.contains(row as usize);
        if !admissible {
            self.unavailable.push(row);
        }
        admissible
    }

    /// Notes members that the weights do not cover.
    pub(super) fn add_uncovered(&mut self, rows: usize) {
        self.uncovered += rows as u64;
    }

    /// Clears the weights of what became unavailable since the batch was drawn, and returns whether all weights should
    /// be brought up to date: once the proposals have cost as much as that would.
    pub(super) fn end_batch(&mut self, control: &impl Control) -> Result<bool, Error> {
        self.weights.clear(&self.unavailable);
        self.unavailable.clear();
        control.tick(self.selection.rows.len() as u64, self.count as u64)?;
        Ok(self.uncovered > 0 && self.compared >= self.rows * self.uncovered)
    }

    /// Notes that the weights cover all members.
    pub(super) fn are_up_to_date(&mut self) {
        self.uncovered = 0;
        self.compared = 0;
    }

    /// Fills the selection up with the lowest candidates: when all keys are zero.
    pub(super) fn fill_up(mut self) -> Selection {
        for row in 0..self.candidates.rows() {
            if self.candidates.is_done() {
                break;
            }
            if self.candidates.contains(row) {
                self.candidates.pick(row);
                self.selection.push(row, 0.0);
            }
        }
        self.selection
    }
}
