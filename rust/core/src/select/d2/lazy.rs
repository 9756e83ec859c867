//! The same picks from few distances: proposed rows are compared with the set, and no others are.
//!
//! A weight is the key over the members that it covers, so a proposed row has to be compared only with those that came
//! after, until its key is surely not above its limit.

use rayon::prelude::*;

use super::super::{Counted, Request};
use super::draws::{Draws, FirstPick};
use super::pairs::Uncovered;
use super::weights::{Proposal, Weights};
use crate::control::FixedProgress;
use crate::{Control, Error};

/// Proposals that one task compares.
const PART: usize = 16;

struct Search<U> {
    uncovered: U,
    /// Pairs that were compared when picks were decided about.
    decided: u64,
}

/// Picks, and counts the pairs of rows that were compared, at any precision.
///
/// `uncovered` makes the members, which hold nothing yet.
pub(super) fn pick<U: Uncovered, C: Control>(
    uncovered: impl FnOnce(&FixedProgress<'_, C>) -> Result<U, Error>,
    request: &Request<'_>,
    (key, order): (u64, Option<&[u32]>),
    first: &impl FirstPick,
    control: &C,
) -> Result<Counted, Error> {
    let (mut draws, set) = Draws::new(request, key, order, first)?;
    if draws.is_done() || set.is_empty() {
        return Ok(Counted { selection: draws.fill_up(), evaluations: 0 });
    }
    let mut search = Search { uncovered: uncovered(&draws.watch(control))?, decided: 0 };
    // Of many preselected rows, the weights cover the first alone: the others count when rows are proposed.
    search.uncovered.push(set[0]);
    search.weigh(&mut draws, control)?;
    set[1..].iter().for_each(|&row| search.uncovered.push(row));
    draws.add_uncovered(set.len() - 1);
    while !draws.is_done() && !draws.weights.all_zero() {
        let proposals = draws.batch();
        let keys = search.keys(&draws.weights, &proposals);
        search.decide(&mut draws, &proposals, &keys);
        if draws.end_batch(control)? {
            search.weigh(&mut draws, control)?;
        }
    }
    Ok(Counted { selection: draws.fill_up(), evaluations: search.decided + search.uncovered.compared() })
}

impl<U: Uncovered> Search<U> {
    /// Brings the weights up to date with the whole set.
    fn weigh(&mut self, draws: &mut Draws<'_>, control: &impl Control) -> Result<(), Error> {
        let watch = draws.watch(control);
        draws.weights.set(&watch, |order, first, weights| self.uncovered.lower(order, first, weights))?;
        draws.are_up_to_date();
        self.uncovered.clear();
        Ok(())
    }

    /// The keys of the proposed rows, where they are above the limits.
    fn keys(&self, weights: &Weights<'_>, proposals: &[Proposal]) -> Vec<Option<f32>> {
        proposals.par_chunks(PART).flat_map_iter(|part| self.uncovered.keys(weights, part)).collect()
    }

    /// Picks the proposed rows whose keys are above their limits, in order: picks of the same batch lower the keys of
    /// those after them.
    fn decide(&mut self, draws: &mut Draws<'_>, proposals: &[Proposal], keys: &[Option<f32>]) {
        let before = self.uncovered.len();
        for (proposal, key) in proposals.iter().zip(keys) {
            if draws.is_done() {
                return;
            }
            if !draws.admit(proposal.row) {
                continue;
            }
            let Some(mut key) = *key else { continue };
            for place in before..self.uncovered.len() {
                if f64::from(key) <= proposal.limit {
                    break;
                }
                self.decided += 1;
                key = key.min(self.uncovered.distance(proposal.row, place));
            }
            if f64::from(key) > proposal.limit {
                draws.accept(proposal.row, key);
                self.uncovered.push(proposal.row);
            }
        }
    }
}
