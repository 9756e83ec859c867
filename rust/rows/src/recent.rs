//! What was made a moment ago and may be wanted again: rows of one data set often bring the same tools.

/// How much is remembered.
const REMEMBERED: usize = 16;

/// The last values that were made.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    made: Vec<T>,
    /// The oldest, which goes next.
    oldest: usize,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { made: Vec::new(), oldest: 0 }
    }
}

impl<T> Recent<T> {
    #[inline]
    pub(crate) fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        self.made.iter().find(|made| is_it(made))
    }

    pub(crate) fn add(&mut self, made: T) {
        if self.made.len() < REMEMBERED {
            self.made.push(made);
        } else {
            self.made[self.oldest] = made;
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
    }

    /// Forgets all of which this is not so.
    pub(crate) fn retain(&mut self, stays: impl Fn(&T) -> bool) {
        self.made.retain(stays);
        self.oldest = 0;
    }
}
