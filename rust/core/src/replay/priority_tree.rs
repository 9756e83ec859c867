//! Draws by priority, without replacement: a sum tree over whole numbers.

use crate::rng::{keyed_hash, word_of_row};
use crate::{Error, blocks};

/// Children of a node: their sums are one line of the cache.
const FAN: usize = 8;
/// Results of [`power`].
const POWERS: usize = 2099;

/// Rows with priorities, of which any number can be drawn or changed in O(log n) each.
///
/// A priority is held as a whole number: rounded down to a multiple of one power of two, the same for all rows and such
/// that n of the largest fit into 63 bits; one above zero is at least 1. So sums are exact, no drift has to be
/// corrected, and the tree is a function of the priorities alone, whichever way they came to be. The weight of a row is
/// off by less than n / 2^61 of the largest.
///
/// 16 + 8 / 7 bytes a row.
#[derive(Debug)]
pub struct PriorityTree {
    priorities: Vec<f64>,
    /// Rows of each power of two, which tell the largest without a look at all rows.
    powers: Vec<u32>,
    /// The weights of the rows, then the sums of each [`FAN`], and so on up to one node.
    levels: Vec<Vec<u64>>,
}

impl PriorityTree {
    /// A tree over these priorities. O(n).
    ///
    /// # Errors
    /// [`Error::NotFinite`] or [`Error::Negative`] with the first row of a priority that is none;
    /// [`Error::TooManyRows`], [`Error::OutOfMemory`].
    pub fn new(priorities: Vec<f64>) -> Result<Self, Error> {
        blocks::check_countable(priorities.len())?;
        check(&priorities)?;
        let mut levels = vec![blocks::zeroed(priorities.len().next_multiple_of(FAN))?];
        let mut nodes = priorities.len().div_ceil(FAN);
        while nodes > 1 {
            levels.push(blocks::zeroed(nodes.next_multiple_of(FAN))?);
            nodes = nodes.div_ceil(FAN);
        }
        let mut powers = vec![0; POWERS];
        priorities.iter().for_each(|&priority| powers[power(priority)] += 1);
        let mut tree = Self { priorities, powers, levels };
        tree.weigh();
        Ok(tree)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.priorities.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.priorities.is_empty()
    }

    /// The priorities of all rows.
    #[must_use]
    pub fn priorities(&self) -> &[f64] {
        &self.priorities
    }

    /// The weights by which rows are drawn: the priorities as whole numbers.
    #[must_use]
    pub fn weights(&self) -> &[u64] {
        &self.levels[0][..self.len()]
    }

    /// Gives rows other priorities, all or, where one is refused, none; of a row that is named twice the last counts.
    ///
    /// O(log n) each, and once O(n) where the power of two of the largest is another than before.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::NoSuchRow`]; [`Error::NotFinite`] or [`Error::Negative`] with the place, among those
    /// given, of a priority that is none.
    pub fn set(&mut self, rows: &[usize], priorities: &[f64]) -> Result<(), Error> {
        if priorities.len() != rows.len() {
            let (expected, got) = (rows.len(), priorities.len());
            return Err(Error::Shape { what: "the number of priorities", expected, got });
        }
        if let Some(&row) = rows.iter().find(|&&row| row >= self.len()) {
            return Err(Error::NoSuchRow { row, n: self.len() });
        }
        check(priorities)?;
        let before = self.largest();
        for (&row, &priority) in rows.iter().zip(priorities) {
            self.powers[power(self.priorities[row])] -= 1;
            self.powers[power(priority)] += 1;
            self.priorities[row] = priority;
        }
        if self.largest() == before {
            let scale = self.scale();
            rows.iter().for_each(|&row| self.put(row, weight(self.priorities[row], scale)));
        } else {
            self.weigh();
        }
        Ok(())
    }

