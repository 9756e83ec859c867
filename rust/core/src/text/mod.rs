//! What can be known of a text without a model: its words, how varied they are, its phrases, and a vector of its
//! n-grams.

mod characters;
pub mod encoder;
mod features;
mod held_ngrams;
pub mod lexical;
mod lexicon;
mod numbers;
pub mod phrases;
mod word_sink;
pub mod words;
