//! Fixed-size blocks of rows: how all parallel work is cut, so that no result depends on the thread count.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::{Control, Error};

/// A zeroed vector, or [`Error::OutOfMemory`] instead of an abort.
pub(crate) fn zeroed<T: Clone + Default>(len: usize) -> Result<Vec<T>, Error> {
    filled(len, T::default())
}

/// A vector of equal values, or [`Error::OutOfMemory`] instead of an abort.
pub(crate) fn filled<T: Clone>(len: usize, value: T) -> Result<Vec<T>, Error> {
    let mut values = reserved(len)?;
    values.resize(len, value);
    Ok(values)
}

/// An empty vector with room for so many values, or [`Error::OutOfMemory`] instead of an abort.
pub(crate) fn reserved<T>(len: usize) -> Result<Vec<T>, Error> {
    let mut values = Vec::new();
    values
        .try_reserve_exact(len)
        .map_err(|_| Error::OutOfMemory { bytes: len.saturating_mul(size_of::<T>()) })?;
    Ok(values)
}

/// Up to so many rows the kernels that say so use no thread but the calling one: handing work over takes as long.
pub const FEW_ROWS: usize = 4096;

/// Refuses more rows than a 32-bit row number can count.
pub(crate) fn check_countable(rows: usize) -> Result<(), Error> {
    match u32::try_from(rows) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::TooManyRows { rows }),
    }
}

/// Calls `work(first_row, block)` on every block of `rows_per_block` rows of `out`, in parallel.
///
/// A row is `width` (at least 1) consecutive values. `control` counts the finished rows. The error returned is
/// the one of the earliest block, whichever thread came first. A single block is the calling thread's.
pub(crate) fn fill<T: Send>(
    out: &mut [T],
    width: usize,
    rows_per_block: usize,
    control: &impl Control,
    work: impl Fn(usize, &mut [T]) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let total = (out.len() / width) as u64;
    if out.len() <= rows_per_block.saturating_mul(width) {
        return if out.is_empty() { Ok(()) } else { work(0, out).and_then(|()| control.tick(total, total)) };
    }
    let done = AtomicU64::new(0);
    let failed = out.par_chunks_mut(rows_per_block * width).enumerate().find_map_first(|(index, block)| {
        let rows = (block.len() / width) as u64;
        work(index * rows_per_block, block)
            .and_then(|()| control.tick(done.fetch_add(rows, Ordering::Relaxed) + rows, total))
            .err()
    });
    failed.map_or(Ok(()), Err)
}

/// Calls `work(rows)` on every block of `rows_per_block` row numbers, in parallel; otherwise as [`fill`].
pub(crate) fn for_each(
    rows: usize,
    rows_per_block: usize,
    control: &impl Control,
    work: impl Fn(Range<usize>) + Sync,
) -> Result<(), Error> {
    try_for_each(rows, rows_per_block, control, |rows| {
        work(rows);
        Ok(())
    })
}

/// [`for_each`] for work that can fail; the error returned is the one of the earliest block.
pub(crate) fn try_for_each(
    rows: usize,
    rows_per_block: usize,
    control: &impl Control,
    work: impl Fn(Range<usize>) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let done = AtomicU64::new(0);
    let failed = (0..rows.div_ceil(rows_per_block)).into_par_iter().find_map_first(|block| {
        let range = block * rows_per_block..rows.min((block + 1) * rows_per_block);
        let count = range.len() as u64;
        work(range)
            .and_then(|()| control.tick(done.fetch_add(count, Ordering::Relaxed) + count, rows as u64))
            .err()
    });
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unwatched;

    /// Stops after so many units.
    struct Until(u64);

    impl Control for Until {
        fn tick(&self, done: u64, _total: u64) -> Result<(), Error> {
            if done >= self.0 { Err(Error::Interrupted) } else { Ok(()) }
        }
    }

    #[test]
    fn every_row_is_visited_once_with_its_number() {
        for rows in [0, 1, 7, 8, 9, 100] {
            let mut out = vec![0usize; rows * 3];
            fill(&mut out, 3, 8, &Unwatched, |first, block| {
                for (row, values) in (first..).zip(block.chunks_exact_mut(3)) {
                    values.iter_mut().for_each(|value| *value += row + 1);
                }
                Ok(())
            })
            .unwrap();
            assert!(out.chunks(3).zip(1..).all(|(values, row)| values == [row; 3]));
        }
    }

    #[test]
    fn the_error_is_the_one_of_the_earliest_row() {
        for _ in 0..50 {
            let failed = fill(&mut [0u8; 999], 1, 10, &Unwatched, |first, _| {
                if first >= 200 { Err(Error::NotFinite { row: first }) } else { Ok(()) }
            });
            assert_eq!(failed, Err(Error::NotFinite { row: 200 }));
            let failed = try_for_each(999, 10, &Unwatched, |rows| {
                if rows.start >= 200 { Err(Error::NotFinite { row: rows.start }) } else { Ok(()) }
            });
            assert_eq!(failed, Err(Error::NotFinite { row: 200 }));
        }
    }

    #[test]
    fn control_stops_the_work() {
        assert_eq!(fill(&mut [0u8; 999], 1, 10, &Until(500), |_, _| Ok(())), Err(Error::Interrupted));
        assert_eq!(for_each(999, 10, &Until(500), |_| ()), Err(Error::Interrupted));
        assert_eq!(for_each(999, 10, &Until(1000), |_| ()), Ok(()));
    }

    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        assert_eq!(zeroed::<u64>(usize::MAX), Err(Error::OutOfMemory { bytes: usize::MAX }));
        assert!(matches!(zeroed::<u8>(usize::MAX / 2), Err(Error::OutOfMemory { .. })));
        assert_eq!(check_countable(1 << 32), Err(Error::TooManyRows { rows: 1 << 32 }));
    }
}
