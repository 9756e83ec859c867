//! The nearest centroid of each row.

use crate::blocks;
use crate::matrix::MatrixView;
use crate::metric::{Rows, SquaredDistance, for_each_pair};
use crate::simd::{Kernel, Lanes};
use crate::{Control, Error};

/// Rows in a block: few enough to stay in cache while the centroids pass by.
const BLOCK: usize = 96;

/// The cell of each row: the centroid at the smallest canonical squared distance, the lowest of equal ones.
///
/// Cost: rows x centroids x dimensions multiply-adds.
///
/// # Errors
/// [`Error::Shape`] where the centroids are none or have another width, [`Error::Argument`] where one is not
/// finite, [`Error::TooManyRows`], [`Error::OutOfMemory`], or what `control` stops with.
pub fn nearest(matrix: MatrixView<'_>, centroids: &[f32], control: &impl Control) -> Result<Vec<i32>, Error> {
    let width = matrix.rows.width();
    if centroids.is_empty() || !centroids.len().is_multiple_of(width) {
        return Err(Error::Shape {
            what: "the number of centroid values",
            expected: width,
            got: centroids.len(),
        });
    }
    if let Some(bad) = centroids.iter().position(|value| !value.is_finite()) {
        return Err(Error::Argument { what: format!("centroid {} holds NaN or infinity", bad / width) });
    }
    let centroids = Rows::new(centroids, width);
    if i32::try_from(centroids.len()).is_err() {
        return Err(Error::TooManyRows { rows: centroids.len() });
    }
    let mut cells = blocks::zeroed(matrix.len())?;
    blocks::fill(&mut cells, 1, BLOCK, control, |first, cells| {
        matrix.simd.run(Nearest { rows: matrix.rows.part(first, cells.len()), centroids, cells });
        Ok(())
    })?;
    Ok(cells)
}

struct Nearest<'a> {
    rows: Rows<'a>,
    centroids: Rows<'a>,
    cells: &'a mut [i32],
}

impl Kernel for Nearest<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let mut nearest = [f32::INFINITY; BLOCK];
        let (nearest, cells) = (&mut nearest[..self.rows.len()], self.cells);
        for_each_pair::<SquaredDistance, V, R, C>(self.rows, self.centroids, |row, cell, distance| {
            // Cells come in ascending order, so a strict comparison keeps the lowest of equals.
            if distance < nearest[row] {
                nearest[row] = distance;
                cells[row] = cell as i32;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::squared_distance;
    use crate::simd::Simd;
    use crate::{Matrix, Metric, Unwatched};

    /// The definition: look at all centroids in order, keep the first of the nearest.
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
