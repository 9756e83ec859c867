//! BADGE (Ash et al. 2020, arXiv 1906.03671): a batch of rows that a classifier is uncertain of and that differ, drawn by
//! D2 sampling from the gradients that its last layer would have if its own prediction were right.
//!
//! Of a row with error `r = p - onehot(argmax p)` over the classes and last hidden vector `h` that gradient is the
//! outer product `r h^T`, with classes x width numbers. None is ever made: the products of outer products are products
//! of products, so that `|g_x - g_y|^2 = |r_x|^2 |h_x|^2 + |r_y|^2 |h_y|^2 - 2 <r_x, r_y> <h_x, h_y>`.

use super::d2::{FirstPick, Pairs, of_pairs, of_pairs_plain};
use super::{Counted, Request, Selection};
use crate::matrix::MatrixView;
use crate::{Control, Error, blocks, metric};

/// Rows whose lengths one task computes.
const PART: usize = 1024;

/// The gradients of rows, in two factors.
struct Gradients<'a> {
    errors: MatrixView<'a>,
    hidden: MatrixView<'a>,
    /// The squared length of each.
    squares: Vec<f32>,
}

impl<'a> Gradients<'a> {
    fn new(errors: MatrixView<'a>, hidden: MatrixView<'a>, control: &impl Control) -> Result<Self, Error> {
        if errors.len() != hidden.len() {
            return Err(Error::Shape {
                what: "the number of rows with errors",
                expected: hidden.len(),
                got: errors.len(),
            });
        }
        blocks::check_countable(hidden.len())?;
        let mut found = Self { errors, hidden, squares: Vec::new() };
        let mut squares: Vec<f32> = blocks::zeroed(hidden.len())?;
        blocks::fill(&mut squares, 1, PART, control, |first, part| {
            for (row, square) in (first as u32..).zip(part) {
                *square = found.product(row, row) as f32;
                // Of two gradients the squared distance is at most four times the larger square.
                if *square > f32::MAX / 4.0 {
                    return Err(Error::TooLarge { row: row as usize });
                }
            }
            Ok(())
        })?;
        found.squares = squares;
        Ok(found)
    }

    /// The dot product of two gradients.
    fn product(&self, row: u32, other: u32) -> f64 {
        let (row, other) = (row as usize, other as usize);
        let of = |view: MatrixView<'_>| metric::dot(view.simd, view.rows.row(row), view.rows.row(other));
        f64::from(of(self.errors)) * f64::from(of(self.hidden))
    }
}

impl Pairs for Gradients<'_> {
    fn rows(&self) -> usize {
        self.hidden.len()
    }

    fn distance(&self, row: u32, other: u32) -> f32 {
        // Rounded as a square is, so that equal gradients cancel to 0.
        let product = self.product(row, other) as f32;
        let squares = f64::from(self.squares[row as usize]) + f64::from(self.squares[other as usize]);
        (squares - 2.0 * f64::from(product)).max(0.0) as f32
    }
}

impl FirstPick for Gradients<'_> {
    /// The longest gradient, of equal ones the first in draw order; its gain is its squared length.
    fn of(&self, candidates: impl Iterator<Item = u32> + Clone, _key: u64) -> Option<(u32, f32)> {
        let lengths = candidates.map(|row| (row, self.squares[row as usize]));
        lengths.reduce(|longest, one| if one.1 > longest.1 { one } else { longest })
    }
}

/// Picks rows by BADGE: the first has the longest gradient, each other is drawn with probability in proportion to the
/// squared distance of its gradient from the nearest of the rows picked and preselected before.
///
/// `errors` holds `p - onehot(argmax p)` of each row and `hidden` its vector, compared by products whatever their metric.
/// Squared distances are those of float32 products: what is less than about 1e-6 of the squared lengths is rounding, and
/// never below 0; equal rows have 0. The gain of a pick is that distance, of a first pick with nothing preselected its
/// squared length. When all others repeat a row of the set, or all predictions are certain, the lowest unpicked row
/// follows, with gain 0.
///
/// `key` decides all draws, which fall on the rows by their places in `order`, or by their numbers without it. Cost: about
/// ((picks + preselected)^2 + rows) x (classes + width) multiply-adds, and at worst rows x picks of them; 9 bytes a row
/// beside the two matrices.
///
/// # Errors
/// [`Error::Shape`] where the two have different numbers of rows; [`Error::TooLarge`] for the first row whose gradient
/// leaves the range of float32; of `order`, memory and `control` as [`super::d2`].
pub fn badge(
    (errors, hidden): (MatrixView<'_>, MatrixView<'_>),
    request: &Request<'_>,
    key: u64,
    order: Option<&[u32]>,
    control: &impl Control,
) -> Result<Counted, Error> {
    let gradients = Gradients::new(errors, hidden, control)?;
    of_pairs(&gradients, request, (key, order), &gradients, control)
}

