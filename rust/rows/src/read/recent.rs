//! Lists and objects of a text that came a moment ago.

use std::ops::Range;

use crate::recent::Recent;

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
pub(super) struct RecentValues(Recent<Written>);

impl RecentValues {
    /// The value that stands at a place once more.
    ///
    /// A list or an object ends with its bracket: where the bytes of one begin, they are all of it.
    #[inline]
    pub(super) fn find(&self, source: &[u8], at: usize, depth: usize) -> Option<&Written> {
        let here = &source[at..];
        self.0.find(|known| depth <= known.depth && here.starts_with(&source[known.source.clone()]))
    }

    pub(super) fn add(&mut self, written: Written) {
        if written.source.len() >= WORTHWHILE {
            self.0.add(written);
        }
    }

    /// Forgets what was written behind this end of the texts.
    pub(super) fn truncate(&mut self, end: usize) {
        self.0.retain(|known| known.text.end <= end);
    }
}
