//! The definition: every row is compared with every query row, and sorted.

use super::mean::Middle;
use super::{DistanceMetric, Matched, Rank, Rule, picked, rank};
use crate::matrix::MatrixView;
use crate::select::Request;
use crate::{Control, Error};

pub(super) fn matched(
    matrix: MatrixView<'_>,
    queries: MatrixView<'_>,
    rule: Rule,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Matched, Error> {
    let metric = DistanceMetric::of(matrix);
    let mut candidates = request.candidates()?;
    let rows: Vec<usize> = candidates.iter().collect();
    let sorted = |distance: &dyn Fn(usize) -> f32| {
        let mut ranks: Vec<Rank> = rows.iter().map(|&row| rank(distance(row), row)).collect();
        ranks.sort_unstable_by(|a, b| b.cmp(a));
        ranks
    };
    let distance = |row: usize, query: usize| metric.between(matrix.rows.row(row), queries.rows.row(query));
    let mut matched = Matched::empty(rule);
    matched.evaluations = rows.len() as u64 * if rule == Rule::Mean { 1 } else { queries.len() as u64 };
    match rule {
        Rule::RoundRobin => {
            let mut lists = Vec::new();
            for query in 0..queries.len() {
                lists.push(sorted(&|row| distance(row, query)).into_iter());
                control.tick(0, request.count() as u64)?;
            }
            // Where one query finds no candidate, none does.
            for query in (0..lists.len()).cycle().take(request.count()) {
                if let Some(best) = lists[query].find(|best| candidates.contains(best.row as usize)) {
                    candidates.pick(best.row as usize);
                    matched.push(metric, 0.0 - best.key, best.row, query);
                }
            }
        }
        Rule::Max => {
            let all = 0..queries.len();
            let nearest = |row| all.clone().map(|query| distance(row, query)).fold(f32::INFINITY, f32::min);
            for best in sorted(&nearest) {
                if !picked(&mut candidates, best) {
                    continue;
                }
                let query = all.clone().find(|&query| 0.0 - distance(best.row as usize, query) == best.key);
                matched.push(metric, 0.0 - best.key, best.row, query.unwrap_or_default());
            }
        }
        Rule::Mean => {
            let middle = Middle::of(queries);
            let distance = |row: usize| metric.between(matrix.rows.row(row), &middle.row);
            for best in sorted(&distance).into_iter().filter(|&best| picked(&mut candidates, best)) {
                matched.selection.push(best.row as usize, middle.gain(metric, 0.0 - best.key));
            }
        }
    }
    Ok(matched)
}
