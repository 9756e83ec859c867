//! Graph cut: rows that are like many rows and unlike each other.

use rayon::prelude::*;

use super::similarities::{Greedy, Similarities, SimilarityOptions, pick};
use super::{Objective, Request};
use crate::blocks;
use crate::control::OffsetProgress;
use crate::matrix::MatrixView;
use crate::{Control, Error};

/// Picks greedily for `f(S) = weight x sum over rows i and s in S of sim(i, s) - sum over s and t in S of sim(s, t)`,
/// where `sim(i, j) = max(0, <x_i, x_j>)` with canonical dot products.
///
/// Up to `dense_limit` rows all pairs are held; above it only those along the edges of the neighbour graph, and all
/// others count as 0. Gains may be negative: then the row that loses least is picked.
///
/// # Errors
/// [`Error::Argument`] for a weight below 0 or not finite; otherwise as [`super::facility_location`].
pub fn graph_cut(
    matrix: MatrixView<'_>,
    weight: f64,
    request: &Request<'_>,
    options: SimilarityOptions<'_>,
    control: &impl Control,
) -> Result<Greedy, Error> {
    if !(0.0..=1e6).contains(&weight) {
        return Err(Error::Argument { what: format!("lambda must be from 0 to a million, not {weight}") });
    }
    let cut = |control: &OffsetProgress<'_, _>| {
        let (similarities, recall) = Similarities::build(matrix, options, control)?;
        Ok((Cut::new(similarities, weight)?, recall))
    };
    pick("graph cut", matrix, request, options, cut, control)
}

/// What each row is worth, and what it has lost of that.
///
/// Losses are sums of non-negative terms that only grow, so that computed gains never rise.
struct Cut {
    similarities: Similarities,
    /// The weight times the row's similarities to all rows.
    worth: Vec<f64>,
    /// The row's similarity to itself, and twice those to the rows in the set.
    lost: Vec<f64>,
}

impl Cut {
    fn new(similarities: Similarities, weight: f64) -> Result<Self, Error> {
        let rows = similarities.rows();
        let floors = blocks::zeroed(rows)?;
        let mut worth = blocks::zeroed(rows)?;
        worth.par_iter_mut().enumerate().for_each(|(row, worth)| {
            *worth = weight * similarities.above(row, &floors);
        });
        let mut lost = blocks::zeroed(rows)?;
        (0..rows).for_each(|row| lost[row] = f64::from(similarities.own(row)));
        Ok(Self { similarities, worth, lost })
    }
}

impl Objective for Cut {
    fn rows(&self) -> usize {
        self.worth.len()
    }

    fn gain(&self, row: usize) -> f64 {
        self.worth[row] - self.lost[row]
    }

