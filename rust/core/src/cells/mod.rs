//! Cells of the embedding space: which one a row lies in, and picks spread over them.

pub mod assign;
mod distance;
pub(crate) mod group;
mod k_means;
mod medoids;
mod moving;
pub mod stratify;

pub use distance::distances;
pub use k_means::{KMeans, k_means};
pub use medoids::{Medoids, medoids};
pub use moving::BOUNDS_BYTES;
