//! Facility location: rows that represent all rows.

mod all_pairs;
mod coverage;

use super::Request;
use super::similarities::{Greedy, Method, Similarities, SimilarityOptions, pick};
use crate::control::OffsetProgress;
use crate::matrix::MatrixView;
use crate::{Control, Error};
use all_pairs::AllPairs;
use coverage::Coverage;

/// Picks greedily for `f(S) = sum over rows i of max over s in S of max(0, <x_i, x_s>)`, with canonical dot
/// products.
///
/// Up to `dense_limit` rows upper bounds of all pairs are held and the picks are the exact greedy ones, within
/// `1 - 1/e` of the best set (Nemhauser, Wolsey and Fisher 1978). Above it each row is served only by its graph
/// neighbours, and its coverage starts at 0.9 times the similarity of its last neighbour; the gains are those of
/// that restricted function and understate `f`.
///
/// # Errors
/// [`Error::Argument`] for [`crate::Metric::SquaredEuclidean`], which is no similarity, and for no neighbours;
/// the errors of [`super::Search`]; [`Error::OutOfMemory`]; or what `control` stops with. Progress counts rows
/// and then picks.
pub fn facility_location(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    options: SimilarityOptions<'_>,
    control: &impl Control,
) -> Result<Greedy, Error> {
    let name = "facility location";
    match options.method(matrix) {
        Method::Dense => {
            let all_pairs = |control: &OffsetProgress<'_, _>| {
                Ok((AllPairs::new(matrix, request.preselected(), control)?, 1.0))
            };
            pick(name, matrix, request, options, all_pairs, control)
        }
        Method::Graph => {
            let coverage = |control: &OffsetProgress<'_, _>| {
                let (similarities, recall) = Similarities::build(matrix, options, control)?;
                Ok((Coverage::new(similarities)?, recall))
            };
            pick(name, matrix, request, options, coverage, control)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::similarities::Search;
    use super::super::{Objective, Selection, optimizer};
    use super::*;
    use crate::simd::Simd;
    use crate::testing::{RequestCase, THREADS, Tied, real_rows, request_cases, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    /// The definition over exact similarities along `edge` alone, with coverage from `floor`.
    fn by_hand(
        tied: &Tied,
        case: &RequestCase,
        edge: impl Fn(usize, usize) -> bool,
        floor: impl Fn(usize) -> f32,
    ) -> Selection {
        let clients = 0..tied.rows();
        let along_edges =
            |client, row| if edge(client, row) { tied.dot(client, row).max(0.0) as f32 } else { 0.0 };
        let mut cover: Vec<f32> = clients.clone().map(floor).collect();
        let mut selection = Selection::default();
        let mut set = case.preselected.clone();
        let cover_by = |cover: &mut Vec<f32>, row: usize| {
            clients.clone().for_each(|client| cover[client] = cover[client].max(along_edges(client, row)));
        };
        set.iter().for_each(|&row| cover_by(&mut cover, row));
        let best = |set: &[usize], cover: &[f32]| {
            let gain = |row| {
                clients.clone().map(|at| f64::from((along_edges(at, row) - cover[at]).max(0.0))).sum::<f64>()
            };
            let candidates = case.candidates(set).into_iter().map(|row| (gain(row), row));
            candidates.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
        };
        while let Some((gain, row)) = best(&set, &cover) {
            selection.push(row, gain);
            set.push(row);
            cover_by(&mut cover, row);
        }
        selection
    }

    fn cases(max: usize) -> impl Strategy<Value = (Tied, RequestCase)> {
        Tied::up_to(max).prop_flat_map(|tied| (Just(tied.clone()), request_cases(tied.rows())))
    }

    fn run(
        matrix: MatrixView<'_>,
        request: &Request<'_>,
        options: SimilarityOptions<'_>,
        threads: usize,
    ) -> Greedy {
        with_threads(threads, || facility_location(matrix, request, options, &Unwatched)).unwrap()
    }

    fn coverage(matrix: MatrixView<'_>, options: SimilarityOptions<'_>) -> Coverage {
        Coverage::new(Similarities::build(matrix, options, &Unwatched).unwrap().0).unwrap()
    }

    const DENSE: SimilarityOptions<'_> =
        SimilarityOptions { neighbours: 64, dense_limit: usize::MAX, search: Search::Exhaustive };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn dense_picks_what_greedy_means((tied, case) in cases(40)) {
            let expected = by_hand(&tied, &case, |_, _| true, |_| 0.0);
            let request = case.request(tied.rows());
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::Dot, simd);
                for threads in THREADS {
                    let found = run(matrix.view(), &request, DENSE, threads);
                    prop_assert_eq!(found.method, Method::Dense);
                    prop_assert_eq!(&found.selection, &expected);
                }
            }
        }

        #[test]
        fn the_graph_picks_what_greedy_on_its_edges_means(
            (tied, case) in cases(40),
            neighbours in prop::sample::select(vec![1usize, 2, 5, 64]),
        ) {
            let n = tied.rows();
            let lists = tied.nearest(neighbours);
            let edge = tied.nearest_edges(neighbours);
            let floor = |row: usize| 0.9 * tied.dot(row, *lists[row].last().unwrap()).max(0.0) as f32;
            let expected = by_hand(&tied, &case, edge, floor);
            let request = case.request(n);
            let options = SimilarityOptions { neighbours, dense_limit: 0, search: Search::Exhaustive };
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::Dot, simd);
                for threads in THREADS {
                    let found = run(matrix.view(), &request, options, threads);
                    prop_assert_eq!(found.method, if n == 0 { Method::Dense } else { Method::Graph });
                    prop_assert_eq!(&found.selection, &expected);
                }
            }
        }
    }

    fn unit(rows: usize, simd: Simd) -> Matrix<Vec<f32>> {
        Matrix::unit(real_rows(rows, 37, 11), 37, simd, &Unwatched).unwrap()
    }

    #[test]
    fn bits_depend_on_neither_threads_nor_instructions() {
        // More rows than a block of clients, a panel and a block of columns.
        let rows = 4300;
        for dense_limit in [usize::MAX, 0] {
            let options = SimilarityOptions { neighbours: 8, dense_limit, search: Search::Exhaustive };
            let picks = |simd, threads| {
                let matrix = unit(rows, simd);
                let request = Request::new(rows, 40, &[17, 3]).unwrap();
                let found = run(matrix.view(), &request, options, threads).selection;
                (found.rows, found.gains.iter().map(|gain| gain.to_bits()).collect::<Vec<_>>())
            };
            let expected = picks(Simd::active().unwrap(), 1);
            for simd in Simd::available() {
                assert_eq!(picks(simd, 3), expected, "{}", simd.name());
            }
        }
    }

    #[test]
    fn gains_are_what_the_objective_rises_by() {
        let rows = 700;
        let matrix = unit(rows, Simd::active().unwrap());
        let view = matrix.view();
        let found = run(view, &Request::new(rows, 50, &[]).unwrap(), DENSE, 2).selection;
        let value = |set: &[usize]| -> f64 {
            let similarity = |client: usize, row: usize| {
                let pairs = view.rows.row(client).iter().zip(view.rows.row(row));
                pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>().max(0.0)
            };
            (0..rows).map(|client| set.iter().map(|&row| similarity(client, row)).fold(0.0, f64::max)).sum()
        };
        for pick in [0, 1, 10, 49] {
            let rise = value(&found.rows[..=pick]) - value(&found.rows[..pick]);
            assert!(
                (found.gains[pick] - rise).abs() < 1e-3,
                "pick {pick}: {} is not {rise}",
                found.gains[pick]
            );
        }
    }

    #[test]
    fn lazy_equals_plain_over_the_whole_ranking() {
        let rows = 600;
        let matrix = unit(rows, Simd::active().unwrap());
        let request = Request::new(rows, rows, &[]).unwrap();
        for dense_limit in [usize::MAX, 0] {
            let options = SimilarityOptions { neighbours: 8, dense_limit, search: Search::Exhaustive };
            let mut objective = coverage(matrix.view(), options);
            let expected = optimizer::plain(&mut objective, &request, &Unwatched).unwrap();
            assert_eq!(run(matrix.view(), &request, options, 2).selection, expected);
        }
    }

    #[test]
    fn the_graph_nearly_reaches_the_dense_value() {
        let rows = 3000;
        // Clustered rows: 60 centres with noise.
        let (centres, noise) = (real_rows(60, 24, 1), real_rows(rows, 24, 2));
        let data = (0..rows * 24).map(|at| centres[at / 24 % 60 * 24 + at % 24] + 0.5 * noise[at]).collect();
        let matrix = Matrix::unit(data, 24, Simd::active().unwrap(), &Unwatched).unwrap();
        let request = Request::new(rows, 150, &[]).unwrap();
        let dense = run(matrix.view(), &request, DENSE, 2).selection;
        let graph = run(
            matrix.view(),
            &request,
            SimilarityOptions { neighbours: 64, dense_limit: 0, search: Search::Exhaustive },
            2,
        )
        .selection;
        let value = |set: &[usize]| {
            let mut objective = coverage(matrix.view(), DENSE);
            let gains = set.iter().map(|&row| {
                let gain = objective.gain(row);
                objective.commit(row);
                gain
            });
            gains.sum::<f64>()
        };
        let ratio = value(&graph.rows) / value(&dense.rows);
        assert!(ratio > 0.99, "the graph reaches {ratio} of the dense value");
    }

    /// Counts in units of the whole, and stops when all similarities are there.
    struct UntilPicks(u64);

    impl Control for UntilPicks {
        fn tick(&self, done: u64, total: u64) -> Result<(), Error> {
            assert_eq!(total, 310);
            if done > self.0 { Err(Error::Interrupted) } else { Ok(()) }
        }
    }

    #[test]
    fn control_counts_rows_then_picks() {
        let matrix = unit(300, Simd::active().unwrap());
        let request = Request::new(300, 10, &[]).unwrap();
        for options in
            [DENSE, SimilarityOptions { neighbours: 4, dense_limit: 0, search: Search::Exhaustive }]
        {
            for (stop, stopped) in [(0, true), (304, true), (310, false)] {
                let found = facility_location(matrix.view(), &request, options, &UntilPicks(stop));
                assert_eq!(found.err(), stopped.then_some(Error::Interrupted));
            }
        }
    }

    /// Must not be called.
    struct Deaf;

    impl Control for Deaf {
        fn tick(&self, _done: u64, _total: u64) -> Result<(), Error> {
            Err(Error::Interrupted)
        }
    }

    #[test]
    fn no_picks_need_no_similarities() {
        let matrix = unit(300, Simd::active().unwrap());
        let request = Request::new(300, 0, &[1]).unwrap();
        let found = facility_location(matrix.view(), &request, DENSE, &Deaf).unwrap();
        assert_eq!((found.selection, found.method), (Selection::default(), Method::Dense));
    }

    #[test]
    fn bad_arguments_are_refused() {
        let simd = Simd::active().unwrap();
        let tied = Tied { data: vec![0.0, 1.0, 2.0], width: 1 };
        let request = Request::new(3, 1, &[]).unwrap();
        let matrix = tied.matrix(Metric::SquaredEuclidean, simd);
        let refused = facility_location(matrix.view(), &request, DENSE, &Unwatched).unwrap_err();
        assert!(refused.to_string().contains("not sqeuclidean"));
        let matrix = tied.matrix(Metric::Dot, simd);
        let options = SimilarityOptions { neighbours: 0, dense_limit: 0, search: Search::Exhaustive };
        assert!(matches!(
            facility_location(matrix.view(), &request, options, &Unwatched),
            Err(Error::Argument { .. })
        ));
    }
}
