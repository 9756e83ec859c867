//! What a whole selection may hold: so many rows, so many of each group, so much in all.

use crate::Error;

/// Limits on a selection, preselected rows included.
///
/// A row that is inadmissible once stays so, because the unused part of a limit only shrinks: that is what lets a
/// search forget such a row.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// The maximum number of rows.
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
    /// The minimum number of rows of each group.
    pub min: &'a [usize],
    /// The maximum number of rows of each group.
    pub max: &'a [usize],
}

/// The cost of rows, and how much they may cost.
#[derive(Debug, Clone, Copy)]
pub struct Costs<'a> {
    /// The cost of each row.
    pub of: &'a [u64],
    /// What all rows may cost together, preselected ones included.
    pub budget: u64,
    /// What the rows of this request may cost, where it is for a share of the selection.
    pub request_budget: u64,
}

impl Limits<'_> {
    /// Refuses groups and costs that are not one a row, groups without limits, and limits that cross.
    pub(super) fn check(&self, rows: usize) -> Result<(), Error> {
        if let Some(groups) = self.groups {
            same("the number of groups of rows", rows, groups.of.len())?;
            same("the number of upper limits", groups.min.len(), groups.max.len())?;
            if let Some(&group) = groups.of.iter().find(|&&group| group as usize >= groups.min.len()) {
                return Err(Error::Argument { what: format!("group {group} has no limits") });
            }
            if let Some(group) = groups.min.iter().zip(groups.max).position(|(min, max)| min > max) {
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
