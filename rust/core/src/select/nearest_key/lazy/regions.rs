//! Regions of the space: the member nearest to a row is most likely in the row's own region or in an adjacent one,
//! whose members are compared before all others.

use std::ops::Range;

use rayon::prelude::*;

use crate::cells::group::Groups;
use crate::cells::{KMeans, k_means};
use crate::matrix::MatrixView;
use crate::metric::{self, Rows};
use crate::quantise::{Measure, Quantised, Tiles};
use crate::{Control, Error, blocks, rng, topk};

/// Rows whose region one task finds.
const BLOCK: usize = 240;
/// Rows in a part, at most; few rows go into so many parts, that all threads have some, but into none much smaller.
const PART: usize = 2048;
const PARTS: usize = 20;
const SMALL_PART: usize = 512;
/// Rows a region that its centroid is trained on, and the iterations.
const SAMPLE: usize = 64;
const ITERATIONS: usize = 4;
/// The key by which they are drawn: regions decide how many pairs are compared, not what is picked.
const KEY: u64 = 0;

/// All rows in one region, or in several, by k-means.
pub(super) struct Regions {
    /// Rows by region, ascending within one; empty where there is one region.
    rows: Vec<u32>,
    /// The place of each row in `rows`.
    places: Vec<u32>,
    /// The rows of region `r` are at the places `starts[r]..starts[r + 1]`.
    starts: Vec<usize>,
    near: Vec<NearMembers>,
    /// For each region those that its members are near to, itself among them.
    adjacent: Vec<Vec<u32>>,
}

/// The members that are near a region.
#[derive(Default)]
pub(super) struct NearMembers {
    pub(super) tiles: Tiles,
    /// The place of each of them in the set, ascending.
    pub(super) set: Vec<u32>,
}

impl Regions {
    /// One region, to which no member is near: all are compared in turn.
    pub(super) fn one(rows: usize) -> Self {
        let (none, all) = (Vec::new(), vec![0, rows]);
        Self {
            rows: none,
            places: Vec::new(),
            starts: all,
            near: vec![NearMembers::default()],
            adjacent: vec![vec![]],
        }
    }

    /// So many regions; the `near` nearest of them, the own one included, are near. 8 bytes a row, and `near` packed
    /// copies of each member. Gives the quantised rows as well, and how many comparisons it took.
    pub(super) fn several(
        matrix: MatrixView<'_>,
        measure: Measure,
        (count, near): (usize, usize),
        control: &impl Control,
    ) -> Result<(Self, Quantised, u64), Error> {
        let sample =
            topk::bottom_k(&rng::hashes_of_rows(KEY, matrix.len())?, matrix.len().min(count * SAMPLE))?;
        let options = KMeans { sample: &sample, cells: count, iterations: ITERATIONS, directions: false };
        let trained = k_means(matrix, options, control)?;
        let centroids = Rows::new(&trained, matrix.rows.width());
        let quantised = Quantised::with(matrix, centroids, measure, control)?;
        let mut tiles = Tiles::default();
        (0..count).for_each(|region| tiles.push(&quantised, matrix.len() + region));
        let mut regions = blocks::zeroed::<u32>(matrix.len())?;
        blocks::fill(&mut regions, 1, BLOCK, control, |first, regions| {
            let rows: Vec<u32> = (first as u32..).take(regions.len()).collect();
            let mut bounds = vec![f32::INFINITY; rows.len()];
            let could = quantised.could_be_nearest(matrix.simd, &rows, (&tiles, 0), &mut bounds);
            // One that could be the nearest is near enough.
            regions.iter_mut().zip(could).for_each(|(region, could)| *region = could[0]);
            Ok(())
        })?;
        let Groups { rows, starts } = Groups::new(regions.iter().map(|&region| region as usize), count)?;
        let mut places = regions;
        (0u32..).zip(&rows).for_each(|(place, &row)| places[row as usize] = place);
        let mut adjacent = vec![Vec::new(); count];
        for (region, nearest) in nearest_of_each(matrix, centroids, near).into_iter().enumerate() {
            nearest.into_iter().for_each(|other| adjacent[other].push(region as u32));
        }
        let near = (0..count).map(|_| NearMembers::default()).collect();
        let compared = (matrix.len() + ITERATIONS * sample.len()) * count;
        Ok((Self { rows, places, starts, near, adjacent }, quantised, compared as u64))
    }

    /// The row at a place.
    pub(super) fn row(&self, place: usize) -> u32 {
        self.rows.get(place).copied().unwrap_or(place as u32)
    }

    /// The place of a row.
    pub(super) fn place(&self, row: u32) -> usize {
        self.places.get(row as usize).map_or(row as usize, |&place| place as usize)
    }

    /// The members near a region.
    pub(super) fn near(&self, region: usize) -> &NearMembers {
        &self.near[region]
    }

    /// Notes a row that is the `at`-th member.
    pub(super) fn add(&mut self, quantised: &Quantised, row: u32, at: u32) {
        let place = self.place(row);
        let region = self.starts.partition_point(|&start| start <= place) - 1;
        for &other in &self.adjacent[region] {
            let near = &mut self.near[other as usize];
            near.tiles.push(quantised, row as usize);
            near.set.push(at);
        }
    }

    /// The places in parts that do not reach across regions, each with its region.
    pub(super) fn parts(&self) -> Vec<(usize, Range<usize>)> {
        let rows = self.starts.last().map_or(0, |&rows| rows);
        let size = (rows / PARTS).clamp(SMALL_PART, PART);
        let regions = self.starts.windows(2).enumerate();
        let parts = regions.flat_map(|(region, bounds)| {
            let firsts = (bounds[0]..bounds[1]).step_by(size);
            firsts.map(move |first| (region, first..bounds[1].min(first + size)))
        });
        parts.collect()
    }
}

/// For each of these rows the numbers of those nearest to it, the lowest of equal ones.
fn nearest_of_each(matrix: MatrixView<'_>, centroids: Rows<'_>, near: usize) -> Vec<Vec<usize>> {
    let distance =
        |a: usize, b: usize| metric::squared_distance(matrix.simd, centroids.row(a), centroids.row(b));
    let nearest = |own: usize| {
        let all = (0..centroids.len()).map(|other| (distance(own, other), other));
        let mut all: Vec<(f32, usize)> = all.collect();
        all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.into_iter().take(near).map(|(_, other)| other).collect()
    };
    (0..centroids.len()).into_par_iter().map(nearest).collect()
}