    fn commit(&mut self, row: usize) {
        self.similarities
            .update(row, &mut self.lost, |lost, similarity| *lost += 2.0 * f64::from(similarity));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::similarities::{Method, Search};
    use super::super::{Selection, optimizer};
    use super::*;
    use crate::simd::Simd;
    use crate::testing::{RequestCase, THREADS, Tied, real_rows, request_cases, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    const DENSE: SimilarityOptions<'_> =
        SimilarityOptions { neighbours: 64, dense_limit: usize::MAX, search: Search::Exhaustive };

    fn value(rows: usize, set: &[usize], weight: f64, along_edges: &impl Fn(usize, usize) -> f64) -> f64 {
        let all: f64 = (0..rows).flat_map(|row| set.iter().map(move |&s| along_edges(row, s))).sum();
        let own: f64 = set.iter().flat_map(|&s| set.iter().map(move |&t| along_edges(s, t))).sum();
        weight * all - own
    }

    /// The definition: the row by which the value of the whole set rises most, the lowest of equal ones.
    fn by_hand(
        tied: &Tied,
        case: &RequestCase,
        weight: f64,
        edge: impl Fn(usize, usize) -> bool,
    ) -> Selection {
        let along_edges = |a, b| if edge(a, b) { tied.dot(a, b).max(0.0) } else { 0.0 };
        let rows = tied.rows();
        let mut selection = Selection::default();
        let mut set = case.preselected.clone();
        while !case.candidates(&set).is_empty() {
            let before = value(rows, &set, weight, &along_edges);
            let gain = |row: usize| value(rows, &[&set[..], &[row]].concat(), weight, &along_edges) - before;
            let gains = case.candidates(&set).into_iter().map(|row| (gain(row), row));
            let (gain, row) = gains.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))).unwrap();
            selection.push(row, gain);
            set.push(row);
        }
        selection
    }

    fn cases() -> impl Strategy<Value = (Tied, RequestCase, f64)> {
        // Weights of which all sums are exact.
        let weight = prop::sample::select(vec![0.0, 0.5, 1.0, 2.0, 20.0]);
        Tied::up_to(24).prop_flat_map(move |tied| {
            let rows = tied.rows();
            (Just(tied), request_cases(rows), weight.clone())
        })
    }

    fn run(
        matrix: MatrixView<'_>,
        weight: f64,
        request: &Request<'_>,
        options: SimilarityOptions<'_>,
        threads: usize,
    ) -> Greedy {
        with_threads(threads, || graph_cut(matrix, weight, request, options, &Unwatched)).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn dense_picks_what_greedy_means((tied, case, weight) in cases()) {
            let expected = by_hand(&tied, &case, weight, |_, _| true);
            let request = case.request(tied.rows());
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::Dot, simd);
                for threads in THREADS {
                    let found = run(matrix.view(), weight, &request, DENSE, threads);
                    prop_assert_eq!(found.method, Method::Dense);
                    prop_assert_eq!(&found.selection, &expected);
                }
            }
        }

        #[test]
        fn the_graph_picks_what_greedy_on_its_edges_means(
            (tied, case, weight) in cases(),
            neighbours in prop::sample::select(vec![1usize, 2, 5, 64]),
        ) {
            let n = tied.rows();
            let edge = tied.nearest_edges(neighbours);
            let expected = by_hand(&tied, &case, weight, edge);
            let request = case.request(n);
            let options = SimilarityOptions { neighbours, dense_limit: 0, search: Search::Exhaustive };
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::Dot, simd);
                for threads in THREADS {
                    let found = run(matrix.view(), weight, &request, options, threads);
                    prop_assert_eq!(found.method, if n == 0 { Method::Dense } else { Method::Graph });
                    prop_assert_eq!(&found.selection, &expected);
                }
            }
        }
    }

    #[test]
    fn lazy_equals_plain_over_the_whole_ranking_on_every_instruction_set() {
        let rows = 700;
        let request = Request::new(rows, rows - 2, &[17, 3]).unwrap();
        for dense_limit in [usize::MAX, 0] {
            let options = SimilarityOptions { neighbours: 8, dense_limit, search: Search::Exhaustive };
            let mut expected = None;
            for simd in Simd::available() {
                let matrix = Matrix::unit(real_rows(rows, 37, 11), 37, simd, &Unwatched).unwrap();
                let (similarities, _) = Similarities::build(matrix.view(), options, &Unwatched).unwrap();
                let mut cut = Cut::new(similarities, 0.3).unwrap();
                let plain = optimizer::plain(&mut cut, &request, &Unwatched).unwrap();
                assert_eq!(expected.get_or_insert_with(|| plain.clone()), &plain, "{}", simd.name());
                for threads in THREADS {
                    assert_eq!(run(matrix.view(), 0.3, &request, options, threads).selection, plain);
                }
            }
        }
    }

    #[test]
    fn gains_are_what_the_objective_rises_by() {
        let rows = 300;
        let matrix = Matrix::unit(real_rows(rows, 37, 11), 37, Simd::active().unwrap(), &Unwatched).unwrap();
        let view = matrix.view();
        let found = run(view, 0.5, &Request::new(rows, 60, &[]).unwrap(), DENSE, 2).selection;
        let similarity = |a: usize, b: usize| {
            let pairs = view.rows.row(a).iter().zip(view.rows.row(b));
            pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>().max(0.0)
        };
        for pick in [0, 1, 10, 59] {
            let value = |count: usize| value(rows, &found.rows[..count], 0.5, &similarity);
            let rise = value(pick + 1) - value(pick);
            assert!((found.gains[pick] - rise).abs() < 1e-3, "{}: {rise}", found.gains[pick]);
        }
        assert!(found.gains.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn bad_arguments_are_refused() {
        let tied = Tied { data: vec![0.0, 1.0, 2.0], width: 1 };
        let request = Request::new(3, 1, &[]).unwrap();
        let refused = |metric, weight| {
            let matrix = tied.matrix(metric, Simd::active().unwrap());
            graph_cut(matrix.view(), weight, &request, DENSE, &Unwatched).unwrap_err().to_string()
        };
        assert!(refused(Metric::SquaredEuclidean, 1.0).starts_with("graph cut needs a similarity"));
        for weight in [-0.1, f64::NAN, f64::INFINITY, 1e7] {
            assert!(refused(Metric::Dot, weight).starts_with("lambda must be from 0 to a million"));
        }
    }
}
