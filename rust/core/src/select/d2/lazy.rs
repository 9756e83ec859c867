//! The same picks from few distances: proposed rows are compared with the set, and no others are.
//!
//! A weight is the key over the members that it covers, so a proposed row has to be compared only with those that came
//! after: in int16, tile by tile, until its key is surely not above its limit. Canonical arithmetic decides about those
//! that remain.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::super::{Counted, Request};
use super::draws::Draws;
use super::order::DrawOrder;
use super::weights::{Proposal, Weights};
use crate::matrix::MatrixView;
use crate::metric;
use crate::quantise::{Measure, Quantised, Tiles};
use crate::{Control, Error};

/// Proposals that one task compares.
const PART: usize = 16;

struct Search<'a> {
    matrix: MatrixView<'a>,
    quantised: Quantised,
    /// Members that the weights do not cover yet, in order, and the same as tiles.
    uncovered: Vec<u32>,
    tiles: Tiles,
    evaluations: AtomicU64,
}

/// Picks, and counts the pairs of rows that were compared, at any precision.
pub(super) fn pick(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    key: u64,
    order: Option<&[u32]>,
    control: &impl Control,
) -> Result<Counted, Error> {
    let (mut draws, set) = Draws::new(request, key, order)?;
    if draws.is_done() || set.is_empty() {
        return Ok(Counted { selection: draws.fill_up(), evaluations: 0 });
    }
    let mut search = Search {
        matrix,
        quantised: Quantised::new(matrix, Measure::SquaredDistance, &draws.watch(control))?,
        uncovered: Vec::new(),
        tiles: Tiles::default(),
        evaluations: AtomicU64::new(0),
    };
    // Of many preselected rows, the weights cover the first alone: the others count when rows are proposed.
    search.add(set[0]);
    search.weigh(&mut draws, control)?;
    set[1..].iter().for_each(|&row| search.add(row));
    draws.add_uncovered(set.len() - 1);
    while !draws.is_done() && !draws.weights.all_zero() {
        let proposals = draws.batch();
        let keys = search.keys(&draws.weights, &proposals);
        search.decide(&mut draws, &proposals, &keys);
        if draws.end_batch(control)? {
            search.weigh(&mut draws, control)?;
        }
    }
    Ok(Counted { selection: draws.fill_up(), evaluations: search.evaluations.into_inner() })
}

impl Search<'_> {
    fn add(&mut self, row: u32) {
        self.uncovered.push(row);
        self.tiles.push(&self.quantised, row as usize);
    }

    /// Brings the weights up to date with the whole set.
    fn weigh(&mut self, draws: &mut Draws<'_>, control: &impl Control) -> Result<(), Error> {
        let watch = draws.watch(control);
        draws.weights.set(&watch, |order, first, weights| self.lower(order, first, weights))?;
        draws.are_up_to_date();
        self.uncovered.clear();
        self.tiles = Tiles::default();
        Ok(())
    }

    /// Lowers the weights of the places from `first` on to the keys of their rows; a weight of 0 cannot be lowered.
    fn lower(&self, order: &DrawOrder<'_>, first: usize, weights: &mut [f32]) {
        let heavy: Vec<usize> = (0..weights.len()).filter(|&at| weights[at] > 0.0).collect();
        let rows: Vec<u32> = heavy.iter().map(|&at| order.row(first + at)).collect();
        let mut bounds: Vec<f32> = heavy.iter().map(|&at| weights[at]).collect();
        let near = self.quantised.could_be_nearest(self.matrix.simd, &rows, (&self.tiles, 0), &mut bounds);
        let mut compared = rows.len() * self.tiles.rows();
        for ((&at, &row), near) in heavy.iter().zip(&rows).zip(near) {
            compared += near.len();
            let weight = &mut weights[at];
            *weight = near.iter().fold(*weight, |key, &place| key.min(self.distance(row, place)));
        }
        self.evaluations.fetch_add(compared as u64, Relaxed);
    }

    fn distance(&self, row: u32, place: u32) -> f32 {
        let rows = self.matrix.rows;
        let other = self.uncovered[place as usize] as usize;
        metric::squared_distance(self.matrix.simd, rows.row(row as usize), rows.row(other))
    }

    /// The keys of the proposed rows, where they are above the limits.
    fn keys(&self, weights: &Weights<'_>, proposals: &[Proposal]) -> Vec<Option<f32>> {
        proposals.par_chunks(PART).flat_map_iter(|part| self.keys_of(weights, part)).collect()
    }

    fn keys_of(&self, weights: &Weights<'_>, proposals: &[Proposal]) -> Vec<Option<f32>> {
        let mut places: Vec<usize> = (0..proposals.len()).collect();
        let mut rows: Vec<u32> = proposals.iter().map(|proposal| proposal.row).collect();
        let mut bounds: Vec<f32> = rows.iter().map(|&row| weights.of(row)).collect();
        let mut near = vec![Vec::new(); rows.len()];
        let mut compared = 0;
        for at in 0..self.tiles.len() {
            self.quantised.note_near(self.matrix.simd, &rows, (&self.tiles, at), &mut bounds, &mut near);
            compared += rows.len() * self.tiles.tile(at).rows();
            let mut remaining = 0;
            for active in 0..rows.len() {
                if f64::from(bounds[active]) > proposals[places[active]].limit {
                    places.swap(remaining, active);
                    rows.swap(remaining, active);
                    bounds.swap(remaining, active);
                    near.swap(remaining, active);
                    remaining += 1;
                }
            }
            places.truncate(remaining);
            rows.truncate(remaining);
            bounds.truncate(remaining);
            near.truncate(remaining);
            if rows.is_empty() {
                break;
            }
        }
        let mut keys = vec![None; proposals.len()];
        for ((&place, &bound), near) in places.iter().zip(&bounds).zip(near) {
            let Proposal { row, limit } = proposals[place];
            let mut key = weights.of(row);
            for other in self.quantised.still_near(near, bound) {
                compared += 1;
                key = key.min(self.distance(row, other));
            }
            keys[place] = Some(key).filter(|&key| f64::from(key) > limit);
        }
        self.evaluations.fetch_add(compared as u64, Relaxed);
        keys
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
            let mut compared = 0;
            for place in before..self.uncovered.len() {
                if f64::from(key) <= proposal.limit {
                    break;
                }
                compared += 1;
                key = key.min(self.distance(proposal.row, place as u32));
            }
            *self.evaluations.get_mut() += compared;
            if f64::from(key) > proposal.limit {
                draws.accept(proposal.row, key);
                self.add(proposal.row);
            }
        }
    }
}
