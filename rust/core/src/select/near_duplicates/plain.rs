//! The definition: each row is compared with all representatives before it that the cells admit.

use super::{NearDuplicates, Nearest, Search, pairs, recall};
use crate::{Control, Error};

pub(super) fn find(search: &Search<'_>, control: &impl Control) -> Result<NearDuplicates, Error> {
    let (mut representatives, mut found, mut evaluations) = (Vec::new(), Vec::new(), 0);
    for (before, &row) in search.order.iter().enumerate() {
        let mut nearest = Nearest::none();
        let others = if before < search.protected_prefix { &[][..] } else { &representatives };
        for &other in others.iter().filter(|&&other| search.cells.admit(row, other)) {
            nearest.update(search.similarity(row, other), other, search.threshold);
            evaluations += 1;
        }
        if nearest.is_none() {
            representatives.push(row);
        }
        found.push(nearest);
        control.tick(pairs(before), pairs(search.order.len()))?;
    }
    Ok(NearDuplicates::new(search, &found, recall::plain(search), evaluations))
}
