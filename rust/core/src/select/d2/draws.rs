//! The course of the draws: what is proposed when, and when the weights are brought up to date.
//!
//! All of it follows from counts, so that the plain way and the fast one see the same proposals.

use rayon::prelude::*;

use super::super::{Admission, Request, Selection};
use super::order::DrawOrder;
use super::weights::{Proposal, Weights};
use crate::control::Part;
use crate::{Control, Error, rng};

/// Proposals drawn by the same weights.
const BATCH: u64 = 64;

/// What was picked so far, and what the next proposals are drawn by.
pub(super) struct Draws<'a> {
    pub(super) weights: Weights<'a>,
    pub(super) selection: Selection,
    key: u64,
    count: usize,
    rows: u64,
    admission: Admission<'a>,
    /// The number of the next proposal.
    next: u64,
    /// Rows of the set that the weights do not heed yet.
    fresh: u64,
    /// Comparisons with these that the proposals since took, had each met all of them.
    compared: u64,
    /// Rows that cannot be picked any more, and whose weights have not been taken away.
    gone: Vec<u32>,
}

impl<'a> Draws<'a> {
    /// Starts with the rows given or, where there are none, a pick drawn evenly. No weight is set.
    pub(super) fn new(
        request: &Request<'a>,
        key: u64,
        order: Option<&'a [u32]>,
    ) -> Result<(Self, Vec<u32>), Error> {
        let admission = request.admission()?;
        let order = DrawOrder::new(order, admission.rows())?;
        let mut draws = Self {
            weights: Weights::new(admission.rows(), order, |row| admission.is_open(row))?,
            selection: Selection::default(),
            key,
            count: request.count(),
            rows: admission.rows() as u64,
            admission,
            next: 0,
            fresh: 0,
            compared: 0,
            gone: Vec::new(),
        };
        let mut set: Vec<u32> = request.given().iter().map(|&row| row as u32).collect();
        if set.is_empty() && !draws.is_done() {
            let row = draws.even_draw();
            draws.accept(row, f32::NAN);
            set.push(row);
        }
        Ok((draws, set))
    }

    /// Proposal 0 of a set without rows: every open row is as likely.
    fn even_draw(&mut self) -> u32 {
        let count = self.admission.open().count();
        let place = (rng::uniform(self.key, 0) * count as f64) as usize;
        self.next += 1;
        let rows = (0..self.admission.rows()).map(|place| self.weights.row(place));
        let mut open = rows.filter(|&row| self.admission.is_open(row as usize));
        open.nth(place.min(count - 1)).unwrap_or_default()
    }

    pub(super) fn is_done(&self) -> bool {
        self.admission.is_done()
    }

    /// What is told of work between the picks.
    pub(super) fn watch<'c, C>(&self, control: &'c C) -> Part<'c, C> {
        Part { control, done: self.selection.rows.len() as u64, total: self.count as u64 }
    }

    /// The next proposals, by the weights as they are.
    pub(super) fn batch(&mut self) -> Vec<Proposal> {
        let first = self.next;
        self.next += BATCH;
        self.compared += BATCH * self.fresh;
        (first..self.next).into_par_iter().map(|number| self.weights.propose(self.key, number)).collect()
    }

    /// Picks a row.
    pub(super) fn accept(&mut self, row: u32, key: f32) {
        self.selection.push(row as usize, f64::from(key));
        self.admission.take(row as usize);
        self.gone.push(row);
        self.fresh += 1;
    }

    /// Whether the limits let a row be picked; one that they refuse is not proposed again after this batch.
    pub(super) fn admit(&mut self, row: u32) -> bool {
        let open = self.admission.is_open(row as usize);
        if !open {
            self.gone.push(row);
        }
        open
    }

    /// Notes rows of the set that the weights do not heed.
    pub(super) fn add_fresh(&mut self, rows: usize) {
        self.fresh += rows as u64;
    }

    /// Takes the weights of what is gone since the batch was drawn away, and tells whether all weights should be brought up to date:
    /// once the proposals have cost as much as that would.
    pub(super) fn end_batch(&mut self, control: &impl Control) -> Result<bool, Error> {
        self.weights.clear(&self.gone);
        self.gone.clear();
        control.tick(self.selection.rows.len() as u64, self.count as u64)?;
        Ok(self.fresh > 0 && self.compared >= self.rows * self.fresh)
    }

    /// Notes that the weights heed all of the set.
    pub(super) fn are_up_to_date(&mut self) {
        self.fresh = 0;
        self.compared = 0;
    }

    /// Fills the selection up with the lowest open rows: when all keys are zero.
    pub(super) fn fill_up(mut self) -> Selection {
        for row in 0..self.admission.rows() {
            if self.admission.is_done() {
                break;
            }
            if self.admission.is_open(row) {
                self.admission.take(row);
                self.selection.push(row, 0.0);
            }
        }
        self.selection
    }
}
