//! The definition: every pick lowers the distances of all rows.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::super::{Objective, Request, Selection, optimizer};
use super::NearestKey;
use crate::blocks;
use crate::matrix::MatrixView;
use crate::metric::{Rows, for_each_pair};
use crate::simd::{Kernel, Lanes};
use crate::{Control, Error};

/// Rows in a task; a whole block of them is compared with a pick at once.
const BLOCK: usize = 512;
/// Rows whose distances to one pick are summed side by side.
const ABREAST: usize = 4;

/// The distance of each row to the nearest member of the set.
struct UpToDate<'a, N> {
    matrix: MatrixView<'a>,
    keys: &'a N,
    distances: Vec<f32>,
}

impl<N: NearestKey> Objective for UpToDate<'_, N> {
    fn rows(&self) -> usize {
        self.distances.len()
    }

    fn gain(&self, row: usize) -> f64 {
        match self.distances[row] {
            f32::INFINITY => f64::INFINITY,
            f32::MAX => f64::MAX,
            distance => self.keys.key(row as u32, distance),
        }
    }

    fn commit(&mut self, row: usize) {
        lower::<N>(self.matrix, row, &mut self.distances);
    }
}

fn lower<N: NearestKey>(matrix: MatrixView<'_>, member: usize, distances: &mut [f32]) {
    distances.par_chunks_mut(BLOCK).enumerate().for_each(|(block, distances)| {
        let rows = matrix.rows.part(block * BLOCK, distances.len());
        matrix.simd.run(Lower::<N>::new(rows, matrix.rows.part(member, 1), distances));
    });
}

/// Lowers the distances of rows to that of a pick.
pub(super) struct Lower<'a, N> {
    rows: Rows<'a>,
    pick: Rows<'a>,
    distances: &'a mut [f32],
    keys: PhantomData<N>,
}

impl<'a, N> Lower<'a, N> {
    pub(super) fn new(rows: Rows<'a>, pick: Rows<'a>, distances: &'a mut [f32]) -> Self {
        Self { rows, pick, distances, keys: PhantomData }
    }
}

impl<N: NearestKey> Kernel for Lower<'_, N> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let distances = self.distances;
        for_each_pair::<N::Step, V, ABREAST, 1>(self.rows, self.pick, |row, _, sum| {
            distances[row] = distances[row].min(N::distance(sum));
        });
    }
}

pub(super) fn pick<N: NearestKey>(
    matrix: MatrixView<'_>,
    keys: &N,
    request: &Request<'_>,
    start: Option<usize>,
    control: &impl Control,
) -> Result<Selection, Error> {
    // Above every distance (see `MAX_SQUARED_LENGTH`), and below the infinite key of the first pick.
    let mut distances = blocks::filled(matrix.len(), f32::MAX)?;
    if let Some(first) = start.and_then(|row| distances.get_mut(row)) {
        *first = f32::INFINITY;
    }
    let mut selection = optimizer::plain(&mut UpToDate { matrix, keys, distances }, request, control)?;
    for gain in selection.gains.iter_mut().filter(|gain| gain.is_infinite()) {
        *gain = f64::NAN;
    }
    Ok(selection)
}
