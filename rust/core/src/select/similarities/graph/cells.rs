//! The neighbours of rows among the rows of the nearest cells (inverted lists, as FAISS calls them).
//!
//! A row belongs to the cell whose centroid has its direction most nearly, and probes the `probe` cells that are
//! nearest to the row itself. Rows of one cell are searched for together: they share the tiles of the cells that
//! several of them probe. The lists are those of a search of these cells in canonical arithmetic, and differ from the
//! exact ones only where a neighbour lies in a cell that was not probed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::super::edges::{Edge, edges};
use super::shortlist::{Packed, SearchSpace, Shortlist};
use crate::blocks;
use crate::cells::assign::centroid_rows;
use crate::cells::group::Groups;
use crate::control::FixedProgress;
use crate::matrix::{MAX_SQUARED_LENGTH, MatrixView};
use crate::metric::{self, Rows};
use crate::quantise::{Measure, Quantised};
use crate::{Control, Error};

/// Rows that one task finds neighbours of together.
const PANEL: usize = 480;

/// Cells in which to search for neighbours.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a> {
    /// Rows of the matrix's width, one after the other; only their directions count.
    pub centroids: &'a [f32],
    /// How many cells a row probes.
    pub probe: usize,
}

/// The centroids scaled to the length of the longest row, so that int16 holds both well; those of length 0 stay.
fn directions(matrix: MatrixView<'_>, centroids: &[f32]) -> Result<Vec<f32>, Error> {
    let width = matrix.rows.width();
    let count = centroid_rows(centroids, width)?.len();
    blocks::check_countable(matrix.len().saturating_add(count))?;
    let squared = |x: &[f32]| metric::dot(matrix.simd, x, x);
    let longest = (0..matrix.len()).into_par_iter().map(|row| squared(matrix.rows.row(row)));
    let longest = longest.reduce(|| 0.0, f32::max).sqrt();
    let mut directions = centroids.to_vec();
    for (cell, centroid) in directions.chunks_exact_mut(width).enumerate() {
        let length = squared(centroid);
        // NaN and infinities make the sum so too, and no range holds those.
        if !(0.0..=MAX_SQUARED_LENGTH).contains(&length) {
            return Err(Error::Argument {
                what: format!("centroid {cell} holds NaN, infinity or too large a value"),
            });
        }
        if length > 0.0 {
            let length = length.sqrt();
            centroid.iter_mut().for_each(|value| *value = *value / length * longest);
        }
    }
    Ok(directions)
}

/// The cells that each row probes, its own first, one row after the other; and how many these are.
///
/// Rows, cells and their order are those of [`lists`].
pub(in crate::select) fn probed_cells(
    matrix: MatrixView<'_>,
    cells: Cells<'_>,
    control: &impl Control,
) -> Result<(Vec<u32>, usize), Error> {
    let directions = directions(matrix, cells.centroids)?;
    let centroids = Rows::new(&directions, matrix.rows.width());
    let quantised = Quantised::with(matrix, centroids, Measure::SquaredDistance, control)?;
    let space = SearchSpace {
        simd: matrix.simd,
        rows: matrix.rows,
        candidates: centroids,
        quantised: &quantised,
        first: matrix.len() as u32,
    };
    let layout = Layout::new(space, cells.probe, control)?;
    Ok((layout.probed, layout.probe))
}

/// The rows of each cell, and the cells that each row probes.
struct Layout {
    /// Rows by cell, ascending within one.
    rows: Vec<u32>,
    /// The rows of cell `c` are `rows[starts[c]..starts[c + 1]]`.
    starts: Vec<usize>,
    /// The cells that row `r` probes are `probed[r * probe..][..probe]`, its own first.
    probed: Vec<u32>,
    probe: usize,
}

