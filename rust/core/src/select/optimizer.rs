//! How the best row is found: [`plain`] is the definition, [`lazy`] gives the same picks with fewer gains
//! computed.
//!
//! The best row is the one of largest gain, the lowest of equal ones. A picked row is never picked again;
//! when no row gains anything, all gains are 0 and the lowest unpicked row follows. Rows that the limits of the request
//! do not admit are passed over, and picks end where there is no candidate.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::{Candidates, Objective, Request, Selection};
use crate::blocks;
use crate::{Control, Error};

/// Fewest rows whose gains are worth another task, where a gain is a look-up.
const MIN_ROWS: usize = 4096;

/// Stale candidates computed at once: the same on every machine, as the number of gains computed must be.
const BATCH: usize = 8;

/// A row with a gain, or an upper bound of it, ordered by (gain, lower row is greater).
#[derive(Debug, Clone, Copy)]
struct RowGain {
    gain: f64,
    row: u32,
    /// Size of the set when the gain was computed.
    computed_at: u32,
    /// Whether it was the gain itself.
    exact: bool,
}

impl Ord for RowGain {
    fn cmp(&self, other: &Self) -> Ordering {
        self.gain.total_cmp(&other.gain).then(other.row.cmp(&self.row))
    }
}

impl PartialOrd for RowGain {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for RowGain {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for RowGain {}

impl RowGain {
    fn new(gain: f64, row: u32, computed_at: u32, exact: bool) -> Self {
        // Adding +0 turns -0 into +0, which `total_cmp` would tell apart.
        Self { gain: gain + 0.0, row, computed_at, exact }
    }
}

fn row_gain(objective: &impl Objective, row: u32, computed_at: u32) -> RowGain {
    RowGain::new(objective.gain(row as usize), row, computed_at, true)
}

/// The bound of a row's gain, or the gain where there is none.
fn row_bound(objective: &impl Objective, row: u32, computed_at: u32) -> RowGain {
    match objective.bound(row as usize) {
        Some(bound) => RowGain::new(bound, row, computed_at, false),
        None => row_gain(objective, row, computed_at),
    }
}

/// Commits the preselected rows and returns the candidates.
fn start<'a>(
    objective: &mut impl Objective,
    request: &Request<'a>,
    control: &impl Control,
) -> Result<Candidates<'a>, Error> {
    blocks::check_countable(objective.rows())?;
    for &row in request.preselected() {
        objective.commit(row);
        control.tick(0, request.count() as u64)?;
    }
    request.candidates()
}

