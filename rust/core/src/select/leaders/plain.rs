//! The definition: each row meets all kept before it that it sees.

use super::{Best, Led, Walk, pairs, recall};
use crate::{Control, Error};

pub(super) fn walk(walk: &Walk<'_>, control: &impl Control) -> Result<Led, Error> {
    let (mut kept, mut found, mut evaluations) = (Vec::new(), Vec::new(), 0);
    for (before, &row) in walk.order.iter().enumerate() {
        let mut best = Best::none();
        let met = if before < walk.always { &[][..] } else { &kept };
        for &other in met.iter().filter(|&&other| walk.seen.sees(row, other)) {
            best.meet(walk.similarity(row, other), other, walk.threshold);
            evaluations += 1;
        }
        if best.is_none() {
            kept.push(row);
        }
        found.push(best);
        control.tick(pairs(before), pairs(walk.order.len()))?;
    }
    Ok(Led::new(walk, &found, recall::plain(walk), evaluations))
}
