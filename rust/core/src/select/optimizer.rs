//! How the best row is found: [`plain`] is the definition, [`lazy`] gives the same picks with fewer gains
//! computed.
//!
//! The best row is the one of largest gain, the lowest of equal ones. A picked row is never picked again;
//! when no row gains anything, all gains are 0 and the lowest unpicked row follows. Rows that the limits of the request
//! refuse are passed over, and picks end where none is left.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::{Admission, Objective, Request, Selection};
use crate::blocks;
use crate::{Control, Error};

/// Fewest rows whose gains are worth another task, where a gain is a look-up.
const MIN_ROWS: usize = 4096;

/// Stale candidates computed at once: the same on every machine, as the number of gains computed must be.
const BATCH: usize = 8;

/// A row with a gain, ordered by (gain, lower row is greater).
#[derive(Debug, Clone, Copy)]
struct Candidate {
    gain: f64,
    row: u32,
    /// Size of the set when the gain was computed.
    known_at: u32,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.gain.total_cmp(&other.gain).then(other.row.cmp(&self.row))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}

fn candidate(objective: &impl Objective, row: u32, known_at: u32) -> Candidate {
    // Adding +0 turns -0 into +0, which `total_cmp` would tell apart.
    Candidate { gain: objective.gain(row as usize) + 0.0, row, known_at }
}

/// Commits what is given and returns which rows can be picked.
fn start<'a>(
    objective: &mut impl Objective,
    request: &Request<'a>,
    control: &impl Control,
) -> Result<Admission<'a>, Error> {
    blocks::check_countable(objective.rows())?;
    for &row in request.given() {
        objective.commit(row);
        control.tick(0, request.count() as u64)?;
    }
    request.admission()
}

/// Looks at the gain of every row for every pick.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with; it hears the picks.
pub fn plain(
    objective: &mut impl Objective,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<Selection, Error> {
    let mut admission = start(objective, request, control)?;
    let mut selection = Selection::default();
    while !admission.is_done() {
        let seen: &_ = objective;
        let best = (0..admission.rows() as u32)
            .into_par_iter()
            .with_min_len(MIN_ROWS)
            .filter(|&row| admission.is_open(row as usize))
            .map(|row| candidate(seen, row, 0))
            .max();
        let Some(best) = best else { break };
        selection.push(best.row as usize, best.gain);
        admission.take(best.row as usize);
        objective.commit(best.row as usize);
        control.tick(selection.rows.len() as u64, request.count() as u64)?;
    }
    Ok(selection)
}

/// Keeps earlier gains as upper bounds and computes anew only those that could win (Minoux 1978).
///
/// Several stale candidates are computed at once, in parallel; that some were not needed costs time and
/// changes no pick. The number given beside the picks is how many gains were computed.
///
/// # Errors
/// [`Error::OutOfMemory`], or what `control` stops with; it hears the picks.
pub fn lazy(
    objective: &mut impl Objective,
    request: &Request<'_>,
    control: &impl Control,
) -> Result<(Selection, u64), Error> {
    let mut admission = start(objective, request, control)?;
    let seen: &_ = objective;
    let rows = (0..admission.rows() as u32).into_par_iter().filter(|&row| admission.is_open(row as usize));
    let mut heap: BinaryHeap<_> = rows.map(|row| candidate(seen, row, 0)).collect::<Vec<_>>().into();
    let mut computed = heap.len() as u64;
    let mut selection = Selection::default();
    let mut stale = Vec::with_capacity(BATCH);
    while !admission.is_done() {
        let size = selection.rows.len() as u32;
        let Some(top) = heap.pop() else { break };
        // What the limits refuse once they refuse for good.
        if !admission.is_open(top.row as usize) {
            continue;
        }
        if top.known_at == size {
            selection.push(top.row as usize, top.gain);
            admission.take(top.row as usize);
            objective.commit(top.row as usize);
            control.tick(selection.rows.len() as u64, request.count() as u64)?;
            continue;
        }
        stale.clear();
        stale.push(top);
        while stale.len() < BATCH && heap.peek().is_some_and(|next| next.known_at != size) {
            stale.extend(heap.pop());
        }
        let seen: &_ = objective;
        stale.par_iter_mut().for_each(|entry| *entry = candidate(seen, entry.row, size));
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
    use crate::testing::{THREADS, Wishes, wishes, with_threads};

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
    fn by_hand(mut objective: Cover, wishes: &Wishes) -> Selection {
        wishes.given.iter().for_each(|&row| objective.commit(row));
        let mut selection = Selection::default();
        let mut set = wishes.given.clone();
        while let Some((&first, others)) = wishes.open(&set).split_first() {
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

    fn cases() -> impl Strategy<Value = (Cover, Wishes)> {
        prop::collection::vec(0u16..64, 0..60)
            .prop_flat_map(|sets| (Just(Cover { sets: sets.clone(), covered: 0 }), wishes(sets.len())))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn both_pick_what_greedy_means((cover, wishes) in cases()) {
            let expected = by_hand(cover.clone(), &wishes);
            let request = wishes.request(cover.sets.len());
            for threads in THREADS {
                let found = with_threads(threads, || plain(&mut cover.clone(), &request, &Unwatched)).unwrap();
                prop_assert_eq!(&found, &expected);
                let found = with_threads(threads, || lazy(&mut cover.clone(), &request, &Unwatched)).unwrap();
                prop_assert_eq!(&found.0, &expected);
            }
        }
    }

    /// Stops while given rows are committed.
    struct AtOnce;

    impl Control for AtOnce {
        fn tick(&self, done: u64, _total: u64) -> Result<(), Error> {
            if done == 0 { Err(Error::Interrupted) } else { Ok(()) }
        }
    }

    #[test]
    fn control_stops_given_rows_too() {
        let cover = Cover { sets: vec![1; 9], covered: 0 };
        let stopped = |given: &[usize]| {
            let request = Request::new(9, 2, given).unwrap();
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
    fn control_hears_the_picks_and_stops_them() {
        let mut cover = Cover { sets: vec![1; 9], covered: 0 };
        let request = Request::new(9, 5, &[]).unwrap();
        assert_eq!(plain(&mut cover.clone(), &request, &Third), Err(Error::Interrupted));
        assert_eq!(lazy(&mut cover, &request, &Third).err(), Some(Error::Interrupted));
    }
}
