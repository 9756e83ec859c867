//! The definition: every member updates the keys of all rows when it is added.

use rayon::prelude::*;

use super::super::super::{Objective, Request, Selection, optimizer};
use super::MonotoneKey;
use crate::metric::{Dot, Rows, for_each_pair};
use crate::simd::{Kernel, Lanes};
use crate::{Control, Error, blocks};

/// Rows in a task; a whole block of them is updated by a member at once.
const BLOCK: usize = 512;
/// Rows whose dot products with one member are summed side by side.
const ABREAST: usize = 4;

/// Updates consecutive rows by one member.
pub(super) struct Update<'a, S> {
    pub(super) rows: Rows<'a>,
    pub(super) member: Rows<'a>,
    pub(super) states: &'a mut [S],
    pub(super) update: fn(S, f32) -> S,
}

impl<S: Copy> Kernel for Update<'_, S> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        let Self { rows, member, states, update } = self;
        for_each_pair::<Dot, V, ABREAST, 1>(rows, member, |row, _, value| {
            states[row] = update(states[row], value);
        });
    }
}

/// The keys of all rows, up to date.
struct UpToDate<K: MonotoneKey> {
    keys: K,
    states: Vec<K::State>,
    start: Option<usize>,
}

impl<K: MonotoneKey> Objective for UpToDate<K> {
    fn rows(&self) -> usize {
        self.states.len()
    }

    fn gain(&self, row: usize) -> f64 {
        match self.start {
            Some(start) if self.keys.members().is_empty() => {
                if row == start {
                    f64::INFINITY
                } else {
                    f64::NEG_INFINITY
                }
            }
            _ => self.keys.key(row, self.states[row]),
        }
    }

    fn commit(&mut self, row: usize) {
        self.keys.add(row);
        let keys = &self.keys;
        let members = keys.members();
        let member = members.part(members.len() - 1, 1);
        self.states.par_chunks_mut(BLOCK).enumerate().for_each(|(block, states)| {
            let rows = keys.rows().part(block * BLOCK, states.len());
            keys.simd().run(Update { rows, member, states, update: K::update });
        });
    }
}

/// Picks with keys of all rows at hand; the first pick is `start` where there is one.
pub(super) fn pick<K: MonotoneKey>(
    keys: K,
    request: &Request<'_>,
    start: Option<usize>,
    control: &impl Control,
) -> Result<Selection, Error> {
    if request.count() == 0 {
        return Ok(Selection::default());
    }
    let mut states = blocks::reserved(keys.rows().len())?;
    states.extend((0..keys.rows().len()).map(|row| keys.init(row)));
    let first = start.map(|row| keys.initial_key(row));
    let mut selection = optimizer::plain(&mut UpToDate { keys, states, start }, request, control)?;
    if let (Some(gain), Some(first)) = (selection.gains.first_mut(), first) {
        *gain = first;
    }
    Ok(selection)
}
