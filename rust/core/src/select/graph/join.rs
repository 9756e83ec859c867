//! The neighbours of rows among the rows of near cells.
//!
//! Rows are divided into cells around centroids. The rows of a cell are compared with those of the `probe` cells whose
//! centroids are nearest to its own: in int16, a tile of 32 at a time, keeping whatever could be among the nearest;
//! canonical arithmetic decides among what was kept. So the lists are those of a search of these cells in canonical
//! arithmetic, and differ from the exact ones only where a neighbour lies in a cell that was not looked at.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::Edge;
use super::exact::Near;
use crate::blocks;
use crate::cells;
use crate::control::Part;
use crate::matrix::MatrixView;
use crate::metric::{self, Dot, Rows, tile};
use crate::quantise::{Measure, Quantised, TILE, Tile};
use crate::simd::{Kernel, Lanes};
use crate::topk::Smallest;
use crate::{Control, Error};

/// Rows of a cell that one task compares; they share the packing of the tiles.
const PANEL: usize = 480;
/// Candidates of a row at which those that lost are dropped.
const FULL: usize = 512;

/// Where to look for neighbours.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a> {
    /// Rows of the matrix's width, one after the other.
    pub centroids: &'a [f32],
    /// How many cells are looked at for the rows of one; more where they hold too few rows.
    pub probe: usize,
}

/// The rows of each cell, and the cells to look at for each.
struct Layout {
    /// Rows by cell, ascending within one.
    rows: Vec<u32>,
    /// The rows of cell `c` are `rows[starts[c]..starts[c + 1]]`.
    starts: Vec<usize>,
    near: Vec<Vec<u32>>,
}

impl Layout {
    fn new(
        matrix: MatrixView<'_>,
        neighbours: usize,
        cells: Cells<'_>,
        control: &impl Control,
    ) -> Result<Self, Error> {
        let labels = cells::assign::nearest(matrix, cells.centroids, control)?;
        let count = cells.centroids.len() / matrix.rows.width();
        let mut starts = vec![0; count + 1];
        labels.iter().for_each(|&label| starts[label as usize + 1] += 1);
        for cell in 0..count {
            starts[cell + 1] += starts[cell];
        }
        let mut rows = blocks::zeroed::<u32>(labels.len())?;
        let mut next = starts.clone();
        for (row, &label) in labels.iter().enumerate() {
            rows[next[label as usize]] = row as u32;
            next[label as usize] += 1;
        }
        let centroids = Rows::new(cells.centroids, matrix.rows.width());
        let size = |cell: usize| starts[cell + 1] - starts[cell];
        let near = (0..count).into_par_iter().map(|cell| {
            let distance =
                |other| metric::squared_distance(matrix.simd, centroids.row(cell), centroids.row(other));
            let others = (0..count).filter(|&other| size(other) > 0);
            let mut order: Vec<(f32, u32)> = others.map(|other| (distance(other), other as u32)).collect();
            order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let (mut near, mut held) = (Vec::new(), 0);
            for (_, other) in order {
                if near.len() >= cells.probe && held >= neighbours {
                    break;
                }
                near.push(other);
                held += size(other as usize);
            }
            near
        });
        let near = near.collect();
        Ok(Self { rows, starts, near })
    }

    fn of(&self, cell: u32) -> &[u32] {
        &self.rows[self.starts[cell as usize]..self.starts[cell as usize + 1]]
    }

    /// The rows to look at for the rows of a cell.
    fn candidates(&self, cell: u32) -> impl Iterator<Item = u32> {
        self.near[cell as usize].iter().flat_map(|&near| self.of(near)).copied()
    }
}

