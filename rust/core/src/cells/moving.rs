//! The nearest of centroids that move, again and again: what is known of distances holds for the next time.

use rayon::prelude::*;

use super::assign::nearest;
use crate::matrix::MatrixView;
use crate::metric::{self, Rows};
use crate::pages::Pages;
use crate::quantise::{Measure, Quantised, TILE, Tiles, longest};
use crate::simd::{LANES, Simd};
use crate::{Control, Error, blocks};

/// Rows in a block: few enough to stay in cache while the centroids pass by.
const BLOCK: usize = 240;
/// Most bytes of bounds that are held, one number for each pair of a row and a centroid.
pub const BOUNDS_BYTES: usize = 1 << 28;
/// Of so many pairs of a row and a centroid one may be measured by itself; beyond that all are, through int16.
const FEW: usize = 16;

/// Rows and the nearest of their centroids.
///
/// Of each row and centroid a number is held that is not above their distance (Elkan 2003): a centroid that has moved by
/// so much is nearer than it was by that at most. So a row is compared only with the centroids that may have come nearer
/// than its own; after a few iterations that is one in a hundred. Of rows whose pairs [`BOUNDS_BYTES`] does not allow for nothing is held.
pub(super) struct Moving<'a> {
    matrix: MatrixView<'a>,
    errors: Errors,
    centroids: Vec<f32>,
    labels: Vec<i32>,
    /// The first rows, as many as have bounds, in int16.
    quantised: Quantised,
    /// Row after row.
    bounds: Pages<f32>,
}

impl<'a> Moving<'a> {
    /// Rows that are to be assigned to so many centroids: 2 x dimensions bytes a row, and 4 for each centroid.
    pub(super) fn new(matrix: MatrixView<'a>, cells: usize, control: &impl Control) -> Result<Self, Error> {
        let held = matrix.len().min(BOUNDS_BYTES / size_of::<f32>() / cells.max(1));
        let first = MatrixView { rows: matrix.rows.part(0, held), ..matrix };
        Ok(Self {
            matrix,
            errors: Errors::of(matrix.rows.width()),
            centroids: Vec::new(),
            labels: blocks::zeroed(matrix.len())?,
            quantised: Quantised::new(first, Measure::SquaredDistance, control)?,
            bounds: Pages::zeroed(held * cells)?,
        })
    }

    /// Moves the centroids, or sets them at first; the nearest of each row by canonical squared distance, the lowest of
    /// equal ones.
    pub(super) fn move_to(&mut self, centroids: &[f32], control: &impl Control) -> Result<&[i32], Error> {
        let Self { matrix, errors, .. } = *self;
        let width = matrix.rows.width();
        // Nothing is known before there are any.
        let moves = (!self.centroids.is_empty()).then(|| {
            let both = self.centroids.chunks_exact(width).zip(centroids.chunks_exact(width));
            Moves::new(both.map(|(from, to)| match from == to {
                true => 0.0,
                false => errors.above(metric::squared_distance(matrix.simd, from, to)),
            }))
        });
        self.centroids.clear();
        self.centroids.extend_from_slice(centroids);
        let Self { quantised, bounds, labels, .. } = self;
        let cells = centroids.len() / width;
        let (labels, rest) = labels.split_at_mut(bounds.len() / cells);
        if !rest.is_empty() {
            let rows = matrix.rows.part(labels.len(), rest.len());
            rest.copy_from_slice(&nearest(MatrixView { rows, ..matrix }, centroids, control)?);
        }
        let centroids = Rows::new(centroids, width);
        let longest = longest(centroids, matrix.simd, control)?;
        let measured = Quantised::within(centroids, longest, Measure::SquaredDistance, matrix.simd, control)?;
        quantised.face(measured.scaling());
        let mut tiles = Tiles::default();
        (0..cells).for_each(|cell| tiles.push(&measured, cell));
        let distance = |row: usize, cell: usize| {
            metric::squared_distance(matrix.simd, matrix.rows.row(row), centroids.row(cell))
        };
        let blocks = bounds.par_chunks_mut(BLOCK * cells).zip(labels.par_chunks_mut(BLOCK));
        blocks.enumerate().try_for_each(|(block, (bounds, labels))| {
            let first = block * BLOCK;
            // Of each row how many centroids may be the nearest, its own among them.
            let mut near = vec![0; labels.len()];
            if let Some(moves) = &moves {
                for (at, bounds) in bounds.chunks_exact_mut(cells).enumerate() {
                    let own = labels[at] as usize;
                    let limit = errors.above_all(distance(first + at, own));
                    near[at] = moves.near(own, bounds, limit);
                }
            }
            if moves.is_none() || near.iter().sum::<usize>() > bounds.len() / FEW {
                near.fill(cells);
                measure(quantised, (matrix.simd, first), &tiles, errors, bounds);
                for (label, bounds) in labels.iter_mut().zip(bounds.chunks_exact(cells)) {
                    *label = lowest(bounds);
                }
            }
            let rows = (first..).zip(bounds.chunks_exact_mut(cells)).zip(labels).zip(near);
            for (((row, bounds), label), _) in rows.filter(|(_, near)| *near > 1) {
                let limit = errors.above_all(distance(row, *label as usize));
                let mut best = (f32::INFINITY, 0);
                for (cell, bound) in bounds.iter_mut().enumerate().filter(|(_, bound)| **bound <= limit) {
                    let distance = distance(row, cell);
                    *bound = errors.below(distance);
                    // Cells ascend, so a strict comparison gives the lowest of equals.
                    if distance < best.0 {
                        best = (distance, cell as i32);
                    }
                }
                *label = best.1;
            }
            control.tick(0, 0)
        })?;
        Ok(&self.labels)
    }
}

