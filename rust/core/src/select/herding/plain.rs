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
    let mut admission = request.admission()?;
    let mut far = blocks::zeroed::<f32>(matrix.len())?;
    let mut selection = Selection::default();
    while !admission.is_done() {
        let wanted = debt.rounded();
        far.par_chunks_mut(BLOCK).enumerate().for_each(|(block, far)| {
            near.all(&wanted, matrix.rows.part(block * BLOCK, far.len()), far);
        });
        let best = admission.open().map(|row| Rank { key: near.meaning(far[row]), row: row as u32 }).max();
        let Some(Rank { key, row }) = best else { break };
        let row = row as usize;
        selection.push(row, f64::from(key));
        admission.take(row);
        debt.add(row, matrix.rows.row(row))?;
        control.tick(selection.rows.len() as u64, request.count() as u64)?;
    }
    Ok(selection)
}
