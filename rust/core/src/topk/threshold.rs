//! The k best float32 scores by a threshold: a sample says what score the k-th best about has, one pass keeps
//! the rows that reach it, and these few are sorted.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::Score;
use super::order::{key_of, score_of};
use super::scan::{BLOCK, Entry, Scan, key_in, row_in};
use crate::Error;
use crate::blocks::check_countable;
use crate::rng::word_of_row;
use crate::simd::Simd;

/// Rows in the sample.
const SAMPLE: usize = 1 << 14;

/// Rows that are sampled together, from one cache line as a rule.
const NEIGHBOURS: usize = 4;

/// The `k` rows of highest score, by (score descending, row ascending); -0 and +0 are equal.
///
/// The same rows as [`super::plain`]. One pass over the scores and a sort of about 1.1 k of them (2.5 k where
/// k is a thousandth of the rows): O(n + k log k), 8 bytes for each row above the threshold. Should the sample
/// mislead, no thread holds more than twice k rows and a block.
///
/// # Errors
/// [`Error::NotFinite`] with the first row whose score is NaN or infinite, [`Error::BadK`] where `k` is more
/// than there are rows.
pub fn top_k(scores: &[f32], k: usize, simd: Simd) -> Result<Vec<usize>, Error> {
    let rows = scores.len();
    check_countable(rows)?;
    if k == 0 || k > rows {
        // Nothing to rank, but a bad score is still refused, and first.
        survivors(scores, 1, key_of(f32::INFINITY), simd)?;
        return if k == 0 { Ok(Vec::new()) } else { Err(Error::BadK { k, n: rows }) };
    }
    top_k_by_sample(scores, k, sample(scores), simd)
}

/// The `k` best rows, at least 1 and no more than there are; the keys in `sample` make it fast, and cannot make
/// it wrong.
fn top_k_by_sample(scores: &[f32], k: usize, mut sample: Vec<u32>, simd: Simd) -> Result<Vec<usize>, Error> {
    // Of so many sampled rows this many are expected among the k best: binomial, so 4 deviations more are
    // almost always enough.
    let expected = k as f64 / scores.len() as f64 * sample.len() as f64;
    let mut rank = (expected + 4.0 * expected.sqrt() + 6.0) as usize;
    loop {
        let floor = if rank < sample.len() { *sample.select_nth_unstable(rank).1 } else { key_of(f32::MIN) };
        let found = survivors(scores, k, floor, simd)?;
        if found.len() >= k {
            return Ok(best(found, k));
        }
        // The sample was unlucky. Lower, at last down to the floor that every row reaches.
        rank *= 4;
    }
}

/// The keys of some rows, without the bad ones: by hash some neighbours from each of many stretches.
///
/// A row costs a wait for memory, its neighbours nothing more. Where neighbours are alike the sample is worth
/// less, and still seldom misleads.
fn sample(scores: &[f32]) -> Vec<u32> {
    let rows = scores.len();
    if rows < 4 * SAMPLE {
        // Ranking every row costs no more than a sample.
        return Vec::new();
    }
    let stretches = SAMPLE / NEIGHBOURS;
    let start = |stretch: usize| (stretch as u128 * rows as u128 / stretches as u128) as usize;
    (0..stretches)
        .into_par_iter()
        .with_min_len(stretches / 8)
        .flat_map_iter(|stretch| {
            let (first, length) = (start(stretch), start(stretch + 1) - start(stretch));
            let place = (u128::from(word_of_row(stretch as u64)) * length as u128) >> 64;
            let row = (first + place as usize) / NEIGHBOURS * NEIGHBOURS;
            scores[row..rows.min(row + NEIGHBOURS)].iter().filter_map(|score| score.descending())
        })
        .collect()
}

/// What the workers share: the score that a row must have to survive, as a key that is only lowered.
///
/// Blocks are claimed in row order, and the floor is read *before* a block is claimed. So all that a floor
/// follows from lies in blocks claimed earlier, in lower rows: a row of the claimed block that only equals
/// the k-th of those is preceded by k rows, and the floor may lie above their score.
struct Shared {
    floor: AtomicU32,
    /// Surviving rows of finished blocks; all reach the floor that was there at the start.
    surviving: AtomicUsize,
    next_block: AtomicUsize,
    /// The lowest bad row found, or `usize::MAX`.
    bad: AtomicUsize,
}

impl Shared {
    /// Later rows must have a better score than this key's.
    fn raise_above(&self, key: u32) {
        // The key of a finite score is at least that of the greatest number, so there is one before it.
        self.floor.fetch_min(key - 1, Ordering::AcqRel);
    }
}

