//! Values that came a moment ago: rows of one data set often bring the same tools.

use std::ops::Range;

/// Values that are remembered.
const REMEMBERED: usize = 16;
/// Bytes from which it pays to look.
const WORTHWHILE: usize = 64;

/// A list or an object that was checked and written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Where it stands in the source.
    pub(super) source: Range<usize>,
    /// Where it stands among the texts.
    pub(super) text: Range<usize>,
    /// In how many lists and objects it lay: in more it could be too deep.
    pub(super) depth: usize,
}

/// The last values that were written.
#[derive(Debug, Default)]
pub(super) struct Recent {
    written: Vec<Written>,
    /// The oldest, which goes next.
    oldest: usize,
}

impl Recent {
    /// The value that stands at a place once more.
    ///
    /// A list or an object ends with its bracket: where the bytes of one begin, they are all of it.
    #[inline]
    pub(super) fn find(&self, source: &[u8], at: usize, depth: usize) -> Option<&Written> {
        let here = &source[at..];
        self.written
            .iter()
            .find(|known| depth <= known.depth && here.starts_with(&source[known.source.clone()]))
    }

    pub(super) fn add(&mut self, written: Written) {
        if written.source.len() < WORTHWHILE {
            return;
        }
        if self.written.len() < REMEMBERED {
            self.written.push(written);
        } else {
            self.written[self.oldest] = written;
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
    }

    /// Forgets what was written behind this end of the texts.
    pub(super) fn truncate(&mut self, end: usize) {
        self.written.retain(|known| known.text.end <= end);
        self.oldest = 0;
    }
}
