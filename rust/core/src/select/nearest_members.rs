//! The member of a set of rows nearest to each row, and how near it is.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::Request;
use super::distance_metric::DistanceMetric;
use super::flat_index::{BLOCK, FlatIndex, NO_NEIGHBOUR, Neighbour, nearer};
use crate::control::FixedProgress;
use crate::matrix::MatrixView;
use crate::metric::Rows;
use crate::rng::mix64;
use crate::{Control, Error, blocks};

/// Members that rows are compared with together, copied for that: so many that a copy costs little beside the
/// comparisons.
const CHUNK: usize = 4096;
/// Chunks that are copied at one time, however many threads there are.
const ABREAST: usize = 8;
/// Members that are copied at one time, at most.
pub const COPIED: usize = CHUNK * ABREAST;
/// About how many values of a row are hashed, to tell it from others in most cases.
const HASHED_VALUES: usize = 32;

/// The nearest member of each row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NearestMembers {
    /// Row numbers of the members.
    pub members: Vec<usize>,
    /// The similarity, or squared distance for [`crate::Metric::SquaredEuclidean`], of each row and its member.
    pub values: Vec<f32>,
    /// How many pairs of a row and a member were compared, at any precision; the same on every machine.
    pub evaluations: u64,
}

/// The nearest of `members` to each of `rows` by canonical similarity or squared distance, the earliest of equal ones.
///
/// Without `include_self` a row is compared with all members but itself.
///
/// Cost: rows x members x dimensions multiply-adds in int16; 72 x rows bytes, and copies of the rows and of at most
/// 32,768 members, in float32 and int16.
///
/// # Errors
/// [`Error::NoSuchRow`], and [`Error::RepeatedRow`] for members; [`Error::Argument`] where a row has no member to be
/// compared with; [`Error::OutOfMemory`]; or what `control` stops with.
pub fn nearest_members(
    matrix: MatrixView<'_>,
    rows: &[usize],
    members: &[usize],
    include_self: bool,
    control: &impl Control,
) -> Result<NearestMembers, Error> {
    check(matrix, rows, members, include_self)?;
    let metric = DistanceMetric::of(matrix);
    let watch = FixedProgress { control, done: 0, total: members.len() as u64 };
    let vectors = matrix.take(rows)?;
    let vectors = Rows::new(&vectors, matrix.rows.width());
    let longest = metric.longest(vectors, &watch)?;
    let (done, evaluations) = (AtomicU64::new(0), AtomicU64::new(0));
    let chunk = |chunk: &[usize]| {
        let watch = FixedProgress { done: done.load(Relaxed), ..watch };
        let places = few_of_equals(matrix.rows, chunk);
        let numbers: Vec<usize> = places.iter().map(|&place| chunk[place as usize]).collect();
        let members = matrix.take(&numbers)?;
        let index = FlatIndex::new(metric, Rows::new(&members, vectors.width()), &watch)?;
        let own = if include_self { Vec::new() } else { places_of(rows, &numbers) };
        let blocks = (0..rows.len()).into_par_iter().step_by(BLOCK).map(|first| {
            let block = vectors.part(first, BLOCK);
            let own = own.get(first..first + block.len()).unwrap_or_default();
            let (nearest, compared) = index.search(matrix.simd, block, longest, own, &watch)?;
            evaluations.fetch_add(compared, Relaxed);
            Ok(nearest)
        });
        let mut nearest = blocks.collect::<Result<Vec<_>, Error>>()?.concat();
        nearest.iter_mut().for_each(|(_, place)| *place = places[*place as usize]);
        let count = chunk.len() as u64;
        control.tick(done.fetch_add(count, Relaxed) + count, watch.total)?;
        Ok(nearest)
    };
    let mut best = blocks::filled(rows.len(), NO_NEIGHBOUR)?;
    let mut first = 0;
    for some in members.chunks(CHUNK * ABREAST) {
        let of_chunks: Vec<Vec<Neighbour>> =
            some.par_chunks(CHUNK).map(chunk).collect::<Result<_, Error>>()?;
        for nearest in of_chunks {
            for (best, (distance, place)) in best.iter_mut().zip(nearest) {
                *best = nearer(*best, (distance, first + place));
            }
            first += CHUNK as u32;
        }
    }
    Ok(found(metric, members, &best, evaluations.into_inner()))
}

/// The definition of [`nearest_members`], to which it is equal: every pair, one after the other.
///
/// # Errors
/// As [`nearest_members`].
pub fn nearest_members_plain(
    matrix: MatrixView<'_>,
    rows: &[usize],
    members: &[usize],
    include_self: bool,
    control: &impl Control,
) -> Result<NearestMembers, Error> {
    check(matrix, rows, members, include_self)?;
    let metric = DistanceMetric::of(matrix);
    let (mut best, mut evaluations) = (Vec::new(), 0);
    for &row in rows {
        let mut nearest = NO_NEIGHBOUR;
        for (&member, place) in members.iter().zip(0..) {
            if include_self || member != row {
                nearest =
                    nearer(nearest, (metric.between(matrix.rows.row(row), matrix.rows.row(member)), place));
                evaluations += 1;
            }
        }
        best.push(nearest);
        control.tick(best.len() as u64, rows.len() as u64)?;
    }
    Ok(found(metric, members, &best, evaluations))
}