/// The definition of [`badge`], to which it is equal: every pick is compared with every row.
///
/// # Errors
/// As [`badge`].
pub fn badge_plain(
    (errors, hidden): (MatrixView<'_>, MatrixView<'_>),
    request: &Request<'_>,
    key: u64,
    order: Option<&[u32]>,
    control: &impl Control,
) -> Result<Selection, Error> {
    let gradients = Gradients::new(errors, hidden, control)?;
    of_pairs_plain(&gradients, request, (key, order), &gradients, control)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{RequestCase, THREADS, Tied, real_rows, request_cases, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    fn bits(selection: &Selection) -> (Vec<usize>, Vec<u64>) {
        (selection.rows.clone(), selection.gains.iter().map(|gain| gain.to_bits()).collect())
    }

    /// Both factors in whole numbers, with ties, copies and zeros, and a request.
    fn cases() -> impl Strategy<Value = (Tied, Tied, RequestCase)> {
        Tied::up_to(50).prop_flat_map(|hidden| {
            let (rows, width) = (hidden.rows(), 4usize);
            let errors = prop::collection::vec((-1i8..=1).prop_map(f32::from), rows * width);
            (errors, Just(hidden), request_cases(rows))
                .prop_map(move |(data, hidden, case)| (Tied { data, width }, hidden, case))
        })
    }

    /// Checks that both ways, all threads and instruction sets pick the same, and gives the picks.
    fn the_same_everywhere(
        errors: &Tied,
        hidden: &Tied,
        request: &Request<'_>,
        key: u64,
        order: Option<&[u32]>,
    ) -> Selection {
        let mut first: Option<(Selection, u64)> = None;
        for simd in Simd::available() {
            let both = [errors, hidden].map(|one| one.matrix(Metric::Dot, simd));
            let views = (both[0].view(), both[1].view());
            for threads in THREADS {
                let (found, plain) = with_threads(threads, || {
                    let found = badge(views, request, key, order, &Unwatched).unwrap();
                    (found, badge_plain(views, request, key, order, &Unwatched).unwrap())
                });
                let (expected, evaluations) = first.get_or_insert_with(|| (plain.clone(), found.evaluations));
                assert_eq!(bits(&plain), bits(expected));
                assert_eq!(bits(&found.selection), bits(expected));
                assert_eq!(found.evaluations, *evaluations);
            }
        }
        first.unwrap().0
    }

    /// The gradient of a row with all its numbers: what the kernel never makes.
    fn gradient(errors: &Tied, hidden: &Tied, row: usize) -> Vec<f64> {
        let of = |r: f32| hidden.row(row).iter().map(move |&h| f64::from(r) * f64::from(h));
        errors.row(row).iter().flat_map(|&r| of(r)).collect()
    }

    fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn gains_are_those_of_gradients_in_full((errors, hidden, case) in cases(), key: u64) {
            let request = case.request(hidden.rows());
            let found = the_same_everywhere(&errors, &hidden, &request, key, None);
            let gradients: Vec<_> = (0..hidden.rows()).map(|row| gradient(&errors, &hidden, row)).collect();
            let nothing = vec![0.0; errors.width * hidden.width];
            let mut set = case.preselected.clone();
            for (&row, &gain) in found.rows.iter().zip(&found.gains) {
                let candidates = case.candidates(&set);
                prop_assert!(candidates.contains(&row));
                let near = set.iter().map(|&other| squared_distance(&gradients[row], &gradients[other]));
                let length = |row: usize| squared_distance(&gradients[row], &nothing);
                let expected = near.reduce(f64::min).unwrap_or_else(|| {
                    let longest = candidates.iter().map(|&row| length(row)).reduce(f64::max).unwrap();
                    assert_eq!(candidates.iter().find(|&&row| length(row) == longest), Some(&row));
                    longest
                });
                prop_assert_eq!(gain, expected);
                prop_assert!(gain != 0.0 || candidates[0] == row, "row {} repeats the set and is not the lowest", row);
                set.push(row);
            }
            prop_assert!(case.candidates(&set).is_empty());
        }

        #[test]
        fn both_ways_pick_the_same_of_real_rows(
            rows in 1usize..300, classes in 2usize..30, width in 1usize..40, seed: u64, share in 0.0f64..1.0,
            copies in 1usize..5,
        ) {
            let repeated = |width: usize, seed: u64| {
                let data = real_rows(rows, width, seed);
                let of = |row: usize| data[row / copies * width..][..width].to_vec();
                Tied { data: (0..rows).flat_map(of).collect(), width }
            };
            let (errors, hidden) = (repeated(classes, seed), repeated(width, !seed));
            let request = Request::new(rows, (rows as f64 * share) as usize, &[]).unwrap();
            let found = the_same_everywhere(&errors, &hidden, &request, seed, None);
            // A copy of a pick is worth nothing, whatever is rounded.
            let mut seen = std::collections::HashSet::new();
            for (row, gain) in found.rows.iter().zip(&found.gains) {
                let first = seen.insert(row / copies);
                prop_assert!(first || *gain == 0.0, "row {} repeats a pick and has gain {}", row, gain);
            }
        }

        #[test]
        fn rows_follow_their_places_in_the_draw_order(rows in 1usize..400, seed: u64) {
            let hidden = Tied { data: real_rows(rows, 5, seed), width: 5 };
            let errors = Tied { data: real_rows(rows, 3, !seed), width: 3 };
            let mut order: Vec<u32> = (0..rows as u32).collect();
            order.sort_by_key(|&row| crate::rng::keyed_hash(seed, u64::from(row)));
            let moved = |one: &Tied| Tied {
                data: order.iter().flat_map(|&row| one.row(row as usize).to_vec()).collect(),
                width: one.width,
            };
            let request = Request::new(rows, rows.min(30), &[]).unwrap();
            let one = the_same_everywhere(&errors, &hidden, &request, seed, Some(&order));
            let other = the_same_everywhere(&moved(&errors), &moved(&hidden), &request, seed, None);
            let drawn: Vec<usize> = other.rows.iter().map(|&at| order[at] as usize).collect();
            prop_assert_eq!(one.rows, drawn);
        }
    }

    #[test]
    fn rows_are_drawn_in_proportion_to_squared_distances_of_gradients() {
        // Gradients 3, 1 and 2 after the longest, 4: at squared distances 1, 9 and 4.
        let (errors, hidden) =
            (Tied { data: vec![3.0, 1.0, 2.0, 4.0], width: 1 }, Tied { data: vec![1.0; 4], width: 1 });
        let both = [&errors, &hidden].map(|one| one.matrix(Metric::Dot, Simd::active().unwrap()));
        let request = Request::new(4, 2, &[]).unwrap();
        let mut seen = [0; 4];
        with_threads(1, || {
            for key in 0..14_000 {
                let found = badge((both[0].view(), both[1].view()), &request, key, None, &Unwatched).unwrap();
                assert_eq!((found.selection.rows[0], found.selection.gains[0]), (3, 16.0));
                seen[found.selection.rows[1]] += 1;
            }
        });
        // 1,000, 9,000 and 4,000, give or take 4 standard deviations.
        assert!((875..1125).contains(&seen[0]), "{seen:?}");
        assert!((8770..9230).contains(&seen[1]), "{seen:?}");
        assert!((3785..4215).contains(&seen[2]), "{seen:?}");
    }

    #[test]
    fn certain_predictions_follow_in_order() {
        let (errors, hidden) =
            (Tied { data: vec![0.0; 20], width: 2 }, Tied { data: real_rows(10, 3, 1), width: 3 });
        let request = Request::with_excluded(10, 5, &[], &[1]).unwrap();
        let found = the_same_everywhere(&errors, &hidden, &request, 3, None);
        assert_eq!(found.rows, [0, 2, 3, 4, 5]);
        assert!(found.gains.iter().all(|gain| *gain == 0.0));
    }

    #[test]
    fn evenly_spread_rows_take_about_the_square_of_the_picks() {
        let (rows, count) = (20_000, 500);
        let simd = Simd::active().unwrap();
        let matrix = |width, seed| {
            Matrix::raw(real_rows(rows, width, seed), width, Metric::Dot, simd, &Unwatched).unwrap()
        };
        let (errors, hidden) = (matrix(20, 1), matrix(24, 2));
        let request = Request::new(rows, count, &[]).unwrap();
        let found = badge((errors.view(), hidden.view()), &request, 5, None, &Unwatched).unwrap();
        assert!(found.evaluations < (rows + 2 * count * count) as u64, "{}", found.evaluations);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let of = |data: Vec<f32>, width| {
            Matrix::raw(data, width, Metric::Dot, Simd::active().unwrap(), &Unwatched).unwrap()
        };
        let (errors, hidden) = (of(vec![1.0; 4], 2), of(vec![1.0; 3], 1));
        let request = Request::new(3, 1, &[]).unwrap();
        let refused = badge((errors.view(), hidden.view()), &request, 0, None, &Unwatched).unwrap_err();
        assert_eq!(refused, Error::Shape { what: "the number of rows with errors", expected: 3, got: 2 });
        let (errors, hidden) = (of(vec![1.0, 1e15], 1), of(vec![1.0, 1e15], 1));
        let request = Request::new(2, 1, &[]).unwrap();
        let refused = badge((errors.view(), hidden.view()), &request, 0, None, &Unwatched);
        assert_eq!(refused.unwrap_err(), Error::TooLarge { row: 1 });
        let plain = badge_plain((errors.view(), hidden.view()), &request, 0, None, &Unwatched);
        assert_eq!(plain, Err(Error::TooLarge { row: 1 }));
    }
}
