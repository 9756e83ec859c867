//! Canonical lengths of rows under cosine, and what it means that a row has length 1.

use crate::Error;
use crate::simd::{Kernel, LANES, Lanes, Simd};

/// How far from 1 a squared length may be for the row to count as one of length 1.
///
/// Rows scaled in float64 and then rounded come within 2^-22; so did, within 2^-20, all rows of up to 4,096 dimensions
/// that `NumPy` and torch had scaled in float32.
pub const UNIT_TOLERANCE: f64 = 1.0 / (1 << 20) as f64;

/// The squared length of a row in float64.
///
/// Squares of float32 are exact there and neither overflow nor vanish; they are summed in 16 lanes and a tree, as
/// [`crate::metric`] does.
fn squared(simd: Simd, x: &[f32]) -> f64 {
    simd.run(Squared(x))
}

struct Squared<'a>(&'a [f32]);

impl Kernel for Squared<'_> {
    type Output = f64;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let (groups, rest) = self.0.as_chunks::<LANES>();
        for group in groups {
            for lane in 0..LANES {
                lanes[lane] += f64::from(group[lane]) * f64::from(group[lane]);
            }
        }
        for lane in 0..rest.len() {
            lanes[lane] += f64::from(rest[lane]) * f64::from(rest[lane]);
        }
        let mut half = LANES / 2;
        while half > 0 {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
            half /= 2;
        }
        lanes[0]
    }
}

/// Whether a squared length counts as 1.
fn is_one(squared: f64) -> bool {
    (squared - 1.0).abs() <= UNIT_TOLERANCE
}

/// Whether a row has length 1, so that [`normalise`] would leave it as it is.
pub(super) fn is_unit(simd: Simd, x: &[f32]) -> bool {
    is_one(squared(simd, x))
}

/// Scales a row to length 1, or says what is wrong with it.
///
/// A row whose squared length is within [`UNIT_TOLERANCE`] of 1 stays as it is, so that normalised rows can be used
/// where they lie. In any other each element is multiplied by the reciprocal root in float64 and rounded once.
pub(super) fn normalise(simd: Simd, x: &mut [f32], row: usize) -> Result<(), Error> {
    let squared = squared(simd, x);
    if !squared.is_finite() {
        return Err(Error::NotFinite { row });
    }
    if squared == 0.0 {
        return Err(Error::ZeroRow { row });
    }
    if !is_one(squared) {
        simd.run(Scale { x, by: 1.0 / squared.sqrt() });
    }
    Ok(())
}

struct Scale<'a> {
    x: &'a mut [f32],
    by: f64,
}

impl Kernel for Scale<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) {
        for value in self.x {
            *value = (f64::from(*value) * self.by) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, one element at a time.
    fn plain(x: &[f32]) -> f64 {
        let mut lanes = [0.0f64; LANES];
        for (at, &value) in x.iter().enumerate() {
            lanes[at % LANES] += f64::from(value) * f64::from(value);
        }
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        lanes[0]
    }

    fn plainly_normalised(x: &[f32]) -> Vec<f32> {
        let squared = plain(x);
        if (squared - 1.0).abs() <= 2f64.powi(-20) {
            return x.to_vec();
        }
        x.iter().map(|&value| (f64::from(value) * (1.0 / squared.sqrt())) as f32).collect()
    }

    fn bits(x: &[f32]) -> Vec<u32> {
        x.iter().map(|value| value.to_bits()).collect()
    }

    /// Rows of every size that float32 has, and rows of length 1 give or take a few parts in 2^20.
    fn row() -> impl Strategy<Value = Vec<f32>> {
        let value = prop_oneof![-2.0f32..2.0, -1e-40f32..1e-40, -1e38f32..1e38, Just(-0.0)];
        (prop::collection::vec(value, 1..100), any::<bool>(), -4.0f64..4.0).prop_map(
            |(mut x, near, parts)| {
                if plain(&x) == 0.0 {
                    x[0] = f32::MIN_POSITIVE / 8.0;
                }
                if near {
                    let length = ((1.0 + parts * UNIT_TOLERANCE) / plain(&x)).sqrt();
                    x.iter_mut().for_each(|value| *value = (f64::from(*value) * length) as f32);
                }
                x
            },
        )
    }

    proptest! {
        #[test]
        fn rows_are_normalised_by_the_definition_on_every_instruction_set(x in row()) {
            for simd in Simd::available() {
                prop_assert_eq!(squared(simd, &x).to_bits(), plain(&x).to_bits());
                let mut found = x.clone();
                normalise(simd, &mut found, 0).unwrap();
                prop_assert_eq!(bits(&found), bits(&plainly_normalised(&x)));
                prop_assert_eq!(is_unit(simd, &x), bits(&found) == bits(&x));
            }
        }

        #[test]
        fn a_normalised_row_has_length_one_and_stays_as_it_is(x in row()) {
            let simd = Simd::active().unwrap();
            let mut once = x;
            normalise(simd, &mut once, 0).unwrap();
            prop_assert!(is_unit(simd, &once));
            let mut twice = once.clone();
            normalise(simd, &mut twice, 0).unwrap();
            prop_assert_eq!(bits(&twice), bits(&once));
        }
    }

    #[test]
    fn the_tolerance_ends_where_it_says() {
        // 1 + 3 * 2^-23 and 1 + 4 * 2^-23, whose squares are 1 + 0.75 * 2^-20 and a little more than 1 + 2^-20.
        let (within, beyond) = (1.0 + 3.0 * f32::EPSILON, 1.0 + 4.0 * f32::EPSILON);
        let simd = Simd::active().unwrap();
        assert!(is_unit(simd, &[within]));
        assert!(!is_unit(simd, &[beyond]));
        assert!(!is_unit(simd, &[f32::NAN]));
        assert!(!is_unit(simd, &[0.0; 3]));
    }

    #[test]
    fn wide_rows_come_near_enough_to_length_one() {
        for width in [1usize, 1000, 65_536] {
            let mut x: Vec<f32> = (0..width).map(|at| ((at * 7919 % 1000) as f32 - 499.5) / 3.0).collect();
            normalise(Simd::active().unwrap(), &mut x, 0).unwrap();
            assert!((plain(&x) - 1.0).abs() <= UNIT_TOLERANCE / 4.0);
        }
    }
}