/// The lists of all rows, cell by cell: `neighbours` (at most as many as there are rows) edges each, the row itself
/// first, then by (similarity descending, row ascending).
pub(super) fn lists(
    matrix: MatrixView<'_>,
    neighbours: usize,
    cells: Cells<'_>,
    control: &impl Control,
) -> Result<Vec<Edge>, Error> {
    let mut nearest = blocks::zeroed::<Edge>(matrix.len().saturating_mul(neighbours))?;
    let total = matrix.len() as u64;
    let before = Part { control, done: 0, total };
    let layout = Layout::new(matrix, neighbours, cells, &before)?;
    if neighbours == 0 {
        return Ok(nearest);
    }
    let quantised = Quantised::new(matrix, Measure::SquaredDistance, &before)?;
    let mut panels = Vec::new();
    let mut rest = &mut nearest[..];
    for cell in 0..layout.near.len() as u32 {
        for rows in layout.of(cell).chunks(PANEL) {
            let (lists, after) = rest.split_at_mut(rows.len() * neighbours);
            panels.push(Panel { cell, rows, lists });
            rest = after;
        }
    }
    let done = AtomicU64::new(0);
    panels.into_par_iter().try_for_each(|panel| {
        let rows = panel.rows.len() as u64;
        Search { matrix, quantised: &quantised, layout: &layout, neighbours }.run(panel);
        control.tick(done.fetch_add(rows, Relaxed) + rows, total)
    })?;
    Ok(nearest)
}

/// Some rows of a cell, and where their lists go.
struct Panel<'a> {
    cell: u32,
    rows: &'a [u32],
    lists: &'a mut [Edge],
}

struct Search<'a> {
    matrix: MatrixView<'a>,
    quantised: &'a Quantised,
    layout: &'a Layout,
    neighbours: usize,
}

impl Search<'_> {
    fn run(&self, panel: Panel<'_>) {
        let rows = panel.rows;
        let full = FULL.max(4 * self.neighbours);
        let mut least = vec![i32::MIN; rows.len()];
        let mut found: Vec<Vec<(i32, u32)>> = vec![Vec::new(); rows.len()];
        found.iter_mut().for_each(|found| found.reserve_exact(full + TILE));
        let candidates: Vec<u32> = self.layout.candidates(panel.cell).collect();
        let mut tile = Tile::of(self.quantised);
        for ids in candidates.chunks(TILE) {
            tile.hold(self.quantised, ids);
            self.quantised.at_least(self.matrix.simd, rows, (&tile, ids), &least, &mut found);
            for (place, found) in found.iter_mut().enumerate() {
                if found.len() >= full {
                    least[place] = self.drop_lost(rows[place], found, full);
                }
            }
        }
        for ((&row, mut found), list) in
            rows.iter().zip(found).zip(panel.lists.chunks_exact_mut(self.neighbours))
        {
            self.drop_lost(row, &mut found, full);
            let own = self.similarities(row, &[(0, row)]);
            let mut best = Smallest::new(self.neighbours - 1);
            self.similarities(row, &found).into_iter().for_each(|edge| best.push(Near(edge)));
            let best = best.into_sorted().into_iter().map(|near| near.0);
            list.iter_mut().zip(own.into_iter().chain(best)).for_each(|(to, edge)| *to = edge);
        }
    }

    /// Drops the row itself and candidates that cannot be among the nearest; gives the least product that still can.
    fn drop_lost(&self, row: u32, kept: &mut Vec<(i32, u32)>, full: usize) -> i32 {
        let wanted = self.neighbours - 1;
        kept.retain(|&(_, id)| id != row);
        if wanted == 0 {
            kept.clear();
            return i32::MAX;
        }
        if kept.len() <= wanted {
            return i32::MIN;
        }
        let twice = self.quantised.dot_slack().saturating_mul(2);
        kept.select_nth_unstable_by(wanted - 1, |a, b| b.0.cmp(&a.0));
        let mut last = kept[wanted - 1].0;
        kept.retain(|&(product, _)| product >= last.saturating_sub(twice));
        if kept.len() > full / 2 {
            // Too many near ties for int16: canonical arithmetic tells them apart.
            let exact = self.similarities(row, kept);
            let mut order: Vec<(Near, i32)> =
                exact.into_iter().zip(&*kept).map(|(edge, &(product, _))| (Near(edge), product)).collect();
            order.select_nth_unstable_by(wanted - 1, |a, b| a.0.cmp(&b.0));
            order.truncate(wanted);
            kept.clear();
            kept.extend(order.into_iter().map(|(near, product)| (product, near.0.client)));
            last = kept.iter().map(|&(product, _)| product).min().unwrap_or(last);
        }
        last.saturating_sub(twice)
    }

    /// The canonical similarities of a row to candidates.
    fn similarities(&self, row: u32, candidates: &[(i32, u32)]) -> Vec<Edge> {
        self.matrix.simd.run(Similarities { rows: self.matrix.rows, row, candidates })
    }
}

