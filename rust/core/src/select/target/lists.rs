//! The nearest rows of several queries, in one pass over the rows.
//!
//! A chunk of rows at a time is compared in int16. A row joins the list of a query if it could be among the nearest;
//! after each chunk what can no longer be is dropped. Canonical arithmetic decides among what is left.

use rayon::prelude::*;

use super::{Nearness, Rank, Targets, greatest, rank};
use crate::control::Part;
use crate::matrix::MatrixView;
use crate::metric::Rows;
use crate::quantise::{Quantised, TILE};
use crate::select::Admission;
use crate::{Control, Error};

/// Rows of the first chunk; each is twice the one before, up to a limit, so that lists are never much too long.
const FIRST: usize = 256;
/// Rows of a chunk that one task compares with 32 queries.
const PART: usize = 1024;
/// Entries of a list, beyond four times the wanted ones, at which canonical arithmetic tells near ties apart.
const MANY: usize = 1024;

pub(super) struct Search<'a, C> {
    matrix: MatrixView<'a>,
    queries: MatrixView<'a>,
    near: Nearness,
    longest: f32,
    chunk: usize,
    watch: Part<'a, C>,
}

/// For each query its nearest rows, the nearest last; and how many pairs were compared.
pub(super) struct Found {
    pub(super) lists: Vec<Vec<Rank>>,
    pub(super) evaluations: u64,
}

/// What is known of the nearest rows of a query.
#[derive(Clone)]
struct Best<'a> {
    query: &'a [f32],
    /// Approximate distances and rows.
    found: Vec<(f32, u32)>,
    /// The last of the wanted rows is, as a canonical number times the factor, no farther than this.
    reach: f32,
    exact: u64,
}

impl<'a, C: Control> Search<'a, C> {
    pub(super) fn new(
        matrix: MatrixView<'a>,
        queries: MatrixView<'a>,
        chunk: usize,
        total: u64,
        control: &'a C,
    ) -> Result<Self, Error> {
        let (near, watch) = (Nearness::of(matrix), Part { control, done: 0, total });
        let longest = near.longest(matrix.rows, &watch)?;
        Ok(Self { matrix, queries, near, longest, chunk, watch })
    }

    /// The `wanted` (at least 1) nearest rows that can be picked of each of `queries`, fewer where there are fewer.
    /// So many rows are picked already.
    pub(super) fn nearest(
        &self,
        queries: &[usize],
        wanted: usize,
        admission: &Admission<'_>,
        done: u64,
    ) -> Result<Found, Error> {
        let watch = Part { done, ..self.watch };
        let width = self.matrix.rows.width();
        let vectors = self.queries.take(queries)?;
        let vectors = Rows::new(&vectors, width);
        let targets = Targets::new(self.near, vectors, &watch)?;
        let mut best: Vec<Best<'_>> = (0..vectors.len())
            .map(|query| Best {
                query: vectors.row(query),
                found: Vec::new(),
                reach: f32::INFINITY,
                exact: 0,
            })
            .collect();
        let (mut first, mut size, mut slack, mut compared) = (0, FIRST.min(self.chunk), 0.0f32, 0);
        while first < self.matrix.len() {
            let rows = self.matrix.rows.part(first, size);
            let open: Vec<u32> =
                (0..rows.len() as u32).filter(|&row| admission.is_open(first + row as usize)).collect();
            let quantised = targets.facing(rows, self.longest, &watch)?;
            slack = slack.max(quantised.slack());
            compared += open.len() as u64 * queries.len() as u64;
            self.meet(&targets, &quantised, &open, first as u32, &mut best);
            best.par_iter_mut().for_each(|best| self.drop_lost(best, wanted, slack));
            watch.tick(0, 0)?;
            first += rows.len();
            size = self.chunk.min(2 * size);
        }
        let lists = best.par_iter_mut().map(|best| {
            let mut list = greatest(self.decided(best), wanted);
            list.reverse();
            list
        });
        let lists = lists.collect();
        Ok(Found { lists, evaluations: compared + best.iter().map(|best| best.exact).sum::<u64>() })
    }

    /// Adds the rows of a chunk, which starts at row `first`, to the lists in which they could be.
    fn meet(
        &self,
        targets: &Targets<'_>,
        quantised: &Quantised,
        open: &[u32],
        first: u32,
        best: &mut [Best<'_>],
    ) {
        let simd = self.matrix.simd;
        best.par_chunks_mut(TILE).enumerate().for_each(|(at, best)| {
            let mut bounds = [f32::NEG_INFINITY; TILE];
            for (bound, best) in bounds.iter_mut().zip(&*best) {
                *bound = best.reach + quantised.slack();
            }
            let parts: Vec<[Vec<(f32, u32)>; TILE]> = open
                .par_chunks(PART)
                .map(|rows| {
                    let mut found = [const { Vec::new() }; TILE];
                    quantised.at_most(simd, rows, targets.tiles.tile(at), &bounds, &mut found);
                    found
                })
                .collect();
            for part in parts {
                for (best, found) in best.iter_mut().zip(part) {
                    best.found.extend(found.into_iter().map(|(distance, row)| (distance, first + row)));
                }
            }
        });
    }

    /// Drops rows that cannot be among the wanted ones. No distance is off by more than `slack`.
    fn drop_lost(&self, best: &mut Best<'_>, wanted: usize, slack: f32) {
        if best.found.len() <= wanted {
            return;
        }
        best.found.select_nth_unstable_by(wanted - 1, |a, b| a.0.total_cmp(&b.0));
        best.reach = best.reach.min(best.found[wanted - 1].0 + slack);
        let reach = best.reach;
        best.found.retain(|&(distance, _)| distance - slack <= reach);
        if best.found.len() > wanted.saturating_mul(4).saturating_add(MANY) {
            let approximate = std::mem::take(&mut best.found);
            let ranks = self.ranks(best, approximate.iter().map(|&(_, row)| row));
            let mut order: Vec<(Rank, f32)> =
                ranks.into_iter().zip(approximate.iter().map(|&(distance, _)| distance)).collect();
            order.select_nth_unstable_by(wanted - 1, |a, b| b.0.cmp(&a.0));
            order.truncate(wanted);
            let last = order[wanted - 1].0;
            best.reach = best.reach.min(0.0 - last.key);
            best.found.extend(order.into_iter().map(|(rank, distance)| (distance, rank.row)));
        }
    }

    /// The canonical ranks of all rows in a list.
    fn decided(&self, best: &mut Best<'_>) -> Vec<Rank> {
        let found = std::mem::take(&mut best.found);
        self.ranks(best, found.into_iter().map(|(_, row)| row))
    }

    fn ranks(&self, best: &mut Best<'_>, rows: impl ExactSizeIterator<Item = u32>) -> Vec<Rank> {
        best.exact += rows.len() as u64;
        let far = |row: usize| self.near.between(best.query, self.matrix.rows.row(row));
        rows.map(|row| rank(far(row as usize), row as usize)).collect()
    }
}
