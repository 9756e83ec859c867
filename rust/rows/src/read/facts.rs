//! What is told of JSON rows beside their table.

use super::rows::BadRow;
use super::seen::Kind;

/// A row of a column, by its number among all rows that were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The number.
    pub row: usize,
    /// What the value is.
    pub kind: Kind,
}

/// A row in which a column has another type than in the good rows before: it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which column.
    pub column: String,
    /// Where it changes.
    pub at: Place,
    /// What it was before.
    pub before: Place,
}

/// A column of decimal numbers with a whole number that a float cannot hold: such rows cannot be read together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inexact {
    /// Which column.
    pub column: String,
    /// The first row with a decimal number.
    pub decimal: usize,
    /// The first row with such a whole number.
    pub whole: usize,
}

/// What was found in a chunk of text. Rows are counted from the first of the chunk, but for those of [`Place`].
#[derive(Debug, Default)]
pub struct Taken {
    /// How many rows there are.
    pub rows: usize,
    /// The line of each row, from 0.
    pub lines: Vec<u32>,
    /// How many lines there are.
    pub line_count: usize,
    /// The columns that rows name, in their order.
    pub names: Vec<String>,
    /// Rows that are no JSON, or no object.
    pub bad: Vec<BadRow>,
    /// Rows in which a column changes its type.
    pub changes: Vec<Change>,
    /// Rows with a number too large for a float, the column, and whether it is held as JSON text.
    pub infinite: Vec<(usize, String, bool)>,
    /// A column that cannot be held at all.
    pub inexact: Option<Inexact>,
}

/// What is known of a column in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// Whether it is null in some rows.
    pub null: bool,
    /// Whether it is missing in some.
    pub absent: bool,
}
