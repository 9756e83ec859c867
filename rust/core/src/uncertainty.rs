//! How uncertain a classifier is of each row, by the probabilities that it gives the classes.

use crate::matrix::MatrixView;
use crate::{Control, Error, blocks};

/// Rows that one task looks at.
const PART: usize = 1024;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncertainty {
    /// The entropy in nats, `-sum p ln p`: 0 for a certain row, the logarithm of the number of classes for one of which
    /// nothing is known. Higher is more uncertain.
    Entropy,
    /// The largest probability less the second largest. Lower is more uncertain.
    Margin,
    /// One less the largest probability. Higher is more uncertain.
    LeastConfidence,
}

/// Measures every row of probabilities, which are taken as they are: float64 sums over the classes in their order, with
/// the logarithm of `libm`, so that the bits are the same on every machine and at any thread count.
///
/// One pass over the values.
///
/// # Errors
/// [`Error::Shape`] for fewer than two classes; [`Error::Negative`] for the first row with a value below 0;
/// [`Error::OutOfMemory`]; or what `control` stops with.
pub fn uncertainty(
    probabilities: MatrixView<'_>,
    measure: Uncertainty,
    control: &impl Control,
) -> Result<Vec<f32>, Error> {
    if probabilities.rows.width() < 2 {
        return Err(Error::Shape {
            what: "the number of classes",
            expected: 2,
            got: probabilities.rows.width(),
        });
    }
    let mut found = blocks::zeroed(probabilities.len())?;
    blocks::fill(&mut found, 1, PART, control, |first, part| {
        for (row, value) in (first..).zip(part) {
            let of = probabilities.rows.row(row);
            if of.iter().any(|&p| p < 0.0) {
                return Err(Error::Negative { row });
            }
            *value = match measure {
                Uncertainty::Entropy => entropy(of),
                Uncertainty::Margin => {
                    let (largest, second) = largest_two(of);
                    (f64::from(largest) - f64::from(second)) as f32
                }
                Uncertainty::LeastConfidence => (1.0 - f64::from(largest_two(of).0)).max(0.0) as f32,
            };
        }
        Ok(())
    })?;
    Ok(found)
}

fn entropy(of: &[f32]) -> f32 {
    let terms = of.iter().filter(|&&p| p > 0.0).map(|&p| f64::from(p) * libm::log(f64::from(p)));
    // Probabilities that sum to a little more than 1 would have less than none.
    (-terms.sum::<f64>()).max(0.0) as f32
}

fn largest_two(of: &[f32]) -> (f32, f32) {
    of.iter().fold(
        (0.0, 0.0),
        |(largest, second), &p| {
            if p > largest { (p, largest) } else { (largest, f32::max(second, p)) }
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{THREADS, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    const ALL: [Uncertainty; 3] = [Uncertainty::Entropy, Uncertainty::Margin, Uncertainty::LeastConfidence];

    fn measured(data: &[f32], width: usize, measure: Uncertainty) -> Result<Vec<f32>, Error> {
        let matrix = Matrix::raw(data, width, Metric::Dot, Simd::active().unwrap(), &Unwatched)?;
        uncertainty(matrix.view(), measure, &Unwatched)
    }

    #[test]
    fn small_cases_have_the_values_of_the_definitions() {
        let rows = [1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.25, 0.25, 0.5];
        let entropies = measured(&rows, 3, Uncertainty::Entropy).unwrap();
        let expected = [0.0, std::f32::consts::LN_2, 1.5 * std::f32::consts::LN_2];
        entropies.iter().zip(expected).for_each(|(found, value)| assert!((found - value).abs() < 1e-6));
        assert_eq!(measured(&rows, 3, Uncertainty::Margin).unwrap(), [1.0, 0.0, 0.25]);
        assert_eq!(measured(&rows, 3, Uncertainty::LeastConfidence).unwrap(), [0.0, 0.5, 0.5]);
    }

    proptest! {
        #[test]
        fn any_row_is_as_its_sorted_self_says(
            rows in prop::collection::vec(prop::collection::vec(0.0f32..1.0, 5), 1..40),
        ) {
            let rows: Vec<Vec<f32>> = rows
                .into_iter()
                .map(|row| {
                    let sum: f32 = row.iter().sum::<f32>().max(1e-3);
                    row.iter().map(|p| p / sum).collect()
                })
                .collect();
            let data: Vec<f32> = rows.concat();
            for measure in ALL {
                let found = measured(&data, 5, measure).unwrap();
                for threads in THREADS {
                    prop_assert_eq!(&with_threads(threads, || measured(&data, 5, measure).unwrap()), &found);
                }
                for (row, value) in rows.iter().zip(found) {
                    let mut sorted: Vec<f64> = row.iter().map(|&p| f64::from(p)).collect();
                    sorted.sort_by(f64::total_cmp);
                    let expected = match measure {
                        Uncertainty::Entropy => -sorted.iter().filter(|&&p| p > 0.0).map(|p| p * p.ln()).sum::<f64>(),
                        Uncertainty::Margin => sorted[4] - sorted[3],
                        Uncertainty::LeastConfidence => 1.0 - sorted[4],
                    };
                    prop_assert!((f64::from(value) - expected).abs() < 1e-6, "{:?} {} {}", measure, value, expected);
                }
            }
        }
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        assert_eq!(
            measured(&[1.0, 1.0], 1, Uncertainty::Margin),
            Err(Error::Shape { what: "the number of classes", expected: 2, got: 1 })
        );
        assert_eq!(
            measured(&[0.5, 0.5, 1.5, -0.5], 2, Uncertainty::Entropy),
            Err(Error::Negative { row: 1 })
        );
        assert_eq!(measured(&[], 2, Uncertainty::Entropy), Ok(vec![]));
    }
}
