//! The nearest rows of several query rows, in one pass over the rows.
//!
//! A chunk of rows at a time is compared in int16. A row joins the list of a query if it could be among the nearest;
//! after each chunk what can no longer be is dropped. Canonical arithmetic decides among the others.

use rayon::prelude::*;

use super::{DistanceMetric, FlatIndex, Rank, greatest, rank};
use crate::control::FixedProgress;
use crate::matrix::MatrixView;
use crate::metric::Rows;
use crate::quantise::{Quantised, TILE};
use crate::select::Candidates;
use crate::{Control, Error};

/// Rows of the first chunk; each is twice the one before, up to a limit, so that lists are never much too long.
const FIRST: usize = 256;
/// Rows of a chunk that one task compares with 32 queries.
const PART: usize = 1024;
/// Entries of a list, beyond four times as many as are wanted, at which canonical arithmetic tells near ties apart.
const MANY: usize = 1024;

pub(super) struct Search<'a, C> {
    matrix: MatrixView<'a>,
    queries: MatrixView<'a>,
    metric: DistanceMetric,
    longest: f32,
    chunk: usize,
    watch: FixedProgress<'a, C>,
}

/// For each query its nearest rows, the nearest last; and how many pairs were compared.
pub(super) struct Found {
    pub(super) lists: Vec<Vec<Rank>>,
    pub(super) evaluations: u64,
}

/// The rows that could be among the nearest of a query.
#[derive(Clone)]
struct List<'a> {
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
        let (metric, watch) = (DistanceMetric::of(matrix), FixedProgress { control, done: 0, total });
        let longest = metric.longest(matrix.rows, &watch)?;
        Ok(Self { matrix, queries, metric, longest, chunk, watch })
    }

    /// The `wanted` (at least 1) nearest rows that can be picked of each of `queries`, fewer where there are fewer.
    /// So many rows are picked already.
    pub(super) fn nearest(
        &self,
        queries: &[usize],
        wanted: usize,
        candidates: &Candidates<'_>,
        done: u64,
    ) -> Result<Found, Error> {
        let watch = FixedProgress { done, ..self.watch };
        let width = self.matrix.rows.width();
        let vectors = self.queries.take(queries)?;
        let vectors = Rows::new(&vectors, width);
        let index = FlatIndex::new(self.metric, vectors, &watch)?;
        let mut lists: Vec<List<'_>> = (0..vectors.len())
            .map(|query| List {
                query: vectors.row(query),
                found: Vec::new(),
                reach: f32::INFINITY,
                exact: 0,
            })
            .collect();
        let (mut first, mut size, mut slack, mut compared) = (0, FIRST.min(self.chunk), 0.0f32, 0);
        while first < self.matrix.len() {
            let rows = self.matrix.rows.part(first, size);
            let rows_of_chunk: Vec<u32> =
                (0..rows.len() as u32).filter(|&row| candidates.contains(first + row as usize)).collect();
            let quantised = index.quantise(rows, self.longest, &watch)?;
            slack = slack.max(quantised.slack());
            compared += rows_of_chunk.len() as u64 * queries.len() as u64;
            self.extend(&index, &quantised, &rows_of_chunk, first as u32, &mut lists);
            lists.par_iter_mut().for_each(|list| self.drop_lost(list, wanted, slack));
            watch.tick(0, 0)?;
            first += rows.len();
            size = self.chunk.min(2 * size);
        }
        let nearest = lists.par_iter_mut().map(|list| {
            let mut nearest = greatest(self.decided(list), wanted);
            nearest.reverse();
            nearest
        });
        let nearest = nearest.collect();
        Ok(Found { lists: nearest, evaluations: compared + lists.iter().map(|list| list.exact).sum::<u64>() })
    }

    /// Adds the rows of a chunk, which starts at row `first`, to the lists in which they could be.
    fn extend(
        &self,
        index: &FlatIndex<'_>,
        quantised: &Quantised,
        rows: &[u32],
        first: u32,
        lists: &mut [List<'_>],
    ) {
        let simd = self.matrix.simd;
        lists.par_chunks_mut(TILE).enumerate().for_each(|(at, lists)| {
            let mut bounds = [f32::NEG_INFINITY; TILE];
            for (bound, list) in bounds.iter_mut().zip(&*lists) {
                *bound = list.reach + quantised.slack();
            }
            let parts: Vec<[Vec<(f32, u32)>; TILE]> = rows
                .par_chunks(PART)
                .map(|rows| {
                    let mut found = [const { Vec::new() }; TILE];
                    quantised.at_most(simd, rows, index.tiles.tile(at), &bounds, &mut found);
                    found
                })
                .collect();
            for part in parts {
                for (list, found) in lists.iter_mut().zip(part) {
                    list.found.extend(found.into_iter().map(|(distance, row)| (distance, first + row)));
                }
            }
        });
    }

    /// Drops rows that cannot be among the wanted ones. No distance is off by more than `slack`.
    fn drop_lost(&self, list: &mut List<'_>, wanted: usize, slack: f32) {
        if list.found.len() <= wanted {
            return;
        }
        list.found.select_nth_unstable_by(wanted - 1, |a, b| a.0.total_cmp(&b.0));
        list.reach = list.reach.min(list.found[wanted - 1].0 + slack);
        let reach = list.reach;
        list.found.retain(|&(distance, _)| distance - slack <= reach);
        if list.found.len() > wanted.saturating_mul(4).saturating_add(MANY) {
            let approximate = std::mem::take(&mut list.found);
            let ranks = self.ranks(list, approximate.iter().map(|&(_, row)| row));
            let mut order: Vec<(Rank, f32)> =
                ranks.into_iter().zip(approximate.iter().map(|&(distance, _)| distance)).collect();
            order.select_nth_unstable_by(wanted - 1, |a, b| b.0.cmp(&a.0));
            order.truncate(wanted);
            let last = order[wanted - 1].0;
            list.reach = list.reach.min(0.0 - last.key);
            list.found.extend(order.into_iter().map(|(rank, distance)| (distance, rank.row)));
        }
    }

    /// The canonical ranks of all rows in a list.
    fn decided(&self, list: &mut List<'_>) -> Vec<Rank> {
        let found = std::mem::take(&mut list.found);
        self.ranks(list, found.into_iter().map(|(_, row)| row))
    }

    fn ranks(&self, list: &mut List<'_>, rows: impl ExactSizeIterator<Item = u32>) -> Vec<Rank> {
        list.exact += rows.len() as u64;
        let distance = |row: usize| self.metric.between(list.query, self.matrix.rows.row(row));
        rows.map(|row| rank(distance(row as usize), row as usize)).collect()
    }
}
