//! The definition: every pick lowers the keys of all rows.

use rayon::prelude::*;

use super::super::{Objective, Request, Selection, optimizer};
use crate::blocks;
use crate::matrix::MatrixView;
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
    weights: Option<&'a [f32]>,
    nearest: Vec<f32>,
}

impl Objective for Farthest<'_> {
    fn rows(&self) -> usize {
        self.nearest.len()
    }

    fn gain(&self, row: usize) -> f64 {
        let nearest = f64::from(self.nearest[row]);
        // No weight changes that the first pick comes first.
        let weight = self.weights.filter(|_| nearest.is_finite()).map_or(1.0, |weights| weights[row]);
        nearest * f64::from(weight)
    }

    fn commit(&mut self, row: usize) {
        let matrix = self.matrix;
        self.nearest.par_chunks_mut(BLOCK).enumerate().for_each(|(block, keys)| {
            let rows = matrix.rows.part(block * BLOCK, keys.len());
            matrix.simd.run(Lower { rows, pick: matrix.rows.part(row, 1), keys });
        });
    }
}

/// Lowers the keys of rows to their distances to a pick.
pub(super) struct Lower<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) pick: Rows<'a>,
    pub(super) keys: &'a mut [f32],
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

/// Picks with keys of all rows at hand; the first pick is `start` where there is one.
pub(super) fn pick(
    matrix: MatrixView<'_>,
    weights: Option<&[f32]>,
    request: &Request<'_>,
    start: Option<usize>,
    control: &impl Control,
) -> Result<Selection, Error> {
    // Above every distance (see `MAX_SQUARED_LENGTH`), and below the infinite key of the first pick.
    let mut nearest = blocks::filled(matrix.len(), f32::MAX)?;
    if let Some(first) = start.and_then(|row| nearest.get_mut(row)) {
        *first = f32::INFINITY;
    }
    let mut selection = optimizer::plain(&mut Farthest { matrix, weights, nearest }, request, control)?;
    for gain in selection.gains.iter_mut().filter(|gain| gain.is_infinite()) {
        *gain = f64::NAN;
    }
    Ok(selection)
}
