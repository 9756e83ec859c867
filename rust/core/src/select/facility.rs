//! Facility location: rows that represent all rows.

use super::dense::Dense;
use super::graph::{Cells, Graph};
use super::{Request, Selection, optimizer};
use crate::matrix::{MatrixView, Metric};
use crate::{Control, Error};

/// How the similarities are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// All pairs in memory: the exact objective.
    Dense,
    /// A symmetric graph of nearest neighbours.
    Graph,
}

impl Method {
    /// The name that reports show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Graph => "graph",
        }
    }
}

/// When and how the graph replaces all pairs.
#[derive(Debug, Clone, Copy)]
pub struct FacilityOptions<'a> {
    /// Neighbours of a row in the graph, itself included.
    pub neighbours: usize,
    /// Most rows for which all pairs are held (4 x rows^2 bytes).
    pub dense_limit: usize,
    /// Where to look for neighbours; everywhere without it.
    pub cells: Option<Cells<'a>>,
}

impl Default for FacilityOptions<'_> {
    fn default() -> Self {
        Self { neighbours: 64, dense_limit: 20_000, cells: None }
    }
}

/// A selection and how it was found.
#[derive(Debug, Clone)]
pub struct Facility {
    /// The picks; gains are what the objective, as held, rose by.
    pub selection: Selection,
    /// How the similarities were held.
    pub method: Method,
    /// How many gains were computed; picks x rows for the definition.
    pub evaluations: u64,
    /// Which share of the exact neighbours, of a sample of rows, the graph has.
    pub recall: f64,
}

/// Picks greedily for `f(S) = sum over rows i of max over s in S of max(0, <x_i, x_s>)`, with canonical dot
/// products.
///
/// Up to `dense_limit` rows all pairs are held and the picks are the exact greedy ones, within `1 - 1/e` of
/// the best set (Nemhauser, Wolsey and Fisher 1978). Above it each row is served only by its graph
/// neighbours, found among all rows or among those of near cells, and its coverage starts at 0.9 times the similarity of its last neighbour; the
/// gains are those of that restricted function and understate `f`.
///
/// # Errors
/// [`Error::Argument`] for [`Metric::SquaredEuclidean`], which is no similarity, and for no neighbours;
/// [`Error::OutOfMemory`]; or what `control` stops with. It hears rows and then picks as one piece of work.
pub fn facility_location(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    options: FacilityOptions<'_>,
    control: &impl Control,
) -> Result<Facility, Error> {
    if matrix.metric == Metric::SquaredEuclidean {
        return Err(Error::Argument {
            what: "facility location needs a similarity: cosine or dot, not sqeuclidean".into(),
        });
    }
    if options.neighbours == 0 {
        return Err(Error::Argument { what: "the number of neighbours must be at least 1".into() });
    }
    let method = if matrix.len() <= options.dense_limit { Method::Dense } else { Method::Graph };
    let (rows, picks) = (matrix.len() as u64, request.count() as u64);
    let stage = |before| Stage { control, before, total: rows + picks };
    let mut recall = 1.0;
    let (selection, evaluations) = match method {
        _ if picks == 0 => (Selection::default(), 0),
        Method::Dense => optimizer::lazy(&mut Dense::new(matrix, &stage(0))?, request, &stage(rows))?,
        Method::Graph => {
            let mut built = Graph::build(matrix, options.neighbours, options.cells, &stage(0))?;
            recall = built.recall;
            optimizer::lazy(&mut built.graph, request, &stage(rows))?
        }
    };
    Ok(Facility { selection, method, evaluations, recall })
}

/// One stage of a longer piece of work.
struct Stage<'a, C> {
    control: &'a C,
    before: u64,
    total: u64,
}

