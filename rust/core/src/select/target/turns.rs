//! Queries that take rows in turn, from lists of the nearest rows that are made longer when they end.

use super::lists::Search;
use super::{Matched, Nearness, Rank, Rule};
use crate::matrix::MatrixView;
use crate::select::{Admission, Request};
use crate::{Control, Error};

/// How long lists are at first, beyond the fair share of a query, and how many rows are looked at together; they
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
    let near = Nearness::of(matrix);
    let mut admission = request.admission()?;
    let search = Search::new(matrix, queries, sizes.chunk, request.count() as u64, control)?;
    let mut length = (2 * request.count().div_ceil(queries.len())).saturating_add(sizes.list);
    let mut lists: Vec<Vec<Rank>> = vec![Vec::new(); queries.len()];
    let mut matched = Matched::empty(Rule::RoundRobin);
    for (turn, query) in (0..queries.len()).cycle().take(request.count()).enumerate() {
        drop_closed(&mut lists[query], &admission);
        if lists[query].is_empty() {
            let left = request.count() - turn;
            let share = left.div_ceil(queries.len());
            // Those that would run out too if nobody else took their rows are looked after at once.
            lists.iter_mut().for_each(|list| list.retain(|rank| admission.is_open(rank.row as usize)));
            let short: Vec<usize> = (0..lists.len()).filter(|&query| lists[query].len() < share).collect();
            let found = search.nearest(&short, length.min(left), &admission, turn as u64)?;
            matched.evaluations += found.evaluations;
            short.into_iter().zip(found.lists).for_each(|(query, list)| lists[query] = list);
            length = length.saturating_mul(2);
        }
        // Where no row is left for one query, none is left for any.
        let Some(best) = lists[query].pop() else { break };
        admission.take(best.row as usize);
        matched.push(near, 0.0 - best.key, best.row, query);
        control.tick(turn as u64 + 1, request.count() as u64)?;
    }
    Ok(matched)
}

/// Drops what others have taken, or the limits refuse, from the end of a list, where its nearest rows are.
fn drop_closed(list: &mut Vec<Rank>, admission: &Admission<'_>) {
    while list.pop_if(|rank| !admission.is_open(rank.row as usize)).is_some() {}
}
