//! The rows nearest to the mean of the queries.

use super::{DistanceMetric, Matched, Rule, enough, greatest, picked, rank};
use crate::matrix::{MatrixView, Metric};
use crate::select::Request;
use crate::{Control, Error, blocks};

/// Rows that one task compares with the mean.
const BLOCK: usize = 1024;

/// The mean of queries.
pub(super) struct Middle {
    pub(super) row: Vec<f32>,
    /// The mean squared distance of the queries from it, where gains are squared distances.
    spread: f64,
}

impl Middle {
    pub(super) fn of(queries: MatrixView<'_>) -> Self {
        let (rows, count) = (queries.rows, queries.len() as f64);
        let mut mean = vec![0.0f64; rows.width()];
        for query in 0..rows.len() {
            mean.iter_mut().zip(rows.row(query)).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        mean.iter_mut().for_each(|sum| *sum /= count);
        let mut spread = 0.0;
        if queries.metric == Metric::SquaredEuclidean {
            for query in 0..rows.len() {
                let away = mean.iter().zip(rows.row(query)).map(|(mean, &x)| f64::from(x) - mean);
                spread += away.map(|away| away * away).sum::<f64>();
            }
        }
        Self { row: mean.into_iter().map(|mean| mean as f32).collect(), spread: spread / count }
    }

    /// The mean similarity or squared distance of a row at this distance from the mean.
    pub(super) fn gain(&self, metric: DistanceMetric, distance: f32) -> f64 {
        f64::from(metric.value(distance)) + self.spread
    }
}

pub(super) fn matched(
    matrix: MatrixView<'_>,
    queries: MatrixView<'_>,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Matched, Error> {
    let (metric, middle) = (DistanceMetric::of(matrix), Middle::of(queries));
    let mut distances = blocks::zeroed::<f32>(matrix.len())?;
    blocks::fill(&mut distances, 1, BLOCK, control, |first, distances| {
        metric.to_each(&middle.row, matrix.rows.part(first, distances.len()), distances);
        Ok(())
    })?;
    let mut candidates = request.candidates()?;
    let mut ranks = blocks::reserved(matrix.len())?;
    ranks.extend(candidates.iter().map(|row| rank(distances[row], row)));
    let mut matched = Matched::empty(Rule::Mean);
    matched.evaluations = matrix.len() as u64;
    let enough = enough(&candidates, ranks.len());
    for best in greatest(ranks, enough).into_iter().filter(|&best| picked(&mut candidates, best)) {
        matched.selection.push(best.row as usize, middle.gain(metric, 0.0 - best.key));
    }
    Ok(matched)
}
