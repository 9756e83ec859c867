//! Target matching: the rows nearest to a set of queries (Ivison et al. 2025, RDS+).

mod best;
mod lists;
mod mean;
mod plain;
mod turns;

use super::distance_metric::DistanceMetric;
use super::flat_index::FlatIndex;
use super::{Candidates, Request, Selection, rank};
use crate::matrix::MatrixView;
use crate::{Control, Error};

/// What makes a row near to a set of queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Each query row in turn takes the nearest candidate.
    RoundRobin,
    /// The nearest query counts.
    Max,
    /// The mean over the queries counts.
    Mean,
}

/// The rows that match, and the query row that each matches.
#[derive(Debug, Clone, Default)]
pub struct Matched {
    /// The rows. The gain of each is the similarity (squared distance for [`crate::Metric::SquaredEuclidean`]) by which
    /// it was picked.
    pub selection: Selection,
    /// The query row of each; none under [`Rule::Mean`].
    pub queries: Option<Vec<usize>>,
    /// How many pairs of a row and a query were compared, at any precision; the same on every machine. Under
    /// [`Rule::Mean`] the mean is the only query.
    pub evaluations: u64,
}

/// Picks the rows nearest to `queries`, by canonical similarity or squared distance; the lowest of equal rows, and the
/// lowest of equal queries.
///
/// [`Rule::Max`] picks by (nearness to the nearest query, row ascending). [`Rule::Mean`] picks by nearness to the mean
/// of the queries (float64 sums in query order, rounded to float32), which ranks rows as the mean of the similarities
/// does; under [`crate::Metric::SquaredEuclidean`] the gain is that squared distance and the mean one from the queries
/// to their mean. [`Rule::RoundRobin`] lets the query rows take candidates in turn. Preselected and excluded rows are
/// not picked.
///
/// Cost: rows x queries x dimensions multiply-adds in int16, rows x dimensions under [`Rule::Mean`]; under
/// [`Rule::RoundRobin`] again for query rows that lose so many candidates to others that their lists end, which then
/// become twice as long. 4 x rows bytes, and 8 for each entry of a list: about twice picks / queries of each query.
///
/// # Errors
/// [`Error::Shape`] where there are no queries or they have another width, [`Error::Argument`] where they were made for
/// another metric; [`Error::OutOfMemory`]; or what `control` stops with.
pub fn target_match(
    matrix: MatrixView<'_>,
    queries: MatrixView<'_>,
    rule: Rule,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Matched, Error> {
    check(matrix, queries)?;
    match rule {
        _ if request.count() == 0 => Ok(Matched::empty(rule)),
        Rule::RoundRobin => turns::matched(matrix, queries, turns::Sizes::USUAL, request, control),
        Rule::Max => best::matched(matrix, queries, request, control),
        Rule::Mean => mean::matched(matrix, queries, request, control),
    }
}

/// The definition of [`target_match`], to which it is equal: all pairs, and sorted lists of all rows.
///
/// # Errors
/// As [`target_match`].
pub fn target_match_plain(
    matrix: MatrixView<'_>,
    queries: MatrixView<'_>,
    rule: Rule,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Matched, Error> {
    check(matrix, queries)?;
    plain::matched(matrix, queries, rule, request, control)
}

fn check(matrix: MatrixView<'_>, queries: MatrixView<'_>) -> Result<(), Error> {
    if queries.is_empty() {
        return Err(Error::Argument { what: "there must be at least one query".into() });
    }
    let (expected, got) = (matrix.rows.width(), queries.rows.width());
    if expected != got {
        return Err(Error::Shape { what: "the number of dimensions of a query", expected, got });
    }
    if matrix.metric != queries.metric {
        return Err(Error::Argument { what: "the queries must be compared as the rows are".into() });
    }
    Ok(())
}

impl Matched {
    fn empty(rule: Rule) -> Self {
        Self { queries: (rule != Rule::Mean).then(Vec::new), ..Self::default() }
    }

    fn push(&mut self, metric: DistanceMetric, distance: f32, row: u32, query: usize) {
        self.selection.push(row as usize, f64::from(metric.value(distance)));
        self.queries.get_or_insert_default().push(query);
    }
}

/// A row by its distance, with the sign turned: the nearest is the greatest, the lowest row of equals.
type Rank = rank::Rank<f32>;

fn rank(distance: f32, row: usize) -> Rank {
    Rank { key: 0.0 - distance, row: row as u32 }
}

/// The `k` greatest, the greatest first.
fn greatest(mut ranks: Vec<Rank>, k: usize) -> Vec<Rank> {
    if (1..ranks.len()).contains(&k) {
        ranks.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
    }
    ranks.truncate(k);
    ranks.sort_unstable_by(|a, b| b.cmp(a));
    ranks
}

/// How many of so many ranked rows are enough to find those to pick: all where limits may not admit some.
fn enough(candidates: &Candidates<'_>, ranked: usize) -> usize {
    if candidates.is_limited() { ranked } else { candidates.remaining() }
}

/// Picks a row, unless there are enough picks or the limits do not admit it; returns whether it is picked.
fn picked(candidates: &mut Candidates<'_>, best: Rank) -> bool {
    let row = best.row as usize;
    let admissible = !candidates.is_done() && candidates.contains(row);
    if admissible {
        candidates.pick(row);
    }
    admissible
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{RequestCase, THREADS, Tied, real_rows, request_cases, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    const RULES: [Rule; 3] = [Rule::RoundRobin, Rule::Max, Rule::Mean];

    type Bits = (Vec<usize>, Vec<u64>, Option<Vec<usize>>);

    fn bits(found: &Matched) -> Bits {
        let gains = found.selection.gains.iter().map(|gain| gain.to_bits()).collect();
        (found.selection.rows.clone(), gains, found.queries.clone())
    }

    /// Every way to match: the definition, and for turns lists that end soon and chunks of several sizes.
    fn all_ways(
        matrix: MatrixView<'_>,
        queries: MatrixView<'_>,
        rule: Rule,
        request: &Request<'_>,
    ) -> Vec<Matched> {
        let mut ways = vec![
            target_match_plain(matrix, queries, rule, request, &Unwatched).unwrap(),
            target_match(matrix, queries, rule, request, &Unwatched).unwrap(),
        ];
        if rule == Rule::RoundRobin && request.count() > 0 {
            for sizes in [turns::Sizes { list: 1, chunk: 3 }, turns::Sizes { list: 2, chunk: 50 }] {
                ways.push(turns::matched(matrix, queries, sizes, request, &Unwatched).unwrap());
            }
        }
        ways
    }

    /// The definition, with exact numbers: what is nearer is greater.
    fn by_hand(
        tied: &Tied,
        queries: usize,
        metric: Metric,
        rule: Rule,
        case: &RequestCase,
    ) -> (Vec<usize>, Vec<f64>) {
        // The first rows are the queries.
        let near = |row: usize, query: usize| match metric {
            Metric::SquaredEuclidean => -tied.squared_distance(row, query),
            _ => tied.dot(row, query),
        };
        // Adding +0 turns -0 into +0, which the order would tell apart.
        let score = |row: usize, turn: usize| {
            0.0 + match rule {
                Rule::RoundRobin => near(row, turn % queries),
                Rule::Max => (0..queries).map(|query| near(row, query)).fold(f64::NEG_INFINITY, f64::max),
                Rule::Mean => (0..queries).map(|query| near(row, query)).sum::<f64>() / queries as f64,
            }
        };
        let mut set = case.preselected.clone();
        let (mut rows, mut gains) = (Vec::new(), Vec::new());
        for turn in 0..case.count {
            let best = |a: &usize, b: &usize| score(*a, turn).total_cmp(&score(*b, turn)).then(b.cmp(a));
            let Some(pick) = case.candidates(&set).into_iter().max_by(best) else { break };
            set.push(pick);
            rows.push(pick);
            gains.push(score(pick, turn) * if metric == Metric::Dot { 1.0 } else { -1.0 } + 0.0);
        }
        (rows, gains)
    }

    fn cases() -> impl Strategy<Value = (Tied, RequestCase, usize)> {
        Tied::up_to(60).prop_filter("queries are rows", |tied| tied.rows() > 0).prop_flat_map(|tied| {
            let powers = (0..=tied.rows().ilog2()).map(|power| 1 << power).collect::<Vec<usize>>();
            (Just(tied.clone()), request_cases(tied.rows()), prop::sample::select(powers))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn picks_by_the_rule((tied, case, queries) in cases(), distance: bool) {
            let metric = if distance { Metric::SquaredEuclidean } else { Metric::Dot };
            let request = case.request(tied.rows());
            let query_rows = Tied { data: tied.data[..queries * tied.width].to_vec(), width: tied.width };
            for rule in RULES {
                // A power of two of queries: their mean and all distances from it are exact.
                let (rows, gains) = by_hand(&tied, queries, metric, rule, &case);
                for simd in Simd::available() {
                    let (matrix, query_rows) = (tied.matrix(metric, simd), query_rows.matrix(metric, simd));
                    for threads in THREADS {
                        let ways = with_threads(threads, || all_ways(matrix.view(), query_rows.view(), rule, &request));
                        for found in &ways {
                            prop_assert_eq!(&found.selection.rows, &rows);
                            prop_assert_eq!(&found.selection.gains, &gains);
                            prop_assert_eq!(bits(found), bits(&ways[0]));
                        }
                    }
                }
            }
        }

        #[test]
        fn real_rows_and_near_copies(
            rows in 1usize..900, queries in 1usize..70, width in 1usize..40, seed: u64, repeat in 1usize..200,
            metric in 0usize..3,
        ) {
            let mut data = real_rows(rows, width, seed);
            for row in (repeat..rows).filter(|row| row % 3 == 0) {
                data.copy_within((row - repeat) * width..(row - repeat + 1) * width, row * width);
            }
            let mut query_rows = real_rows(queries, width, !seed);
            query_rows[..width].copy_from_slice(&data[..width]);
            let metric = [Metric::Cosine, Metric::Dot, Metric::SquaredEuclidean][metric];
            let make = |data: &[f32], simd| match metric {
                Metric::Cosine => Matrix::unit(data.to_vec(), width, simd, &Unwatched).unwrap(),
                _ => Matrix::raw(data.to_vec(), width, metric, simd, &Unwatched).unwrap(),
            };
            let excluded = [rows - 1];
            let request = Request::with_excluded(rows, rows / 2, &[], &excluded[..rows % 2]).unwrap();
            for rule in RULES {
                let mut expected = None;
                for simd in Simd::available() {
                    let (matrix, query_rows) = (make(&data, simd), make(&query_rows, simd));
                    let ways = with_threads(2, || all_ways(matrix.view(), query_rows.view(), rule, &request));
                    for found in &ways {
                        prop_assert_eq!(bits(found), bits(&ways[0]));
                    }
                    let counted = (bits(&ways[0]), ways[1].evaluations);
                    prop_assert_eq!(&counted, expected.get_or_insert(counted.clone()));
                }
            }
        }
    }

    #[test]
    fn queries_near_the_same_rows_take_turns() {
        let (rows, width) = (3000, 5);
        let simd = Simd::active().unwrap();
        let matrix = Matrix::unit(real_rows(rows, width, 1), width, simd, &Unwatched).unwrap();
        let queries = Matrix::unit(real_rows(1, width, 2).repeat(40), width, simd, &Unwatched).unwrap();
        let request = Request::new(rows, 1000, &[]).unwrap();
        let matched = |rule| target_match(matrix.view(), queries.view(), rule, &request, &Unwatched).unwrap();
        let (turns, best) = (matched(Rule::RoundRobin), matched(Rule::Max));
        assert_eq!(turns.selection, best.selection);
        assert_eq!(turns.queries.unwrap()[..41], (0..40).chain([0]).collect::<Vec<_>>());
        assert_eq!(best.queries.unwrap(), [0; 1000]);
        let plain = target_match_plain(matrix.view(), queries.view(), Rule::RoundRobin, &request, &Unwatched);
        assert_eq!(turns.selection, plain.unwrap().selection);
        // Lists twice as long each time: the rows are searched a few times, not once for each list that ends.
        assert!(turns.evaluations < 8 * (rows * 40) as u64, "{}", turns.evaluations);
    }

    #[test]
    fn more_near_ties_than_a_list_holds() {
        let (rows, width) = (6000, 5);
        let mut data = vec![1.0; rows * width];
        data.chunks_mut(width).enumerate().for_each(|(row, x)| x[0] += (row % 7) as f32 * 1e-6);
        let simd = Simd::active().unwrap();
        let matrix = Matrix::unit(data, width, simd, &Unwatched).unwrap();
        let queries = Matrix::unit(vec![1.0; 3 * width], width, simd, &Unwatched).unwrap();
        let request = Request::new(rows, 20, &[]).unwrap();
        for rule in RULES {
            let ways = all_ways(matrix.view(), queries.view(), rule, &request);
            assert!(ways.iter().all(|found| bits(found) == bits(&ways[0])));
        }
    }

    #[test]
    fn bad_queries_are_refused() {
        let simd = Simd::active().unwrap();
        let tied = Tied { data: vec![0.0, 1.0, 2.0], width: 1 };
        let matrix = tied.matrix(Metric::Dot, simd);
        let request = Request::new(3, 1, &[]).unwrap();
        let refused = |queries: &Tied, metric| {
            let queries = queries.matrix(metric, simd);
            target_match(matrix.view(), queries.view(), Rule::Max, &request, &Unwatched)
                .unwrap_err()
                .to_string()
        };
        assert!(refused(&Tied { data: vec![], width: 1 }, Metric::Dot).contains("at least one query"));
        let wide = Tied { data: vec![0.0; 4], width: 2 };
        assert!(refused(&wide, Metric::Dot).contains("dimensions of a query must be 1, not 2"));
        assert!(refused(&tied, Metric::SquaredEuclidean).contains("compared as the rows are"));
    }
}
