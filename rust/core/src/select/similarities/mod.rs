//! The similarities that objectives sum over: between all rows, or along the edges of a neighbour graph.

mod dense;
mod edges;
mod graph;
mod mirror;
mod upper_bounds;

pub(in crate::select) use dense::above_along;
pub(in crate::select) use edges::{Edge, edges};
pub(in crate::select) use graph::probed_cells;
pub use graph::{Cells, Precomputed, Search};
pub(in crate::select) use upper_bounds::UpperBounds;

use super::{Objective, Request, Selection, optimizer};
use crate::control::{Control, OffsetProgress};
use crate::matrix::{MatrixView, Metric};
use crate::{Error, blocks};
use dense::Dense;
use graph::Graph;

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
pub struct SimilarityOptions<'a> {
    /// Neighbours of a row in the graph, itself included.
    pub neighbours: usize,
    /// The maximum number of rows for which all pairs are held: their similarities (4 x rows^2 bytes), or bounds of these
    /// (2 x rows^2 bytes at most, where rows can be told apart by them).
    pub dense_limit: usize,
    /// Where the neighbours come from.
    pub search: Search<'a>,
}

impl SimilarityOptions<'_> {
    pub(super) fn method(&self, matrix: MatrixView<'_>) -> Method {
        if matrix.len() <= self.dense_limit { Method::Dense } else { Method::Graph }
    }
}

impl Default for SimilarityOptions<'_> {
    fn default() -> Self {
        Self { neighbours: 64, dense_limit: 20_000, search: Search::Exhaustive }
    }
}

/// A selection and how the similarities behind it were held.
#[derive(Debug, Clone)]
pub struct Greedy {
    /// The picks; gains are what the objective, as held, rose by.
    pub selection: Selection,
    /// How the similarities were held.
    pub method: Method,
    /// How many gains were computed; picks x rows for the definition.
    pub evaluations: u64,
    /// Which share of the exact neighbours, of a sample of rows, the graph has.
    pub recall: f64,
}

/// Similarities clipped at 0, symmetric, as they are held.
pub(super) enum Similarities {
    Dense(Dense),
    Graph(Graph),
}

impl Similarities {
    /// The similarities, and which share of the exact neighbours of a sample of rows is among them.
    pub(super) fn build(
        matrix: MatrixView<'_>,
        options: SimilarityOptions<'_>,
        control: &impl Control,
    ) -> Result<(Self, f64), Error> {
        match options.method(matrix) {
            Method::Dense => Ok((Self::Dense(Dense::new(matrix, control)?), 1.0)),
            Method::Graph => {
                let built = Graph::build(matrix, options.neighbours, options.search, control)?;
                Ok((Self::Graph(built.graph), built.recall))
            }
        }
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.rows(),
            Self::Graph(graph) => graph.rows(),
        }
    }

    /// The similarity of a row to itself.
    pub(super) fn own(&self, row: usize) -> f32 {
        match self {
            Self::Dense(dense) => dense.row(row)[row],
            Self::Graph(graph) => graph.own(row),
        }
    }

    /// How far the similarities of `row` to all rows lie above those rows' floors, in sum: a fixed order of
    /// non-negative terms.
    pub(super) fn above(&self, row: usize, floors: &[f32]) -> f64 {
        match self {
            Self::Dense(dense) => dense.above(row, floors),
            Self::Graph(graph) => graph.above(row, floors),
        }
    }

    /// Updates the states of all rows, or of all that `row` has an edge to, by their similarity to it.
    pub(super) fn update<T>(&self, row: usize, states: &mut [T], update: impl Fn(&mut T, f32)) {
        match self {
            Self::Dense(dense) => {
                states
                    .iter_mut()
                    .zip(dense.row(row))
                    .for_each(|(state, &similarity)| update(state, similarity));
            }
            Self::Graph(graph) => {
                for edge in graph.edges(row) {
                    update(&mut states[edge.client as usize], edge.similarity);
                }
            }
        }
    }

    /// The similarity of each row to the last of its neighbours; 0 where those to all rows are held.
    pub(super) fn last(&self) -> Result<Vec<f32>, Error> {
        match self {
            Self::Dense(dense) => blocks::zeroed(dense.rows()),
            Self::Graph(graph) => Ok(graph.last().to_vec()),
        }
    }
}

/// Makes the objective, to which the second number is the recall of its similarities, and picks greedily for it;
/// `name` is what messages call it.
pub(super) fn pick<O: Objective, C: Control>(
    name: &str,
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    options: SimilarityOptions<'_>,
    objective: impl FnOnce(&OffsetProgress<'_, C>) -> Result<(O, f64), Error>,
    control: &C,
) -> Result<Greedy, Error> {
    if matrix.metric == Metric::SquaredEuclidean {
        return Err(Error::Argument {
            what: format!("{name} needs a similarity: cosine or dot, not sqeuclidean"),
        });
    }
    if options.neighbours == 0 {
        return Err(Error::Argument { what: "the number of neighbours must be at least 1".into() });
    }
    let method = options.method(matrix);
    let (rows, picks) = (matrix.len() as u64, request.count() as u64);
    if picks == 0 {
        return Ok(Greedy { selection: Selection::default(), method, evaluations: 0, recall: 1.0 });
    }
    let after = |before| OffsetProgress { control, before, total: rows + picks };
    let (mut objective, recall) = objective(&after(0))?;
    let (selection, evaluations) = optimizer::lazy(&mut objective, request, &after(rows))?;
    Ok(Greedy { selection, method, evaluations, recall })
}
