//! The candidates: rows that can be picked, being neither preselected nor excluded nor picked, within the limits of the
//! selection.
//!
//! A row is admissible where the limits can still hold once it is picked. With minimums that means leaving room for
//! what the groups still need: so many rows, and the cost of the cheapest such rows. What is inadmissible stays so:
//!
//! - A full group stays full. Once the groups need all rows that there is room for, every pick is one of those, and
//!   they still do.
//! - `spare`, what may be spent beyond the cheapest rows that are needed, never rises: a pick takes its cost from the
//!   remaining budget and frees no more than that of the reserve. A row of a group that needs rows replaces the most
//!   expensive of its reserve, whose cost never rises either.

use super::limits::Limits;
use super::reserve::Reserve;
use crate::{Error, blocks};

/// The candidates of a selection in the making.
#[derive(Debug)]
pub(crate) struct Candidates<'a> {
    /// Preselected, excluded and picked rows.
    unavailable: Vec<bool>,
    /// How many rows are still to be picked.
    remaining: usize,
    limits: Option<LimitState<'a>>,
}

/// How far limits are used up.
#[derive(Debug)]
struct LimitState<'a> {
    limits: Limits<'a>,
    /// How many rows the whole selection has room for.
    rows: usize,
    /// How many more rows each group has room for, and needs; and what all need together.
    room: Vec<usize>,
    need: Vec<usize>,
    needed: usize,
    /// The cheapest candidates that each group needs.
    reserves: Vec<Reserve>,
    /// What may be spent beyond all reserves, and on the rows of this request.
    spare: u64,
    request_budget: u64,
}

impl<'a> Candidates<'a> {
    /// `unavailable` rows are those preselected and excluded; `count` rows are to be picked.
    pub(super) fn new(
        unavailable: Vec<bool>,
        count: usize,
        preselected: &[usize],
        limits: Option<Limits<'a>>,
    ) -> Result<Self, Error> {
        let limits = limits.map(|limits| LimitState::new(limits, &unavailable, preselected)).transpose()?;
        Ok(Self { unavailable, remaining: count, limits })
    }

    /// Whether this row can be picked next.
    #[inline]
    pub(crate) fn contains(&self, row: usize) -> bool {
        !self.unavailable[row] && self.limits.as_ref().is_none_or(|limits| limits.admit(row))
    }

    /// Notes that a row is picked.
    pub(crate) fn pick(&mut self, row: usize) {
        self.unavailable[row] = true;
        self.remaining = self.remaining.saturating_sub(1);
        if let Some(limits) = &mut self.limits {
            limits.pick(row);
        }
    }

    /// Whether as many rows are picked as were requested. There may be no candidate before.
    pub(crate) fn is_done(&self) -> bool {
        self.remaining == 0
    }

    /// How many rows are still to be picked.
    pub(crate) fn remaining(&self) -> usize {
        self.remaining
    }

    /// Whether a pick can make other rows than itself inadmissible.
    pub(crate) fn is_limited(&self) -> bool {
        self.limits.is_some()
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.unavailable.len()
    }

    /// The rows that can be picked next, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.rows()).filter(|&row| self.contains(row))
    }

    /// No more rows than this can be picked, whichever they are.
    pub(super) fn max_picks(&self) -> Result<usize, Error> {
        let Some(state) = &self.limits else { return Ok(self.remaining) };
        let mut rows: Vec<usize> = blocks::reserved(self.rows())?;
        rows.extend(self.iter());
        let mut max = self.remaining.min(state.rows).min(rows.len());
        if let Some(groups) = state.limits.groups {
            let mut sizes = vec![0usize; state.room.len()];
            rows.iter().for_each(|&row| sizes[groups.of[row] as usize] += 1);
            max = max.min(sizes.iter().zip(&state.room).map(|(&size, &room)| size.min(room)).sum());
        }
        if let Some(costs) = state.limits.costs {
            let mut cheapest: Vec<u64> = blocks::reserved(rows.len())?;
            cheapest.extend(rows.iter().map(|&row| costs.of[row]));
            cheapest.sort_unstable();
            let mut sum = 0u64;
            let affordable = cheapest.iter().take_while(|&&cost| {
                sum = sum.saturating_add(cost);
                sum <= state.request_budget
            });
            max = max.min(affordable.count());
        }
        Ok(max)
    }
}

