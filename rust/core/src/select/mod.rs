//! Greedy selection: what is worth picking ([`objective`]) apart from how the best is found ([`optimizer`]).

pub mod d2;
pub mod dpp;
pub mod facility;
mod falling;
pub mod graph_cut;
pub mod herding;
pub mod k_center;
pub mod leaders;
pub mod mmr;
mod nearest;
mod nearness;
pub mod objective;
pub mod optimizer;
mod positive;
mod rank;
pub mod selection;
mod similarities;
pub mod target;
pub mod threshold;

pub use d2::{d2, d2_plain};
pub use dpp::{ridge_dpp, ridge_dpp_plain};
pub use facility::facility_location;
pub use graph_cut::graph_cut;
pub use herding::{herding, herding_plain};
pub use k_center::{KCenterOptions, k_center, k_center_plain};
pub use leaders::{Led, leaders, leaders_plain};
pub use mmr::{mmr, mmr_plain};
pub use objective::Objective;
pub use selection::{Counted, Request, Selection};
pub use similarities::{Cells, Given, Greedy, Method, Search, SimilarityOptions};
pub use target::{Matched, Rule, target_match, target_match_plain};
pub use threshold::{Filtered, threshold_filter, threshold_filter_plain};
