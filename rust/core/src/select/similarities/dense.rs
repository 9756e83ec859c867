//! The similarities of all pairs of rows: the whole matrix in memory, exact.

use super::edges::Edge;
use super::mirror::mirror;
use crate::blocks;
use crate::matrix::MatrixView;
use crate::metric::{Dot, Rows, for_each_pair};
use crate::pages::Pages;
use crate::simd::{Kernel, Lanes, Simd};
use crate::{Control, Error};

/// Rows summed in one go; the sums of the blocks are added in order.
const BLOCK: usize = 4096;
/// Running sums within a block.
const LANES: usize = 8;
/// Rows of the similarity matrix that one task computes, and columns whose vectors stay in cache meanwhile.
const PANEL: usize = 48;
const COLUMNS: usize = 192;

pub(in crate::select) struct Dense {
    simd: Simd,
    rows: usize,
    /// Row-major, symmetric, clipped at 0.
    similarities: Pages<f32>,
}

impl Dense {
    /// Computes the similarities: rows^2 / 2 x dimensions multiply-adds, 4 x rows^2 bytes.
    pub(super) fn new(matrix: MatrixView<'_>, control: &impl Control) -> Result<Self, Error> {
        let rows = matrix.len();
        let mut similarities = Pages::zeroed(rows.saturating_mul(rows))?;
        if rows > 0 {
            blocks::fill(&mut similarities, rows, PANEL, control, |first, panel| {
                matrix.simd.run(Upper { rows: matrix.rows, first, panel });
                Ok(())
            })?;
            mirror(&mut similarities, rows, 0);
        }
        Ok(Self { simd: matrix.simd, rows, similarities })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The similarities of a row to all rows.
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.similarities[row * self.rows..][..self.rows]
    }

    /// How far the similarities of `row` lie above the floors of all rows, in sum.
    pub(super) fn above(&self, row: usize, floors: &[f32]) -> f64 {
        self.simd.run(Above { similarities: self.row(row), floors })
    }
}

/// The similarities of a panel of rows with themselves and all rows after them.
struct Upper<'a> {
    rows: Rows<'a>,
    first: usize,
    panel: &'a mut [f32],
}

impl Kernel for Upper<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let Self { rows, first, panel } = self;
        let width = rows.len();
        let own = rows.part(first, panel.len() / width);
        for column in (first..width).step_by(COLUMNS) {
            for_each_pair::<Dot, V, R, C>(own, rows.part(column, COLUMNS), |x, y, similarity| {
                panel[x * width + column + y] = similarity.max(0.0);
            });
        }
    }
}

/// The sum of running sums.
#[inline(always)]
fn tree(lanes: [f64; LANES]) -> f64 {
    let four: [f64; 4] = std::array::from_fn(|lane| lanes[lane] + lanes[lane + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

/// What [`Dense::above`] gives where similarities other than those of `edges`, which ascend, lie at the floors at most:
/// the same bits, as zeros change no sum.
pub(in crate::select) fn above_along(edges: &[Edge], floors: &[f32]) -> f64 {
    let block_of = |edge: &Edge| edge.client as usize / BLOCK;
    let of_block = |edges: &[Edge]| {
        let mut lanes = [0.0f64; LANES];
        for edge in edges {
            let client = edge.client as usize;
            lanes[client % LANES] += f64::from((edge.similarity - floors[client]).max(0.0));
        }
        tree(lanes)
    };
    edges.chunk_by(|a, b| block_of(a) == block_of(b)).map(of_block).fold(0.0, |total, sum| total + sum)
}

/// Each difference rounded to float32, summed in float64 in a fixed order.
struct Above<'a> {
    similarities: &'a [f32],
    floors: &'a [f32],
}

impl Kernel for Above<'_> {
    type Output = f64;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> f64 {
        let mut total = 0.0;
        for (similarities, floors) in self.similarities.chunks(BLOCK).zip(self.floors.chunks(BLOCK)) {
            let mut lanes = [0.0f64; LANES];
            let (similarities, similarity_tail) = similarities.as_chunks::<LANES>();
            let (floors, floor_tail) = floors.as_chunks::<LANES>();
            for (similarities, floors) in similarities.iter().zip(floors) {
                for lane in 0..LANES {
                    lanes[lane] += f64::from((similarities[lane] - floors[lane]).max(0.0));
                }
            }
            for (lane, (similarity, floor)) in similarity_tail.iter().zip(floor_tail).enumerate() {
                lanes[lane] += f64::from((similarity - floor).max(0.0));
            }
            total += tree(lanes);
        }
        total
    }
}
