//! The order of the rows that draws fall on.

use crate::{Error, blocks};

/// A permutation of the rows: a draw falls on a place, and the row at it is drawn. Where places follow from the ids of
/// rows, and not from their numbers, so do the draws.
pub(super) struct DrawOrder<'a> {
    rows: Option<&'a [u32]>,
    /// The place of each row; empty where it is the number of the row.
    places: Vec<u32>,
}

impl<'a> DrawOrder<'a> {
    /// The order in which `rows` come, each of `n` once; without it they come by their numbers.
    pub(super) fn new(rows: Option<&'a [u32]>, n: usize) -> Result<Self, Error> {
        let Some(rows) = rows else { return Ok(Self { rows: None, places: Vec::new() }) };
        if rows.len() != n {
            return Err(Error::Shape {
                what: "the number of rows in the draw order",
                expected: n,
                got: rows.len(),
            });
        }
        let mut places = blocks::filled(n, u32::MAX)?;
        for (place, &row) in (0u32..).zip(rows) {
            match places.get_mut(row as usize) {
                None => return Err(Error::NoSuchRow { row: row as usize, n }),
                Some(other) if *other != u32::MAX => {
                    return Err(Error::Argument {
                        what: format!("row {row} is named twice in the draw order"),
                    });
                }
                Some(other) => *other = place,
            }
        }
        Ok(Self { rows: Some(rows), places })
    }

    /// The row at a place.
    pub(super) fn row(&self, place: usize) -> u32 {
        self.rows.map_or(place as u32, |rows| rows[place])
    }

    /// The place of a row.
    pub(super) fn place(&self, row: u32) -> usize {
        if self.rows.is_some() { self.places[row as usize] as usize } else { row as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_places_are_inverse() {
        let order = DrawOrder::new(Some(&[2, 0, 1]), 3).unwrap();
        assert_eq!([0, 1, 2].map(|place| order.row(place)), [2, 0, 1]);
        assert!((0..3).all(|row| order.row(order.place(row)) == row));
        let own = DrawOrder::new(None, 3).unwrap();
        assert!((0..3).all(|row| own.row(row as usize) == row && own.place(row) == row as usize));
    }

    #[test]
    fn what_is_no_permutation_is_refused() {
        let refused = |rows: &[u32]| DrawOrder::new(Some(rows), 2).map(|_| ()).unwrap_err();
        assert_eq!(
            refused(&[0]),
            Error::Shape { what: "the number of rows in the draw order", expected: 2, got: 1 }
        );
        assert_eq!(refused(&[0, 2]), Error::NoSuchRow { row: 2, n: 2 });
        assert!(refused(&[1, 1]).to_string().contains("row 1 is named twice"));
    }
}
