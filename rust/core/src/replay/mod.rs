//! Who stays in a bounded memory of a stream, and who is drawn from it.
//!
//! A reservoir is one rule: the rows of the k smallest keys stay. Keys are draws of [`crate::rng`] for a uniform
//! sample, and [`exponential_keys`] of them for a weighted one. So what is held depends neither on the order in which
//! rows came, nor on how they were cut into batches and shards, and no counter has to be right.
//!
//! [`plain`] defines each function; tests compare the two, ties included.

mod exponential_keys;
pub mod plain;
mod priority_tree;
mod reservoir_of_words;
mod smallest_keys;
mod water_fill;
mod within_threshold;

pub use exponential_keys::exponential_keys;
pub use priority_tree::PriorityTree;
pub use reservoir_of_words::reservoir_of_words;
pub use smallest_keys::smallest_keys;
pub use water_fill::water_fill;
pub use within_threshold::within_threshold;
