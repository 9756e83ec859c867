//! The weights `w` of herding.

use rayon::prelude::*;

use crate::matrix::MAX_SQUARED_LENGTH;
use crate::metric::Rows;
use crate::{Control, Error};

/// Rows that are summed before their sums are.
const BLOCK: usize = 4096;

/// The mean that picks follow, and `w`: the mean and, for each row of the set, mean less row.
pub(super) struct HerdingWeights {
    mean: Vec<f64>,
    weights: Vec<f64>,
}

impl HerdingWeights {
    /// Those of an empty set: with the mean of all rows, where no other is given.
    pub(super) fn new(rows: Rows<'_>, mean: Option<&[f64]>, control: &impl Control) -> Result<Self, Error> {
        let mean = match mean {
            Some(mean) => mean.to_vec(),
            None => mean_of(rows, control)?,
        };
        Ok(Self { weights: mean.clone(), mean })
    }

    /// Adds a row to the set.
    ///
    /// # Errors
    /// [`Error::TooLarge`] where products could now leave the range of float32.
    pub(super) fn add(&mut self, row: usize, x: &[f32]) -> Result<(), Error> {
        for ((weight, mean), &x) in self.weights.iter_mut().zip(&self.mean).zip(x) {
            *weight += mean - f64::from(x);
        }
        if self.weights.iter().map(|weight| weight * weight).sum::<f64>() > f64::from(MAX_SQUARED_LENGTH) {
            return Err(Error::TooLarge { row });
        }
        Ok(())
    }

    /// What adding a row adds to `w`.
    pub(super) fn change(&self, x: &[f32]) -> impl Iterator<Item = f64> {
        self.mean.iter().zip(x).map(|(mean, &x)| mean - f64::from(x))
    }

    /// `w` itself.
    pub(super) fn exact(&self) -> &[f64] {
        &self.weights
    }

    /// `w` as rows are compared with it.
    pub(super) fn rounded(&self) -> Vec<f32> {
        self.weights.iter().map(|&weight| weight as f32).collect()
    }
}

/// The mean of all rows.
fn mean_of(rows: Rows<'_>, control: &impl Control) -> Result<Vec<f64>, Error> {
    let width = rows.width();
    let blocks: Vec<Vec<f64>> = (0..rows.len().div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let mut sums = vec![0.0f64; width];
            for row in rows.part(block * BLOCK, BLOCK).data().chunks_exact(width) {
                sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
            }
            control.tick(0, rows.len() as u64).map(|()| sums)
        })
        .collect::<Result<_, _>>()?;
    let mut mean = vec![0.0f64; width];
    for sums in blocks {
        mean.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    mean.iter_mut().for_each(|total| *total /= rows.len().max(1) as f64);
    Ok(mean)
}
