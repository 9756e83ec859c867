//! Greedy selection: what is worth picking ([`objective`]) apart from how the best is found ([`optimizer`]).

mod dense;
pub mod facility;
mod graph;
pub mod k_center;
pub mod objective;
pub mod optimizer;
pub mod selection;

pub use facility::{Facility, FacilityOptions, Method, facility_location};
pub use k_center::k_center;
pub use objective::Objective;
pub use selection::{Request, Selection};