impl<'a> LimitState<'a> {
    fn new(limits: Limits<'a>, unavailable: &[bool], preselected: &[usize]) -> Result<Self, Error> {
        let mut state = Self {
            limits,
            rows: limits.rows.saturating_sub(preselected.len()),
            room: Vec::new(),
            need: Vec::new(),
            needed: 0,
            reserves: Vec::new(),
            spare: u64::MAX,
            request_budget: u64::MAX,
        };
        if let Some(groups) = limits.groups {
            let mut counts = blocks::filled(groups.max.len(), 0usize)?;
            preselected.iter().for_each(|&row| counts[groups.of[row] as usize] += 1);
            let less =
                |of: &[usize]| of.iter().zip(&counts).map(|(of, count)| of.saturating_sub(*count)).collect();
            (state.room, state.need) = (less(groups.max), less(groups.min));
            state.needed = state.need.iter().sum();
        }
        if let Some(costs) = limits.costs {
            let spent = preselected.iter().map(|&row| costs.of[row]).fold(0, u64::saturating_add);
            state.spare = costs.budget.saturating_sub(spent);
            state.request_budget = costs.request_budget.min(state.spare);
            state.reserve(unavailable)?;
        }
        Ok(state)
    }

    /// Sets the cheapest rows that are needed aside.
    fn reserve(&mut self, unavailable: &[bool]) -> Result<(), Error> {
        let (Some(groups), Some(costs)) = (self.limits.groups, self.limits.costs) else { return Ok(()) };
        let mut rows = blocks::filled(self.need.len(), Vec::new())?;
        for (row, &group) in groups.of.iter().enumerate() {
            if !unavailable[row] && self.need[group as usize] > 0 {
                rows[group as usize].push((costs.of[row], row));
            }
        }
        self.reserves =
            rows.into_iter().zip(&self.need).map(|(rows, &need)| Reserve::of(rows, need)).collect();
        for reserve in &self.reserves {
            self.spare = self.spare.saturating_sub(reserve.cost());
        }
        Ok(())
    }

    #[inline]
    fn admit(&self, row: usize) -> bool {
        let mut spare = self.spare;
        if let Some(groups) = self.limits.groups {
            let group = groups.of[row] as usize;
            if self.room[group] == 0 || (self.need[group] == 0 && self.rows <= self.needed) {
                return false;
            }
            // The row replaces the most expensive of the reserve.
            if let Some(cost) = self.reserves.get(group).and_then(Reserve::max_cost) {
                spare = spare.saturating_add(cost);
            }
        }
        self.limits.costs.is_none_or(|costs| costs.of[row] <= self.request_budget && costs.of[row] <= spare)
    }

    fn pick(&mut self, row: usize) {
        self.rows = self.rows.saturating_sub(1);
        let mut freed = 0;
        if let Some(groups) = self.limits.groups {
            let group = groups.of[row] as usize;
            self.room[group] = self.room[group].saturating_sub(1);
            if self.need[group] > 0 {
                self.need[group] -= 1;
                self.needed -= 1;
            }
            if let (Some(reserve), Some(costs)) = (self.reserves.get_mut(group), self.limits.costs) {
                freed = reserve.remove(costs.of[row], row).unwrap_or(0);
            }
        }
        if let Some(costs) = self.limits.costs {
            self.spare = self.spare.saturating_add(freed).saturating_sub(costs.of[row]);
            self.request_budget = self.request_budget.saturating_sub(costs.of[row]);
        }
    }
}