/// Rows among which are the `k` best (at least 1), or fewer than `k` where fewer reach the score of the key `floor`.
fn survivors(scores: &[f32], k: usize, floor: u32, simd: Simd) -> Result<Vec<Entry>, Error> {
    let shared = Shared {
        floor: AtomicU32::new(floor),
        surviving: AtomicUsize::new(0),
        next_block: AtomicUsize::new(0),
        bad: AtomicUsize::new(usize::MAX),
    };
    let blocks = scores.len().div_ceil(BLOCK);
    let found: Vec<Vec<Entry>> = (0..rayon::current_num_threads().min(blocks))
        .into_par_iter()
        .with_max_len(1)
        .map(|_| work(scores, k, floor, simd, &shared))
        .collect();
    match shared.bad.into_inner() {
        usize::MAX => Ok(found.concat()),
        row => Err(Error::NotFinite { row }),
    }
}

/// Takes blocks until there are none, and returns the rows that one worker keeps.
fn work(scores: &[f32], k: usize, start: u32, simd: Simd, shared: &Shared) -> Vec<Entry> {
    let mut entries = Vec::new();
    // Nothing after a bad row matters; the blocks before it have been claimed, and are finished.
    while shared.bad.load(Ordering::Relaxed) == usize::MAX {
        let floor = score_of(shared.floor.load(Ordering::Acquire));
        let first = shared.next_block.fetch_add(1, Ordering::AcqRel) * BLOCK;
        if first >= scores.len() {
            break;
        }
        let block = &scores[first..scores.len().min(first + BLOCK)];
        let before = entries.len();
        if !simd.run(Scan { scores: block, first: first as u32, floor, entries: &mut entries }) {
            let place = block.iter().position(|score| !score.is_finite()).unwrap_or_default();
            shared.bad.fetch_min(first + place, Ordering::Relaxed);
            break;
        }
        let surviving = entries.len() - before;
        if shared.surviving.fetch_add(surviving, Ordering::AcqRel) + surviving >= k {
            shared.raise_above(start);
        }
        if entries.len() / 2 >= k {
            let last = *entries.select_nth_unstable(k - 1).1;
            entries.truncate(k);
            shared.raise_above(key_in(last));
        }
    }
    entries
}

