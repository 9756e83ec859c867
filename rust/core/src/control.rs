//! How a caller watches long work and stops it.

use crate::Error;

/// Hears how far a kernel is and may stop it.
///
/// `tick` is called often and from any thread of the pool, so it must be cheap. Returning an error (as a
/// rule [`Error::Interrupted`]) makes the kernel give up and return that error.
pub trait Control: Sync {
    /// `done` of `total` units of work are finished.
    ///
    /// # Errors
    /// Whatever the caller wants the kernel to stop with.
    fn tick(&self, done: u64, total: u64) -> Result<(), Error>;
}

/// A part of longer work: it can be stopped, and what is told meanwhile is how far the whole is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a, C> {
    /// Who watches the whole.
    pub(crate) control: &'a C,
    /// How far the whole is.
    pub(crate) done: u64,
    /// How much the whole is.
    pub(crate) total: u64,
}

impl<C: Control> Control for Part<'_, C> {
    fn tick(&self, _done: u64, _total: u64) -> Result<(), Error> {
        self.control.tick(self.done, self.total)
    }
}

/// Work that nobody watches and nobody stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Control for Unwatched {
    fn tick(&self, _done: u64, _total: u64) -> Result<(), Error> {
        Ok(())
    }
}
