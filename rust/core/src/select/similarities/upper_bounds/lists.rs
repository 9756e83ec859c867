//! The bounds that lie above a floor which each row has already.

use rayon::prelude::*;

use super::measured::{Measured, PANEL};
use crate::control::Control;
use crate::quantise::TILE;
use crate::{Error, blocks};

/// The bound of a row and a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Entry {
    client: u32,
    bound: u16,
}

/// Of each row the clients with which its bound lies above their floor.
pub(super) struct Lists {
    /// The entries of a row lie between its start and the next, their clients ascending.
    starts: Vec<usize>,
    entries: Vec<Entry>,
}

impl Lists {
    /// Computes all bounds and keeps those above the floors: rows^2 / 2 x dimensions multiply-adds in int16, and 20 bytes
    /// for each that stays.
    pub(super) fn new(measured: &Measured, floors: &[u16], control: &impl Control) -> Result<Self, Error> {
        let rows = measured.rows();
        let panels: Vec<usize> = (0..rows).step_by(PANEL).collect();
        let found = panels.into_par_iter().map(|first| {
            let found = of_panel(measured, first..rows.min(first + PANEL), floors);
            control.tick(0, 0).map(|()| found)
        });
        let found = found.collect::<Result<Vec<_>, Error>>()?;
        let mut starts = blocks::zeroed::<usize>(rows + 1)?;
        found.iter().flatten().for_each(|&(row, _)| starts[row as usize + 1] += 1);
        (0..rows).for_each(|row| starts[row + 1] += starts[row]);
        // Panels and what is in them ascend, for a row as well as for its clients: the order is kept.
        let mut next = starts.clone();
        let mut entries = blocks::zeroed::<Entry>(starts[rows])?;
        for (row, entry) in found.into_iter().flatten() {
            let place = &mut next[row as usize];
            entries[*place] = entry;
            *place += 1;
        }
        Ok(Self { starts, entries })
    }

    fn of(&self, row: usize) -> &[Entry] {
        &self.entries[self.starts[row]..self.starts[row + 1]]
    }

    /// How far the bounds of a row lie above all floors, in sum; none is lower than it was at first.
    pub(super) fn above(&self, row: usize, floors: &[u16]) -> u64 {
        let above = |entry: &Entry| u64::from(entry.bound.saturating_sub(floors[entry.client as usize]));
        self.of(row).iter().map(above).sum()
    }

    /// The rows whose bounds with a row lie above their floors, ascending; none is lower than it was at first.
    pub(super) fn reached(&self, row: usize, floors: &[u16]) -> Vec<u32> {
        let reached = |entry: &&Entry| entry.bound > floors[entry.client as usize];
        self.of(row).iter().filter(reached).map(|entry| entry.client).collect()
    }
}

/// The entries of the pairs whose lower row is of a panel, those of either row.
fn of_panel(measured: &Measured, panel: std::ops::Range<usize>, floors: &[u16]) -> Vec<(u32, Entry)> {
    let mut found = Vec::new();
    let mut bounds = vec![0; panel.len() * TILE];
    for (place, rows) in measured.upper_triangle(panel) {
        measured.bounds(rows.clone(), place, &mut bounds, TILE);
        let theirs = &floors[place..floors.len().min(place + TILE)];
        for (row, bounds) in rows.zip(bounds.as_chunks::<TILE>().0) {
            let own = floors[row];
            // As a rule none is above either floor.
            let mut most = 0;
            for (bound, &floor) in bounds.iter().zip(theirs) {
                most |= bound.saturating_sub(floor.min(own));
            }
            if most == 0 {
                continue;
            }
            for (other, (&bound, &floor)) in
                (place..).zip(bounds.iter().zip(theirs)).skip(row.saturating_sub(place))
            {
                if bound > own && other > row {
                    found.push((other as u32, Entry { client: row as u32, bound }));
                }
                if bound > floor {
                    found.push((row as u32, Entry { client: other as u32, bound }));
                }
            }
        }
    }
    found
}
