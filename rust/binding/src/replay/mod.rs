//! Bounded memories: one file a kernel.

pub(crate) mod exponential_keys;
pub(crate) mod priority_tree;
pub(crate) mod reservoir_of_words;
pub(crate) mod smallest_keys;
pub(crate) mod water_fill;
pub(crate) mod within_threshold;
