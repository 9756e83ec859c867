//! The closed set of things that can be wrong with a caller's data or machine.

/// Why a call was refused or stopped.
///
/// Messages leave the row out, so that a caller who knows the file and line can name the place in its own
/// words; [`Error::row`] is the row. Rows count from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value is NaN or infinite.
    #[error("the value is NaN or infinite")]
    NotFinite {
        /// The first such row.
        row: usize,
    },
    /// A row is all zeros, in float32, so it has no direction and no cosine similarity.
    #[error("the row is all zeros in float32 and has no direction")]
    ZeroRow {
        /// The first such row.
        row: usize,
    },
    /// A value, or a row's squared length, leaves the range in which float32 distances stay finite.
    #[error("the values are too large for float32 arithmetic")]
    TooLarge {
        /// The first such row.
        row: usize,
    },
    /// Two lengths that must agree do not, or a length is zero where it may not be.
    #[error("the shape does not fit: {what} must be {expected}, not {got}")]
    Shape {
        /// Which length.
        what: &'static str,
        /// What would have been right.
        expected: usize,
        /// What came.
        got: usize,
    },
    /// More rows than the 32-bit row numbers of the kernels can count.
    #[error("{rows} rows are more than one call can take")]
    TooManyRows {
        /// How many rows came.
        rows: usize,
    },
    /// More picks are requested than there are rows to pick.
    #[error("{k} rows are requested, but there are {n} to pick from")]
    BadK {
        /// Rows requested.
        k: usize,
        /// Rows that can be picked.
        n: usize,
    },
    /// A row number names no row.
    #[error("row number {row} does not exist: there are {n} rows")]
    NoSuchRow {
        /// The number.
        row: usize,
        /// How many rows there are.
        n: usize,
    },
    /// A row is named twice where each may be named once.
    #[error("the row is named twice")]
    RepeatedRow {
        /// The repeated number.
        row: usize,
    },
    /// A value that must be above zero is not.
    #[error("the value is not above zero")]
    NotPositive {
        /// The first such row.
        row: usize,
    },
    /// A value that must not be below zero is.
    #[error("the value is below zero")]
    Negative {
        /// The first such row.
        row: usize,
    },
    /// A weight is so large or so small that ranks by it would leave the range of float64.
    #[error("the weight is not from 1e-280 to 1e280")]
    WeightRange {
        /// The first such row.
        row: usize,
    },
    /// A cell number is negative.
    #[error("the cell number is negative")]
    NegativeCell {
        /// The first such row.
        row: usize,
    },
    /// A neighbour that a row names is none, or is named twice.
    #[error("neighbour {neighbour} of the row {why}")]
    BadNeighbour {
        /// The first such row.
        row: usize,
        /// The number it names.
        neighbour: i32,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An option is outside its range, or does not go with another.
    #[error("{what}")]
    Argument {
        /// What is wrong, as a sentence without a full stop.
        what: String,
    },
    /// The memory that the call needs cannot be had.
    #[error("{bytes} bytes of memory are needed and cannot be had")]
    OutOfMemory {
        /// How much was requested.
        bytes: usize,
    },
    /// The caller stopped the work.
    #[error("the work was interrupted")]
    Interrupted,
}

impl Error {
    /// The row that the error is about, where it is about one.
    #[must_use]
    pub fn row(&self) -> Option<usize> {
        match *self {
            Self::NotFinite { row }
            | Self::ZeroRow { row }
            | Self::TooLarge { row }
            | Self::NoSuchRow { row, .. }
            | Self::RepeatedRow { row }
            | Self::NotPositive { row }
            | Self::Negative { row }
            | Self::WeightRange { row }
            | Self::NegativeCell { row }
            | Self::BadNeighbour { row, .. } => Some(row),
            _ => None,
        }
    }

    /// A stable one-word name of the variant, for callers in other languages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFinite { .. } => "not_finite",
            Self::ZeroRow { .. } => "zero_row",
            Self::TooLarge { .. } => "too_large",
            Self::Shape { .. } => "shape",
            Self::TooManyRows { .. } => "too_many_rows",
            Self::BadK { .. } => "bad_k",
            Self::NoSuchRow { .. } => "no_such_row",
            Self::RepeatedRow { .. } => "repeated_row",
            Self::NotPositive { .. } => "not_positive",
            Self::Negative { .. } => "negative",
            Self::WeightRange { .. } => "weight_range",
            Self::NegativeCell { .. } => "negative_cell",
            Self::BadNeighbour { .. } => "bad_neighbour",
            Self::Argument { .. } => "argument",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::Interrupted => "interrupted",
        }
    }
}
