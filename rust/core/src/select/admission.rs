//! Which rows can be picked: not given, not excluded, not picked, and within the limits of the selection.
//!
//! A row is admitted where the limits can still be kept once it is picked. With minimums that means leaving room for what
//! the groups still need: so many rows, and the cost of the cheapest such rows. What is refused stays refused:
//!
//! - A full group stays full. Once the groups need all rows that are left, every pick is one of those, and they still
//!   do.
//! - `spare`, what may be spent beyond the cheapest rows that are needed, never rises: a pick takes its cost from what
//!   is left and frees no more than that of the reserve. A row of a group that needs rows stands for the dearest of its
//!   reserve, which never rises either.

use super::limits::Limits;
use super::reserve::Reserve;
use crate::{Error, blocks};

/// The state of a selection in the making.
#[derive(Debug)]
pub(crate) struct Admission<'a> {
    closed: Vec<bool>,
    /// How many rows are still to be picked.
    left: usize,
    limits: Option<Limited<'a>>,
}

#[derive(Debug)]
struct Limited<'a> {
    limits: Limits<'a>,
    /// How many rows the whole selection has room for.
    rows: usize,
    /// How many more rows each group has room for, and needs; and what all need together.
    room: Vec<usize>,
    need: Vec<usize>,
    needed: usize,
    /// The cheapest open rows that each group needs.
    reserves: Vec<Reserve>,
    /// What may be spent beyond all reserves, and on this part.
    spare: u64,
    part: u64,
}

impl<'a> Admission<'a> {
    /// `closed` rows are those given and excluded; `left` rows are to be picked.
    pub(super) fn new(
        closed: Vec<bool>,
        left: usize,
        given: &[usize],
        limits: Option<Limits<'a>>,
    ) -> Result<Self, Error> {
        let limits = limits.map(|limits| Limited::new(limits, &closed, given)).transpose()?;
        Ok(Self { closed, left, limits })
    }

    /// Whether this row can be picked next.
    #[inline]
    pub(crate) fn is_open(&self, row: usize) -> bool {
        !self.closed[row] && self.limits.as_ref().is_none_or(|limits| limits.admit(row))
    }

    /// Notes that a row is picked.
    pub(crate) fn take(&mut self, row: usize) {
        self.closed[row] = true;
        self.left = self.left.saturating_sub(1);
        if let Some(limits) = &mut self.limits {
            limits.take(row);
        }
    }

    /// Whether as many rows are picked as were asked for. There may be none left to pick before.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// How many more rows are asked for.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Whether a pick can close other rows than itself.
    pub(crate) fn is_limited(&self) -> bool {
        self.limits.is_some()
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.closed.len()
    }

    /// The rows that can be picked next, ascending.
    pub(crate) fn open(&self) -> impl Iterator<Item = usize> {
        (0..self.closed.len()).filter(|&row| self.is_open(row))
    }

    /// No more rows than this can be picked, whichever they are.
    pub(super) fn most(&self) -> Result<usize, Error> {
        let Some(limited) = &self.limits else { return Ok(self.left) };
        let mut open: Vec<usize> = blocks::reserved(self.closed.len())?;
        open.extend(self.open());
        let mut most = self.left.min(limited.rows).min(open.len());
        if let Some(groups) = limited.limits.groups {
            let mut sizes = vec![0usize; limited.room.len()];
            open.iter().for_each(|&row| sizes[groups.of[row] as usize] += 1);
            most = most.min(sizes.iter().zip(&limited.room).map(|(&size, &room)| size.min(room)).sum());
        }
        if let Some(costs) = limited.limits.costs {
            let mut cheapest: Vec<u64> = blocks::reserved(open.len())?;
            cheapest.extend(open.iter().map(|&row| costs.of[row]));
            cheapest.sort_unstable();
            let mut sum = 0u64;
            let affordable = cheapest.iter().take_while(|&&cost| {
                sum = sum.saturating_add(cost);
                sum <= limited.part
            });
            most = most.min(affordable.count());
        }
        Ok(most)
    }
}

impl<'a> Limited<'a> {
    fn new(limits: Limits<'a>, closed: &[bool], given: &[usize]) -> Result<Self, Error> {
        let mut limited = Self {
            limits,
            rows: limits.rows.saturating_sub(given.len()),
            room: Vec::new(),
            need: Vec::new(),
            needed: 0,
            reserves: Vec::new(),
            spare: u64::MAX,
            part: u64::MAX,
        };
        if let Some(groups) = limits.groups {
            let mut held = blocks::filled(groups.most.len(), 0usize)?;
            given.iter().for_each(|&row| held[groups.of[row] as usize] += 1);
            let less =
                |of: &[usize]| of.iter().zip(&held).map(|(of, held)| of.saturating_sub(*held)).collect();
            (limited.room, limited.need) = (less(groups.most), less(groups.least));
            limited.needed = limited.need.iter().sum();
        }
        if let Some(costs) = limits.costs {
            let spent = given.iter().map(|&row| costs.of[row]).fold(0, u64::saturating_add);
            limited.spare = costs.budget.saturating_sub(spent);
            limited.part = costs.part.min(limited.spare);
            limited.reserve(closed)?;
        }
        Ok(limited)
    }

    /// Sets the cheapest rows that are needed aside.
    fn reserve(&mut self, closed: &[bool]) -> Result<(), Error> {
        let (Some(groups), Some(costs)) = (self.limits.groups, self.limits.costs) else { return Ok(()) };
        let mut rows = blocks::filled(self.need.len(), Vec::new())?;
        for (row, &group) in groups.of.iter().enumerate() {
            if !closed[row] && self.need[group as usize] > 0 {
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
            // The row stands for the dearest of the reserve.
            if let Some(dearest) = self.reserves.get(group).and_then(Reserve::dearest) {
                spare = spare.saturating_add(dearest);
            }
        }
        self.limits.costs.is_none_or(|costs| costs.of[row] <= self.part && costs.of[row] <= spare)
    }

    fn take(&mut self, row: usize) {
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
                freed = reserve.take(costs.of[row], row).unwrap_or(0);
            }
        }
        if let Some(costs) = self.limits.costs {
            self.spare = self.spare.saturating_add(freed).saturating_sub(costs.of[row]);
            self.part = self.part.saturating_sub(costs.of[row]);
        }
    }
}