struct Similarities<'a> {
    rows: Rows<'a>,
    row: u32,
    candidates: &'a [(i32, u32)],
}

impl Kernel for Similarities<'_> {
    type Output = Vec<Edge>;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> Vec<Edge> {
        let Self { rows, row, candidates } = self;
        let x = rows.row(row as usize);
        let mut edges = Vec::with_capacity(candidates.len());
        for group in candidates.chunks(C) {
            // At the end the last row is taken again and its extra values are left out.
            let mut ys = [x; C];
            for (y, &(_, client)) in ys.iter_mut().zip(group) {
                *y = rows.row(client as usize);
            }
            let values = tile::<Dot, V, 1, C>([x], ys)[0];
            for (&(_, client), value) in group.iter().zip(values) {
                // Adding +0 turns -0 into +0, which the order would tell apart.
                edges.push(Edge { client, similarity: value + 0.0 });
            }
        }
        edges
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{THREADS, Tied, real_rows, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    /// The definition: all rows of the near cells in canonical arithmetic, sorted.
    fn plain(matrix: MatrixView<'_>, neighbours: usize, cells: Cells<'_>) -> Vec<Edge> {
        let layout = Layout::new(matrix, neighbours, cells, &Unwatched).unwrap();
        let mut lists = Vec::new();
        for cell in 0..layout.near.len() as u32 {
            for &row in layout.of(cell) {
                let similarity = |client: u32| {
                    metric::dot(matrix.simd, matrix.rows.row(row as usize), matrix.rows.row(client as usize))
                        + 0.0
                };
                let edge = |client| Edge { client, similarity: similarity(client) };
                let mut others: Vec<Near> = layout
                    .candidates(cell)
                    .filter(|&client| client != row)
                    .map(|client| Near(edge(client)))
                    .collect();
                others.sort();
                lists.push(edge(row));
                lists.extend(others.into_iter().take(neighbours - 1).map(|near| near.0));
            }
        }
        lists
    }

    fn bits(lists: &[Edge]) -> Vec<(u32, u32)> {
        lists.iter().map(|edge| (edge.client, edge.similarity.to_bits())).collect()
    }

    fn check(data: &[f32], width: usize, neighbours: usize, centroids: &[f32], probe: usize) {
        let neighbours = neighbours.min(data.len() / width);
        let mut expected = None;
        for simd in Simd::available() {
            let matrix = Matrix::raw(data, width, Metric::Dot, simd, &Unwatched).unwrap();
            let cells = Cells { centroids, probe };
            if neighbours > 0 {
                let expected = expected.get_or_insert_with(|| bits(&plain(matrix.view(), neighbours, cells)));
                for threads in THREADS {
                    let found = with_threads(threads, || lists(matrix.view(), neighbours, cells, &Unwatched))
                        .unwrap();
                    assert_eq!(&bits(&found), expected, "{} threads, {}", threads, simd.name());
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn whole_numbers_with_ties(tied in Tied::up_to(60), count in 1usize..5, neighbours in 1usize..70, probe in 0usize..4) {
            let centroids = real_rows(count, tied.width, 3);
            check(&tied.data, tied.width, neighbours, &centroids, probe);
        }

        #[test]
        fn real_rows_and_repeated_ones(
            rows in 1usize..400, width in 1usize..40, seed: u64, count in 1usize..9, neighbours in 1usize..20,
            probe in 0usize..4, repeat in 1usize..200,
        ) {
            let mut data = real_rows(rows, width, seed);
            for row in repeat..rows {
                if row % 3 == 0 {
                    data.copy_within((row - repeat) * width..(row - repeat + 1) * width, row * width);
                }
            }
            check(&data, width, neighbours, &real_rows(count, width, !seed), probe);
        }
    }

    #[test]
    fn more_near_ties_than_a_list_holds() {
        let mut data = vec![1.0; 3000 * 5];
        data.chunks_mut(5).enumerate().for_each(|(row, x)| x[0] += (row % 7) as f32 * 1e-6);
        check(&data, 5, 9, &[1.0; 5], 1);
    }
}
