//! What can be known of a text without a model: its words, how varied they are, its phrases, and a vector of its
//! n-grams.

mod bag;
mod characters;
pub mod encoder;
mod features;
mod held_ngrams;
pub mod lexical;
pub mod phrases;
mod word_sink;
pub mod words;