    /// Draws rows one after the other, each by its share of the weights of those not yet drawn; once these are zero, by
    /// equal shares.
    ///
    /// Draw number `i` takes the row that spans place `keyed_hash(key, word_of_row(i)) * total / 2^64`, rounded down,
    /// where the weights lie one after the other: a function of the key and the priorities. No place is more likely than
    /// another by more than total / 2^64. The weights are afterwards what they were. O(log n) for each, and once O(n)
    /// where the weights that are left become zero.
    ///
    /// # Errors
    /// [`Error::BadK`] where `count` is more than there are rows, [`Error::OutOfMemory`].
    pub fn draw(&mut self, key: u64, count: usize) -> Result<Vec<usize>, Error> {
        if count > self.len() {
            return Err(Error::BadK { k: count, n: self.len() });
        }
        let mut drawn = blocks::reserved(count)?;
        let mut taken = blocks::reserved(count)?;
        while drawn.len() < count && self.total() > 0 {
            let row = self.find(key, drawn.len());
            taken.push(self.take(row));
            drawn.push(row);
        }
        let by_weight = taken.len();
        if drawn.len() < count {
            // All weights are zero now: those left get one each.
            self.levels[0][..self.priorities.len()].fill(1);
            drawn.iter().for_each(|&row| self.levels[0][row] = 0);
            self.add_up();
            while drawn.len() < count {
                let row = self.find(key, drawn.len());
                self.take(row);
                drawn.push(row);
            }
            self.levels[0].fill(0);
            self.add_up();
        }
        for (&row, &weight) in drawn[..by_weight].iter().zip(&taken) {
            self.put(row, weight);
        }
        Ok(drawn)
    }

    /// The sum of all weights.
    fn total(&self) -> u64 {
        self.levels.last().map_or(0, |top| top.iter().sum())
    }

    /// The row that spans the place which draw `number` takes.
    fn find(&self, key: u64, number: usize) -> usize {
        let hash = keyed_hash(key, word_of_row(number as u64));
        let mut place = ((u128::from(hash) * u128::from(self.total())) >> 64) as u64;
        let mut node = 0;
        for level in self.levels.iter().rev() {
            // Without a branch on the place, which nobody can predict.
            let (mut end, mut before, mut child) = (0, 0, 0);
            for weight in &level[node * FAN..][..FAN] {
                end += weight;
                let is_before = end <= place;
                before = if is_before { end } else { before };
                child += usize::from(is_before);
            }
            place -= before;
            node = node * FAN + child;
        }
        node
    }

    /// Takes the weight of a row away, and gives it.
    fn take(&mut self, row: usize) -> u64 {
        let weight = self.levels[0][row];
        self.put(row, 0);
        weight
    }

    /// Gives a row another weight.
    fn put(&mut self, row: usize, weight: u64) {
        let change = weight.wrapping_sub(self.levels[0][row]);
        let mut node = row;
        for level in &mut self.levels {
            level[node] = level[node].wrapping_add(change);
            node /= FAN;
        }
    }

    /// Computes all weights and sums.
    fn weigh(&mut self) {
        let scale = self.scale();
        for (to, &priority) in self.levels[0].iter_mut().zip(&self.priorities) {
            *to = weight(priority, scale);
        }
        self.add_up();
    }

    /// Computes all sums.
    fn add_up(&mut self) {
        for upper in 1..self.levels.len() {
            let (below, level) = self.levels.split_at_mut(upper);
            let children = below[upper - 1].as_chunks::<FAN>().0;
            for (node, children) in level[0].iter_mut().zip(children) {
                *node = children.iter().sum();
            }
        }
    }

    /// The largest power of two that a priority has.
    fn largest(&self) -> usize {
        self.powers.iter().rposition(|&rows| rows > 0).unwrap_or(0)
    }

    /// The power of two by which priorities are multiplied, so that n of the largest are below 2^63.
    fn scale(&self) -> i32 {
        let bits_of_rows = self.len().next_power_of_two().trailing_zeros() as i32;
        // A priority of power p is below 2^(p - 1074).
        63 - bits_of_rows - (self.largest() as i32 - 1074)
    }
}

fn check(priorities: &[f64]) -> Result<(), Error> {
    match priorities.iter().position(|&priority| !(priority.is_finite() && priority >= 0.0)) {
        Some(row) if priorities[row].is_finite() => Err(Error::Negative { row }),
        Some(row) => Err(Error::NotFinite { row }),
        None => Ok(()),
    }
}

/// A priority as `whole * 2^(power - 1074)`.
fn parts(priority: f64) -> (u64, i32) {
    let bits = priority.to_bits() & !(1 << 63);
    let (exponent, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) }
}

/// The least `p` for which the priority is below `2^(p - 1074)`: 0 for zero, at most 2098.
fn power(priority: f64) -> usize {
    let (whole, power) = parts(priority);
    if whole == 0 { 0 } else { power as usize + 64 - whole.leading_zeros() as usize }
}

