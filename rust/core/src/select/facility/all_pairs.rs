//! Coverage where upper bounds of all similarities are held, and few of the similarities themselves are ever computed.

use super::super::similarities::{Edge, Similarities, SimilarityOptions, UpperBounds, above_along, edges};
use super::super::{Objective, nearest_members};
use super::coverage::Coverage;
use crate::control::{Control, FixedProgress};
use crate::matrix::MatrixView;
use crate::{Error, Unwatched, blocks};

/// One pair of so many is computed in canonical arithmetic at most, one by one, before all are at once. Of real rows,
/// and of synthetic ones with clusters or without, it is one of 200 to 800 for a tenth of the rows.
const FEW: usize = 32;

/// Coverage over all pairs of rows; gains are those of [`Coverage`], bit for bit.
pub(super) enum AllPairs<'a> {
    /// Upper bounds are held.
    Bounded(Bounded<'a>),
    /// No bound tells rows from each other that are all alike: then the similarities are held after all.
    Held(Coverage),
}

impl<'a> AllPairs<'a> {
    /// The coverage by rows of the set, which the optimizer adds as well.
    pub(super) fn new(matrix: MatrixView<'a>, set: &[usize], control: &impl Control) -> Result<Self, Error> {
        Bounded::new(matrix, set, control).map(Self::Bounded)
    }
}

impl Objective for AllPairs<'_> {
    fn rows(&self) -> usize {
        match self {
            Self::Bounded(bounded) => bounded.floors.len(),
            Self::Held(coverage) => coverage.rows(),
        }
    }

    fn gain(&self, row: usize) -> f64 {
        match self {
            Self::Bounded(bounded) => above_along(&bounded.reached(row), &bounded.cover),
            Self::Held(coverage) => coverage.gain(row),
        }
    }

    fn bound(&self, row: usize) -> Option<f64> {
        match self {
            Self::Bounded(bounded) => Some(bounded.bounds.above(row, &bounded.floors)),
            Self::Held(_) => None,
        }
    }

    fn refine(&mut self, row: usize) -> f64 {
        if let Self::Bounded(bounded) = self
            && let Some(coverage) = bounded.held_where_that_is_less_work(row)
        {
            *self = Self::Held(coverage);
        }
        self.gain(row)
    }

    fn commit(&mut self, row: usize) {
        match self {
            Self::Bounded(bounded) => bounded.cover_by(row),
            Self::Held(coverage) => coverage.commit(row),
        }
    }
}

/// A row can raise the coverage of a client only where the bound of their similarity is above it. The more the set
/// covers, the fewer clients are left of a row, and only with them is it compared in canonical arithmetic.
pub(super) struct Bounded<'a> {
    matrix: MatrixView<'a>,
    bounds: UpperBounds,
    /// The best similarity of each client to the set, and in whole units, rounded down.
    cover: Vec<f32>,
    floors: Vec<u16>,
    /// Similarities computed so far, to refine bounds.
    computed: usize,
}

impl<'a> Bounded<'a> {
    fn new(matrix: MatrixView<'a>, set: &[usize], control: &impl Control) -> Result<Self, Error> {
        let mut cover = blocks::zeroed::<f32>(matrix.len())?;
        if !set.is_empty() {
            let watch = FixedProgress { control, done: 0, total: matrix.len() as u64 };
            let rows: Vec<usize> = (0..matrix.len()).collect();
            let nearest = nearest_members(matrix, &rows, set, true, &watch)?;
            cover.iter_mut().zip(nearest.values).for_each(|(cover, value)| *cover = cover.max(value));
        }
        let bounds = UpperBounds::new(matrix, &cover, control)?;
        let floors = cover.iter().map(|&value| bounds.floor(value)).collect();
        Ok(Self { matrix, bounds, cover, floors, computed: 0 })
    }

    /// The clients whose coverage `row` may raise, and their similarities.
    fn reached(&self, row: usize) -> Vec<Edge> {
        let clients = self.bounds.reached(row, &self.floors);
        edges(self.matrix.simd, self.matrix.rows.row(row), self.matrix.rows, &clients)
    }