impl Layout {
    /// Every row is compared with every centroid; rows are numbered before centroids in `space`.
    fn new(space: SearchSpace<'_>, probe: usize, control: &impl Control) -> Result<Self, Error> {
        let cells: Vec<u32> = (0..space.candidates.len() as u32).collect();
        let probe = probe.clamp(1, cells.len());
        let packed = Packed::new(space, &cells);
        let mut probed = blocks::zeroed::<u32>(space.rows.len().saturating_mul(probe))?;
        blocks::fill(&mut probed, probe, PANEL, control, |first, probed| {
            let rows: Vec<u32> = (first as u32..).take(probed.len() / probe).collect();
            let places: Vec<u32> = (0..rows.len() as u32).collect();
            let mut shortlist = Shortlist::new(space, &rows, probe);
            shortlist.compare(&places, &packed);
            for (place, probed) in probed.chunks_exact_mut(probe).enumerate() {
                let nearest = shortlist.nearest(place);
                probed.iter_mut().zip(nearest).for_each(|(cell, edge)| *cell = edge.client);
            }
            Ok(())
        })?;
        let Groups { rows, starts } =
            Groups::new(probed.chunks_exact(probe).map(|cells| cells[0] as usize), cells.len())?;
        Ok(Self { rows, starts, probed, probe })
    }

    fn cells(&self) -> usize {
        self.starts.len() - 1
    }

    fn of(&self, cell: usize) -> &[u32] {
        &self.rows[self.starts[cell]..self.starts[cell + 1]]
    }

    fn probed(&self, row: u32) -> &[u32] {
        &self.probed[row as usize * self.probe..][..self.probe]
    }

    /// The cells that rows probe, each with the places of those rows; those that most rows probe come first, so that
    /// bounds are soon tight.
    fn probes(&self, rows: &[u32]) -> Vec<(u32, Vec<u32>)> {
        let mut pairs: Vec<(u32, u32)> = (0..)
            .zip(rows)
            .flat_map(|(place, &row)| self.probed(row).iter().map(move |&cell| (cell, place)))
            .collect();
        pairs.sort_unstable();
        let groups = pairs.chunk_by(|a, b| a.0 == b.0);
        let mut probes: Vec<(u32, Vec<u32>)> =
            groups.map(|group| (group[0].0, group.iter().map(|pair| pair.1).collect())).collect();
        probes.sort_by_key(|(_, places)| std::cmp::Reverse(places.len()));
        probes
    }
}

/// The lists of all rows, cell by cell: `neighbours` (at most as many as there are rows) edges each, the row itself
/// first, then by (similarity descending, row ascending). Where the cells hold fewer rows, the row itself fills the
/// rest.
pub(super) fn lists(
    matrix: MatrixView<'_>,
    neighbours: usize,
    cells: Cells<'_>,
    control: &impl Control,
) -> Result<Vec<Edge>, Error> {
    let mut nearest = blocks::zeroed::<Edge>(matrix.len().saturating_mul(neighbours))?;
    let total = matrix.len() as u64;
    let before = FixedProgress { control, done: 0, total };
    let directions = directions(matrix, cells.centroids)?;
    if neighbours == 0 {
        return Ok(nearest);
    }
    let centroids = Rows::new(&directions, matrix.rows.width());
    let quantised = Quantised::with(matrix, centroids, Measure::SquaredDistance, &before)?;
    let space = SearchSpace {
        simd: matrix.simd,
        rows: matrix.rows,
        candidates: matrix.rows,
        quantised: &quantised,
        first: 0,
    };
    let to_cells = SearchSpace { candidates: centroids, first: matrix.len() as u32, ..space };
    let layout = Layout::new(to_cells, cells.probe, &before)?;
    let packed: Vec<Packed> =
        (0..layout.cells()).into_par_iter().map(|cell| Packed::new(space, layout.of(cell))).collect();
    let mut panels = Vec::new();
    let mut rest = &mut nearest[..];
    for cell in 0..layout.cells() {
        for rows in layout.of(cell).chunks(PANEL) {
            let (lists, after) = rest.split_at_mut(rows.len() * neighbours);
            panels.push((rows, lists));
            rest = after;
        }
    }
    let done = AtomicU64::new(0);
    panels.into_par_iter().try_for_each(|(rows, lists)| {
        search(space, (&layout, &packed), neighbours, rows, lists);
        let rows = rows.len() as u64;
        control.tick(done.fetch_add(rows, Relaxed) + rows, total)
    })?;
    Ok(nearest)
}

