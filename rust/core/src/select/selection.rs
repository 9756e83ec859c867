//! The request for a selection, and the selection that answers it.

use super::candidates::Candidates;
use super::limits::Limits;
use crate::Error;

/// A checked request: how many rows, after which, without which, and within which limits.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    count: usize,
    preselected: &'a [usize],
    excluded: &'a [usize],
    limits: Option<Limits<'a>>,
    /// How many rows there are to choose from.
    rows: usize,
}

impl<'a> Request<'a> {
    /// `count` new rows of `rows`, where `preselected` are in the set already: they count for the objective and are
    /// not picked.
    ///
    /// # Errors
    /// [`Error::NoSuchRow`] and [`Error::RepeatedRow`] for `preselected`; [`Error::BadK`] where fewer than `count`
    /// other rows exist.
    pub fn new(rows: usize, count: usize, preselected: &'a [usize]) -> Result<Self, Error> {
        Self::with_excluded(rows, count, preselected, &[])
    }

    /// As [`Request::new`], where `excluded` are not picked either: they are rows that others may represent, and
    /// nothing more.
    ///
    /// # Errors
    /// As [`Request::new`], for both lists of rows together.
    pub fn with_excluded(
        rows: usize,
        count: usize,
        preselected: &'a [usize],
        excluded: &'a [usize],
    ) -> Result<Self, Error> {
        check_distinct(rows, preselected.iter().chain(excluded))?;
        let free = rows - preselected.len() - excluded.len();
        if count > free {
            return Err(Error::BadK { k: count, n: free });
        }
        Ok(Self { count, preselected, excluded, limits: None, rows })
    }

    /// The same request within limits: for as many rows, or as many as the limits allow.
    ///
    /// # Errors
    /// [`Error::Shape`] where groups or costs are not one a row; [`Error::Argument`] for limits that cross, and for a
    /// group without any; [`Error::OutOfMemory`].
    pub fn within(self, limits: Limits<'a>) -> Result<Self, Error> {
        limits.check(self.rows)?;
        let limited = Self { limits: Some(limits), ..self };
        Ok(Self { count: limited.candidates()?.max_picks()?, ..limited })
    }

    /// How many rows to pick; where there are limits, they may allow fewer.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The rows that are in the set already.
    #[must_use]
    pub fn preselected(&self) -> &'a [usize] {
        self.preselected
    }

    /// The rows that are never picked, in the set or not.
    #[must_use]
    pub fn excluded(&self) -> &'a [usize] {
        self.excluded
    }

    /// Which rows can be picked, before the first pick.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn candidates(&self) -> Result<Candidates<'a>, Error> {
        let mut unavailable = crate::blocks::filled(self.rows, false)?;
        self.preselected.iter().chain(self.excluded).for_each(|&row| unavailable[row] = true);
        Candidates::new(unavailable, self.count, self.preselected, self.limits)
    }
}

/// Checks that row numbers exist and that none is repeated.
///
/// # Errors
/// [`Error::NoSuchRow`], [`Error::RepeatedRow`], [`Error::OutOfMemory`].
pub(crate) fn check_distinct<'a>(
    rows: usize,
    numbers: impl IntoIterator<Item = &'a usize>,
) -> Result<(), Error> {
    let mut seen = crate::blocks::filled(rows, false)?;
    for &row in numbers {
        match seen.get_mut(row) {
            None => return Err(Error::NoSuchRow { row, n: rows }),
            Some(true) => return Err(Error::RepeatedRow { row }),
            Some(seen) => *seen = true,
        }
    }
    Ok(())
}

/// Rows in pick order, with what each was worth when it was picked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Row numbers.
    pub rows: Vec<usize>,
    /// The gain of each.
    pub gains: Vec<f64>,
}

/// A selection and what it took to find it.
#[derive(Debug, Clone)]
pub struct Counted {
    /// The picks.
    pub selection: Selection,
    /// How many pairs of rows were compared, at any precision: rows x (picks + preselected) for a definition, a
    /// fraction of that for a fast path, and the same on every machine.
    pub evaluations: u64,
}

impl Selection {
    pub(crate) fn push(&mut self, row: usize, gain: f64) {
        self.rows.push(row);
        self.gains.push(gain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preselected_rows_exist_once_and_leave_enough() {
        assert_eq!(Request::new(3, 1, &[3]).err(), Some(Error::NoSuchRow { row: 3, n: 3 }));
        assert_eq!(Request::new(3, 1, &[1, 0, 1]).err(), Some(Error::RepeatedRow { row: 1 }));
        assert_eq!(Request::new(3, 3, &[1]).err(), Some(Error::BadK { k: 3, n: 2 }));
        assert_eq!(Request::new(0, 1, &[]).err(), Some(Error::BadK { k: 1, n: 0 }));
        assert_eq!(Request::with_excluded(3, 1, &[1], &[1]).err(), Some(Error::RepeatedRow { row: 1 }));
        assert_eq!(Request::with_excluded(3, 1, &[], &[4]).err(), Some(Error::NoSuchRow { row: 4, n: 3 }));
        assert_eq!(Request::with_excluded(3, 2, &[1], &[0]).err(), Some(Error::BadK { k: 2, n: 1 }));
        let request = Request::with_excluded(3, 1, &[1], &[0]).unwrap();
        assert_eq!(request.excluded(), [0]);
        assert_eq!(request.candidates().unwrap().iter().collect::<Vec<_>>(), [2]);
        let request = Request::new(3, 2, &[1]).unwrap();
        assert_eq!((request.count(), request.preselected()), (2, &[1usize][..]));
    }
}