/// Bounds of the distances of rows from `first` on to all centroids, through int16.
fn measure(
    quantised: &Quantised,
    (simd, first): (Simd, usize),
    tiles: &Tiles,
    errors: Errors,
    bounds: &mut [f32],
) {
    let cells = tiles.rows();
    let rows: Vec<u32> = (first as u32..).take(bounds.len() / cells).collect();
    let mut distances = vec![[0.0; TILE]; rows.len()];
    for at in 0..tiles.len() {
        quantised.every(simd, &rows, tiles.tile(at), &mut distances);
        for (bounds, distances) in bounds.chunks_exact_mut(cells).zip(&distances) {
            for (bound, distance) in bounds[at * TILE..].iter_mut().zip(distances) {
                *bound = errors.below(distance - quantised.slack());
            }
        }
    }
}

/// How far centroids have moved at most.
struct Moves {
    steps: Vec<f32>,
    /// Those that have moved at all.
    moved: Vec<u32>,
}

impl Moves {
    fn new(steps: impl Iterator<Item = f32>) -> Self {
        let steps: Vec<f32> = steps.collect();
        let moved = (0..).zip(&steps).filter(|&(_, &step)| step != 0.0).map(|(cell, _)| cell).collect();
        Self { steps, moved }
    }

    /// Lowers the bounds of a row by what the centroids may have come nearer, and tells how many may then be at most the
    /// limit, which is about the distance of its own one: 1 where no other may have become the nearest.
    fn near(&self, own: usize, bounds: &mut [f32], limit: f32) -> usize {
        let lower = |bound: &mut f32, step: f32| {
            *bound = (*bound - step) * (1.0 - f32::EPSILON);
            u32::from(*bound <= limit)
        };
        if self.steps[own] == 0.0 {
            // Those that stand where they stood are no nearer than its own, which stands there as well.
            let near: u32 = self
                .moved
                .iter()
                .map(|&cell| lower(&mut bounds[cell as usize], self.steps[cell as usize]))
                .sum();
            return 1 + near as usize;
        }
        bounds.iter_mut().zip(&self.steps).map(|(bound, &step)| lower(bound, step)).sum::<u32>() as usize
    }
}

/// The first place of the lowest bound.
fn lowest(bounds: &[f32]) -> i32 {
    // Several at once, which a search for the place is not.
    let mut least = [f32::INFINITY; LANES];
    for bounds in bounds.chunks(LANES) {
        for (least, &bound) in least.iter_mut().zip(bounds) {
            *least = if bound < *least { bound } else { *least };
        }
    }
    let least = least.into_iter().fold(f32::INFINITY, f32::min);
    bounds.iter().position(|&bound| bound == least).map_or(0, |at| at as i32)
}

/// How far canonical distances, and what is computed from them, are off those of real numbers.
#[derive(Debug, Clone, Copy)]
struct Errors {
    relative: f32,
}

impl Errors {
    /// What vanishes in a sum of squares that float32 cannot hold.
    const ABSOLUTE: f32 = 1e-15;

    fn of(width: usize) -> Self {
        // A difference and its square are rounded, and then the sum of a lane with each.
        Self { relative: (width as f32 / 16.0 + 16.0) * f32::EPSILON }
    }

    /// Not above the distance that a squared one is of.
    fn below(self, squared: f32) -> f32 {
        squared.max(0.0).sqrt() * (1.0 - self.relative) - Self::ABSOLUTE
    }

    /// Not below the distance that a squared one is of.
    fn above(self, squared: f32) -> f32 {
        squared.sqrt() * (1.0 + self.relative) + Self::ABSOLUTE
    }

