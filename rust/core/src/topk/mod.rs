//! The k best rows under a total order: (score descending, row ascending), or (hash ascending, row
//! ascending).
//!
//! [`plain`] is the definition: a stable sort. [`top_k`] gives the same rows of float32 scores in about the
//! time that it takes to read them: a threshold from a sample, and one pass that keeps what reaches it.
//! [`top_k_wide`] and [`bottom_k`] push every row through a bounded buffer. [`merge`] joins the answers of
//! shards. Since the order is total no answer depends on how the rows were cut.

mod merge;
mod order;
mod plain;
mod scan;
mod smallest;
mod threshold;

pub use merge::merge;
pub use order::Score;
pub use plain::plain;
pub(crate) use smallest::Smallest;
pub use smallest::{bottom_k, top_k_wide};
pub use threshold::top_k;
