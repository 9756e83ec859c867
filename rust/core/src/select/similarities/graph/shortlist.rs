//! The nearest of many candidates for some rows, through int16: what could be among the nearest is kept, and canonical
//! arithmetic decides.

use super::Edge;
use super::near::{Near, edges};
use crate::metric::Rows;
use crate::quantise::{Quantised, TILE, Tile};
use crate::simd::Simd;
use crate::topk::Smallest;

/// Rows and candidates, in float32 and in int16.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) simd: Simd,
    /// The rows that look for their nearest.
    pub(super) rows: Rows<'a>,
    /// What they look at.
    pub(super) candidates: Rows<'a>,
    /// Holds the rows by their numbers, and the candidates by theirs from `first` on.
    pub(super) quantised: &'a Quantised,
    pub(super) first: u32,
}

/// Some candidates, packed once for all the rows that meet them.
pub(super) struct Packed {
    ids: Vec<u32>,
    /// One for every 32 of the ids.
    tiles: Vec<Tile>,
}

impl Packed {
    pub(super) fn new(field: Field<'_>, ids: &[u32]) -> Self {
        let pack = |ids: &[u32]| {
            let numbers: Vec<u32> = ids.iter().map(|id| field.first + id).collect();
            let mut tile = Tile::of(field.quantised);
            tile.hold(field.quantised, &numbers);
            tile
        };
        Self { ids: ids.to_vec(), tiles: ids.chunks(TILE).map(pack).collect() }
    }
}

/// What could be among the `wanted` (at least 1) nearest of some rows, of the candidates met so far.
pub(super) struct Shortlist<'a> {
    field: Field<'a>,
    rows: &'a [u32],
    wanted: usize,
    /// Candidates of a row at which those that lost are dropped.
    full: usize,
    /// The least product of each row with which a candidate can still be among its nearest.
    least: Vec<i32>,
    kept: Vec<Vec<(i32, u32)>>,
}

impl<'a> Shortlist<'a> {
    pub(super) fn new(field: Field<'a>, rows: &'a [u32], wanted: usize) -> Self {
        let full = (4 * wanted).max(4 * TILE);
        let mut kept = vec![Vec::new(); rows.len()];
        kept.iter_mut().for_each(|kept: &mut Vec<_>| kept.reserve_exact(full + TILE));
        let least = vec![i32::MIN; rows.len()];
        Self { field, rows, wanted, full, least, kept }
    }

    /// Shows candidates to the rows at these places, each pair at most once.
    pub(super) fn meet(&mut self, places: &[u32], candidates: &Packed) {
        let Field { simd, quantised, .. } = self.field;
        for (ids, tile) in candidates.ids.chunks(TILE).zip(&candidates.tiles) {
            quantised.at_least(simd, (self.rows, places), (tile, ids), &self.least, &mut self.kept);
            for &place in places {
                if self.kept[place as usize].len() >= self.full {
                    self.drop_lost(place as usize);
                }
            }
        }
    }

    /// The nearest of all candidates that the row at this place met, the nearest first; fewer where it met fewer.
    pub(super) fn nearest(&mut self, place: usize) -> Vec<Edge> {
        self.drop_lost(place);
        let mut best = Smallest::new(self.wanted);
        self.edges(place).into_iter().for_each(|edge| best.push(Near(edge)));
        best.into_sorted().into_iter().map(|near| near.0).collect()
    }

    /// Drops candidates that cannot be among the nearest, and learns the least product that still can.
    fn drop_lost(&mut self, place: usize) {
        let wanted = self.wanted;
        let kept = &mut self.kept[place];
        if kept.len() <= wanted {
            return;
        }
        let twice = self.field.quantised.dot_slack().saturating_mul(2);
        kept.select_nth_unstable_by(wanted - 1, |a, b| b.0.cmp(&a.0));
        let mut last = kept[wanted - 1].0;
        kept.retain(|&(product, _)| product >= last.saturating_sub(twice));
        if kept.len() > self.full / 2 {
            // Too many near ties for int16: canonical arithmetic tells them apart.
            let exact = self.edges(place);
            let kept = &mut self.kept[place];
            let mut order: Vec<(Near, i32)> =
                exact.into_iter().zip(&*kept).map(|(edge, &(product, _))| (Near(edge), product)).collect();
            order.select_nth_unstable_by(wanted - 1, |a, b| a.0.cmp(&b.0));
            order.truncate(wanted);
            kept.clear();
            kept.extend(order.into_iter().map(|(near, product)| (product, near.0.client)));
            last = kept.iter().map(|&(product, _)| product).min().unwrap_or(last);
        }
        self.least[place] = last.saturating_sub(twice);
    }

    /// What is kept for a row, with canonical similarities.
    fn edges(&self, place: usize) -> Vec<Edge> {
        let ids: Vec<u32> = self.kept[place].iter().map(|&(_, id)| id).collect();
        edges(self.field.simd, self.field.rows.row(self.rows[place] as usize), self.field.candidates, &ids)
    }
}
