//! Rows as Arrow: strict JSON in, canonical JSON, digests and plain text.
//!
//! Nothing here knows Python or files. Work is cut into chunks by its content alone, so no result depends on the
//! number of threads. What only a person should read about (why a row is refused) is left to the caller: the fast path
//! names the rows, and whoever asked looks at them one by one.

#![deny(missing_docs)]
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod canonical;
pub mod columns;
pub mod digests;
pub mod json;
mod messages;
mod parallel;
pub mod read;
mod recent;
pub mod render;
mod same;
mod value;
