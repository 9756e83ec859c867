//! The definition: the keys of all rows are at hand, and every pick lowers them.

use super::super::k_center::Farthest;
use super::super::{Request, Selection, nearest_key};
use super::draws::Draws;
use crate::blocks;
use crate::matrix::MatrixView;
use crate::{Control, Error};

/// Picks with the keys of all rows at hand.
pub(super) fn pick(
    matrix: MatrixView<'_>,
    request: &Request<'_>,
    key: u64,
    order: Option<&[u32]>,
    control: &impl Control,
) -> Result<Selection, Error> {
    let (mut draws, set) = Draws::new(request, key, order)?;
    let Some((&first, others)) = set.split_first() else { return Ok(draws.fill_up()) };
    let mut keys = blocks::filled(matrix.len(), f32::MAX)?;
    nearest_key::lower::<Farthest<'_>>(matrix, first as usize, &mut keys);
    weigh(&mut draws, &keys, control)?;
    others.iter().for_each(|&row| nearest_key::lower::<Farthest<'_>>(matrix, row as usize, &mut keys));
    draws.add_uncovered(others.len());
    while !draws.is_done() && !draws.weights.all_zero() {
        for proposal in draws.batch() {
            let key = keys[proposal.row as usize];
            if !draws.is_done() && draws.admit(proposal.row) && f64::from(key) > proposal.limit {
                draws.accept(proposal.row, key);
                nearest_key::lower::<Farthest<'_>>(matrix, proposal.row as usize, &mut keys);
            }
        }
        if draws.end_batch(control)? {
            weigh(&mut draws, &keys, control)?;
        }
    }
    Ok(draws.fill_up())
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
