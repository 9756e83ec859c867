//! The nearest of many candidate neighbours for some rows, through int16: what could be among the nearest is listed,
//! and canonical arithmetic decides.

use super::super::edges::{Edge, edges};
use super::nearest_first::NearestFirst;
use crate::metric::Rows;
use crate::quantise::{Quantised, TILE, Tile};
use crate::simd::Simd;
use crate::topk::Smallest;

/// Rows and candidates, in float32 and in int16.
#[derive(Clone, Copy)]
pub(super) struct SearchSpace<'a> {
    pub(super) simd: Simd,
    /// The rows whose nearest are sought.
    pub(super) rows: Rows<'a>,
    /// The rows that could be neighbours.
    pub(super) candidates: Rows<'a>,
    /// Holds the rows by their numbers, and the candidates by theirs from `first` on.
    pub(super) quantised: &'a Quantised,
    pub(super) first: u32,
}

/// Some candidates, packed once for all the rows that are compared with them.
pub(super) struct Packed {
    ids: Vec<u32>,
    /// One for every 32 of the ids.
    tiles: Vec<Tile>,
}

impl Packed {
    pub(super) fn new(space: SearchSpace<'_>, ids: &[u32]) -> Self {
        let pack = |ids: &[u32]| {
            let numbers: Vec<u32> = ids.iter().map(|id| space.first + id).collect();
            let mut tile = Tile::of(space.quantised);
            tile.hold(space.quantised, &numbers);
            tile
        };
        Self { ids: ids.to_vec(), tiles: ids.chunks(TILE).map(pack).collect() }
    }
}

/// What could be among the `wanted` (at least 1) nearest of some rows, of the candidates compared so far.
pub(super) struct Shortlist<'a> {
    space: SearchSpace<'a>,
    rows: &'a [u32],
    wanted: usize,
    /// Candidates of a row at which those that lost are dropped.
    full: usize,
    /// The least product of each row with which a candidate can still be among its nearest.
    least: Vec<i32>,
    lists: Vec<Vec<(i32, u32)>>,
}

impl<'a> Shortlist<'a> {
    pub(super) fn new(space: SearchSpace<'a>, rows: &'a [u32], wanted: usize) -> Self {
        let full = (4 * wanted).max(4 * TILE);
        let mut lists = vec![Vec::new(); rows.len()];
        lists.iter_mut().for_each(|list: &mut Vec<_>| list.reserve_exact(full + TILE));
        let least = vec![i32::MIN; rows.len()];
        Self { space, rows, wanted, full, least, lists }
    }

    /// Compares the rows at these places with candidates, each pair at most once.
    pub(super) fn compare(&mut self, places: &[u32], candidates: &Packed) {
        let SearchSpace { simd, quantised, .. } = self.space;
        for (ids, tile) in candidates.ids.chunks(TILE).zip(&candidates.tiles) {
            quantised.at_least(simd, (self.rows, places), (tile, ids), &self.least, &mut self.lists);
            for &place in places {
                if self.lists[place as usize].len() >= self.full {
                    self.drop_lost(place as usize);
                }
            }
        }
    }

    /// The nearest of all candidates that the row at this place was compared with, the nearest first; fewer where they
    /// are fewer.
    pub(super) fn nearest(&mut self, place: usize) -> Vec<Edge> {
        self.drop_lost(place);
        let mut best = Smallest::new(self.wanted);
        self.edges(place).into_iter().for_each(|edge| best.push(NearestFirst(edge)));
        best.into_sorted().into_iter().map(|near| near.0).collect()
    }

    /// Drops candidates that cannot be among the nearest, and raises the least product of those that can.
    fn drop_lost(&mut self, place: usize) {
        let wanted = self.wanted;
        let list = &mut self.lists[place];
        if list.len() <= wanted {
            return;
        }
        let twice = self.space.quantised.dot_slack().saturating_mul(2);
        list.select_nth_unstable_by(wanted - 1, |a, b| b.0.cmp(&a.0));
        let mut last = list[wanted - 1].0;
        list.retain(|&(product, _)| product >= last.saturating_sub(twice));
        if list.len() > self.full / 2 {
            // Too many near ties for int16: canonical arithmetic tells them apart.
            let exact = self.edges(place);
            let list = &mut self.lists[place];
            let mut order: Vec<(NearestFirst, i32)> = exact
                .into_iter()
                .zip(&*list)
                .map(|(edge, &(product, _))| (NearestFirst(edge), product))
                .collect();
            order.select_nth_unstable_by(wanted - 1, |a, b| a.0.cmp(&b.0));
            order.truncate(wanted);
            list.clear();
            list.extend(order.into_iter().map(|(near, product)| (product, near.0.client)));
            last = list.iter().map(|&(product, _)| product).min().unwrap_or(last);
        }
        self.least[place] = last.saturating_sub(twice);
    }

    /// The list of a row, with canonical similarities.
    fn edges(&self, place: usize) -> Vec<Edge> {
        let ids: Vec<u32> = self.lists[place].iter().map(|&(_, id)| id).collect();
        edges(self.space.simd, self.space.rows.row(self.rows[place] as usize), self.space.candidates, &ids)
    }
}
