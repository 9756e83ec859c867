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
    keys: Vec<f32>,
}

impl Objective for Farthest<'_> {
    fn rows(&self) -> usize {
        self.keys.len()
    }

    fn gain(&self, row: usize) -> f64 {
        f64::from(self.keys[row])
    }

    fn commit(&mut self, row: usize) {
        let matrix = self.matrix;
        self.keys.par_chunks_mut(BLOCK).enumerate().for_each(|(block, keys)| {
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
    request: &Request<'_>,
    start: Option<usize>,
    control: &impl Control,
) -> Result<Selection, Error> {
    // Above every distance (see `MAX_SQUARED_LENGTH`), and below the infinite key of the first pick.
    let mut keys = blocks::filled(matrix.len(), f32::MAX)?;
    if let Some(key) = start.and_then(|row| keys.get_mut(row)) {
        *key = f32::INFINITY;
    }
    let mut selection = optimizer::plain(&mut Farthest { matrix, keys }, request, control)?;
    for gain in selection.gains.iter_mut().filter(|gain| gain.is_infinite()) {
        *gain = f64::NAN;
    }
    Ok(selection)
}
