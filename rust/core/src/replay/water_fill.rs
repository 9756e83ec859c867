//! Slots shared among groups as evenly as their sizes allow.

use crate::{Error, blocks};

/// How many of `total` slots each group gets: `min(size, L)`, with the level `L` as high as there are slots for, and the
/// slots that are left one each to the groups above the level, by (order, index) ascending.
///
/// No slot stays empty that some group could fill, and no group has two more than another that is larger than its
/// quota. As groups grow one row at a time the quotas of the others never rise. O(g log g), 8 bytes a group.
///
/// # Errors
/// [`Error::Shape`], [`Error::OutOfMemory`].
pub fn water_fill(sizes: &[u64], total: u64, order: &[u64]) -> Result<Vec<u64>, Error> {
    if order.len() != sizes.len() {
        return Err(Error::Shape {
            what: "the length of the order",
            expected: sizes.len(),
            got: order.len(),
        });
    }
    let mut ascending = blocks::reserved(sizes.len())?;
    ascending.extend_from_slice(sizes);
    ascending.sort_unstable();
    // Groups below the level are full, and leave more for the others.
    let (mut left, mut level) = (total, None);
    for (at, &size) in ascending.iter().enumerate() {
        let share = left / (sizes.len() - at) as u64;
        if size > share {
            level = Some(share);
            left -= share * (sizes.len() - at) as u64;
            break;
        }
        left -= size;
    }
    let Some(level) = level else { return Ok(sizes.to_vec()) };
    let mut quotas: Vec<u64> = sizes.iter().map(|&size| size.min(level)).collect();
    let mut above: Vec<usize> = (0..sizes.len()).filter(|&group| sizes[group] > level).collect();
    above.sort_unstable_by_key(|&group| (order[group], group));
    above.into_iter().take(left as usize).for_each(|group| quotas[group] += 1);
    Ok(quotas)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::plain;
    use super::*;

    fn cases() -> impl Strategy<Value = (Vec<(u64, u64)>, u64)> {
        (prop::collection::vec((0u64..12, 0u64..4), 0..9), 0u64..90)
    }

    proptest! {
        #[test]
        fn agrees_with_one_slot_at_a_time((groups, total) in cases()) {
            let (sizes, order): (Vec<u64>, Vec<u64>) = groups.into_iter().unzip();
            let quotas = water_fill(&sizes, total, &order).unwrap();
            prop_assert_eq!(&quotas, &plain::water_fill(&sizes, total, &order));
            prop_assert_eq!(quotas.iter().sum::<u64>(), total.min(sizes.iter().sum()));
        }

        #[test]
        fn a_group_that_grows_takes_from_others_and_gives_them_nothing(
            (groups, total) in cases(), at: prop::sample::Index,
        ) {
            prop_assume!(!groups.is_empty());
            let (mut sizes, order): (Vec<u64>, Vec<u64>) = groups.into_iter().unzip();
            let before = water_fill(&sizes, total, &order).unwrap();
            let grown = at.index(sizes.len());
            sizes[grown] += 1;
            let after = water_fill(&sizes, total, &order).unwrap();
            prop_assert!(after[grown] >= before[grown]);
            for group in (0..sizes.len()).filter(|&group| group != grown) {
                prop_assert!(after[group] <= before[group], "{:?} {:?}", before, after);
            }
        }
    }

    #[test]
    fn sizes_may_be_as_large_as_numbers_are() {
        assert_eq!(water_fill(&[u64::MAX; 3], u64::MAX, &[0; 3]).unwrap(), [u64::MAX / 3; 3]);
        assert_eq!(water_fill(&[u64::MAX, 1], u64::MAX, &[0; 2]).unwrap(), [u64::MAX - 1, 1]);
        assert_eq!(water_fill(&[], 5, &[]).unwrap(), []);
        assert!(matches!(water_fill(&[1], 5, &[]), Err(Error::Shape { expected: 1, got: 0, .. })));
    }
}
