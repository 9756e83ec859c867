//! Rows that are JSON and yet cannot be held beside the others.

use std::collections::BTreeMap;

use super::facts::{Change, Inexact, Place};
use super::layout::{Form, Layout};
use super::rows::{Rows, What};
use super::seen::{Columns, INEXACT, Kind, Seen, is_infinite};
use super::table::{Layouts, Read, text_of};

/// Sets the rows apart in which a column has another type than in the good rows before.
///
/// `before` is what those had held that were taken before, `first` of them, and `seen` what all have.
pub(super) fn changes(before: &Columns, first: usize, parts: &mut [Read<'_>], seen: &Columns) -> Vec<Change> {
    let changing: Vec<(&Seen, Option<&Seen>)> = seen
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.refuses_mixture() && column.has_families())
        .map(|(place, column)| (column, before.columns.get(place)))
        .collect();
    // What each of them is, from its first good value on.
    let mut known: Vec<Option<Place>> =
        changing.iter().map(|(_, before)| before.and_then(first_kind)).collect();
    let mut changes = Vec::new();
    let mut number = first;
    for Read { rows: part, apart, .. } in parts {
        for (row, root) in part.roots.iter().enumerate() {
            let at = number;
            number += 1;
            let Some(root) = *root else { continue };
            let mut kinds = BTreeMap::new();
            part.for_each_member(root, |name, value| {
                let changing = changing.iter().position(|(column, _)| *column.name == *name);
                if let (Some(place), Some(kind)) = (changing, Kind::of(part.nodes[value as usize].what)) {
                    kinds.insert(place, kind);
                }
            });
            let change = kinds.iter().find_map(|(&place, &kind)| {
                let before = known[place].filter(|before| before.kind.family() != kind.family())?;
                let column = text_of(&changing[place].0.name);
                Some(Change { column, at: Place { row: at, kind }, before })
            });
            match change {
                Some(change) => {
                    apart.insert(row);
                    changes.push(change);
                }
                None => kinds.into_iter().for_each(|(place, kind)| {
                    known[place].get_or_insert(Place { row: at, kind });
                }),
            }
        }
    }
    changes
}

/// The kind of the first good value of a column.
fn first_kind(column: &Seen) -> Option<Place> {
    let place = |kind: Kind| column.first[kind as usize].map(|row| Place { row, kind });
    Kind::ALL.into_iter().filter_map(place).min_by_key(|place| place.row)
}

/// The first column of decimal numbers that holds a whole number which no float is.
pub(super) fn inexact(seen: &Columns) -> Option<Inexact> {
    let columns = seen.columns.iter().filter(|column| column.refuses_mixture() && column.is_mixed());
    columns
        .filter_map(|column| {
            let (decimal, whole) = (column.first[Kind::Float as usize]?, column.first[INEXACT]?);
            Some(Inexact { column: text_of(&column.name), decimal, whole })
        })
        .min_by_key(|inexact| inexact.decimal.max(inexact.whole))
}

/// The rows with numbers that are too large for a float, which are set apart.
pub(super) fn infinite(parts: &mut [Read<'_>], layouts: &Layouts) -> Vec<(usize, String, bool)> {
    let mut found = Vec::new();
    let mut first = 0;
    for Read { rows: part, apart, .. } in parts {
        for &row in &part.infinite {
            let Some(root) = part.roots[row].filter(|_| !apart.contains(&row)) else { continue };
            let mut places = BTreeMap::new();
            part.for_each_member(root, |name, value| {
                if is_infinite(part, value)
                    && let Some(column) = layouts.iter().position(|(column, _)| **column == *name)
                {
                    places.insert(column, value);
                }
            });
            if let Some((column, value)) = places.pop_first() {
                let (name, layout) = &layouts[column];
                found.push((first + row, text_of(name), is_in_text(part, value, layout)));
                apart.insert(row);
            }
        }
        first += part.roots.len();
    }
    found
}

/// Whether the first number of a value that is too large is held as JSON text.
fn is_in_text(rows: &Rows<'_>, at: u32, layout: &Layout) -> bool {
    match (&layout.form, rows.nodes[at as usize].what) {
        (Form::List(item), What::List) => {
            rows.items(at).find(|&item| is_infinite(rows, item)).is_some_and(|at| is_in_text(rows, at, item))
        }
        (Form::Struct(fields), What::Object) => {
            let mut found = None;
            rows.for_each_member(at, |name, value| {
                if found.is_none() && is_infinite(rows, value) {
                    let field = fields.iter().find(|(field, _)| **field == *name);
                    found = field.map(|(_, layout)| is_in_text(rows, value, layout));
                }
            });
            found.unwrap_or(true)
        }
        (Form::Float, _) => false,
        _ => true,
    }
}
