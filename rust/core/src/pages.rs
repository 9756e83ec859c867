//! Memory for tables of many pairs: zeroed by the system when it is first touched, in large pages where it has them.
//!
//! A vector of zeros would be written once by one thread and then again by those that fill it; and a table of hundreds
//! of megabytes in pages of 4 KiB costs as much in page faults and translation as in arithmetic.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
#[cfg(target_os = "linux")]
use memmap2::Advice;
use memmap2::MmapMut;

use crate::Error;

/// Zeroed values.
pub(crate) struct Pages<T> {
    memory: MmapMut,
    length: usize,
    values: PhantomData<T>,
}

impl<T: Pod> Pages<T> {
    /// So many values, or [`Error::OutOfMemory`] instead of an abort.
    pub(crate) fn zeroed(length: usize) -> Result<Self, Error> {
        let pages = Self::small(length)?;
        #[cfg(target_os = "linux")]
        // Small pages are as right as large ones.
        let _ = pages.memory.advise(Advice::HugePage);
        Ok(pages)
    }

    /// As [`Pages::zeroed`], in small pages: for values that are touched once or twice, or not at all. Systems that give
    /// free memory back to a host have large pages made anew, which takes as long as thousands of small ones.
    pub(crate) fn small(length: usize) -> Result<Self, Error> {
        let bytes = length.saturating_mul(size_of::<T>());
        let refused = |_| Error::OutOfMemory { bytes };
        // There is no memory of no bytes.
        let memory = MmapMut::map_anon(bytes.max(1)).map_err(refused)?;
        Ok(Self { memory, length, values: PhantomData })
    }
}

impl<T: Pod> Deref for Pages<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.memory[..self.length * size_of::<T>()])
    }
}

impl<T: Pod> DerefMut for Pages<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.memory[..self.length * size_of::<T>()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_zero_and_then_what_they_are_set_to() {
        for length in [0, 1, 5000] {
            for mut pages in [Pages::<f32>::zeroed(length).unwrap(), Pages::small(length).unwrap()] {
                assert_eq!(*pages, vec![0.0; length]);
                pages.iter_mut().zip(0..).for_each(|(value, at)| *value = at as f32);
                assert!(pages.iter().zip(0..).all(|(&value, at)| value == at as f32));
            }
        }
    }

    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        for length in [usize::MAX, usize::MAX / 8] {
            assert!(matches!(Pages::<u64>::zeroed(length), Err(Error::OutOfMemory { .. })));
        }
    }
}
