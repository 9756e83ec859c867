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
    pub(crate) fn up_to(max: usize) -> impl Strategy<Value = Self> {
        (0..=max, 1usize..20, 0u32..10).prop_flat_map(|(rows, width, mood)| {
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

/// The arguments of a request, some of them with limits.
#[derive(Debug, Clone)]
pub(crate) struct RequestCase {
    rows: usize,
    pub(crate) count: usize,
    pub(crate) preselected: Vec<usize>,
    pub(crate) excluded: Vec<usize>,
    limits: Option<LimitsCase>,
}

/// Limits that some set satisfies.
#[derive(Debug, Clone)]
struct LimitsCase {
    rows: usize,
    groups: Vec<u32>,
    min: Vec<usize>,
    max: Vec<usize>,
    costs: Option<(Vec<u64>, u64, u64)>,
}

impl RequestCase {
    pub(crate) fn request(&self, rows: usize) -> Request<'_> {
        let request = Request::with_excluded(rows, self.count, &self.preselected, &self.excluded).unwrap();
        self.limits.as_ref().map_or(request, |limits| request.within(limits.limits()).unwrap())
    }

    /// The rows that can be picked next, ascending, where `set` holds those preselected and those picked: by the
    /// definition.
    pub(crate) fn candidates(&self, set: &[usize]) -> Vec<usize> {
        let free: Vec<usize> =
            (0..self.rows).filter(|row| !set.contains(row) && !self.excluded.contains(row)).collect();
        if set.len() >= self.preselected.len() + self.count {
            return Vec::new();
        }
        let Some(limits) = &self.limits else { return free };
        let allowed = |row: &usize| {
            let with: Vec<usize> = set.iter().copied().chain([*row]).collect();
            let rest: Vec<usize> = free.iter().copied().filter(|other| other != row).collect();
            limits.admit(&with, &rest, self.preselected.len())
        };
        free.iter().copied().filter(allowed).collect()
    }
}

impl LimitsCase {
    fn limits(&self) -> Limits<'_> {
        Limits {
            rows: self.rows,
            groups: Some(Groups { of: &self.groups, min: &self.min, max: &self.max }),
            costs: self.costs.as_ref().map(|(of, budget, request_budget)| Costs {
                of,
                budget: *budget,
                request_budget: *request_budget,
            }),
        }
    }

    /// Whether a set, of which the first rows were preselected, is within the limits and can be extended from `rest` so
    /// that all groups have enough.
    fn admit(&self, set: &[usize], rest: &[usize], preselected: usize) -> bool {
        let (mut rows, mut cost) = (set.len(), set.iter().map(|&row| self.cost(row)).sum::<u64>());
        if set[preselected..].iter().map(|&row| self.cost(row)).sum::<u64>()
            > self.costs.as_ref().map_or(0, |costs| costs.2)
        {
            return false;
        }
        for (group, (&min, &max)) in self.min.iter().zip(&self.max).enumerate() {
            let belongs = |row: &&usize| self.groups[**row] as usize == group;
            let held = set.iter().filter(belongs).count();
            let mut others: Vec<u64> = rest.iter().filter(belongs).map(|&row| self.cost(row)).collect();
            others.sort_unstable();
            let need = min.saturating_sub(held);
            if held > max || need > others.len() {
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

/// Requests for so many rows: as often as not within limits.
pub(crate) fn request_cases(rows: usize) -> impl Strategy<Value = RequestCase> {
    let some = prop::sample::subsequence((0..rows).collect::<Vec<_>>(), 0..=rows.min(7)).prop_shuffle();
    let request = (some, any::<prop::sample::Index>()).prop_flat_map(move |(mut preselected, cut)| {
        let excluded = preselected.split_off(cut.index(preselected.len() + 1));
        let free = rows - preselected.len() - excluded.len();
        (prop_oneof![0..=free, Just(free)], Just(preselected), Just(excluded))
    });
    (request, prop::option::of(limits_cases(rows))).prop_map(
        move |((count, preselected, excluded), mut limits)| {
            if let Some((_, held)) = &mut limits {
                held.retain(|row| !preselected.contains(row) && !excluded.contains(row));
                held.extend(&preselected);
            }
            let limits = limits.map(|(limits, held)| limits.around(&held));
            RequestCase { rows, count, preselected, excluded, limits }
        },
    )
}

/// Limits without numbers, and some rows that are to be admissible together.
fn limits_cases(rows: usize) -> impl Strategy<Value = (LimitsCase, Vec<usize>)> {
    let groups = prop::collection::vec(0u32..4, rows);
    let costs =
        prop::option::of((prop::collection::vec(0u64..9, rows), 0u64..12, prop::option::of(0u64..40)));
    let held = prop::sample::subsequence((0..rows).collect::<Vec<_>>(), 0..=rows);
    let slack = prop::collection::vec((0usize..4, 0usize..4), 4);
    (groups, costs, held, slack, 0usize..5).prop_map(|(groups, costs, held, slack, rows)| {
        let (min, max) = slack.into_iter().unzip();
        let costs =
            costs.map(|(of, budget, request_budget)| (of, budget, request_budget.unwrap_or(u64::MAX)));
        (LimitsCase { rows, groups, min, max, costs }, held)
    })
}

impl LimitsCase {
    /// Limits as far from the counts and costs of these rows as the numbers so far say.
    fn around(mut self, held: &[usize]) -> Self {
        self.rows += held.len();
        for (group, (min, max)) in self.min.iter_mut().zip(&mut self.max).enumerate() {
            let count = held.iter().filter(|&&row| self.groups[row] as usize == group).count();
            (*min, *max) = (count.saturating_sub(*min), count + *max);
        }
        if let Some((of, budget, _)) = &mut self.costs {
            *budget += held.iter().map(|&row| of[row]).sum::<u64>();
        }
        self
    }
}
