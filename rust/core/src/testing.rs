//! What several tests share: awkward data and fixed thread counts.

use proptest::prelude::*;

use crate::select::Request;
use crate::simd::Simd;
use crate::{Matrix, Metric, Unwatched};

/// Thread counts that the answer must not depend on.
pub(crate) const THREADS: [usize; 3] = [1, 2, 7];

/// Runs `work` in a pool of so many threads.
pub(crate) fn with_threads<T: Send>(count: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap().install(work)
}

/// Rows of small whole numbers: every sum is exact, and there are ties, repeated rows and zero rows
/// everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Tied {
    pub(crate) data: Vec<f32>,
    pub(crate) width: usize,
}

impl Tied {
    /// Up to `most` rows of 1 to 20 values in {-2..2}; now and then all equal.
    pub(crate) fn up_to(most: usize) -> impl Strategy<Value = Self> {
        (0..=most, 1usize..20, 0u32..10).prop_flat_map(|(rows, width, mood)| {
            let range = if mood == 0 { 1..=1 } else { -2i8..=2 };
            prop::collection::vec(range.prop_map(f32::from), rows * width)
                .prop_map(move |data| Self { data, width })
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.data.len() / self.width
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.width..][..self.width]
    }

    pub(crate) fn matrix(&self, metric: Metric, simd: Simd) -> Matrix<&[f32]> {
        Matrix::raw(&self.data[..], self.width, metric, simd, &Unwatched).unwrap()
    }

    pub(crate) fn dot(&self, a: usize, b: usize) -> f64 {
        self.row(a).iter().zip(self.row(b)).map(|(&x, &y)| f64::from(x * y)).sum()
    }

    /// Of each row, itself and the others of largest dot product, the lowest of equal ones: so many in all.
    pub(crate) fn nearest(&self, neighbours: usize) -> Vec<Vec<usize>> {
        let nearest = |row: usize| {
            let mut others: Vec<usize> = (0..self.rows()).filter(|&other| other != row).collect();
            others.sort_by(|&a, &b| self.dot(row, b).total_cmp(&self.dot(row, a)).then(a.cmp(&b)));
            std::iter::once(row).chain(others).take(neighbours).collect()
        };
        (0..self.rows()).map(nearest).collect()
    }

    /// Whether either of two rows is among the nearest of the other.
    pub(crate) fn nearest_edges(&self, neighbours: usize) -> impl Fn(usize, usize) -> bool {
        let lists = self.nearest(neighbours);
        move |a, b| lists[a].contains(&b) || lists[b].contains(&a)
    }

    pub(crate) fn squared_distance(&self, a: usize, b: usize) -> f64 {
        self.row(a).iter().zip(self.row(b)).map(|(&x, &y)| f64::from((x - y) * (x - y))).sum()
    }
}

/// Rows of real values, the same for the same seed.
pub(crate) fn real_rows(rows: usize, width: usize, seed: u64) -> Vec<f32> {
    let value = |at: usize| (crate::rng::keyed_hash(seed, at as u64) >> 40) as f32 / (1 << 24) as f32 - 0.4;
    (0..rows * width).map(value).collect()
}

/// A wish list.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    pub(crate) count: usize,
    pub(crate) given: Vec<usize>,
    pub(crate) excluded: Vec<usize>,
}

impl Wishes {
    pub(crate) fn request(&self, rows: usize) -> Request<'_> {
        Request::with_excluded(rows, self.count, &self.given, &self.excluded).unwrap()
    }
}

/// What may be wished for of so many rows.
pub(crate) fn wishes(rows: usize) -> impl Strategy<Value = Wishes> {
    let some = prop::sample::subsequence((0..rows).collect::<Vec<_>>(), 0..=rows.min(7)).prop_shuffle();
    (some, any::<prop::sample::Index>()).prop_flat_map(move |(mut given, cut)| {
        let excluded = given.split_off(cut.index(given.len() + 1));
        let free = rows - given.len() - excluded.len();
        (prop_oneof![0..=free, Just(free)], Just(given), Just(excluded))
            .prop_map(|(count, given, excluded)| Wishes { count, given, excluded })
    })
}
