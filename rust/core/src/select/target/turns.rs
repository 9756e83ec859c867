//! Query rows that take candidates in turn, from lists of the nearest ones that are made longer when they end.

use super::lists::Search;
use super::{DistanceMetric, Matched, Rank, Rule};
use crate::matrix::MatrixView;
use crate::select::{Candidates, Request};
use crate::{Control, Error};

/// How long lists are at first, beyond the fair share of a query, and how many rows are compared together; they
/// decide the time, not the picks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) list: usize,
    pub(super) chunk: usize,
}

impl Sizes {
    pub(super) const USUAL: Self = Self { list: 8, chunk: 8192 };
}

pub(super) fn matched(
    matrix: MatrixView<'_>,
    queries: MatrixView<'_>,
    sizes: Sizes,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Matched, Error> {
    let metric = DistanceMetric::of(matrix);
    let mut candidates = request.candidates()?;
    let search = Search::new(matrix, queries, sizes.chunk, request.count() as u64, control)?;
    let mut length = (2 * request.count().div_ceil(queries.len())).saturating_add(sizes.list);
    let mut lists: Vec<Vec<Rank>> = vec![Vec::new(); queries.len()];
    let mut matched = Matched::empty(Rule::RoundRobin);
    for (turn, query) in (0..queries.len()).cycle().take(request.count()).enumerate() {
        drop_unavailable(&mut lists[query], &candidates);
        if lists[query].is_empty() {
            let remaining = request.count() - turn;
            let share = remaining.div_ceil(queries.len());
            // Lists too short for the share of their query are made longer in the same pass.
            lists.iter_mut().for_each(|list| list.retain(|rank| candidates.contains(rank.row as usize)));
            let short: Vec<usize> = (0..lists.len()).filter(|&query| lists[query].len() < share).collect();
            let found = search.nearest(&short, length.min(remaining), &candidates, turn as u64)?;
            matched.evaluations += found.evaluations;
            short.into_iter().zip(found.lists).for_each(|(query, list)| lists[query] = list);
            length = length.saturating_mul(2);
        }
        // Where one query has no candidate, no query has one.
        let Some(best) = lists[query].pop() else { break };
        candidates.pick(best.row as usize);
        matched.push(metric, 0.0 - best.key, best.row, query);
        control.tick(turn as u64 + 1, request.count() as u64)?;
    }
    Ok(matched)
}

/// Drops what is no candidate any more from the end of a list, where its nearest rows are.
fn drop_unavailable(list: &mut Vec<Rank>, candidates: &Candidates<'_>) {
    while list.pop_if(|rank| !candidates.contains(rank.row as usize)).is_some() {}
}
