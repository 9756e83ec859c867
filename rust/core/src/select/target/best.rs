//! The rows with the nearest of all query rows: int16 tells which rows could be among them, and which query rows could
//! be the nearest to those.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::{DistanceMetric, FlatIndex, Matched, Rank, Rule, enough, greatest, rank};
use crate::control::FixedProgress;
use crate::matrix::MatrixView;
use crate::metric::Rows;
use crate::select::flat_index::{BLOCK, Neighbour};
use crate::select::{Candidates, Request};
use crate::{Control, Error, blocks};

pub(super) fn matched(
    matrix: MatrixView<'_>,
    queries: MatrixView<'_>,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Matched, Error> {
    let metric = DistanceMetric::of(matrix);
    let watch = FixedProgress { control, done: 0, total: matrix.len() as u64 };
    let index = FlatIndex::new(metric, queries.rows, &watch)?;
    let longest = metric.longest(matrix.rows, &watch)?;
    let mut candidates = request.candidates()?;
    let could = could_be_best(matrix, &index, longest, &candidates, control)?;

    let evaluations = AtomicU64::new(matrix.len() as u64 * queries.len() as u64);
    let watch = FixedProgress { control, done: matrix.len() as u64, ..watch };
    let decided = could.par_chunks(BLOCK).map(|rows| {
        let vectors = matrix.take(rows)?;
        let vectors = Rows::new(&vectors, matrix.rows.width());
        let (nearest, compared) = index.search(matrix.simd, vectors, longest, &[], &watch)?;
        evaluations.fetch_add(compared, Relaxed);
        Ok(nearest)
    });
    let decided: Vec<Neighbour> = decided.collect::<Result<Vec<_>, Error>>()?.concat();

    // Ranked by their place among the candidates, which ascend as the rows do.
    let ranks: Vec<Rank> =
        decided.iter().enumerate().map(|(at, &(distance, _))| rank(distance, at)).collect();
    let mut matched = Matched::empty(Rule::Max);
    let enough = enough(&candidates, ranks.len());
    for best in greatest(ranks, enough) {
        let at = best.row as usize;
        if candidates.is_done() || !candidates.contains(could[at]) {
            continue;
        }
        candidates.pick(could[at]);
        matched.push(metric, decided[at].0, could[at] as u32, decided[at].1 as usize);
    }
    matched.evaluations = evaluations.into_inner();
    Ok(matched)
}

/// The candidates that could be among those to pick, ascending.
fn could_be_best(
    matrix: MatrixView<'_>,
    index: &FlatIndex<'_>,
    longest: f32,
    candidates: &Candidates<'_>,
    control: &impl Control,
) -> Result<Vec<usize>, Error> {
    let mut bounds = blocks::filled(matrix.len(), f32::INFINITY)?;
    // The greatest slack of any block; as numbers that are not negative, they have the order of their bits.
    let slack = AtomicU32::new(0);
    let watch = FixedProgress { control, done: 0, total: matrix.len() as u64 };
    blocks::fill(&mut bounds, 1, BLOCK, control, |first, bounds| {
        let quantised = index.quantise(matrix.rows.part(first, bounds.len()), longest, &watch)?;
        slack.fetch_max(quantised.slack().to_bits(), Relaxed);
        let rows: Vec<u32> = (0..bounds.len() as u32).collect();
        let mut nearest = vec![0.0; bounds.len()];
        for at in 0..index.tiles.len() {
            quantised.nearest(matrix.simd, &rows, index.tiles.tile(at), &mut nearest);
            bounds.iter_mut().zip(&nearest).for_each(|(bound, nearest)| *bound = bound.min(*nearest));
        }
        Ok(())
    })?;
    let mut of_candidates: Vec<f32> = blocks::reserved(matrix.len())?;
    of_candidates.extend(candidates.iter().map(|row| bounds[row]));
    let enough = enough(candidates, of_candidates.len());
    let (_, last, _) = of_candidates.select_nth_unstable_by(enough - 1, f32::total_cmp);
    let cutoff = *last + 2.0 * f32::from_bits(slack.into_inner());
    Ok(candidates.iter().filter(|&row| bounds[row] <= cutoff).collect())
}
