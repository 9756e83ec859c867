//! The definition: each row is compared with all picked before it.

use super::{Filter, Filtered};
use crate::matrix::MatrixView;
use crate::{Control, Error};

pub(super) fn filter(
    matrix: MatrixView<'_>,
    filter: &Filter<'_>,
    control: &impl Control,
) -> Result<Filtered, Error> {
    let mut filtered = Filtered::default();
    let mut set = filter.request.preselected().to_vec();
    let mut candidates = filter.request.candidates()?;
    for &(place, row) in &filter.entries {
        if filtered.is_full(filter) {
            break;
        }
        if !candidates.contains(row) {
            continue;
        }
        let distance = |&other: &usize| filter.metric.between(matrix.rows.row(row), matrix.rows.row(other));
        let nearest = set.iter().map(distance).fold(f32::INFINITY, f32::min);
        filtered.evaluations += set.len() as u64;
        if f64::from(nearest) <= filter.limit {
            filtered.too_near += 1;
        } else {
            filtered.push(filter, (place, row), nearest);
            candidates.pick(row);
            set.push(row);
        }
        control.tick(filtered.selection.rows.len() as u64, filter.request.count() as u64)?;
    }
    Ok(filtered.finished(filter))
}
