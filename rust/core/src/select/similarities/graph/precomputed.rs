//! Precomputed neighbours: those that the caller found.

use super::super::edges::{Edge, edges};
use super::nearest_first::NearestFirst;
use crate::blocks;
use crate::matrix::MatrixView;
use crate::topk::Smallest;
use crate::{Control, Error};

/// Rows whose lists one task makes.
const BLOCK: usize = 64;
/// The number that fills the list of a row with fewer neighbours.
const NONE: i32 = -1;

/// Neighbours by row number.
#[derive(Debug, Clone, Copy)]
pub struct Precomputed<'a> {
    /// So many for each row, one row after the other, in any order; -1 for none. A row may name itself.
    pub numbers: &'a [i32],
    /// How many a row has.
    pub width: usize,
}

/// The lists of all rows: `neighbours` edges each with canonical similarities, the row itself first, then the nearest
/// that it names by (similarity descending, row ascending). Where it names fewer, the row itself fills the rest.
pub(super) fn lists(
    matrix: MatrixView<'_>,
    neighbours: usize,
    found: Precomputed<'_>,
    control: &impl Control,
) -> Result<Vec<Edge>, Error> {
    let rows = matrix.len();
    let expected = rows.saturating_mul(found.width);
    if found.numbers.len() != expected {
        return Err(Error::Shape { what: "the number of neighbours", expected, got: found.numbers.len() });
    }
    let mut nearest = blocks::zeroed::<Edge>(rows.saturating_mul(neighbours))?;
    blocks::fill(&mut nearest, neighbours.max(1), BLOCK, control, |first, lists| {
        for (row, list) in (first..).zip(lists.chunks_exact_mut(neighbours)) {
            let others = others(row, rows, &found.numbers[row * found.width..][..found.width])?;
            let x = matrix.rows.row(row);
            let mut best = Smallest::new(neighbours - 1);
            let edges_to = edges(matrix.simd, x, matrix.rows, &others);
            edges_to.into_iter().for_each(|edge| best.push(NearestFirst(edge)));
            list.fill(edges(matrix.simd, x, matrix.rows, &[row as u32])[0]);
            list[1..].iter_mut().zip(best.into_sorted()).for_each(|(to, near)| *to = near.0);
        }
        Ok(())
    })?;
    Ok(nearest)
}

/// The neighbours that a row names but for itself, checked.
fn others(row: usize, rows: usize, numbers: &[i32]) -> Result<Vec<u32>, Error> {
    let mut named: Vec<i32> = numbers.iter().copied().filter(|&number| number != NONE).collect();
    named.sort_unstable();
    let exists = |number: i32| usize::try_from(number).is_ok_and(|number| number < rows);
    if let Some(&neighbour) = named.iter().find(|&&number| !exists(number)) {
        return Err(Error::BadNeighbour { row, neighbour, why: "does not exist" });
    }
    if let Some(pair) = named.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::BadNeighbour { row, neighbour: pair[0], why: "is named twice" });
    }
    Ok(named.into_iter().map(|number| number as u32).filter(|&number| number as usize != row).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::exact;
    use super::*;
    use crate::simd::Simd;
    use crate::testing::{THREADS, Tied, with_threads};
    use crate::{Metric, Unwatched};

    fn bits(lists: &[Edge]) -> Vec<(u32, u32)> {
        lists.iter().map(|edge| (edge.client, edge.similarity.to_bits())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn the_lists_of_the_exact_search_come_back(
            tied in Tied::up_to(40), neighbours in 1usize..20, more in 0usize..3, itself: bool, seed: u64,
        ) {
            let (rows, simd) = (tied.rows(), Simd::active().unwrap());
            let neighbours = neighbours.min(rows);
            let expected = exact::lists(tied.matrix(Metric::Dot, simd).view(), neighbours, &Unwatched).unwrap();
            let width = neighbours + more;
            let numbers: Vec<i32> = expected.chunks_exact(neighbours.max(1)).enumerate().flat_map(|(row, list)| {
                let mut numbers: Vec<i32> = list.iter().map(|edge| edge.client as i32).collect();
                if !itself {
                    numbers.remove(0);
                }
                numbers.resize(width, NONE);
                numbers.rotate_left(crate::rng::keyed_hash(seed, row as u64) as usize % width);
                numbers
            }).collect();
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::Dot, simd);
                let lists_found = Precomputed { numbers: &numbers, width };
                for threads in THREADS {
                    let found = with_threads(threads, || lists(matrix.view(), neighbours, lists_found, &Unwatched));
                    prop_assert_eq!(bits(&found.unwrap()), bits(&expected));
                }
            }
        }
    }

    #[test]
    fn the_nearest_of_many_are_taken_and_the_row_fills_short_lists() {
        let tied = Tied { data: vec![1.0, 2.0, 3.0], width: 1 };
        let matrix = tied.matrix(Metric::Dot, Simd::active().unwrap());
        let lists_found = Precomputed { numbers: &[1, 2, -1, -1, -1, 1], width: 2 };
        let found = lists(matrix.view(), 2, lists_found, &Unwatched).unwrap();
        let expected = [(0, 1.0), (2, 3.0), (1, 4.0), (1, 4.0), (2, 9.0), (1, 6.0)];
        assert_eq!(found.iter().map(|edge| (edge.client, edge.similarity)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn bad_lists_are_refused() {
        let tied = Tied { data: vec![1.0, 2.0, 3.0], width: 1 };
        let matrix = tied.matrix(Metric::Dot, Simd::active().unwrap());
        let refused = |numbers: &[i32]| {
            let refused = lists(matrix.view(), 2, Precomputed { numbers, width: 2 }, &Unwatched).unwrap_err();
            (refused.row(), refused.to_string())
        };
        assert_eq!(refused(&[0; 5]).1, "the shape does not fit: the number of neighbours must be 6, not 5");
        assert_eq!(refused(&[1, 2, 0, 3, 0, 1]), (Some(1), "neighbour 3 of the row does not exist".into()));
        assert_eq!(refused(&[1, 2, 0, 2, -2, 1]), (Some(2), "neighbour -2 of the row does not exist".into()));
        assert_eq!(refused(&[1, 2, 0, 2, 1, 1]), (Some(2), "neighbour 1 of the row is named twice".into()));
    }
}