/// Computes the gain of every row for every pick.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with; progress counts picks.
pub fn plain(
    objective: &mut impl Objective,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Selection, Error> {
    let mut candidates = start(objective, request, control)?;
    let mut selection = Selection::default();
    while !candidates.is_done() {
        let current: &_ = objective;
        let best = (0..candidates.rows() as u32)
            .into_par_iter()
            .with_min_len(MIN_ROWS)
            .filter(|&row| candidates.contains(row as usize))
            .map(|row| row_gain(current, row, 0))
            .max();
        let Some(best) = best else { break };
        selection.push(best.row as usize, best.gain);
        candidates.pick(best.row as usize);
        objective.commit(best.row as usize);
        control.tick(selection.rows.len() as u64, request.count() as u64)?;
    }
    Ok(selection)
}

/// Takes earlier gains as upper bounds and computes anew only those that could win (Minoux 1978): first their bounds,
/// where the objective has any, and the gain itself of a row whose bound is above all others.
///
/// Several stale candidates are computed at once, in parallel; that some were not needed costs time and
/// changes no pick. The number returned beside the picks is how many gains and bounds were computed.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with; progress counts picks.
pub fn lazy(
    objective: &mut impl Objective,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<(Selection, u64), Error> {
    let mut candidates = start(objective, request, control)?;
    let current: &_ = objective;
    let rows = (0..candidates.rows() as u32).into_par_iter().filter(|&row| candidates.contains(row as usize));
    let mut heap: BinaryHeap<_> = rows.map(|row| row_bound(current, row, 0)).collect::<Vec<_>>().into();
    let mut computed = heap.len() as u64;
    let mut selection = Selection::default();
    let mut stale = Vec::with_capacity(BATCH);
    while !candidates.is_done() {
        let size = selection.rows.len() as u32;
        let Some(top) = heap.pop() else { break };
        // What is inadmissible once stays so.
        if !candidates.contains(top.row as usize) {
            continue;
        }
        if top.computed_at == size && !top.exact {
            heap.push(RowGain::new(objective.refine(top.row as usize), top.row, size, true));
            computed += 1;
            continue;
        }
        if top.computed_at == size {
            selection.push(top.row as usize, top.gain);
            candidates.pick(top.row as usize);
            objective.commit(top.row as usize);
            control.tick(selection.rows.len() as u64, request.count() as u64)?;
            continue;
        }
        stale.clear();
        stale.push(top);
        while stale.len() < BATCH && heap.peek().is_some_and(|next| next.computed_at != size) {
            stale.extend(heap.pop());
        }
        let current: &_ = objective;
        stale.par_iter_mut().for_each(|entry| *entry = row_bound(current, entry.row, size));
        computed += stale.len() as u64;
        heap.extend(stale.iter().copied());
    }
    Ok((selection, computed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Unwatched;
    use crate::testing::{RequestCase, THREADS, request_cases, with_threads};

    /// Each row covers some items; the gain is the weight of those not covered yet.
    #[derive(Debug, Clone)]
    struct Cover {
        sets: Vec<u16>,
        covered: u16,
    }

    impl Objective for Cover {
        fn rows(&self) -> usize {
            self.sets.len()
        }

        fn gain(&self, row: usize) -> f64 {
            let new = (self.sets[row] & !self.covered).count_ones();
            // A zero of either sign is the same gain.
            if new == 0 && row % 2 == 1 { -0.0 } else { f64::from(new) }
        }

        fn commit(&mut self, row: usize) {
            self.covered |= self.sets[row];
        }
    }

    /// The definition of greedy, in one loop.
    fn by_hand(mut objective: Cover, case: &RequestCase) -> Selection {
        case.preselected.iter().for_each(|&row| objective.commit(row));
        let mut selection = Selection::default();
        let mut set = case.preselected.clone();
        while let Some((&first, others)) = case.candidates(&set).split_first() {
            let mut best = first;
            for &row in others {
                if objective.gain(row) > objective.gain(best) {
                    best = row;
                }
            }
            selection.push(best, objective.gain(best));
            objective.commit(best);
            set.push(best);
        }
        selection
    }

    fn cases() -> impl Strategy<Value = (Cover, RequestCase)> {
        prop::collection::vec(0u16..64, 0..60)
            .prop_flat_map(|sets| (Just(Cover { sets: sets.clone(), covered: 0 }), request_cases(sets.len())))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn both_pick_what_greedy_means((cover, case) in cases()) {
            let expected = by_hand(cover.clone(), &case);
            let request = case.request(cover.sets.len());
            for threads in THREADS {
                let found = with_threads(threads, || plain(&mut cover.clone(), &request, &Unwatched)).unwrap();
                prop_assert_eq!(&found, &expected);
                let found = with_threads(threads, || lazy(&mut cover.clone(), &request, &Unwatched)).unwrap();
                prop_assert_eq!(&found.0, &expected);
            }
        }
    }

    /// Stops while preselected rows are committed.
    struct AtOnce;

    impl Control for AtOnce {
        fn tick(&self, done: u64, _total: u64) -> Result<(), Error> {
            if done == 0 { Err(Error::Interrupted) } else { Ok(()) }
        }
    }

    #[test]
    fn control_stops_preselected_rows_too() {
        let cover = Cover { sets: vec![1; 9], covered: 0 };
        let stopped = |preselected: &[usize]| {
            let request = Request::new(9, 2, preselected).unwrap();
            let plain = plain(&mut cover.clone(), &request, &AtOnce);
            assert_eq!(plain, lazy(&mut cover.clone(), &request, &AtOnce).map(|found| found.0));
            plain.is_err()
        };
        assert!(stopped(&[4]));
        assert!(!stopped(&[]));
    }

    /// Stops at the third pick.
    struct Third;

    impl Control for Third {
        fn tick(&self, done: u64, total: u64) -> Result<(), Error> {
            assert_eq!(total, 5);
            if done == 3 { Err(Error::Interrupted) } else { Ok(()) }
        }
    }

    #[test]
    fn control_counts_the_picks_and_stops_them() {
        let mut cover = Cover { sets: vec![1; 9], covered: 0 };
        let request = Request::new(9, 5, &[]).unwrap();
        assert_eq!(plain(&mut cover.clone(), &request, &Third), Err(Error::Interrupted));
        assert_eq!(lazy(&mut cover, &request, &Third).err(), Some(Error::Interrupted));
    }
}