fn check(matrix: MatrixView<'_>, rows: &[usize], members: &[usize], include_self: bool) -> Result<(), Error> {
    let n = matrix.len();
    if let Some(&row) = rows.iter().find(|&&row| row >= n) {
        return Err(Error::NoSuchRow { row, n });
    }
    Request::new(n, 0, members)?;
    blocks::check_countable(n)?;
    let alone = |member| !include_self && rows.contains(member);
    if !rows.is_empty() && (members.is_empty() || (members.len() == 1 && members.iter().any(alone))) {
        return Err(Error::Argument { what: "there must be a member to compare each row with".into() });
    }
    Ok(())
}

/// The places of a chunk without those of rows that two earlier ones of the chunk equal bit for bit: such a row is
/// never the earliest of the nearest, and very many equal ones would all be compared in canonical arithmetic.
///
/// Two, since a row may not be compared with itself. Some equal rows may remain.
fn few_of_equals(rows: Rows<'_>, chunk: &[usize]) -> Vec<u32> {
    let every = rows.width().div_ceil(HASHED_VALUES);
    let bits = |row: usize| rows.row(row).iter().map(|value| value.to_bits());
    let hash = |row: usize| bits(row).step_by(every).fold(0, |state, bits| mix64(state ^ u64::from(bits)));
    let mut sorted: Vec<(u64, u32)> = chunk.iter().map(|&row| hash(row)).zip(0..).collect();
    sorted.sort_unstable();
    let equal = |a: u32, b: u32| bits(chunk[a as usize]).eq(bits(chunk[b as usize]));
    let few = |run: &[(u64, u32)]| {
        let places = run
            .iter()
            .enumerate()
            .filter(|&(at, &(_, place))| at < 2 || !equal(run[0].1, place) || !equal(run[1].1, place));
        places.map(|(_, &(_, place))| place).collect::<Vec<_>>()
    };
    let mut places: Vec<u32> = sorted.chunk_by(|a, b| a.0 == b.0).flat_map(few).collect();
    places.sort_unstable();
    places
}

/// The place of each row among the members.
fn places_of(rows: &[usize], members: &[usize]) -> Vec<Option<u32>> {
    let mut sorted: Vec<(usize, u32)> = members.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    let place = |row| sorted.binary_search_by_key(row, |&(member, _)| member).ok().map(|at| sorted[at].1);
    rows.iter().map(place).collect()
}