/// The priority times `2^scale`, rounded down, but at least 1 where it is above zero.
fn weight(priority: f64, scale: i32) -> u64 {
    let (whole, power) = parts(priority);
    let shift = power - 1074 + scale;
    let scaled =
        if shift >= 0 { whole << shift } else { whole.checked_shr(shift.unsigned_abs()).unwrap_or(0) };
    scaled.max(u64::from(whole > 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::plain;
    use super::*;

    fn priorities() -> impl Strategy<Value = f64> {
        prop_oneof![
            Just(0.0),
            Just(-0.0),
            Just(1.0),
            Just(3.0),
            0.0f64..1e3,
            Just(1e-300),
            Just(5e-324),
            Just(f64::MAX)
        ]
    }

    /// Priorities as whole numbers, by floating-point arithmetic where that is exact.
    fn by_hand(priorities: &[f64]) -> Vec<u64> {
        let largest = priorities.iter().copied().fold(0.0, f64::max);
        let mut unit = 1.0f64;
        while largest >= unit {
            unit *= 2.0;
        }
        while largest < unit / 2.0 {
            unit /= 2.0;
        }
        let most = 2f64.powi(63) / priorities.len().next_power_of_two() as f64;
        let weight = |&priority: &f64| ((priority / unit * most) as u64).max(u64::from(priority > 0.0));
        priorities.iter().map(weight).collect()
    }

    proptest! {
        #[test]
        fn draws_by_the_definition(
            priorities in prop::collection::vec(priorities(), 0..150), key: u64, share in 0.0..=1.0f64,
        ) {
            let mut tree = PriorityTree::new(priorities).unwrap();
            let weights = tree.weights().to_vec();
            for count in [(share * weights.len() as f64) as usize, weights.len()] {
                prop_assert_eq!(tree.draw(key, count).unwrap(), plain::draw(&weights, key, count));
                prop_assert_eq!(tree.weights(), &weights[..]);
            }
        }

        #[test]
        fn is_a_function_of_its_priorities(
            first in prop::collection::vec(priorities(), 1..150),
            changes in prop::collection::vec(prop::collection::vec((any::<prop::sample::Index>(), priorities()), 0..9), 0..5),
        ) {
            let mut tree = PriorityTree::new(first.clone()).unwrap();
            let mut now = first;
            for change in changes {
                let rows: Vec<usize> = change.iter().map(|(at, _)| at.index(now.len())).collect();
                let values: Vec<f64> = change.iter().map(|&(_, priority)| priority).collect();
                tree.set(&rows, &values).unwrap();
                rows.iter().zip(values).for_each(|(&row, priority)| now[row] = priority);
                let anew = PriorityTree::new(now.clone()).unwrap();
                prop_assert_eq!(&tree.levels, &anew.levels);
                prop_assert_eq!(&tree.powers, &anew.powers);
            }
        }

        #[test]
        fn weights_are_rounded_priorities(priorities in prop::collection::vec(0.0f64..1e3, 1..40)) {
            let expected = by_hand(&priorities);
            prop_assert!(expected.iter().map(|&weight| u128::from(weight)).sum::<u128>() <= 1 << 63);
            let tree = PriorityTree::new(priorities).unwrap();
            prop_assert_eq!(tree.weights(), &expected[..]);
        }
    }

    #[test]
    fn powers_are_bounds() {
        for (priority, expected) in
            [(0.0, 0), (5e-324, 1), (1e-323, 2), (1.0, 1075), (0.75, 1074), (f64::MAX, 2098)]
        {
            assert_eq!(power(priority), expected, "{priority}");
        }
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        assert_eq!(PriorityTree::new(vec![1.0, f64::NAN]).unwrap_err(), Error::NotFinite { row: 1 });
        assert_eq!(PriorityTree::new(vec![f64::INFINITY, -1.0]).unwrap_err(), Error::NotFinite { row: 0 });
        let mut tree = PriorityTree::new(vec![1.0, 2.0]).unwrap();
        assert_eq!(tree.set(&[0, 1], &[3.0, -1.0]), Err(Error::Negative { row: 1 }));
        assert_eq!(tree.set(&[0, 2], &[3.0, 1.0]), Err(Error::NoSuchRow { row: 2, n: 2 }));
        assert!(matches!(tree.set(&[0], &[]), Err(Error::Shape { .. })));
        assert_eq!(tree.draw(0, 3), Err(Error::BadK { k: 3, n: 2 }));
        assert_eq!(tree.priorities(), [1.0, 2.0]);
        assert!(PriorityTree::new(vec![]).unwrap().draw(0, 0).unwrap().is_empty());
    }
}
