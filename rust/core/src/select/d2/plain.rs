//! The definition: the keys of all rows are at hand, and every pick lowers them.

use rayon::prelude::*;

use super::super::{Request, Selection};
use super::draws::{Draws, FirstPick};
use super::pairs::Pairs;
use crate::blocks;
use crate::{Control, Error};

/// Picks with the keys of all rows at hand.
pub(super) fn pick(
    pairs: &impl Pairs,
    request: &Request<'_>,
    (key, order): (u64, Option<&[u32]>),
    first: &impl FirstPick,
    control: &impl Control,
) -> Result<Selection, Error> {
    let (mut draws, set) = Draws::new(request, key, order, first)?;
    let Some((&first, others)) = set.split_first() else { return Ok(draws.fill_up()) };
    let mut keys = blocks::filled(pairs.rows(), f32::MAX)?;
    lower(pairs, first, &mut keys);
    weigh(&mut draws, &keys, control)?;
    others.iter().for_each(|&row| lower(pairs, row, &mut keys));
    draws.add_uncovered(others.len());
    while !draws.is_done() && !draws.weights.all_zero() {
        for proposal in draws.batch() {
            let key = keys[proposal.row as usize];
            if !draws.is_done() && draws.admit(proposal.row) && f64::from(key) > proposal.limit {
                draws.accept(proposal.row, key);
                lower(pairs, proposal.row, &mut keys);
            }
        }
        if draws.end_batch(control)? {
            weigh(&mut draws, &keys, control)?;
        }
    }
    Ok(draws.fill_up())
}

/// Lowers the keys of all rows to their distances from a new member of the set.
fn lower(pairs: &impl Pairs, member: u32, keys: &mut [f32]) {
    keys.par_iter_mut().enumerate().for_each(|(row, key)| *key = key.min(pairs.distance(row as u32, member)));
}

/// Brings the weights up to date. Rows without one get none.
fn weigh(draws: &mut Draws<'_>, keys: &[f32], control: &impl Control) -> Result<(), Error> {
    draws.weights.set(&draws.watch(control), |order, first, weights| {
        for (place, weight) in (first..).zip(weights) {
            *weight = weight.min(keys[order.row(place) as usize]);
        }
    })?;
    draws.are_up_to_date();
    Ok(())
}
