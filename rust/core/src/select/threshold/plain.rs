//! The definition: each row meets all kept before it.

use super::{Filtered, Walk};
use crate::matrix::MatrixView;
use crate::{Control, Error};

pub(super) fn filter(
    matrix: MatrixView<'_>,
    walk: &Walk<'_>,
    control: &impl Control,
) -> Result<Filtered, Error> {
    let mut filtered = Filtered::default();
    let mut set = walk.request.given().to_vec();
    let mut admission = walk.request.admission()?;
    for &(place, row) in &walk.open {
        if filtered.is_full(walk) {
            break;
        }
        if !admission.is_open(row) {
            continue;
        }
        let far = |&other: &usize| walk.near.between(matrix.rows.row(row), matrix.rows.row(other));
        let nearest = set.iter().map(far).fold(f32::INFINITY, f32::min);
        filtered.evaluations += set.len() as u64;
        if f64::from(nearest) <= walk.limit {
            filtered.too_near += 1;
        } else {
            filtered.keep(walk, (place, row), nearest);
            admission.take(row);
            set.push(row);
        }
        control.tick(filtered.selection.rows.len() as u64, walk.request.count() as u64)?;
    }
    Ok(filtered.finished(walk))
}
