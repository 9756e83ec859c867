//! Facility location on a neighbour graph: each client sees only its nearest rows, so memory grows with rows,
//! not with pairs.

mod exact;
mod join;

pub use join::Cells;

use rayon::prelude::*;

use super::Objective;
use crate::blocks;
use crate::matrix::MatrixView;
use crate::{Control, Error};

/// Rows whose lists are compared with the exact ones, to tell the recall.
const SAMPLE: usize = 64;
/// Where a client's coverage starts, as a share of the similarity of its last neighbour.
///
/// What a client gains below that similarity is the same for all its neighbours and unknown for the others,
/// so counting from 0 would favour rows with many neighbours over rows with near ones.
const FLOOR: f32 = 0.9;

/// Facility location restricted to the edges of a graph; see [`super::facility`].
pub(super) struct Graph {
    /// The clients of row `s` are `edges[starts[s]..starts[s + 1]]`, ascending.
    starts: Vec<usize>,
    edges: Vec<Edge>,
    /// The best similarity of each client to the set, at first a share of its last neighbour's.
    cover: Vec<f32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Edge {
    client: u32,
    similarity: f32,
}

/// A graph, and which share of the exact neighbours of a sample of rows is in it.
pub(super) struct Built {
    pub(super) graph: Graph,
    pub(super) recall: f64,
}

impl Graph {
    /// Joins every row with its neighbours: itself and the `neighbours - 1` others of highest similarity, the
    /// lowest of equal ones.
    ///
    /// All rows are looked at (rows^2 x dimensions multiply-adds) or, with `cells`, the rows of near cells.
    /// Two rows are joined where either is a neighbour of the other, and their similarity is above 0. About 24 x
    /// rows x neighbours bytes.
    pub(super) fn build(
        matrix: MatrixView<'_>,
        neighbours: usize,
        cells: Option<Cells<'_>>,
        control: &impl Control,
    ) -> Result<Built, Error> {
        let rows = matrix.len();
        let neighbours = neighbours.min(rows);
        let nearest = match cells {
            Some(cells) => join::lists(matrix, neighbours, cells, control)?,
            None => exact::lists(matrix, neighbours, control)?,
        };
        let recall = if cells.is_some() { recall(matrix, neighbours, &nearest)? } else { 1.0 };
        let mut cover = blocks::zeroed(rows)?;
        for list in nearest.chunks_exact(neighbours.max(1)) {
            // The row itself comes first, and is the last neighbour only where it is the sole one.
            if let (Some(own), Some(last)) = (list.first(), list.last()) {
                cover[own.client as usize] = FLOOR * last.similarity.max(0.0);
            }
        }
        let (starts, edges) = joined(&nearest, rows, neighbours)?;
        Ok(Built { graph: Self { starts, edges, cover }, recall })
    }

    fn clients(&self, row: usize) -> &[Edge] {
        &self.edges[self.starts[row]..self.starts[row + 1]]
    }
}

impl Objective for Graph {
    fn rows(&self) -> usize {
        self.cover.len()
    }

    fn gain(&self, row: usize) -> f64 {
        let gain = |edge: &Edge| f64::from((edge.similarity - self.cover[edge.client as usize]).max(0.0));
        self.clients(row).iter().map(gain).sum()
    }

    fn commit(&mut self, row: usize) {
        for edge in &self.edges[self.starts[row]..self.starts[row + 1]] {
            let cover = &mut self.cover[edge.client as usize];
            *cover = cover.max(edge.similarity);
        }
    }
}

/// The share of exact neighbours in the lists, over lists at equal distances.
fn recall(matrix: MatrixView<'_>, neighbours: usize, lists: &[Edge]) -> Result<f64, Error> {
    let count = SAMPLE.min(matrix.len());
    let lists: Vec<&[Edge]> =
        (0..count).map(|at| &lists[at * matrix.len() / count * neighbours..][..neighbours]).collect();
    let rows: Vec<usize> = lists.iter().map(|list| list[0].client as usize).collect();
    let exact = exact::lists_of(matrix, &rows, neighbours)?;
    let found = |(list, exact): (&&[Edge], &Vec<Edge>)| {
        exact.iter().filter(|edge| list.iter().any(|other| other.client == edge.client)).count()
    };
    let found: usize = lists.iter().zip(&exact).map(found).sum();
    Ok(found as f64 / (count * neighbours).max(1) as f64)
}

/// Makes the lists, each led by its own row, symmetric and groups them by row: the `starts` and `edges` of [`Graph`].
fn joined(nearest: &[Edge], rows: usize, neighbours: usize) -> Result<(Vec<usize>, Vec<Edge>), Error> {
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
    // Where each lists the other the edge is there twice, with the same similarity.
    let mut kept = 0;
    for row in 0..rows {
        let segment = std::mem::replace(&mut starts[row], kept)..next[row];
        for at in segment.clone() {
            if at == segment.start || edges[at].client != edges[at - 1].client {
                edges[kept] = edges[at];
                kept += 1;
            }
        }
    }
    starts[rows] = kept;
    edges.truncate(kept);
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