impl<C: Control> Control for Stage<'_, C> {
    fn tick(&self, done: u64, _total: u64) -> Result<(), Error> {
        self.control.tick(self.before + done, self.total)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Objective;
    use super::*;
    use crate::simd::Simd;
    use crate::testing::{THREADS, Tied, Wishes, real_rows, wishes, with_threads};
    use crate::{Matrix, Unwatched};

    /// The definition over exact similarities, seen only along `edge`, with coverage from `floor`.
    fn by_hand(
        tied: &Tied,
        wishes: &Wishes,
        edge: impl Fn(usize, usize) -> bool,
        floor: impl Fn(usize) -> f32,
    ) -> Selection {
        let clients = 0..tied.rows();
        let seen = |client, row| if edge(client, row) { tied.dot(client, row).max(0.0) as f32 } else { 0.0 };
        let mut cover: Vec<f32> = clients.clone().map(floor).collect();
        let mut selection = Selection::default();
        let mut set = Vec::new();
        let given = &wishes.given;
        while set.len() < given.len() + wishes.count {
            let gain =
                |row| clients.clone().map(|at| f64::from((seen(at, row) - cover[at]).max(0.0))).sum::<f64>();
            let closed =
                |row: &usize| set.contains(row) || given.contains(row) || wishes.excluded.contains(row);
            let free = clients.clone().filter(|row| !closed(row));
            let best = || free.max_by(|&a, &b| gain(a).total_cmp(&gain(b)).then(b.cmp(&a))).unwrap();
            let row = given.get(set.len()).copied().unwrap_or_else(best);
            if set.len() >= given.len() {
                selection.push(row, gain(row));
            }
            set.push(row);
            clients.clone().for_each(|client| cover[client] = cover[client].max(seen(client, row)));
        }
        selection
    }

    fn cases(most: usize) -> impl Strategy<Value = (Tied, Wishes)> {
        Tied::up_to(most).prop_flat_map(|tied| (Just(tied.clone()), wishes(tied.rows())))
    }

    fn run(
        matrix: MatrixView<'_>,
        request: &Request<'_>,
        options: FacilityOptions<'_>,
        threads: usize,
    ) -> Facility {
        with_threads(threads, || facility_location(matrix, request, options, &Unwatched)).unwrap()
    }

    const DENSE: FacilityOptions<'_> =
        FacilityOptions { neighbours: 64, dense_limit: usize::MAX, cells: None };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn dense_picks_what_greedy_means((tied, wishes) in cases(40)) {
            let expected = by_hand(&tied, &wishes, |_, _| true, |_| 0.0);
            let request = wishes.request(tied.rows());
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
            (tied, wishes) in cases(40),
            neighbours in prop::sample::select(vec![1usize, 2, 5, 64]),
        ) {
            let n = tied.rows();
            let lists: Vec<Vec<usize>> = (0..n).map(|row| {
                let mut others: Vec<usize> = (0..n).filter(|&other| other != row).collect();
                others.sort_by(|&a, &b| tied.dot(row, b).total_cmp(&tied.dot(row, a)).then(a.cmp(&b)));
                std::iter::once(row).chain(others).take(neighbours).collect()
            }).collect();
            let edge = |a: usize, b: usize| lists[a].contains(&b) || lists[b].contains(&a);
            let floor = |row: usize| 0.9 * tied.dot(row, *lists[row].last().unwrap()).max(0.0) as f32;
            let expected = by_hand(&tied, &wishes, edge, floor);
            let request = wishes.request(n);
            let options = FacilityOptions { neighbours, dense_limit: 0, cells: None };
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
            let options = FacilityOptions { neighbours: 8, dense_limit, cells: None };
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
        let expected =
            optimizer::plain(&mut Dense::new(matrix.view(), &Unwatched).unwrap(), &request, &Unwatched)
                .unwrap();
        assert_eq!(run(matrix.view(), &request, DENSE, 2).selection, expected);
        let mut graph = Graph::build(matrix.view(), 8, None, &Unwatched).unwrap().graph;
        let expected = optimizer::plain(&mut graph, &request, &Unwatched).unwrap();
        let options = FacilityOptions { neighbours: 8, dense_limit: 0, cells: None };
        assert_eq!(run(matrix.view(), &request, options, 2).selection, expected);
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
        let graph =
            run(matrix.view(), &request, FacilityOptions { neighbours: 64, dense_limit: 0, cells: None }, 2)
                .selection;
        let value = |set: &[usize]| {
            let mut objective = Dense::new(matrix.view(), &Unwatched).unwrap();
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
    fn control_hears_rows_then_picks() {
        let matrix = unit(300, Simd::active().unwrap());
        let request = Request::new(300, 10, &[]).unwrap();
        for options in [DENSE, FacilityOptions { neighbours: 4, dense_limit: 0, cells: None }] {
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
    fn bad_wishes_are_refused() {
        let simd = Simd::active().unwrap();
        let tied = Tied { data: vec![0.0, 1.0, 2.0], width: 1 };
        let request = Request::new(3, 1, &[]).unwrap();
        let matrix = tied.matrix(Metric::SquaredEuclidean, simd);
        let refused = facility_location(matrix.view(), &request, DENSE, &Unwatched).unwrap_err();
        assert!(refused.to_string().contains("not sqeuclidean"));
        let matrix = tied.matrix(Metric::Dot, simd);
        let options = FacilityOptions { neighbours: 0, dense_limit: 0, cells: None };
        assert!(matches!(
            facility_location(matrix.view(), &request, options, &Unwatched),
            Err(Error::Argument { .. })
        ));
    }
}