    /// A distance from which on no canonical one is below that which is squared here.
    fn above_all(self, squared: f32) -> f32 {
        squared.sqrt() * (1.0 + 3.0 * self.relative) + 3.0 * Self::ABSOLUTE
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::keyed_hash;
    use crate::testing::{THREADS, real_rows, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn labels_are_the_nearest_wherever_centroids_move(
            rows in 1usize..400, width in 1usize..40, cells in 1usize..60, seed: u64, size in -20i32..17, steps in 1usize..8,
        ) {
            let scaled = |mut data: Vec<f32>| {
                data.iter_mut().for_each(|x| *x *= 10f32.powi(size));
                data
            };
            let data = scaled(real_rows(rows, width, seed));
            let from = scaled(real_rows(cells, width, !seed));
            let (to, mut word) = (scaled(real_rows(cells, width, seed ^ 7)), 0);
            for simd in Simd::available() {
                let matrix = Matrix::raw(&data[..], width, Metric::SquaredEuclidean, simd, &Unwatched).unwrap();
                let mut moving = Moving::new(matrix.view(), cells, &Unwatched).unwrap();
                let mut centroids = from.clone();
                for _ in 0..steps {
                    let expected = nearest(matrix.view(), &centroids, &Unwatched).unwrap();
                    for threads in THREADS {
                        let found = with_threads(threads, || moving.move_to(&centroids, &Unwatched).unwrap().to_vec());
                        prop_assert_eq!(&found, &expected);
                    }
                    for cell in 0..cells {
                        word += 1;
                        let (own, other) = (cell * width..(cell + 1) * width, keyed_hash(seed, word) as usize % cells);
                        match keyed_hash(!seed, word) % 8 {
                            0 => centroids[own.clone()].copy_from_slice(&to[own]),
                            // Two in one place: ties.
                            1 => centroids.copy_within(other * width..(other + 1) * width, own.start),
                            2 | 3 => centroids[own].iter_mut().for_each(|x| *x *= 0.99),
                            _ => {}
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn few_pairs_are_measured_again() {
        let (rows, width, cells) = (500, 24, 50);
        let data = real_rows(rows, width, 1);
        let matrix =
            Matrix::raw(&data[..], width, Metric::SquaredEuclidean, Simd::active().unwrap(), &Unwatched)
                .unwrap();
        let mut moving = Moving::new(matrix.view(), cells, &Unwatched).unwrap();
        let mut centroids = data[..cells * width].to_vec();
        moving.move_to(&centroids, &Unwatched).unwrap();
        let before: Vec<f32> = moving.bounds.to_vec();
        centroids[..width].iter_mut().for_each(|x| *x += 1e-3);
        let expected = nearest(matrix.view(), &centroids, &Unwatched).unwrap();
        assert_eq!(moving.move_to(&centroids, &Unwatched).unwrap(), expected);
        let after = &moving.bounds;
        let other = before.iter().zip(after.iter()).filter(|(a, b)| (*a - *b).abs() > 1e-5).count();
        assert!(other < 3 * rows, "{other}");
    }

    #[test]
    fn rows_without_bounds_have_the_nearest_too() {
        let data = real_rows(300, 8, 1);
        let matrix =
            Matrix::raw(&data[..], 8, Metric::SquaredEuclidean, Simd::active().unwrap(), &Unwatched).unwrap();
        for held in [0, 100] {
            let mut moving = Moving::new(matrix.view(), 10, &Unwatched).unwrap();
            let first = MatrixView { rows: matrix.view().rows.part(0, held), ..matrix.view() };
            moving.quantised = Quantised::new(first, Measure::SquaredDistance, &Unwatched).unwrap();
            moving.bounds = Pages::zeroed(held * 10).unwrap();
            for cells in [&data[..80], &data[80..160], &data[84..164]] {
                let expected = nearest(matrix.view(), cells, &Unwatched).unwrap();
                assert_eq!(moving.move_to(cells, &Unwatched).unwrap(), expected);
            }
        }
    }

    #[test]
    fn no_more_is_held_than_is_allowed() {
        let data = real_rows(30, 4, 1);
        let matrix =
            Matrix::raw(&data[..], 4, Metric::SquaredEuclidean, Simd::active().unwrap(), &Unwatched).unwrap();
        for (cells, rows) in [(5, 30), (BOUNDS_BYTES / 4 / 7, 7), (BOUNDS_BYTES, 0)] {
            assert_eq!(Moving::new(matrix.view(), cells, &Unwatched).unwrap().bounds.len(), rows * cells);
        }
    }
}
