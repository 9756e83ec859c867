//! A flat index: rows whose nearest ones are found exhaustively, through int16, for blocks of query rows.

use super::distance_metric::DistanceMetric;
use crate::metric::Rows;
use crate::quantise::{Quantised, Scaling, TILE, Tiles};
use crate::simd::Simd;
use crate::{Control, Error};

/// Query rows that are compared with the indexed ones together: few enough to stay in cache meanwhile.
pub(super) const BLOCK: usize = 240;

/// The indexed row nearest to a query: its distance, and its place in the index.
pub(super) type Neighbour = (f32, u32);

/// No neighbour yet: every indexed row is nearer.
pub(super) const NO_NEIGHBOUR: Neighbour = (f32::INFINITY, 0);

/// The nearer of two; the first of equals.
pub(super) fn nearer(best: Neighbour, found: Neighbour) -> Neighbour {
    if found.0 < best.0 { found } else { best }
}

/// Rows that queries are compared with.
pub(super) struct FlatIndex<'a> {
    rows: Rows<'a>,
    metric: DistanceMetric,
    pub(super) tiles: Tiles,
    scaling: Scaling,
}

impl<'a> FlatIndex<'a> {
    pub(super) fn new(metric: DistanceMetric, rows: Rows<'a>, control: &impl Control) -> Result<Self, Error> {
        let longest = metric.longest(rows, control)?;
        let quantised = metric.quantised(rows, longest, control)?;
        let mut tiles = Tiles::default();
        (0..rows.len()).for_each(|row| tiles.push(&quantised, row));
        Ok(Self { rows, metric, tiles, scaling: quantised.scaling() })
    }

    /// Query rows, none longer than `longest`, in int16, ready to be compared with the tiles.
    pub(super) fn quantise(
        &self,
        queries: Rows<'_>,
        longest: f32,
        control: &impl Control,
    ) -> Result<Quantised, Error> {
        let mut quantised = self.metric.quantised(queries, longest, control)?;
        quantised.face(self.scaling);
        Ok(quantised)
    }

    /// The nearest indexed row of each query of a block, none longer than `longest`, by canonical distance, the lowest
    /// place of equal ones; and how many pairs were compared.
    ///
    /// `own` holds the place at which a query is indexed itself, which then is skipped; it may be empty.
    pub(super) fn search(
        &self,
        simd: Simd,
        queries: Rows<'_>,
        longest: f32,
        own: &[Option<u32>],
        control: &impl Control,
    ) -> Result<(Vec<Neighbour>, u64), Error> {
        let quantised = self.quantise(queries, longest, control)?;
        let distance =
            |query: usize, place: u32| self.metric.between(queries.row(query), self.rows.row(place as usize));
        let all: Vec<u32> = (0..queries.len() as u32).collect();
        let mut bounds = vec![f32::INFINITY; queries.len()];
        let mut could = vec![Vec::new(); queries.len()];
        let mut exact = 0;
        for at in 0..self.tiles.len() {
            let places = (at * TILE) as u32..(at * TILE + self.tiles.tile(at).rows()) as u32;
            let in_tile = |(query, own): (usize, &Option<u32>)| {
                own.filter(|own| places.contains(own)).map(|own| (query, own))
            };
            let within: Vec<(usize, u32)> = own.iter().enumerate().filter_map(in_tile).collect();
            // A query that is in the tile itself is left out of the pass, and compared with the others one by one.
            let before: Vec<f32> = within.iter().map(|&(query, _)| bounds[query]).collect();
            within.iter().for_each(|&(query, _)| bounds[query] = f32::NEG_INFINITY);
            quantised.note_near(simd, &all, (&self.tiles, at), &mut bounds, &mut could);
            for (&(query, own), bound) in within.iter().zip(before) {
                bounds[query] = bound;
                for place in places.clone().filter(|&place| place != own) {
                    let distance = distance(query, place);
                    bounds[query] = bounds[query].min(distance);
                    could[query].push((distance, place));
                    exact += 1;
                }
            }
            control.tick(0, 0)?;
        }
        let mut nearest = Vec::with_capacity(queries.len());
        for (query, (could, bound)) in could.into_iter().zip(bounds).enumerate() {
            // Places ascend, so the lowest of equals stays.
            let mut best = NO_NEIGHBOUR;
            for place in quantised.still_near(could, bound) {
                best = nearer(best, (distance(query, place), place));
                exact += 1;
            }
            nearest.push(best);
        }
        Ok((nearest, (queries.len() * self.rows.len()) as u64 + exact))
    }
}
