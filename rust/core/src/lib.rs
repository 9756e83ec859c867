//! The algorithms of sage-select: slices in, indices with evidence out.
//!
//! This crate knows no Python, no files and no Arrow. Every function checks its input and returns an
//! [`Error`] instead of panicking; parallel work runs in the caller's current rayon pool; and every result
//! is the same bits at any thread count and on any instruction set (see [`metric`]).
//!
//! Each fast path has a plain twin that defines it; tests compare the two, ties included.

#![deny(missing_docs)]
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod blocks;
pub mod cells;
pub mod control;
pub mod digest;
pub mod error;
pub mod matrix;
pub mod metric;
mod pages;
mod quantise;
pub mod replay;
pub mod rng;
pub mod select;
pub mod simd;
#[cfg(test)]
mod testing;
pub mod text;
pub mod topk;
pub mod uncertainty;

pub use blocks::FEW_ROWS;
pub use control::{Control, Unwatched};
pub use error::Error;
pub use matrix::{Matrix, MatrixView, Metric};
pub use pages::Pages;
