//! The similarities of rows to their nearest neighbours only: memory grows with rows, not with pairs.

mod cells;
mod exact;
mod nearest_first;
mod precomputed;
mod shortlist;

pub use cells::Cells;
pub(in crate::select) use cells::probed_cells;
pub use precomputed::Precomputed;

use rayon::prelude::*;

use super::edges::Edge;
use crate::blocks;
use crate::matrix::MatrixView;
use crate::{Control, Error};

/// Rows whose lists are compared with the exact ones, to estimate the recall.
const SAMPLE: usize = 256;

/// Where the neighbours of rows come from.
#[derive(Debug, Clone, Copy)]
pub enum Search<'a> {
    /// Exhaustive search: rows^2 x dimensions multiply-adds.
    Exhaustive,
    /// The rows of the nearest cells (inverted lists).
    Cells(Cells<'a>),
    /// The caller has found them.
    Precomputed(Precomputed<'a>),
}

/// A symmetric graph of nearest neighbours, each row its own.
pub(in crate::select) struct Graph {
    /// The edges of row `s` are `edges[starts[s]..starts[s + 1]]`, ascending.
    starts: Vec<usize>,
    edges: Vec<Edge>,
    /// The similarity of each row to the last of its neighbours, clipped at 0.
    last: Vec<f32>,
}

/// A graph, and which share of the exact neighbours of a sample of rows is in it.
pub(super) struct Built {
    pub(super) graph: Graph,
    pub(super) recall: f64,
}

impl Graph {
    /// Joins every row with its neighbours: itself and the `neighbours - 1` others of highest similarity, the
    /// lowest of equal ones, among the rows that the search compares.
    ///
    /// Two rows are joined where either is a neighbour of the other, and their similarity is above 0. About 24 x
    /// rows x neighbours bytes.
    pub(super) fn build(
        matrix: MatrixView<'_>,
        neighbours: usize,
        search: Search<'_>,
        control: &impl Control,
    ) -> Result<Built, Error> {
        let rows = matrix.len();
        let neighbours = neighbours.min(rows);
        let nearest = match search {
            Search::Exhaustive => exact::lists(matrix, neighbours, control)?,
            Search::Cells(cells) => cells::lists(matrix, neighbours, cells, control)?,
            Search::Precomputed(found) => precomputed::lists(matrix, neighbours, found, control)?,
        };
        let exact = matches!(search, Search::Exhaustive);
        let recall = if exact { 1.0 } else { recall(matrix, neighbours, &nearest)? };
        let mut last_of = blocks::zeroed(rows)?;
        for list in nearest.chunks_exact(neighbours.max(1)) {
            // The row itself comes first, and where there are few others it fills the rest.
            let own = list[0];
            let last = list.iter().rfind(|edge| edge.client != own.client).unwrap_or(&own);
            last_of[own.client as usize] = last.similarity.max(0.0);
        }
        let (starts, edges) = symmetric(&nearest, rows, neighbours)?;
        Ok(Built { graph: Self { starts, edges, last: last_of }, recall })
    }

    pub(super) fn rows(&self) -> usize {
        self.last.len()
    }

    pub(super) fn edges(&self, row: usize) -> &[Edge] {
        &self.edges[self.starts[row]..self.starts[row + 1]]
    }

    /// The similarity of a row to itself, which has no edge where it is 0.
    pub(super) fn own(&self, row: usize) -> f32 {
        let edges = self.edges(row);
        edges.binary_search_by_key(&(row as u32), |edge| edge.client).map_or(0.0, |at| edges[at].similarity)
    }

    pub(super) fn last(&self) -> &[f32] {
        &self.last
    }

    /// How far the similarities along the edges of `row` lie above the floors of the rows at their ends, in sum.
    pub(super) fn above(&self, row: usize, floors: &[f32]) -> f64 {
        let above = |edge: &Edge| f64::from((edge.similarity - floors[edge.client as usize]).max(0.0));
        self.edges(row).iter().map(above).sum()
    }
}

/// The share of the exact neighbours of some rows, at equal distances, that are in their lists.
fn recall(matrix: MatrixView<'_>, neighbours: usize, lists: &[Edge]) -> Result<f64, Error> {
    let count = SAMPLE.min(matrix.len());
    let rows: Vec<usize> = (0..count).map(|at| at * matrix.len() / count).collect();
    let mut sample: Vec<&[Edge]> = lists
        .chunks_exact(neighbours.max(1))
        .filter(|list| rows.binary_search(&(list[0].client as usize)).is_ok())
        .collect();
    sample.sort_unstable_by_key(|list| list[0].client);
    let exact = exact::lists_of(matrix, &rows, neighbours)?;
    let found = |(list, exact): (&&[Edge], &Vec<Edge>)| {
        exact.iter().filter(|edge| list.iter().any(|other| other.client == edge.client)).count()
    };
    let found: usize = sample.iter().zip(&exact).map(found).sum();
    Ok(found as f64 / (count * neighbours).max(1) as f64)
}

/// Makes the lists, each of which begins with its own row, symmetric and groups them by row: the `starts` and `edges`
/// of [`Graph`].
fn symmetric(nearest: &[Edge], rows: usize, neighbours: usize) -> Result<(Vec<usize>, Vec<Edge>), Error> {
    let lists = || nearest.chunks_exact(neighbours.max(1));
    let pairs = || {
        lists().flat_map(|list| {
            let row = list[0].client as usize;
            list.iter().filter(|edge| edge.similarity > 0.0).map(move |edge| (row, *edge))
        })
    };
    let mut starts = blocks::zeroed::<usize>(rows + 1)?;
    for (row, edge) in pairs() {
        starts[row + 1] += 1;
        if edge.client as usize != row {
            starts[edge.client as usize + 1] += 1;
        }
    }
    for row in 0..rows {
        starts[row + 1] += starts[row];
    }
    let mut edges = blocks::zeroed::<Edge>(starts[rows])?;
    let mut next = starts.clone();
    let mut place = |row: usize, edge: Edge| {
        edges[next[row]] = edge;
        next[row] += 1;
    };
    for (row, edge) in pairs() {
        place(row, edge);
        if edge.client as usize != row {
            place(edge.client as usize, Edge { client: row as u32, ..edge });
        }
    }
    segments(&mut edges, &starts)
        .into_par_iter()
        .for_each(|clients| clients.sort_unstable_by_key(|edge| edge.client));
    // Where each lists the other, and where a row fills its own list, the edge is there more than once, with
    // the same similarity.
    let mut end = 0;
    for row in 0..rows {
        let segment = std::mem::replace(&mut starts[row], end)..next[row];
        for at in segment.clone() {
            if at == segment.start || edges[at].client != edges[at - 1].client {
                edges[end] = edges[at];
                end += 1;
            }
        }
    }
    starts[rows] = end;
    edges.truncate(end);
    edges.shrink_to_fit();
    Ok((starts, edges))
}

fn segments<'a>(mut edges: &'a mut [Edge], starts: &[usize]) -> Vec<&'a mut [Edge]> {
    let mut segments = Vec::with_capacity(starts.len());
    for bounds in starts.windows(2) {
        let (segment, rest) = edges.split_at_mut(bounds[1] - bounds[0]);
        segments.push(segment);
        edges = rest;
    }
    segments
}