/// The `k` first entries, at least as many as that, as rows in order.
fn best(mut entries: Vec<Entry>, k: usize) -> Vec<usize> {
    if k < entries.len() {
        entries.select_nth_unstable(k - 1);
        entries.truncate(k);
    }
    entries.par_sort_unstable();
    entries.into_iter().map(|entry| row_in(entry) as usize).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::plain;
    use super::*;
    use crate::testing::{THREADS, with_threads};

    fn draw(seed: u64, row: usize) -> f32 {
        (crate::rng::keyed_hash(seed, row as u64) >> 40) as f32 - (1 << 23) as f32
    }

    /// Scores of one of the shapes that a threshold fares differently with.
    fn shaped(shape: usize, rows: usize, seed: u64) -> Vec<f32> {
        let score = |row| match shape {
            0 => draw(seed, row),
            1 => (draw(seed, row) / 2e6).round() * 0.5,
            2 => (draw(seed, row) / 2e4).round(),
            3 => -0.0 * draw(seed, row).signum(),
            4 => row as f32,
            5 => -(row as f32),
            // The best rows lie together, in the first block or the last.
            6 => {
                if row < rows / 50 {
                    1e9 + draw(seed, row)
                } else {
                    -1.0
                }
            }
            _ => {
                if row > rows - rows / 50 {
                    f32::MAX
                } else {
                    f32::MIN
                }
            }
        };
        (0..rows).map(score).collect()
    }

    fn agree(scores: &[f32], k: usize, compute: impl Fn(Simd) -> Result<Vec<usize>, Error> + Sync) {
        let expected = plain(scores, k);
        for simd in Simd::available() {
            for threads in THREADS {
                let found = with_threads(threads, || compute(simd));
                assert!(found == expected, "k {k} of {}, {simd:?}, {threads} threads", scores.len());
            }
        }
    }

    fn few_values() -> impl Strategy<Value = f32> {
        prop::sample::select(vec![-0.0, 0.0, 1.0, -1.0, 1e-45, -1e-45, f32::MAX, f32::MIN, 0.5])
    }

    proptest! {
        #[test]
        fn small_inputs_agree_with_the_definition(
            scores in prop::collection::vec(prop_oneof![few_values(), -1e3f32..1e3], 0..300),
            k in 0usize..320,
        ) {
            agree(&scores, k, |simd| top_k(&scores, k, simd));
        }

        #[test]
        fn bad_scores_are_refused_as_by_the_definition(
            mut scores in prop::collection::vec(-1e3f32..1e3, 1..300),
            bad in prop::collection::vec((any::<prop::sample::Index>(), 0usize..3), 1..4),
            k in 0usize..320,
        ) {
            for (place, which) in bad {
                let row = place.index(scores.len());
                scores[row] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][which];
            }
            agree(&scores, k, |simd| top_k(&scores, k, simd));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn large_inputs_agree_with_the_definition(
            shape in 0usize..8,
            rows in BLOCK - 70..20 * BLOCK + 70,
            share in prop_oneof![Just(0.0), 0.0..0.001f64, 0.0..0.1f64, 0.0..=1.0f64],
            seed in any::<u64>(),
        ) {
            let scores = shaped(shape, rows, seed);
            let k = (share * rows as f64) as usize + 1;
            agree(&scores, k.min(rows), |simd| top_k(&scores, k.min(rows), simd));
        }
    }

    #[test]
    fn a_sample_that_misleads_costs_time_only() {
        for shape in 0..8 {
            let scores = shaped(shape, 200_005, 1);
            for k in [1, 100, 50_000] {
                for lie in [f32::MIN, 0.0, f32::MAX] {
                    let sample = vec![key_of(lie); SAMPLE];
                    agree(&scores, k, |simd| top_k_by_sample(&scores, k, sample.clone(), simd));
                }
            }
        }
    }

    #[test]
    fn the_sample_is_drawn_from_all_stretches() {
        let rows = 5 * SAMPLE + 3;
        let scores: Vec<f32> = (0..rows).map(|row| row as f32).collect();
        let mut found: Vec<usize> = sample(&scores).into_iter().map(|key| score_of(key) as usize).collect();
        found.sort_unstable();
        assert_eq!(found.len(), SAMPLE);
        // 20 rows and sometimes 21 to a stretch, from which 4 are taken.
        let firsts: Vec<usize> = found.iter().copied().step_by(NEIGHBOURS).collect();
        assert!(firsts.iter().enumerate().all(|(at, &row)| (20 * at..20 * at + 24).contains(&(row + 3))));
        // A stretch starts 0, 1 or 2 rows after 20 * at, each a third of them: 7 in 20, give or take 5
        // deviations of 31.
        let early = firsts.iter().enumerate().filter(|&(at, &row)| row < 20 * at + 8).count();
        assert!((1280..1590).contains(&early), "{early} of 4096 are from the first 8 rows of their stretch");
    }

    #[test]
    fn few_rows_are_kept() {
        // Counted in one thread, where the count is the same on every machine.
        for shape in [0, 1, 2, 3, 4, 5] {
            let (rows, k) = (2_600_000, 2_000);
            let scores = shaped(shape, rows, 3);
            let mut keys = sample(&scores);
            let floor = *keys.select_nth_unstable(39).1;
            for simd in Simd::available() {
                let found = with_threads(1, || survivors(&scores, k, floor, simd)).unwrap();
                assert!((k..=5 * k).contains(&found.len()), "shape {shape}: {} rows", found.len());
            }
        }
    }

    #[test]
    fn the_first_bad_score_is_named() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut scores = shaped(0, 5 * BLOCK + 9, 7);
            let expect = |scores: &[f32], row| {
                for k in [0, 1, scores.len() + 1] {
                    let refused = Err(Error::NotFinite { row });
                    for simd in Simd::available() {
                        for threads in THREADS {
                            assert_eq!(with_threads(threads, || top_k(scores, k, simd)), refused);
                        }
                    }
                }
            };
            for row in [5 * BLOCK + 8, 5 * BLOCK - 1, BLOCK + 3, BLOCK, 5, 0] {
                scores[row] = bad;
                expect(&scores, row);
            }
        }
    }

    #[test]
    fn more_than_all_is_an_error() {
        for simd in Simd::available() {
            assert_eq!(top_k(&[1.0], 2, simd), Err(Error::BadK { k: 2, n: 1 }));
            assert_eq!(top_k(&[], 0, simd), Ok(vec![]));
            assert_eq!(top_k(&[], 1, simd), Err(Error::BadK { k: 1, n: 0 }));
        }
    }
}
