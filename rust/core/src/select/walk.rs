//! Picks in an order that is known beforehand.

use super::Request;
use crate::{Error, blocks};

/// Picks the first rows of `order` that can be picked, until there are as many as asked for.
///
/// Rows given, excluded, and those that the limits of the request refuse are passed over.
///
/// # Errors
/// [`Error::NoSuchRow`] and [`Error::GivenTwice`] for `order`; [`Error::OutOfMemory`].
pub fn in_order(order: &[usize], request: &Request<'_>) -> Result<Vec<usize>, Error> {
    let mut admission = request.admission()?;
    let n = admission.rows();
    let mut met = blocks::filled(n, false)?;
    let mut picks = blocks::reserved(admission.left())?;
    for &row in order {
        match met.get_mut(row) {
            None => return Err(Error::NoSuchRow { row, n }),
            Some(true) => return Err(Error::GivenTwice { row }),
            Some(met) => *met = true,
        }
        if !admission.is_done() && admission.is_open(row) {
            admission.take(row);
            picks.push(row);
        }
    }
    Ok(picks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::select::{Costs, Groups, Limits};
    use crate::testing::{Wishes, wishes};

    fn cases() -> impl Strategy<Value = (Vec<usize>, Wishes)> {
        (0usize..40).prop_flat_map(|rows| (Just((0..rows).collect::<Vec<_>>()).prop_shuffle(), wishes(rows)))
    }

    proptest! {
        #[test]
        fn picks_the_first_that_can_be_picked((order, wishes) in cases()) {
            let mut set = wishes.given.clone();
            let mut picks = Vec::new();
            for &row in &order {
                if wishes.open(&set).contains(&row) {
                    set.push(row);
                    picks.push(row);
                }
            }
            prop_assert_eq!(in_order(&order, &wishes.request(order.len())), Ok(picks));
            // As what was passed over is refused for good, a second look finds nothing.
            prop_assert!(wishes.open(&set).is_empty());
        }
    }

    #[test]
    fn bad_orders_are_refused() {
        let request = Request::new(2, 1, &[]).unwrap();
        assert_eq!(in_order(&[1, 2], &request), Err(Error::NoSuchRow { row: 2, n: 2 }));
        assert_eq!(in_order(&[0, 1, 0], &request), Err(Error::GivenTwice { row: 0 }));
    }

    #[test]
    fn minimums_keep_room_for_themselves() {
        let (of, costs) = ([0, 0, 0, 1], [1, 2, 3, 4]);
        let limits = |rows, budget| Limits {
            rows,
            groups: Some(Groups { of: &of, least: &[0, 1], most: &[2, 1] }),
            costs: Some(Costs { of: &costs, budget, part: u64::MAX }),
        };
        let picks =
            |limits| in_order(&[2, 0, 1, 3], &Request::new(4, 4, &[]).unwrap().within(limits).unwrap());
        assert_eq!(picks(limits(4, 99)), Ok(vec![2, 0, 3]));
        // One of two rows is the last one's, and so are 4 of 6.
        assert_eq!(picks(limits(2, 99)), Ok(vec![2, 3]));
        assert_eq!(picks(limits(4, 6)), Ok(vec![0, 3]));
    }

    #[test]
    fn bad_limits_are_refused() {
        let refused = |of: &[u32], least: &[usize], most: &[usize], costs: &[u64]| {
            let limits = Limits {
                rows: 9,
                groups: Some(Groups { of, least, most }),
                costs: Some(Costs { of: costs, budget: 9, part: 9 }),
            };
            Request::new(2, 1, &[]).unwrap().within(limits).unwrap_err().to_string()
        };
        assert!(refused(&[0], &[0], &[1], &[1, 1]).contains("groups of rows must be 2, not 1"));
        assert!(refused(&[0, 1], &[0], &[1], &[1, 1]).contains("group 1 has no limits"));
        assert!(refused(&[0, 0], &[0], &[1, 1], &[1, 1]).contains("upper limits must be 1, not 2"));
        assert!(
            refused(&[0, 0], &[2], &[1], &[1, 1]).contains("group 0 must have more rows than it may have")
        );
        assert!(refused(&[0, 0], &[0], &[1], &[1]).contains("costs must be 2, not 1"));
    }
}
