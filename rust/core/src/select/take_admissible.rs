//! Picks by a ranking: the first rows of it that are admissible.

use super::Request;
use super::selection::check_distinct;
use crate::{Error, blocks};

/// Picks the first admissible rows of `order`, as many as are requested.
///
/// Preselected and excluded rows, and those that the limits of the request do not admit, are passed over.
///
/// # Errors
/// [`Error::NoSuchRow`] and [`Error::RepeatedRow`] for `order`; [`Error::OutOfMemory`].
pub fn take_admissible(order: &[usize], request: &Request<'_>) -> Result<Vec<usize>, Error> {
    let mut candidates = request.candidates()?;
    check_distinct(candidates.rows(), order)?;
    let mut picks = blocks::reserved(candidates.remaining())?;
    for &row in order {
        if !candidates.is_done() && candidates.contains(row) {
            candidates.pick(row);
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
    use crate::testing::{RequestCase, request_cases};

    fn cases() -> impl Strategy<Value = (Vec<usize>, RequestCase)> {
        (0usize..40)
            .prop_flat_map(|rows| (Just((0..rows).collect::<Vec<_>>()).prop_shuffle(), request_cases(rows)))
    }

    proptest! {
        #[test]
        fn picks_the_first_that_can_be_picked((order, case) in cases()) {
            let mut set = case.preselected.clone();
            let mut picks = Vec::new();
            for &row in &order {
                if case.candidates(&set).contains(&row) {
                    set.push(row);
                    picks.push(row);
                }
            }
            prop_assert_eq!(take_admissible(&order, &case.request(order.len())), Ok(picks));
            // What is inadmissible once stays so: a second pass would find nothing.
            prop_assert!(case.candidates(&set).is_empty());
        }
    }

    #[test]
    fn bad_orders_are_refused() {
        let request = Request::new(2, 1, &[]).unwrap();
        assert_eq!(take_admissible(&[1, 2], &request), Err(Error::NoSuchRow { row: 2, n: 2 }));
        assert_eq!(take_admissible(&[0, 1, 0], &request), Err(Error::RepeatedRow { row: 0 }));
    }

    #[test]
    fn minimums_keep_room_for_themselves() {
        let (of, costs) = ([0, 0, 0, 1], [1, 2, 3, 4]);
        let limits = |rows, budget| Limits {
            rows,
            groups: Some(Groups { of: &of, min: &[0, 1], max: &[2, 1] }),
            costs: Some(Costs { of: &costs, budget, request_budget: u64::MAX }),
        };
        let picks = |limits| {
            take_admissible(&[2, 0, 1, 3], &Request::new(4, 4, &[]).unwrap().within(limits).unwrap())
        };
        assert_eq!(picks(limits(4, 99)), Ok(vec![2, 0, 3]));
        // One of two rows is the last one's, and so are 4 of 6.
        assert_eq!(picks(limits(2, 99)), Ok(vec![2, 3]));
        assert_eq!(picks(limits(4, 6)), Ok(vec![0, 3]));
    }

    #[test]
    fn bad_limits_are_refused() {
        let refused = |of: &[u32], min: &[usize], max: &[usize], costs: &[u64]| {
            let limits = Limits {
                rows: 9,
                groups: Some(Groups { of, min, max }),
                costs: Some(Costs { of: costs, budget: 9, request_budget: 9 }),
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
