//! The nearest centroid of each row.

use crate::blocks;
use crate::control::FixedProgress;
use crate::matrix::{MAX_SQUARED_LENGTH, MatrixView};
use crate::metric::{self, Rows};
use crate::quantise::{Measure, Quantised, Tiles};
use crate::{Control, Error};

/// Rows in a block: few enough to stay in cache while the centroids pass by.
const BLOCK: usize = 240;

/// Centroids, one after the other, as rows of this width.
///
/// # Errors
/// [`Error::Shape`] where there is none, or where the values end within one.
pub(crate) fn centroid_rows(centroids: &[f32], width: usize) -> Result<Rows<'_>, Error> {
    if centroids.is_empty() || !centroids.len().is_multiple_of(width) {
        let got = centroids.len();
        return Err(Error::Shape { what: "the number of centroid values", expected: width, got });
    }
    Ok(Rows::new(centroids, width))
}

/// The cell of each row: the centroid at the smallest canonical squared distance, the lowest of equal ones.
///
/// Distances in int16 tell which centroids could be the nearest, and canonical arithmetic decides. Cost: rows x
/// centroids x dimensions multiply-adds, and 2 x dimensions bytes a row beside the matrix.
///
/// # Errors
/// [`Error::Shape`] where the centroids are none or have another width, [`Error::Argument`] where one is not
/// finite, [`Error::TooManyRows`], [`Error::OutOfMemory`], or what `control` stops with.
pub fn nearest(matrix: MatrixView<'_>, centroids: &[f32], control: &impl Control) -> Result<Vec<i32>, Error> {
    let width = matrix.rows.width();
    let rows = centroid_rows(centroids, width)?;
    if let Some(bad) = centroids.iter().position(|value| !value.is_finite()) {
        return Err(Error::Argument { what: format!("centroid {} holds NaN or infinity", bad / width) });
    }
    let centroids = rows;
    if i32::try_from(centroids.len()).is_err() {
        return Err(Error::TooManyRows { rows: centroids.len() });
    }
    let all: Vec<u32> = (0..centroids.len() as u32).collect();
    let nearest_of = |row: usize, could: &[u32]| {
        let distance = |cell: u32| {
            metric::squared_distance(matrix.simd, matrix.rows.row(row), centroids.row(cell as usize))
        };
        // Cells ascend, so a strict comparison gives the lowest of equals.
        let nearer = |best: (f32, u32), found: (f32, u32)| if found.0 < best.0 { found } else { best };
        could.iter().map(|&cell| (distance(cell), cell)).reduce(nearer).map_or(0, |(_, cell)| cell as i32)
    };
    let mut cells = blocks::zeroed(matrix.len())?;
    let length = |cell: &u32| {
        let centroid = centroids.row(*cell as usize);
        metric::dot(matrix.simd, centroid, centroid)
    };
    if !all.iter().all(|cell| length(cell) <= MAX_SQUARED_LENGTH) {
        // Centroids so far away that distances may be infinite: all are compared.
        blocks::fill(&mut cells, 1, BLOCK, control, |first, cells| {
            (first..).zip(cells).for_each(|(row, cell)| *cell = nearest_of(row, &all));
            Ok(())
        })?;
        return Ok(cells);
    }
    let watch = FixedProgress { control, done: 0, total: matrix.len() as u64 };
    let quantised = Quantised::with(matrix, centroids, Measure::SquaredDistance, &watch)?;
    let mut tiles = Tiles::default();
    all.iter().for_each(|&cell| tiles.push(&quantised, matrix.len() + cell as usize));
    blocks::fill(&mut cells, 1, BLOCK, control, |first, cells| {
        let rows: Vec<u32> = (first as u32..).take(cells.len()).collect();
        let mut bounds = vec![f32::INFINITY; rows.len()];
        let near = quantised.could_be_nearest(matrix.simd, &rows, (&tiles, 0), &mut bounds);
        (first..).zip(near).zip(cells).for_each(|((row, near), cell)| *cell = nearest_of(row, &near));
        Ok(())
    })?;
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::squared_distance;
    use crate::simd::Simd;
    use crate::testing::{THREADS, real_rows, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    /// The definition: the first of the nearest of all centroids.
    fn plain(rows: Rows<'_>, centroids: Rows<'_>, simd: Simd) -> Vec<i32> {
        let nearest = |row| {
            let distance = |cell: &usize| squared_distance(simd, rows.row(row), centroids.row(*cell));
            (0..centroids.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap() as i32
        };
        (0..rows.len()).map(nearest).collect()
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition_on_every_instruction_set(
            width in 1usize..20,
            data in prop::collection::vec(-2i8..=2, 0..2500),
            cells in 1usize..12,
        ) {
            let data: Vec<f32> = data.iter().map(|&value| f32::from(value)).collect();
            let data = &data[..data.len() / width * width];
            let centroids: Vec<f32> = (0..cells * width).map(|at| (at * 7 % 5) as f32 - 2.0).collect();
            for simd in Simd::available() {
                let matrix = Matrix::raw(data, width, Metric::SquaredEuclidean, simd, &Unwatched).unwrap();
                let found = nearest(matrix.view(), &centroids, &Unwatched).unwrap();
                prop_assert_eq!(found, plain(matrix.view().rows, Rows::new(&centroids, width), simd));
            }
        }
    }

    #[test]
    fn near_ties_and_repeated_centroids_go_to_the_lowest() {
        // More rows than a block and more centroids than a tile; every third is one before it, moved by next to
        // nothing.
        let (rows, cells, width) = (700, 100, 37);
        let mut centroids = real_rows(cells, width, 5);
        for cell in (3..cells).step_by(3) {
            centroids.copy_within((cell - 3) * width..(cell - 2) * width, cell * width);
            centroids[cell * width] += [0.0, 1e-6, -1e-6][cell % 9 / 3];
        }
        for simd in Simd::available() {
            let matrix = Matrix::unit(real_rows(rows, width, 4), width, simd, &Unwatched).unwrap();
            let expected = plain(matrix.view().rows, Rows::new(&centroids, width), simd);
            for threads in THREADS {
                let found = with_threads(threads, || nearest(matrix.view(), &centroids, &Unwatched)).unwrap();
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn bad_centroids_are_refused() {
        let simd = Simd::active().unwrap();
        let matrix = Matrix::raw(vec![0.0; 4], 2, Metric::Dot, simd, &Unwatched).unwrap();
        let refused = |centroids: &[f32]| nearest(matrix.view(), centroids, &Unwatched).unwrap_err();
        assert!(matches!(refused(&[]), Error::Shape { .. }));
        assert!(matches!(refused(&[1.0; 3]), Error::Shape { .. }));
        assert_eq!(refused(&[0.0, 0.0, 0.0, f32::NAN]).to_string(), "centroid 1 holds NaN or infinity");
    }

    #[test]
    fn a_centroid_beyond_all_distances_is_no_cell_of_any_row_but_the_first() {
        let simd = Simd::active().unwrap();
        let matrix = Matrix::raw(vec![1.0], 1, Metric::Dot, simd, &Unwatched).unwrap();
        assert_eq!(nearest(matrix.view(), &[f32::MAX, f32::MIN], &Unwatched), Ok(vec![0]));
        assert_eq!(nearest(matrix.view(), &[f32::MAX, 2.0], &Unwatched), Ok(vec![1]));
    }
}
