//! Rows by the cell that they lie in.

use std::ops::Range;

use crate::{Error, blocks};

/// Row numbers, cell after cell.
pub(crate) struct Groups {
    /// Ascending within a cell.
    pub(crate) rows: Vec<u32>,
    /// The rows of cell `c` are `rows[starts[c]..starts[c + 1]]`.
    pub(crate) starts: Vec<usize>,
}

impl Groups {
    /// Groups the rows of these labels, each below `count`.
    pub(crate) fn new(
        labels: impl ExactSizeIterator<Item = usize> + Clone,
        count: usize,
    ) -> Result<Self, Error> {
        let mut rows = blocks::zeroed::<u32>(labels.len())?;
        let mut starts = blocks::zeroed::<usize>(count + 1)?;
        labels.clone().for_each(|label| starts[label + 1] += 1);
        (0..count).for_each(|cell| starts[cell + 1] += starts[cell]);
        let mut next = starts.clone();
        for (row, label) in (0u32..).zip(labels) {
            rows[next[label]] = row;
            next[label] += 1;
        }
        Ok(Self { rows, starts })
    }

    /// The places of the rows of a cell.
    pub(crate) fn range(&self, cell: usize) -> Range<usize> {
        self.starts[cell]..self.starts[cell + 1]
    }

    /// The rows of a cell.
    pub(crate) fn of(&self, cell: usize) -> &[u32] {
        &self.rows[self.range(cell)]
    }

    /// How many cells there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_grouped_in_their_order() {
        let groups = Groups::new([2usize, 0, 2, 3, 2].into_iter(), 5).unwrap();
        let cells: Vec<&[u32]> = (0..groups.len()).map(|cell| groups.of(cell)).collect();
        assert_eq!(cells, [&[1][..], &[], &[0, 2, 4], &[3], &[]]);
        assert_eq!(groups.range(2), 1..4);
    }
}
