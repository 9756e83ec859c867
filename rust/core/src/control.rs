//! How a caller watches long work and stops it.

use crate::Error;

/// Receives the progress of a kernel and may stop it.
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

/// The control of a step within longer work: the step can be stopped, and reports the fixed progress of the whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FixedProgress<'a, C> {
    /// The control of the whole.
    pub(crate) control: &'a C,
    /// What is done of the whole.
    pub(crate) done: u64,
    /// How much the whole is.
    pub(crate) total: u64,
}

impl<C: Control> Control for FixedProgress<'_, C> {
    fn tick(&self, _done: u64, _total: u64) -> Result<(), Error> {
        self.control.tick(self.done, self.total)
    }
}

/// The control of one of several steps: its progress counts after that of the steps before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OffsetProgress<'a, C> {
    /// The control of the whole.
    pub(crate) control: &'a C,
    /// What the steps before do.
    pub(crate) before: u64,
    /// How much the whole is.
    pub(crate) total: u64,
}

impl<C: Control> Control for OffsetProgress<'_, C> {
    fn tick(&self, done: u64, _total: u64) -> Result<(), Error> {
        self.control.tick(self.before + done, self.total)
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
