//! The definition: the products of all rows for every pick.

use rayon::prelude::*;

use super::super::distance_metric::DistanceMetric;
use super::super::{Request, Selection, rank::Rank};
use super::weights::HerdingWeights;
use crate::blocks;
use crate::matrix::MatrixView;
use crate::{Control, Error};

/// Rows in a task.
const BLOCK: usize = 512;

pub(super) fn pick(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    mean: Option<&[f64]>,
    control: &impl Control,
) -> Result<Selection, Error> {
    let metric = DistanceMetric::of(matrix);
    let mut weights = HerdingWeights::new(matrix.rows, mean, control)?;
    for &row in request.preselected() {
        weights.add(row, matrix.rows.row(row))?;
    }
    let mut candidates = request.candidates()?;
    let mut distances = blocks::zeroed::<f32>(matrix.len())?;
    let mut selection = Selection::default();
    while !candidates.is_done() {
        let rounded = weights.rounded();
        distances.par_chunks_mut(BLOCK).enumerate().for_each(|(block, distances)| {
            metric.to_each(&rounded, matrix.rows.part(block * BLOCK, distances.len()), distances);
        });
        let best =
            candidates.iter().map(|row| Rank { key: metric.value(distances[row]), row: row as u32 }).max();
        let Some(Rank { key, row }) = best else { break };
        let row = row as usize;
        selection.push(row, f64::from(key));
        candidates.pick(row);
        weights.add(row, matrix.rows.row(row))?;
        control.tick(selection.rows.len() as u64, request.count() as u64)?;
    }
    Ok(selection)
}
