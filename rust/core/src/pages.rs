//! Memory for large tables: zeroed by the system when it is first touched, in large pages where it has them.
//!
//! A vector of zeros would be written once by one thread and then again by those that fill it; and a table of hundreds
//! of megabytes in pages of 4 KiB costs as much in page faults and translation as in arithmetic.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
#[cfg(target_os = "linux")]
use memmap2::Advice;
use memmap2::MmapMut;

use crate::{Error, blocks};

/// Up to so many bytes are memory that the allocator mostly has at hand, which the system need not zero anew.
const AT_HAND: usize = 16 << 20;

/// Zeroed values.
#[derive(Debug)]
pub struct Pages<T> {
    memory: Memory<T>,
    length: usize,
}

#[derive(Debug)]
enum Memory<T> {
    Allocated(Vec<T>),
    Mapped(MmapMut, PhantomData<T>),
}

impl<T: Pod> Pages<T> {
    /// So many values, or [`Error::OutOfMemory`] instead of an abort.
    pub(crate) fn zeroed(length: usize) -> Result<Self, Error> {
        if length.saturating_mul(size_of::<T>()) <= AT_HAND {
            let mut values = blocks::reserved(length)?;
            values.resize(length, T::zeroed());
            return Ok(Self { memory: Memory::Allocated(values), length });
        }
        let memory = mapped::<T>(length)?;
        #[cfg(target_os = "linux")]
        // Small pages are as right as large ones.
        let _ = memory.advise(Advice::HugePage);
        Ok(Self { memory: Memory::Mapped(memory, PhantomData), length })
    }

    /// As [`Pages::zeroed`], in small pages: for values that are touched once or twice, or not at all. Systems that give
    /// free memory back to a host have large pages made anew, which takes as long as thousands of small ones.
    pub(crate) fn small(length: usize) -> Result<Self, Error> {
        Ok(Self { memory: Memory::Mapped(mapped::<T>(length)?, PhantomData), length })
    }
}

fn mapped<T>(length: usize) -> Result<MmapMut, Error> {
    let bytes = length.saturating_mul(size_of::<T>());
    // There is no memory of no bytes.
    MmapMut::map_anon(bytes.max(1)).map_err(|_| Error::OutOfMemory { bytes })
}

impl<T: Pod> Deref for Pages<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &self.memory {
            Memory::Allocated(values) => values,
            Memory::Mapped(memory, _) => bytemuck::cast_slice(&memory[..self.length * size_of::<T>()]),
        }
    }
}

impl<T: Pod> AsRef<[T]> for Pages<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T: Pod> DerefMut for Pages<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.memory {
            Memory::Allocated(values) => values,
            Memory::Mapped(memory, _) => {
                bytemuck::cast_slice_mut(&mut memory[..self.length * size_of::<T>()])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_zero_and_then_what_they_are_set_to() {
        for length in [0, 1, 5000, AT_HAND / 4, AT_HAND / 4 + 1] {
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