/// Fills the lists of some rows of one cell.
fn search(
    space: SearchSpace<'_>,
    (layout, packed): (&Layout, &[Packed]),
    neighbours: usize,
    rows: &[u32],
    lists: &mut [Edge],
) {
    // One more than others are wanted, since a row is compared with itself.
    let mut shortlist = Shortlist::new(space, rows, neighbours);
    for (cell, places) in layout.probes(rows) {
        shortlist.compare(&places, &packed[cell as usize]);
    }
    for (place, (&row, list)) in rows.iter().zip(lists.chunks_exact_mut(neighbours)).enumerate() {
        let own = edges(space.simd, space.rows.row(row as usize), space.candidates, &[row]);
        let others = shortlist.nearest(place).into_iter().filter(|edge| edge.client != row);
        list.fill(own[0]);
        list[1..].iter_mut().zip(others).for_each(|(to, edge)| *to = edge);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{THREADS, Tied, real_rows, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    fn dot(simd: Simd, x: &[f32], y: &[f32]) -> f32 {
        metric::dot(simd, x, y) + 0.0
    }

    /// The nearest of `candidates` by (similarity descending, number ascending), each with its similarity to `x`.
    fn sorted(simd: Simd, x: &[f32], candidates: Rows<'_>, ids: impl Iterator<Item = usize>) -> Vec<Edge> {
        let edge = |id: usize| Edge { client: id as u32, similarity: dot(simd, x, candidates.row(id)) };
        let mut found: Vec<Edge> = ids.map(edge).collect();
        found.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.client.cmp(&b.client)));
        found
    }

    /// The definition, in canonical arithmetic: of each row itself, then the nearest in the cells that it probes.
    fn plain(matrix: MatrixView<'_>, neighbours: usize, cells: Cells<'_>) -> Vec<Vec<Edge>> {
        let directions = directions(matrix, cells.centroids).unwrap();
        let centroids = Rows::new(&directions, matrix.rows.width());
        let near = |row: usize| -> Vec<u32> {
            let near = sorted(matrix.simd, matrix.rows.row(row), centroids, 0..centroids.len());
            near.iter().take(cells.probe.max(1)).map(|edge| edge.client).collect()
        };
        let near: Vec<Vec<u32>> = (0..matrix.len()).map(near).collect();
        let list = |row: usize| {
            let seen = (0..matrix.len()).filter(|&other| other != row && near[row].contains(&near[other][0]));
            let x = matrix.rows.row(row);
            let own = Edge { client: row as u32, similarity: dot(matrix.simd, x, x) };
            let mut list = vec![own];
            list.extend(sorted(matrix.simd, x, matrix.rows, seen));
            list.resize(neighbours, own);
            list
        };
        (0..matrix.len()).map(list).collect()
    }

    /// The lists as bits, in row order.
    fn bits<'a>(lists: impl Iterator<Item = &'a [Edge]>) -> Vec<Vec<(u32, u32)>> {
        let bits =
            lists.map(|list| list.iter().map(|edge| (edge.client, edge.similarity.to_bits())).collect());
        let mut bits: Vec<Vec<(u32, u32)>> = bits.collect();
        bits.sort_by_key(|list| list[0].0);
        bits
    }

    fn check(data: &[f32], width: usize, neighbours: usize, centroids: &[f32], probe: usize) {
        let neighbours = neighbours.min(data.len() / width);
        let mut expected = None;
        for simd in Simd::available() {
            let matrix = Matrix::raw(data, width, Metric::Dot, simd, &Unwatched).unwrap();
            let cells = Cells { centroids, probe };
            if neighbours > 0 {
                let expected = expected.get_or_insert_with(|| {
                    let plain = plain(matrix.view(), neighbours, cells);
                    bits(plain.iter().map(|list| &list[..]))
                });
                for threads in THREADS {
                    let found = with_threads(threads, || lists(matrix.view(), neighbours, cells, &Unwatched))
                        .unwrap();
                    assert_eq!(
                        &bits(found.chunks(neighbours)),
                        expected,
                        "{} threads, {}",
                        threads,
                        simd.name()
                    );
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
