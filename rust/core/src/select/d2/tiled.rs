//! Members that rows are compared with in int16, tile by tile; canonical arithmetic decides about what remains.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::order::DrawOrder;
use super::pairs::{OfRows, Pairs, Uncovered};
use super::weights::{Proposal, Weights};
use crate::matrix::MatrixView;
use crate::quantise::{Measure, Quantised, Tiles};
use crate::{Control, Error};

/// Members of a matrix, in order, and the same as tiles.
pub(super) struct Tiled<'a> {
    matrix: MatrixView<'a>,
    quantised: Quantised,
    members: Vec<u32>,
    tiles: Tiles,
    compared: AtomicU64,
}

impl<'a> Tiled<'a> {
    /// None yet; the rows are held in int16.
    pub(super) fn new(matrix: MatrixView<'a>, control: &impl Control) -> Result<Self, Error> {
        Ok(Self {
            matrix,
            quantised: Quantised::new(matrix, Measure::SquaredDistance, control)?,
            members: Vec::new(),
            tiles: Tiles::default(),
            compared: AtomicU64::new(0),
        })
    }
}

impl Uncovered for Tiled<'_> {
    fn push(&mut self, row: u32) {
        self.members.push(row);
        self.tiles.push(&self.quantised, row as usize);
    }

    fn clear(&mut self) {
        self.members.clear();
        self.tiles = Tiles::default();
    }

    fn len(&self) -> usize {
        self.members.len()
    }

    fn distance(&self, row: u32, place: usize) -> f32 {
        OfRows(self.matrix).distance(row, self.members[place])
    }

    fn lower(&self, order: &DrawOrder<'_>, first: usize, weights: &mut [f32]) {
        let heavy: Vec<usize> = (0..weights.len()).filter(|&at| weights[at] > 0.0).collect();
        let rows: Vec<u32> = heavy.iter().map(|&at| order.row(first + at)).collect();
        let mut bounds: Vec<f32> = heavy.iter().map(|&at| weights[at]).collect();
        let near = self.quantised.could_be_nearest(self.matrix.simd, &rows, (&self.tiles, 0), &mut bounds);
        let mut compared = rows.len() * self.tiles.rows();
        for ((&at, &row), near) in heavy.iter().zip(&rows).zip(near) {
            compared += near.len();
            let weight = &mut weights[at];
            *weight = near.iter().fold(*weight, |key, &place| key.min(self.distance(row, place as usize)));
        }
        self.compared.fetch_add(compared as u64, Relaxed);
    }

    fn keys(&self, weights: &Weights<'_>, proposals: &[Proposal]) -> Vec<Option<f32>> {
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
                key = key.min(self.distance(row, other as usize));
            }
            keys[place] = Some(key).filter(|&key| f64::from(key) > limit);
        }
        self.compared.fetch_add(compared as u64, Relaxed);
        keys
    }

    fn compared(&self) -> u64 {
        self.compared.load(Relaxed)
    }
}
