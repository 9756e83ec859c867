//! `sage_select._native`: the Python module over the core.
//!
//! Arrow arrays and numbers go in, numpy arrays come out. Every call goes through [`detach`], which
//! releases the GIL and maps errors; nothing here computes.

use pyo3::prelude::*;

mod cells;
mod convert;
mod detach;
mod error;
mod hashes;
mod interleave;
mod json;
mod lexical;
mod matrix;
mod replay;
mod rows;
mod select;
mod text;
mod topk;
mod uncertainty;

/// The kernels of sage-select. Use `sage_select.kernels`, which checks its arguments.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::cells::{assign_cells, cell_distances, k_means, medoids, stratified};
    #[pymodule_export]
    use super::error::KernelError;
    #[pymodule_export]
    use super::hashes::{hash_rows, hashes_of_ids, hashes_of_rows, hashes_of_words};
    #[pymodule_export]
    use super::interleave::{HeldTable, interleave};
    #[pymodule_export]
    use super::json::JsonTable;
    #[pymodule_export]
    use super::lexical::{
        character_counts, compression_ratio, lexical_difficulty, lexical_diversity, lexical_entropy,
        ngram_rarity, ngram_repetition,
    };
    #[pymodule_export]
    use super::matrix::{Matrix, instruction_set};
    #[pymodule_export]
    use super::replay::exponential_keys::exponential_keys;
    #[pymodule_export]
    use super::replay::priority_tree::PriorityTree;
    #[pymodule_export]
    use super::replay::reservoir_of_words::reservoir_of_words;
    #[pymodule_export]
    use super::replay::smallest_keys::smallest_keys;
    #[pymodule_export]
    use super::replay::water_fill::water_fill;
    #[pymodule_export]
    use super::replay::within_threshold::within_threshold;
    #[pymodule_export]
    use super::rows::{render_rows, row_digests, row_texts};
    #[pymodule_export]
    use super::select::badge::badge;
    #[pymodule_export]
    use super::select::d2::d2;
    #[pymodule_export]
    use super::select::dpp::ridge_dpp;
    #[pymodule_export]
    use super::select::facility::facility_location;
    #[pymodule_export]
    use super::select::graph_cut::graph_cut;
    #[pymodule_export]
    use super::select::herding::herding;
    #[pymodule_export]
    use super::select::k_center::k_center;
    #[pymodule_export]
    use super::select::mmr::mmr;
    #[pymodule_export]
    use super::select::near_duplicates::near_duplicates;
    #[pymodule_export]
    use super::select::nearest_members::nearest_members;
    #[pymodule_export]
    use super::select::take_admissible::take_admissible;
    #[pymodule_export]
    use super::select::target::target_match;
    #[pymodule_export]
    use super::select::threshold::threshold_filter;
    #[pymodule_export]
    use super::text::{hashing_encoder, phrases, word_counts};
    #[pymodule_export]
    use super::topk::{bottom_k, top_k};
    #[pymodule_export]
    use super::uncertainty::of_rows;

    /// Sizes that estimates of memory go by.
    #[pymodule_init]
    fn sizes(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        use pyo3::types::PyModuleMethods;
        module.add("HASHING_TABLES", sage_select_core::text::encoder::TABLES)?;
        module.add("HASHING_TABLE_BYTES", sage_select_core::text::encoder::TABLE_BYTES)?;
        module.add("MEMBERS_COPIED", sage_select_core::select::nearest_members::COPIED)?;
        module.add("K_MEANS_BOUNDS_BYTES", sage_select_core::cells::BOUNDS_BYTES)
    }
}
