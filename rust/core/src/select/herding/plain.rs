//! The definition: the products of all rows for every pick.

use rayon::prelude::*;

use super::super::nearness::Nearness;
use super::super::{Request, Selection, rank::Rank};
use super::debt::Debt;
use crate::blocks;
use crate::matrix::MatrixView;
use crate::{Control, Error};

/// Rows in a task.
const BLOCK: usize = 512;

pub(super) fn pick(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Selection, Error> {
    let near = Nearness::of(matrix);
    let mut debt = Debt::new(matrix.rows, control)?;
    for &row in request.given() {
        debt.add(row, matrix.rows.row(row))?;
    }
    let mut closed = request.closed(matrix.len())?;
    let mut far = blocks::zeroed::<f32>(matrix.len())?;
    let mut selection = Selection::default();
    for pick in 0..request.count() {
        let wanted = debt.rounded();
        far.par_chunks_mut(BLOCK).enumerate().for_each(|(block, far)| {
            near.all(&wanted, matrix.rows.part(block * BLOCK, far.len()), far);
        });
        let open = (0..matrix.len()).filter(|&row| !closed[row]);
        let best = open.map(|row| Rank { key: near.meaning(far[row]), row: row as u32 }).max();
        let Some(Rank { key, row }) = best else { break };
        let row = row as usize;
        selection.push(row, f64::from(key));
        closed[row] = true;
        debt.add(row, matrix.rows.row(row))?;
        control.tick(pick as u64 + 1, request.count() as u64)?;
    }
    Ok(selection)
}
