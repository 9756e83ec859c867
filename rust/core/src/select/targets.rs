//! Rows as tiles, which blocks of other rows meet.

use super::nearness::Nearness;
use crate::metric::Rows;
use crate::quantise::{Quantised, Scaling, TILE, Tiles};
use crate::simd::Simd;
use crate::{Control, Error};

/// Rows that meet targets together: few enough to stay in cache meanwhile.
pub(super) const BLOCK: usize = 240;

/// What is known of the target nearest to a row: how far it is, and its place.
pub(super) type Nearest = (f32, u32);

/// Nothing is known: every target is nearer.
pub(super) const UNKNOWN: Nearest = (f32::INFINITY, 0);

/// The nearer of two; the first of equals.
pub(super) fn nearer(best: Nearest, found: Nearest) -> Nearest {
    if found.0 < best.0 { found } else { best }
}

/// Rows that others are compared with.
pub(super) struct Targets<'a> {
    rows: Rows<'a>,
    near: Nearness,
    pub(super) tiles: Tiles,
    scaling: Scaling,
}

impl<'a> Targets<'a> {
    pub(super) fn new(near: Nearness, rows: Rows<'a>, control: &impl Control) -> Result<Self, Error> {
        let longest = near.longest(rows, control)?;
        let quantised = near.quantised(rows, longest, control)?;
        let mut tiles = Tiles::default();
        (0..rows.len()).for_each(|row| tiles.push(&quantised, row));
        Ok(Self { rows, near, tiles, scaling: quantised.scaling() })
    }

    /// Rows, none longer than `longest`, ready to meet the targets.
    pub(super) fn facing(
        &self,
        rows: Rows<'_>,
        longest: f32,
        control: &impl Control,
    ) -> Result<Quantised, Error> {
        let mut quantised = self.near.quantised(rows, longest, control)?;
        quantised.face(self.scaling);
        Ok(quantised)
    }

    /// The nearest target of each row of a block, none longer than `longest`, by canonical numbers, the lowest place
    /// of equal ones; and how many pairs were compared.
    ///
    /// `own` says at which place a row is a target itself, which then is not looked at; it may be empty.
    pub(super) fn nearest(
        &self,
        simd: Simd,
        block: Rows<'_>,
        longest: f32,
        own: &[Option<u32>],
        control: &impl Control,
    ) -> Result<(Vec<Nearest>, u64), Error> {
        let quantised = self.facing(block, longest, control)?;
        let far = |row: usize, place: u32| self.near.between(block.row(row), self.rows.row(place as usize));
        let all: Vec<u32> = (0..block.len() as u32).collect();
        let mut bounds = vec![f32::INFINITY; block.len()];
        let mut could = vec![Vec::new(); block.len()];
        let mut exact = 0;
        for at in 0..self.tiles.len() {
            let places = (at * TILE) as u32..(at * TILE + self.tiles.tile(at).rows()) as u32;
            let stands = |(row, own): (usize, &Option<u32>)| {
                own.filter(|own| places.contains(own)).map(|own| (row, own))
            };
            let within: Vec<(usize, u32)> = own.iter().enumerate().filter_map(stands).collect();
            // A row that stands in the tile itself takes no part when the tile is met, and meets the others one by one.
            let known: Vec<f32> = within.iter().map(|&(row, _)| bounds[row]).collect();
            within.iter().for_each(|&(row, _)| bounds[row] = f32::NEG_INFINITY);
            quantised.note_near(simd, &all, (&self.tiles, at), &mut bounds, &mut could);
            for (&(row, own), bound) in within.iter().zip(known) {
                bounds[row] = bound;
                for place in places.clone().filter(|&place| place != own) {
                    let far = far(row, place);
                    bounds[row] = bounds[row].min(far);
                    could[row].push((far, place));
                    exact += 1;
                }
            }
            control.tick(0, 0)?;
        }
        let mut nearest = Vec::with_capacity(block.len());
        for (row, (could, bound)) in could.into_iter().zip(bounds).enumerate() {
            // Places ascend, so the lowest of equals stays.
            let mut best = UNKNOWN;
            for place in quantised.still_near(could, bound) {
                best = nearer(best, (far(row, place), place));
                exact += 1;
            }
            nearest.push(best);
        }
        Ok((nearest, (block.len() * self.rows.len()) as u64 + exact))
    }
}
