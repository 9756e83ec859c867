//! Cells of the embedding space: which one a row lies in, and picks spread over them.

pub mod assign;
pub(crate) mod group;
mod k_means;
pub mod stratify;

pub use k_means::{KMeans, k_means};
