//! How far rows lie from the middle of their cells.

use crate::matrix::MatrixView;
use crate::metric::{self, Rows};
use crate::{Control, Error, blocks};

/// Rows in a block.
const BLOCK: usize = 1024;

/// The canonical squared distance of each row to the centroid of its cell.
///
/// # Errors
/// [`Error::Shape`] for another number of cells than rows; [`Error::NegativeCell`], and [`Error::Argument`] for a cell that
/// has no centroid; [`Error::OutOfMemory`]; or what `control` stops with.
pub fn distances(
    matrix: MatrixView<'_>,
    centroids: &[f32],
    cells: &[i32],
    control: &impl Control,
) -> Result<Vec<f32>, Error> {
    if cells.len() != matrix.len() {
        return Err(Error::Shape { what: "the number of cells", expected: matrix.len(), got: cells.len() });
    }
    let centroids = Rows::new(centroids, matrix.rows.width());
    let mut distances = blocks::zeroed::<f32>(cells.len())?;
    blocks::fill(&mut distances, 1, BLOCK, control, |first, block| {
        for (row, distance) in (first..).zip(block) {
            let cell = usize::try_from(cells[row]).map_err(|_| Error::NegativeCell { row })?;
            if cell >= centroids.len() {
                return Err(Error::Argument { what: format!("cell {cell} has no centroid") });
            }
            *distance = metric::squared_distance(matrix.simd, matrix.rows.row(row), centroids.row(cell));
        }
        Ok(())
    })?;
    Ok(distances)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Simd;
    use crate::{Matrix, Metric, Unwatched};

    #[test]
    fn distances_are_those_to_the_own_centroid() {
        let data = [0.0, 0.0, 3.0, 4.0, 1.0, 1.0];
        for simd in Simd::available() {
            let matrix = Matrix::raw(&data[..], 2, Metric::SquaredEuclidean, simd, &Unwatched).unwrap();
            let of = |cells: &[i32]| distances(matrix.view(), &[0.0, 0.0, 1.0, 1.0], cells, &Unwatched);
            assert_eq!(of(&[0, 0, 1]), Ok(vec![0.0, 25.0, 0.0]));
            assert_eq!(of(&[1, 0, 0]), Ok(vec![2.0, 25.0, 2.0]));
            assert_eq!(of(&[1, -1, 0]), Err(Error::NegativeCell { row: 1 }));
            assert!(matches!(of(&[1, 2, 0]), Err(Error::Argument { .. })));
            assert!(matches!(of(&[1, 0]), Err(Error::Shape { .. })));
        }
    }
}