fn found(metric: DistanceMetric, members: &[usize], best: &[Neighbour], evaluations: u64) -> NearestMembers {
    NearestMembers {
        members: best.iter().map(|&(_, place)| members[place as usize]).collect(),
        values: best.iter().map(|&(distance, _)| metric.value(distance)).collect(),
        evaluations,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{THREADS, Tied, real_rows, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    /// Rows and members: some of so many, in any order.
    fn sets(rows: usize) -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
        let numbers: Vec<usize> = (0..rows).collect();
        let members = prop::sample::subsequence(numbers, 2.min(rows)..=rows).prop_shuffle();
        (prop::collection::vec(0..rows.max(1), 0..40), members)
    }

    fn cases() -> impl Strategy<Value = (Tied, (Vec<usize>, Vec<usize>))> {
        Tied::up_to(80)
            .prop_filter("two members are enough for every row", |tied| tied.rows() > 1)
            .prop_flat_map(|tied| (Just(tied.clone()), sets(tied.rows())))
    }

    /// The definition, with exact numbers.
    fn by_hand(
        tied: &Tied,
        metric: Metric,
        row: usize,
        members: &[usize],
        include_self: bool,
    ) -> (usize, f32) {
        let distance = |member: usize| match metric {
            Metric::SquaredEuclidean => tied.squared_distance(row, member),
            // A difference is never -0, which the order would tell from 0.
            _ => 0.0 - tied.dot(row, member),
        };
        let others = members.iter().copied().filter(|&member| include_self || member != row);
        let best = others.min_by(|&a, &b| {
            distance(a).total_cmp(&distance(b)).then_with(|| place(members, a).cmp(&place(members, b)))
        });
        let best = best.unwrap();
        (
            best,
            if metric == Metric::SquaredEuclidean {
                distance(best) as f32
            } else {
                0.0 - distance(best) as f32
            },
        )
    }

    fn place(members: &[usize], member: usize) -> usize {
        members.iter().position(|&other| other == member).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn the_nearest_member_by_its_definition((tied, (rows, members)) in cases(), distance: bool, include_self: bool) {
            let metric = if distance { Metric::SquaredEuclidean } else { Metric::Dot };
            let expected: Vec<(usize, f32)> =
                rows.iter().map(|&row| by_hand(&tied, metric, row, &members, include_self)).collect();
            for simd in Simd::available() {
                let matrix = tied.matrix(metric, simd);
                for threads in THREADS {
                    let run = || nearest_members(matrix.view(), &rows, &members, include_self, &Unwatched).unwrap();
                    let found = with_threads(threads, run);
                    let pairs: Vec<(usize, f32)> =
                        found.members.iter().copied().zip(found.values.iter().copied()).collect();
                    prop_assert_eq!(&pairs, &expected);
                    let plain = nearest_members_plain(matrix.view(), &rows, &members, include_self, &Unwatched).unwrap();
                    prop_assert_eq!((&found.members, &found.values), (&plain.members, &plain.values));
                }
            }
        }
    }

    #[test]
    fn more_members_than_are_copied_at_one_time_and_near_copies() {
        let (n, width) = (CHUNK * ABREAST + 900, 5);
        let mut data = real_rows(n, width, 3);
        for row in (CHUNK..n).filter(|row| row % 3 == 0) {
            data.copy_within((row - CHUNK) * width..(row - CHUNK + 1) * width, row * width);
            data[row * width] += [0.0, 1e-6, -1e-6][row % 9 / 3];
        }
        let rows: Vec<usize> = (0..n).step_by(311).collect();
        let members: Vec<usize> = (0..n).rev().collect();
        for metric in [Metric::Cosine, Metric::SquaredEuclidean] {
            let mut counted = None;
            for simd in Simd::available() {
                let matrix = match metric {
                    Metric::Cosine => Matrix::unit(data.clone(), width, simd, &Unwatched).unwrap(),
                    _ => Matrix::raw(data.clone(), width, metric, simd, &Unwatched).unwrap(),
                };
                let plain = nearest_members_plain(matrix.view(), &rows, &members, false, &Unwatched).unwrap();
                for threads in THREADS {
                    let run = || nearest_members(matrix.view(), &rows, &members, false, &Unwatched).unwrap();
                    let found = with_threads(threads, run);
                    assert_eq!((&found.members, &found.values), (&plain.members, &plain.values));
                    assert_eq!(*counted.get_or_insert(found.evaluations), found.evaluations);
                }
                let all = nearest_members(matrix.view(), &rows, &members, true, &Unwatched).unwrap();
                // Each is nearest to include_self, or to a copy that comes before it.
                assert!(all.values.iter().all(|&value| match metric {
                    Metric::Cosine => value > 0.999_99,
                    _ => value == 0.0,
                }));
            }
        }
    }

    #[test]
    fn copies_of_one_row_are_nearest_to_the_first_other() {
        let (n, simd) = (2 * CHUNK, Simd::active().unwrap());
        let matrix = Matrix::raw(vec![0.5; 2 * n], 2, Metric::SquaredEuclidean, simd, &Unwatched).unwrap();
        let members: Vec<usize> = (0..n).collect();
        let rows = [0, 1, 70, CHUNK, n - 1];
        let found = nearest_members(matrix.view(), &rows, &members, false, &Unwatched).unwrap();
        assert_eq!(found.members, [1, 0, 0, 0, 0]);
        assert_eq!(found.values, [0.0; 5]);
        // Not every copy is compared, let alone twice.
        assert!(found.evaluations < 100, "{}", found.evaluations);
    }

    #[test]
    fn bad_rows_and_members_are_refused() {
        let simd = Simd::active().unwrap();
        let tied = Tied { data: vec![0.0, 1.0, 2.0], width: 1 };
        let matrix = tied.matrix(Metric::Dot, simd);
        let run = |rows: &[usize], members: &[usize], include_self| {
            nearest_members(matrix.view(), rows, members, include_self, &Unwatched)
        };
        assert_eq!(run(&[3], &[0], true).err(), Some(Error::NoSuchRow { row: 3, n: 3 }));
        assert_eq!(run(&[0], &[0, 3], true).err(), Some(Error::NoSuchRow { row: 3, n: 3 }));
        assert_eq!(run(&[0], &[1, 1], true).err(), Some(Error::RepeatedRow { row: 1 }));
        assert!(matches!(run(&[0], &[], true).err(), Some(Error::Argument { .. })));
        assert!(matches!(run(&[1, 0], &[0], false).err(), Some(Error::Argument { .. })));
        assert_eq!(run(&[1, 2], &[0], false).unwrap().members, [0, 0]);
        assert_eq!(run(&[0], &[0], true).unwrap().values, [0.0]);
        assert_eq!(run(&[], &[], false), Ok(NearestMembers::default()));
    }
}
