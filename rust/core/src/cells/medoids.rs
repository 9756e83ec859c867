//! Medoids: the representatives of cells, each the row nearest to its centroid.

use std::cmp::Reverse;

use super::assign;
use crate::blocks;
use crate::control::FixedProgress;
use crate::matrix::MatrixView;
use crate::metric::{self, Rows};
use crate::select::{Candidates, Request, Selection};
use crate::{Control, Error};

/// Rows whose distances one task computes.
const BLOCK: usize = 240;

/// Representatives of cells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Medoids {
    /// The picks; the gain of each is how many rows its cell has.
    pub selection: Selection,
    /// How many of them, at the end, are not the first of their cell, or of a cell with a preselected row.
    pub fills: usize,
}

/// A cell with rows to pick.
struct Cell<'a> {
    size: usize,
    has_preselected: bool,
    /// The candidates, nearest first.
    rows: &'a [CellRow],
}

/// A row by its cell, its squared distance to the centroid as bits (of a number that is not negative, so they order as
/// it does) and its number.
type CellRow = (i32, u32, usize);

/// Picks the row nearest to the centroid of each cell, from the largest cell on.
///
/// Rows lie in the cell of the nearest centroid, as [`assign::nearest`] says, and ties go to the lowest row and cell. A
/// preselected row represents its cell, so that none of it is picked; excluded rows count for the size of a cell, and
/// are not picked. Where too few cells have a row to pick, all cells, again from the largest on, give their next
/// nearest row in turn until there are enough.
///
/// # Errors
/// As [`assign::nearest`].
pub fn medoids(
    matrix: MatrixView<'_>,
    centroids: &[f32],
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Medoids, Error> {
    let labels = assign::nearest(matrix, centroids, control)?;
    let total = matrix.len() as u64;
    let centroids = Rows::new(centroids, matrix.rows.width());
    let mut distances = blocks::zeroed::<f32>(matrix.len())?;
    blocks::fill(&mut distances, 1, BLOCK, &FixedProgress { control, done: total, total }, |first, part| {
        for (row, distance) in (first..).zip(part) {
            let centroid = centroids.row(labels[row] as usize);
            *distance = metric::squared_distance(matrix.simd, matrix.rows.row(row), centroid);
        }
        Ok(())
    })?;
    let (mut sizes, mut preselected) = (vec![0; centroids.len()], vec![false; centroids.len()]);
    labels.iter().for_each(|&label| sizes[label as usize] += 1);
    request.preselected().iter().for_each(|&row| preselected[labels[row] as usize] = true);
    let candidates = request.candidates()?;
    let mut rows: Vec<CellRow> = blocks::reserved(matrix.len())?;
    rows.extend(candidates.iter().map(|row| (labels[row], distances[row].to_bits(), row)));
    rows.sort_unstable();
    let mut cells: Vec<Cell<'_>> = rows
        .chunk_by(|a, b| a.0 == b.0)
        .map(|rows| {
            let label = rows[0].0 as usize;
            Cell { size: sizes[label], has_preselected: preselected[label], rows }
        })
        .collect();
    cells.sort_by_key(|cell| Reverse(cell.size));
    Ok(pick(cells, candidates))
}

/// Picks from cells in this order.
fn pick(mut cells: Vec<Cell<'_>>, mut candidates: Candidates<'_>) -> Medoids {
    let mut found = Medoids::default();
    for cell in cells.iter_mut().filter(|cell| !cell.has_preselected) {
        cell.pick_next(&mut found, &mut candidates);
    }
    while !candidates.is_done() && !cells.is_empty() {
        cells.retain_mut(|cell| {
            let picked = cell.pick_next(&mut found, &mut candidates);
            found.fills += usize::from(picked);
            picked
        });
    }
    found
}

impl Cell<'_> {
    /// Picks the nearest candidate of the cell; returns whether there was one, and one was wanted.
    fn pick_next(&mut self, found: &mut Medoids, candidates: &mut Candidates<'_>) -> bool {
        while let Some((&(_, _, row), others)) = self.rows.split_first() {
            if candidates.is_done() {
                return false;
            }
            self.rows = others;
            if candidates.contains(row) {
                found.selection.push(row, self.size as f64);
                candidates.pick(row);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{RequestCase, THREADS, Tied, real_rows, request_cases, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    /// The definition: each pick compares all rows.
    fn plain(matrix: MatrixView<'_>, centroids: &[f32], case: &RequestCase) -> Medoids {
        let centroids = Rows::new(centroids, matrix.rows.width());
        let distance = |row: usize, cell: usize| {
            metric::squared_distance(matrix.simd, matrix.rows.row(row), centroids.row(cell))
        };
        let nearest = |row: usize| {
            (0..centroids.len()).min_by(|&a, &b| distance(row, a).total_cmp(&distance(row, b))).unwrap()
        };
        let labels: Vec<usize> = (0..matrix.len()).map(nearest).collect();
        let size = |cell: usize| labels.iter().filter(|&&label| label == cell).count();
        let mut order: Vec<usize> = (0..centroids.len()).collect();
        order.sort_by_key(|&cell| (Reverse(size(cell)), cell));
        let mut found = Medoids::default();
        for round in 0.. {
            for &cell in &order {
                let set: Vec<usize> = case.preselected.iter().chain(&found.selection.rows).copied().collect();
                let candidates = case.candidates(&set);
                if candidates.is_empty() {
                    return found;
                }
                let candidates = candidates.into_iter().filter(|&row| labels[row] == cell);
                let best = candidates.min_by(|&a, &b| distance(a, cell).total_cmp(&distance(b, cell)));
                let preselected = case.preselected.iter().any(|&row| labels[row] == cell);
                if let Some(row) = best.filter(|_| round > 0 || !preselected) {
                    found.selection.push(row, size(cell) as f64);
                    found.fills += usize::from(round > 0);
                }
            }
        }
        unreachable!()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn agrees_with_the_definition_everywhere(
            (tied, case) in Tied::up_to(60).prop_flat_map(|tied| (Just(tied.clone()), request_cases(tied.rows()))),
            count in 1usize..12, whole: bool, seed: u64,
        ) {
            let mut centroids = real_rows(count, tied.width, seed);
            if whole {
                // Ties between centroids, and between rows.
                centroids.iter_mut().for_each(|x| *x = (*x * 5.0).round());
            }
            let request = case.request(tied.rows());
            let mut expected = None;
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::SquaredEuclidean, simd);
                let expected = expected.get_or_insert_with(|| plain(matrix.view(), &centroids, &case));
                for threads in THREADS {
                    let found = with_threads(threads, || {
                        medoids(matrix.view(), &centroids, &request, &Unwatched).unwrap()
                    });
                    prop_assert_eq!(&found, &*expected);
                }
            }
        }
    }

    #[test]
    fn the_largest_cells_come_first_and_give_their_next_rows_when_all_have_given_one() {
        // Cells around 0, 10 and 20 with 2, 3 and 1 rows; nothing is near 30.
        let data = vec![1.0f32, 0.0, 10.0, 12.0, 11.0, 20.5];
        let centroids = [0.0, 10.0, 20.0, 30.0];
        let matrix =
            Matrix::raw(data, 1, Metric::SquaredEuclidean, Simd::active().unwrap(), &Unwatched).unwrap();
        let picks = |count, preselected: &[usize], excluded: &[usize]| {
            let request = Request::with_excluded(6, count, preselected, excluded).unwrap();
            let found = medoids(matrix.view(), &centroids, &request, &Unwatched).unwrap();
            (found.selection.rows, found.selection.gains, found.fills)
        };
        assert_eq!(picks(2, &[], &[]), (vec![2, 1], vec![3.0, 2.0], 0));
        assert_eq!(picks(5, &[], &[]), (vec![2, 1, 5, 4, 0], vec![3.0, 2.0, 1.0, 3.0, 2.0], 2));
        assert_eq!(picks(3, &[3], &[]), (vec![1, 5, 2], vec![2.0, 1.0, 3.0], 1));
        assert_eq!(picks(2, &[], &[2]), (vec![4, 1], vec![3.0, 2.0], 0));
        assert_eq!(picks(0, &[], &[]), (vec![], vec![], 0));
    }

    #[test]
    fn centroids_are_checked() {
        let matrix =
            Matrix::raw(vec![0.0], 1, Metric::SquaredEuclidean, Simd::active().unwrap(), &Unwatched).unwrap();
        let request = Request::new(1, 1, &[]).unwrap();
        let refused = medoids(matrix.view(), &[], &request, &Unwatched);
        assert!(matches!(refused, Err(Error::Shape { .. })));
    }
}
