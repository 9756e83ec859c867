//! The definition: every row beside every query, sorted.

use super::mean::Middle;
use super::{Matched, Nearness, Rank, Rule, rank, taken};
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
    let near = Nearness::of(matrix);
    let mut admission = request.admission()?;
    let open: Vec<usize> = admission.open().collect();
    let sorted = |far: &dyn Fn(usize) -> f32| {
        let mut ranks: Vec<Rank> = open.iter().map(|&row| rank(far(row), row)).collect();
        ranks.sort_unstable_by(|a, b| b.cmp(a));
        ranks
    };
    let far = |row: usize, query: usize| near.between(matrix.rows.row(row), queries.rows.row(query));
    let mut matched = Matched::empty(rule);
    matched.evaluations = open.len() as u64 * if rule == Rule::Mean { 1 } else { queries.len() as u64 };
    match rule {
        Rule::RoundRobin => {
            let mut lists = Vec::new();
            for query in 0..queries.len() {
                lists.push(sorted(&|row| far(row, query)).into_iter());
                control.tick(0, request.count() as u64)?;
            }
            // What one query does not find is found by none.
            for query in (0..lists.len()).cycle().take(request.count()) {
                if let Some(best) = lists[query].find(|best| admission.is_open(best.row as usize)) {
                    admission.take(best.row as usize);
                    matched.push(near, 0.0 - best.key, best.row, query);
                }
            }
        }
        Rule::Max => {
            let all = 0..queries.len();
            let nearest = |row| all.clone().map(|query| far(row, query)).fold(f32::INFINITY, f32::min);
            for best in sorted(&nearest) {
                if !taken(&mut admission, best) {
                    continue;
                }
                let query = all.clone().find(|&query| 0.0 - far(best.row as usize, query) == best.key);
                matched.push(near, 0.0 - best.key, best.row, query.unwrap_or_default());
            }
        }
        Rule::Mean => {
            let middle = Middle::of(queries);
            let far = |row: usize| near.between(matrix.rows.row(row), &middle.row);
            for best in sorted(&far).into_iter().filter(|&best| taken(&mut admission, best)) {
                matched.selection.push(best.row as usize, middle.gain(near, 0.0 - best.key));
            }
        }
    }
    Ok(matched)
}
