//! Facility location on a neighbour graph: each client sees only its nearest rows, so memory grows with rows,
//! not with pairs.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::Objective;
use crate::blocks;
use crate::matrix::MatrixView;
use crate::metric::{Dot, Rows, for_each_pair};
use crate::simd::{Kernel, Lanes};
use crate::topk::Smallest;
use crate::{Control, Error};

/// Rows whose neighbours one task finds together, and columns whose vectors stay in cache meanwhile.
const PANEL: usize = 48;
const COLUMNS: usize = 192;
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

impl Graph {
    /// Finds the neighbours of every row by brute force: rows^2 x dimensions multiply-adds, about 24 x rows x
    /// neighbours bytes.
    ///
    /// The neighbours of a row are itself and the `neighbours - 1` others of highest similarity, the lowest
    /// of equal ones. Two rows are joined where either is a neighbour of the other, and their similarity is
    /// above 0.
    pub(super) fn new(
        matrix: MatrixView<'_>,
        neighbours: usize,
        control: &impl Control,
    ) -> Result<Self, Error> {
        let rows = matrix.len();
        let neighbours = neighbours.min(rows);
        let mut nearest = blocks::zeroed::<Edge>(rows.saturating_mul(neighbours))?;
        if rows > 0 {
            blocks::fill(&mut nearest, neighbours, PANEL, control, |first, panel| {
                let lists = matrix.simd.run(Nearest {
                    rows: matrix.rows,
                    first,
                    count: panel.len() / neighbours,
                    neighbours,
                });
                for (own, list) in panel.chunks_exact_mut(neighbours).zip(lists) {
                    own.copy_from_slice(&list);
                }
                Ok(())
            })?;
        }
        let mut cover = blocks::zeroed(rows)?;
        for (cover, list) in cover.iter_mut().zip(nearest.chunks_exact(neighbours.max(1))) {
            // The row itself comes first, and is the last neighbour only where it is the sole one.
            *cover = list.last().map_or(0.0, |last| FLOOR * last.similarity.max(0.0));
        }
        let (starts, edges) = joined(&nearest, rows, neighbours)?;
        Ok(Self { starts, edges, cover })
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

/// A neighbour, the nearest first: (similarity descending, row ascending).
#[derive(Debug, Clone, Copy)]
struct Near(Edge);

impl Ord for Near {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.similarity.total_cmp(&self.0.similarity).then(self.0.client.cmp(&other.0.client))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Near {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Near {}

struct Nearest<'a> {
    rows: Rows<'a>,
    first: usize,
    count: usize,
    neighbours: usize,
}

impl Kernel for Nearest<'_> {
    type Output = Vec<Vec<Edge>>;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> Vec<Vec<Edge>> {
        let Self { rows, first, count, neighbours } = self;
        let own = rows.part(first, count);
        let mut lists: Vec<Smallest<Near>> = (0..count).map(|_| Smallest::new(neighbours - 1)).collect();
        let mut selves = vec![0.0; count];
        for column in (0..rows.len()).step_by(COLUMNS) {
            for_each_pair::<Dot, V, R, C>(own, rows.part(column, COLUMNS), |x, y, similarity| {
                let client = column + y;
                if client == first + x {
                    selves[x] = similarity;
                } else {
                    // Adding +0 turns -0 into +0, which the order would tell apart.
                    lists[x].push(Near(Edge { client: client as u32, similarity: similarity + 0.0 }));
                }
            });
        }
        let own = (first..).zip(selves).map(|(row, similarity)| Edge { client: row as u32, similarity });
        own.zip(lists)
            .map(|(own, list)| {
                std::iter::once(own).chain(list.into_sorted().into_iter().map(|near| near.0)).collect()
            })
            .collect()
    }
}

/// Makes the lists symmetric and groups them by row: the `starts` and `edges` of [`Graph`].
fn joined(nearest: &[Edge], rows: usize, neighbours: usize) -> Result<(Vec<usize>, Vec<Edge>), Error> {
    let lists = || nearest.chunks_exact(neighbours.max(1)).enumerate();
    let pairs = || {
        lists().flat_map(|(row, list)| {
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
