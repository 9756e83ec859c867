//! What can be known of a text without a model: its words, how varied they are, and a vector of its n-grams.

mod bag;
mod characters;
pub mod encoder;
mod features;
pub mod lexical;
pub mod words;