    fn cover_by(&mut self, row: usize) {
        for Edge { client, similarity } in self.reached(row) {
            let cover = &mut self.cover[client as usize];
            *cover = cover.max(similarity);
            self.floors[client as usize] = self.bounds.floor(*cover);
        }
    }

    /// The coverage over all similarities, once the bound of `row` is one too many to refine.
    fn held_where_that_is_less_work(&mut self, row: usize) -> Option<Coverage> {
        let rows = self.cover.len();
        self.computed += self.bounds.reached(row, &self.floors).len();
        if self.computed <= rows * rows / FEW {
            return None;
        }
        let all = SimilarityOptions { dense_limit: usize::MAX, ..SimilarityOptions::default() };
        // Without the memory for them the bounds do as well, only more slowly.
        let (similarities, _) = Similarities::build(self.matrix, all, &Unwatched).ok()?;
        Some(Coverage::with(similarities, std::mem::take(&mut self.cover)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Request, optimizer};
    use super::*;
    use crate::simd::Simd;
    use crate::testing::real_rows;
    use crate::{Matrix, Unwatched};

    /// Rows around so many middles: `noise` is how far from them.
    fn clustered(rows: usize, middles: usize, noise: f32) -> Matrix<Vec<f32>> {
        let (centres, around) = (real_rows(middles, 24, 1), real_rows(rows, 24, 2));
        let value = |at: usize| centres[at / 24 % middles * 24 + at % 24] + noise * around[at];
        Matrix::unit((0..rows * 24).map(value).collect(), 24, Simd::active().unwrap(), &Unwatched).unwrap()
    }

    #[test]
    fn picks_are_those_of_the_similarities_whether_bounds_tell_rows_apart_or_not() {
        let rows = 700;
        let many: Vec<usize> = (0..rows).step_by(9).collect();
        let kinds = [(40, 0.5, false), (1, 0.3, false), (1, 1e-3, true), (5, 0.0, true)];
        for ((middles, noise, held), set) in
            kinds.into_iter().flat_map(|kind| [(kind, &[17, 3][..]), (kind, &many)])
        {
            let request = Request::new(rows, 90, set).unwrap();
            let matrix = clustered(rows, middles, noise);
            let all = SimilarityOptions { dense_limit: usize::MAX, ..SimilarityOptions::default() };
            let (similarities, _) = Similarities::build(matrix.view(), all, &Unwatched).unwrap();
            let mut coverage = Coverage::new(similarities).unwrap();
            let expected = optimizer::plain(&mut coverage, &request, &Unwatched).unwrap();
            let mut pairs = AllPairs::new(matrix.view(), request.preselected(), &Unwatched).unwrap();
            let (found, _) = optimizer::lazy(&mut pairs, &request, &Unwatched).unwrap();
            assert_eq!(found, expected, "{middles} {noise}");
            assert_eq!(matches!(pairs, AllPairs::Held(_)), held, "{middles} {noise} {}", set.len());
        }
    }

    #[test]
    fn gains_are_at_most_their_bounds_and_those_of_the_similarities() {
        let matrix = clustered(300, 20, 0.5);
        let all = SimilarityOptions { dense_limit: usize::MAX, ..SimilarityOptions::default() };
        let (similarities, _) = Similarities::build(matrix.view(), all, &Unwatched).unwrap();
        let mut coverage = Coverage::new(similarities).unwrap();
        let mut pairs = AllPairs::new(matrix.view(), &[], &Unwatched).unwrap();
        for pick in 0..40 {
            for row in 0..300 {
                let gain = coverage.gain(row);
                assert_eq!(pairs.gain(row).to_bits(), gain.to_bits());
                assert!(pairs.bound(row).unwrap() >= gain);
            }
            coverage.commit(pick * 7);
            pairs.commit(pick * 7);
        }
    }
}
