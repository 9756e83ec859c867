//! What a whole selection may hold: so many rows, so many of each group, so much in all.

use crate::Error;

/// Limits that a selection must keep, the rows that were given included.
///
/// A row that a limit refuses once is refused for good, because what is left of a limit only shrinks: that is what lets
/// a search forget such a row.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// The most rows.
    pub rows: usize,
    /// How many rows of each group.
    pub groups: Option<Groups<'a>>,
    /// How much the rows may cost together, as a rule in tokens.
    pub costs: Option<Costs<'a>>,
}

/// Groups of rows, and how many of each there must and may be.
#[derive(Debug, Clone, Copy)]
pub struct Groups<'a> {
    /// The group of each row.
    pub of: &'a [u32],
    /// The fewest rows of each group.
    pub least: &'a [usize],
    /// The most rows of each group.
    pub most: &'a [usize],
}

/// The cost of rows, and how much they may cost.
#[derive(Debug, Clone, Copy)]
pub struct Costs<'a> {
    /// The cost of each row.
    pub of: &'a [u64],
    /// What all rows may cost together, those given included.
    pub budget: u64,
    /// What the rows of this request may cost, where it is for a part of the selection.
    pub part: u64,
}

impl Limits<'_> {
    /// Refuses groups and costs that are not one a row, groups without limits, and limits that cross.
    pub(super) fn check(&self, rows: usize) -> Result<(), Error> {
        if let Some(groups) = self.groups {
            same("the number of groups of rows", rows, groups.of.len())?;
            same("the number of upper limits", groups.least.len(), groups.most.len())?;
            if let Some(&group) = groups.of.iter().find(|&&group| group as usize >= groups.least.len()) {
                return Err(Error::Argument { what: format!("group {group} has no limits") });
            }
            if let Some(group) = groups.least.iter().zip(groups.most).position(|(least, most)| least > most) {
                let what = format!("group {group} must have more rows than it may have");
                return Err(Error::Argument { what });
            }
        }
        self.costs.map_or(Ok(()), |costs| same("the number of costs", rows, costs.of.len()))
    }
}

fn same(what: &'static str, expected: usize, got: usize) -> Result<(), Error> {
    if expected == got { Ok(()) } else { Err(Error::Shape { what, expected, got }) }
}
