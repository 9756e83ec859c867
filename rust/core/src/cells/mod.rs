//! Cells of the embedding space: which one a row lies in, and picks spread over them.

pub mod assign;
pub mod stratify;
