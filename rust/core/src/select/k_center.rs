//! Farthest-first traversal: each pick is the row farthest from all rows picked before (Gonzalez 1985).

use rayon::prelude::*;

use super::{Objective, Request, Selection, optimizer};
use crate::blocks;
use crate::matrix::{MatrixView, Metric};
use crate::metric::{Rows, SquaredDistance, for_each_pair};
use crate::simd::{Kernel, Lanes};
use crate::{Control, Error};

/// Rows in a task; a whole block of them lowers its keys at once.
const BLOCK: usize = 512;
/// Rows whose distances to one pick are summed side by side.
const ABREAST: usize = 4;

/// The squared distance of each row to the nearest row of the set.
struct Farthest<'a> {
    matrix: MatrixView<'a>,
    keys: Vec<f32>,
}

impl Objective for Farthest<'_> {
    fn rows(&self) -> usize {
        self.keys.len()
    }

    fn gain(&self, row: usize) -> f64 {
        f64::from(self.keys[row])
    }

    fn commit(&mut self, row: usize) {
        let matrix = self.matrix;
        self.keys.par_chunks_mut(BLOCK).enumerate().for_each(|(block, keys)| {
            let rows = matrix.rows.part(block * BLOCK, keys.len());
            matrix.simd.run(Lower { rows, pick: matrix.rows.part(row, 1), keys });
        });
    }
}

struct Lower<'a> {
    rows: Rows<'a>,
    pick: Rows<'a>,
    keys: &'a mut [f32],
}

impl Kernel for Lower<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let keys = self.keys;
        for_each_pair::<SquaredDistance, V, ABREAST, 1>(self.rows, self.pick, |row, _, distance| {
            keys[row] = keys[row].min(distance);
        });
    }
}

/// Picks rows farthest-first by canonical squared distance (of rows of length 1 for cosine).
///
/// The gain of a pick is its squared distance to the nearest row of the set when it was picked, NaN for a
/// first pick with nothing given. That first pick is `start`, or row 0. Rows that repeat one of the set have
/// key 0, and when only such are left the lowest unpicked row follows.
///
/// Cost: (picks + given) x rows x dimensions multiply-adds; 4 bytes a row beside the matrix.
///
/// # Errors
/// [`Error::Argument`] for [`Metric::Dot`], which is no distance, and for `start` together with given rows;
/// [`Error::NoSuchRow`] for `start`; [`Error::OutOfMemory`]; or what `control` stops with.
pub fn k_center(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    start: Option<usize>,
    control: &impl Control,
) -> Result<Selection, Error> {
    if matrix.metric == Metric::Dot {
        return Err(Error::Argument {
            what: "k-center needs a distance: cosine or sqeuclidean, not dot".into(),
        });
    }
    if start.is_some() && !request.given().is_empty() {
        return Err(Error::Argument { what: "a start row has no meaning where rows are given".into() });
    }
    // Above every distance (see `MAX_SQUARED_LENGTH`), and below the infinite key of the first pick.
    let mut keys = blocks::filled(matrix.len(), f32::MAX)?;
    if request.given().is_empty() {
        match (keys.get_mut(start.unwrap_or(0)), start) {
            (Some(key), _) => *key = f32::INFINITY,
            (None, Some(row)) => {
                return Err(Error::NoSuchRow { row, n: matrix.len() });
            }
            (None, None) => {}
        }
    }
    let mut objective = Farthest { matrix, keys };
    let mut selection = optimizer::plain(&mut objective, request, control)?;
    for gain in selection.gains.iter_mut().filter(|gain| gain.is_infinite()) {
        *gain = f64::NAN;
    }
    Ok(selection)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{THREADS, Tied, real_rows, wishes, with_threads};
    use crate::{Matrix, Unwatched};

    /// The definition, with exact distances.
    fn by_hand(tied: &Tied, count: usize, given: &[usize], start: Option<usize>) -> Vec<usize> {
        let mut set = given.to_vec();
        let mut picks = Vec::new();
        while picks.len() < count {
            let key =
                |row: usize| set.iter().map(|&s| tied.squared_distance(row, s)).fold(f64::INFINITY, f64::min);
            let free = (0..tied.rows()).filter(|row| !set.contains(row));
            let farthest = free.max_by(|&a, &b| key(a).total_cmp(&key(b)).then(b.cmp(&a))).unwrap();
            let pick = if set.is_empty() { start.unwrap_or(farthest) } else { farthest };
            set.push(pick);
            picks.push(pick);
        }
        picks
    }

    fn cases() -> impl Strategy<Value = (Tied, (usize, Vec<usize>), prop::sample::Index)> {
        Tied::up_to(40)
            .prop_flat_map(|tied| (Just(tied.clone()), wishes(tied.rows()), any::<prop::sample::Index>()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn picks_farthest_first((tied, (count, given), start) in cases()) {
            let start = (given.is_empty() && tied.rows() > 0 && start.index(2) == 1).then(|| start.index(tied.rows()));
            let expected = by_hand(&tied, count, &given, start);
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::SquaredEuclidean, simd);
                let request = Request::new(tied.rows(), count, &given).unwrap();
                for threads in THREADS {
                    let run = || k_center(matrix.view(), &request, start, &Unwatched);
                    let found = with_threads(threads, run).unwrap();
                    prop_assert_eq!(&found.rows, &expected);
                    let first_is_free = given.is_empty();
                    for (pick, gain) in found.gains.iter().enumerate() {
                        if pick == 0 && first_is_free {
                            prop_assert!(gain.is_nan());
                        } else {
                            let set = given.iter().chain(&found.rows[..pick]);
                            let key = set.map(|&s| tied.squared_distance(expected[pick], s)).fold(f64::INFINITY, f64::min);
                            prop_assert_eq!(*gain, key);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn more_rows_than_a_block_give_the_same_picks_on_every_instruction_set() {
        let rows = 2 * BLOCK + 13;
        let pick = |simd| {
            let matrix = Matrix::unit(real_rows(rows, 37, 3), 37, simd, &Unwatched).unwrap();
            let found =
                k_center(matrix.view(), &Request::new(rows, 60, &[]).unwrap(), Some(5), &Unwatched).unwrap();
            (found.rows, found.gains[1..].iter().map(|gain| gain.to_bits()).collect::<Vec<_>>())
        };
        let (rows, gains) = pick(Simd::active().unwrap());
        assert_eq!(rows[0], 5);
        assert!(gains.windows(2).all(|pair| f64::from_bits(pair[0]) >= f64::from_bits(pair[1])));
        for simd in Simd::available() {
            assert_eq!(pick(simd), (rows.clone(), gains.clone()), "{}", simd.name());
        }
    }

    #[test]
    fn bad_wishes_are_refused() {
        let simd = Simd::active().unwrap();
        let tied = Tied { data: vec![0.0, 1.0, 2.0], width: 1 };
        let matrix = tied.matrix(Metric::Dot, simd);
        let refused = |matrix: MatrixView<'_>, given: &[usize], start| {
            k_center(matrix, &Request::new(matrix.len(), 1, given).unwrap(), start, &Unwatched).unwrap_err()
        };
        assert!(refused(matrix.view(), &[], None).to_string().contains("not dot"));
        let matrix = tied.matrix(Metric::SquaredEuclidean, simd);
        assert_eq!(refused(matrix.view(), &[], Some(3)), Error::NoSuchRow { row: 3, n: 3 });
        assert!(refused(matrix.view(), &[1], Some(0)).to_string().contains("start row"));
    }
}
