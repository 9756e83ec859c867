//! What several tests share: awkward data and fixed thread counts.

use proptest::prelude::*;

use crate::select::{Costs, Groups, Limits, Request};
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
    rows: usize,
    pub(crate) count: usize,
    pub(crate) given: Vec<usize>,
    pub(crate) excluded: Vec<usize>,
    limits: Option<Bounds>,
}

/// Limits that some set keeps.
#[derive(Debug, Clone)]
struct Bounds {
    rows: usize,
    groups: Vec<u32>,
    least: Vec<usize>,
    most: Vec<usize>,
    costs: Option<(Vec<u64>, u64, u64)>,
}

impl Wishes {
    pub(crate) fn request(&self, rows: usize) -> Request<'_> {
        let request = Request::with_excluded(rows, self.count, &self.given, &self.excluded).unwrap();
        self.limits.as_ref().map_or(request, |limits| request.within(limits.limits()).unwrap())
    }

    /// The rows that can be picked next, ascending, where `set` holds those given and those picked: by the definition.
    pub(crate) fn open(&self, set: &[usize]) -> Vec<usize> {
        let free: Vec<usize> =
            (0..self.rows).filter(|row| !set.contains(row) && !self.excluded.contains(row)).collect();
        if set.len() >= self.given.len() + self.count {
            return Vec::new();
        }
        let Some(limits) = &self.limits else { return free };
        let allowed = |row: &usize| {
            let with: Vec<usize> = set.iter().copied().chain([*row]).collect();
            let rest: Vec<usize> = free.iter().copied().filter(|other| other != row).collect();
            limits.hold(&with, &rest, self.given.len())
        };
        free.iter().copied().filter(allowed).collect()
    }
}

impl Bounds {
    fn limits(&self) -> Limits<'_> {
        Limits {
            rows: self.rows,
            groups: Some(Groups { of: &self.groups, least: &self.least, most: &self.most }),
            costs: self.costs.as_ref().map(|(of, budget, part)| Costs { of, budget: *budget, part: *part }),
        }
    }

    /// Whether a set, of which the first rows were given, keeps the limits and can be added to from `rest` so that all
    /// groups have enough.
    fn hold(&self, set: &[usize], rest: &[usize], given: usize) -> bool {
        let (mut rows, mut cost) = (set.len(), set.iter().map(|&row| self.cost(row)).sum::<u64>());
        if set[given..].iter().map(|&row| self.cost(row)).sum::<u64>()
            > self.costs.as_ref().map_or(0, |costs| costs.2)
        {
            return false;
        }
        for (group, (&least, &most)) in self.least.iter().zip(&self.most).enumerate() {
            let belongs = |row: &&usize| self.groups[**row] as usize == group;
            let held = set.iter().filter(belongs).count();
            let mut others: Vec<u64> = rest.iter().filter(belongs).map(|&row| self.cost(row)).collect();
            others.sort_unstable();
            let need = least.saturating_sub(held);
            if held > most || need > others.len() {
                return false;
            }
            rows += need;
            cost += others[..need].iter().sum::<u64>();
        }
        rows <= self.rows && self.costs.as_ref().is_none_or(|&(_, budget, _)| cost <= budget)
    }

    fn cost(&self, row: usize) -> u64 {
        self.costs.as_ref().map_or(0, |(of, _, _)| of[row])
    }
}

/// What may be wished for of so many rows: as often as not within limits.
pub(crate) fn wishes(rows: usize) -> impl Strategy<Value = Wishes> {
    let some = prop::sample::subsequence((0..rows).collect::<Vec<_>>(), 0..=rows.min(7)).prop_shuffle();
    let wishes = (some, any::<prop::sample::Index>()).prop_flat_map(move |(mut given, cut)| {
        let excluded = given.split_off(cut.index(given.len() + 1));
        let free = rows - given.len() - excluded.len();
        (prop_oneof![0..=free, Just(free)], Just(given), Just(excluded))
    });
    (wishes, prop::option::of(bounds(rows))).prop_map(move |((count, given, excluded), mut limits)| {
        if let Some((_, held)) = &mut limits {
            held.retain(|row| !given.contains(row) && !excluded.contains(row));
            held.extend(&given);
        }
        let limits = limits.map(|(limits, held)| limits.kept_by(&held));
        Wishes { rows, count, given, excluded, limits }
    })
}

/// Limits without numbers, and some rows that shall be allowed together.
fn bounds(rows: usize) -> impl Strategy<Value = (Bounds, Vec<usize>)> {
    let groups = prop::collection::vec(0u32..4, rows);
    let costs =
        prop::option::of((prop::collection::vec(0u64..9, rows), 0u64..12, prop::option::of(0u64..40)));
    let held = prop::sample::subsequence((0..rows).collect::<Vec<_>>(), 0..=rows);
    let slack = prop::collection::vec((0usize..4, 0usize..4), 4);
    (groups, costs, held, slack, 0usize..5).prop_map(|(groups, costs, held, slack, rows)| {
        let (least, most) = slack.into_iter().unzip();
        let costs = costs.map(|(of, budget, part)| (of, budget, part.unwrap_or(u64::MAX)));
        (Bounds { rows, groups, least, most, costs }, held)
    })
}

impl Bounds {
    /// Limits as far from what these rows are as the numbers so far say.
    fn kept_by(mut self, held: &[usize]) -> Self {
        self.rows += held.len();
        for (group, (least, most)) in self.least.iter_mut().zip(&mut self.most).enumerate() {
            let count = held.iter().filter(|&&row| self.groups[row] as usize == group).count();
            (*least, *most) = (count.saturating_sub(*least), count + *most);
        }
        if let Some((of, budget, _)) = &mut self.costs {
            *budget += held.iter().map(|&row| of[row]).sum::<u64>();
        }
        self
    }
}
