//! The rows with the nearest of all queries: int16 tells which rows could be among them, and which queries could be
//! the nearest to those.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::{Matched, Nearness, Rank, Rule, Targets, enough, greatest, rank};
use crate::control::Part;
use crate::matrix::MatrixView;
use crate::metric::Rows;
use crate::select::targets::{BLOCK, Nearest};
use crate::select::{Admission, Request};
use crate::{Control, Error, blocks};

pub(super) fn matched(
    matrix: MatrixView<'_>,
    queries: MatrixView<'_>,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Matched, Error> {
    let near = Nearness::of(matrix);
    let watch = Part { control, done: 0, total: matrix.len() as u64 };
    let targets = Targets::new(near, queries.rows, &watch)?;
    let longest = near.longest(matrix.rows, &watch)?;
    let mut admission = request.admission()?;
    let could = could_be_best(matrix, &targets, longest, &admission, control)?;

    let evaluations = AtomicU64::new(matrix.len() as u64 * queries.len() as u64);
    let watch = Part { control, done: matrix.len() as u64, ..watch };
    let decided = could.par_chunks(BLOCK).map(|rows| {
        let vectors = matrix.take(rows)?;
        let vectors = Rows::new(&vectors, matrix.rows.width());
        let (nearest, compared) = targets.nearest(matrix.simd, vectors, longest, &[], &watch)?;
        evaluations.fetch_add(compared, Relaxed);
        Ok(nearest)
    });
    let decided: Vec<Nearest> = decided.collect::<Result<Vec<_>, Error>>()?.concat();

    // Ranked by their place among the candidates, which ascend as the rows do.
    let ranks: Vec<Rank> = decided.iter().enumerate().map(|(at, &(far, _))| rank(far, at)).collect();
    let mut matched = Matched::empty(Rule::Max);
    let enough = enough(&admission, ranks.len());
    for best in greatest(ranks, enough) {
        let at = best.row as usize;
        if admission.is_done() || !admission.is_open(could[at]) {
            continue;
        }
        admission.take(could[at]);
        matched.push(near, decided[at].0, could[at] as u32, decided[at].1 as usize);
    }
    matched.evaluations = evaluations.into_inner();
    Ok(matched)
}

/// The open rows that could be among the wanted ones, ascending.
fn could_be_best(
    matrix: MatrixView<'_>,
    targets: &Targets<'_>,
    longest: f32,
    admission: &Admission<'_>,
    control: &impl Control,
) -> Result<Vec<usize>, Error> {
    let mut least = blocks::filled(matrix.len(), f32::INFINITY)?;
    // The greatest slack of any block; as numbers that are not negative, they have the order of their bits.
    let slack = AtomicU32::new(0);
    let watch = Part { control, done: 0, total: matrix.len() as u64 };
    blocks::fill(&mut least, 1, BLOCK, control, |first, least| {
        let quantised = targets.facing(matrix.rows.part(first, least.len()), longest, &watch)?;
        slack.fetch_max(quantised.slack().to_bits(), Relaxed);
        let rows: Vec<u32> = (0..least.len() as u32).collect();
        let mut nearest = vec![0.0; least.len()];
        for at in 0..targets.tiles.len() {
            quantised.nearest(matrix.simd, &rows, targets.tiles.tile(at), &mut nearest);
            least.iter_mut().zip(&nearest).for_each(|(least, nearest)| *least = least.min(*nearest));
        }
        Ok(())
    })?;
    let mut open: Vec<f32> = blocks::reserved(matrix.len())?;
    open.extend(admission.open().map(|row| least[row]));
    let enough = enough(admission, open.len());
    let (_, last, _) = open.select_nth_unstable_by(enough - 1, f32::total_cmp);
    let cutoff = *last + 2.0 * f32::from_bits(slack.into_inner());
    Ok(admission.open().filter(|&row| least[row] <= cutoff).collect())
}
