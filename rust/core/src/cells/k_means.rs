//! k-means: cells around the means of their rows (Lloyd 1982).

use rayon::prelude::*;

use super::group::Groups;
use super::moving::Moving;
use crate::control::FixedProgress;
use crate::matrix::MatrixView;
use crate::metric::{self, Rows};
use crate::{Control, Error, blocks};

/// Rows to train on and how.
#[derive(Debug, Clone, Copy)]
pub struct KMeans<'a> {
    /// Row numbers, as a rule drawn at random; the first of them are the first centroids.
    pub sample: &'a [usize],
    /// How many cells; at most as many as rows in the sample.
    pub cells: usize,
    /// How often rows are assigned and means are taken.
    pub iterations: usize,
    /// Whether means are scaled to length 1, where they have one: for rows of length 1 (Dhillon and Modha 2001).
    pub directions: bool,
}

/// The centroids of cells of some rows, one after the other.
///
/// Each iteration assigns every row of the sample to its nearest centroid, by canonical squared distance, ties to the
/// lowest, and moves each centroid to the mean of its rows: sums in float64 in the order of the sample, rounded once. A
/// cell without rows takes the row of the largest cell that is farthest from its centroid, and both count
/// as half as large from then on. So the same bits come out on every machine.
///
/// Cost: about 2 x sample x cells x dimensions multiply-adds in int16, and 6 x dimensions bytes for each row of the
/// sample and 4 for each pair of a row and a cell, up to 256 MiB.
///
/// # Errors
/// [`Error::NoSuchRow`] for the sample; [`Error::BadK`] for more cells than it has rows; [`Error::Argument`] for no
/// cells; [`Error::OutOfMemory`]; or what `control` stops with. Progress counts iterations.
pub fn k_means(
    matrix: MatrixView<'_>,
    options: KMeans<'_>,
    control: &impl Control,
) -> Result<Vec<f32>, Error> {
    let KMeans { sample, cells, iterations, directions } = options;
    if cells == 0 {
        return Err(Error::Argument { what: "the number of cells must be at least 1".into() });
    }
    if cells > sample.len() {
        return Err(Error::BadK { k: cells, n: sample.len() });
    }
    let data = matrix.take(sample)?;
    let width = matrix.rows.width();
    let rows = MatrixView { rows: Rows::new(&data, width), ..matrix };
    let watch = |done| FixedProgress { control, done, total: iterations as u64 };
    let mut moving = Moving::new(rows, cells, &watch(0))?;
    let mut centroids = data[..cells * width].to_vec();
    let mut before: Vec<i32> = Vec::new();
    for done in 0..iterations as u64 {
        let labels = moving.move_to(&centroids, &watch(done))?;
        let groups = Groups::new(labels.iter().map(|&label| label as usize), cells)?;
        let changed = changed(&before, labels, cells);
        centroids = means(rows.rows, &groups, &changed, &centroids, directions)?;
        before.clear();
        before.extend_from_slice(labels);
        fill_empty(rows, &groups, &mut centroids);
        control.tick(done + 1, iterations as u64)?;
    }
    Ok(centroids)
}

/// Which cells have other rows than before: all where there was no before.
fn changed(before: &[i32], labels: &[i32], cells: usize) -> Vec<bool> {
    let mut changed = vec![before.is_empty(); cells];
    for (&before, &now) in before.iter().zip(labels).filter(|(before, now)| before != now) {
        changed[before as usize] = true;
        changed[now as usize] = true;
    }
    changed
}

/// The mean of each cell's rows; the centroid of before where there are none, or the same ones.
fn means(
    rows: Rows<'_>,
    groups: &Groups,
    changed: &[bool],
    before: &[f32],
    directions: bool,
) -> Result<Vec<f32>, Error> {
    let width = rows.width();
    let mut means = blocks::zeroed::<f32>(before.len())?;
    means.par_chunks_exact_mut(width).zip(before.par_chunks_exact(width)).enumerate().for_each(
        |(cell, (mean, before))| {
            let members = groups.of(cell);
            if members.is_empty() || !changed[cell] {
                mean.copy_from_slice(before);
                return;
            }
            let mut sums = vec![0.0f64; width];
            for &row in members {
                sums.iter_mut()
                    .zip(rows.row(row as usize))
                    .for_each(|(sum, &value)| *sum += f64::from(value));
            }
            let length = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
            let divisor = if directions && length > 0.0 { length } else { members.len() as f64 };
            mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = (sum / divisor) as f32);
        },
    );
    Ok(means)
}

/// Moves the centroids of cells without rows.
fn fill_empty(matrix: MatrixView<'_>, groups: &Groups, centroids: &mut [f32]) {
    let (rows, width) = (matrix.rows, matrix.rows.width());
    let mut sizes: Vec<usize> = (0..groups.len()).map(|cell| groups.of(cell).len()).collect();
    let mut taken = vec![false; rows.len()];
    for cell in 0..groups.len() {
        if !groups.of(cell).is_empty() {
            continue;
        }
        // The first of equal ones.
        let largest = (0..sizes.len()).rev().max_by_key(|&other| sizes[other]).unwrap_or(0);
        let centroid = &centroids[largest * width..][..width];
        let distance = |row: u32| metric::squared_distance(matrix.simd, rows.row(row as usize), centroid);
        let free = groups.of(largest).iter().rev().filter(|&&row| !taken[row as usize]);
        let farthest = free.max_by(|&&a, &&b| distance(a).total_cmp(&distance(b)));
        let Some(&row) = farthest else { continue };
        taken[row as usize] = true;
        centroids[cell * width..][..width].copy_from_slice(rows.row(row as usize));
        sizes[largest] /= 2;
        sizes[cell] = sizes[largest];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Simd;
    use crate::testing::{THREADS, Tied, real_rows, with_threads};
    use crate::{Matrix, Metric, Unwatched};

    fn distance(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
    }

    /// The definition of a round, for rows of whole numbers, whose distances are exact. Those to means are not, so that
    /// they are the canonical ones.
    fn by_hand(tied: &Tied, options: KMeans<'_>) -> Vec<f32> {
        let row = |at: usize| tied.row(options.sample[at]);
        let mut centroids: Vec<Vec<f32>> = (0..options.cells).map(|at| row(at).to_vec()).collect();
        for _ in 0..options.iterations {
            let nearest = |at: usize| {
                (0..options.cells)
                    .min_by(|&a, &b| {
                        distance(row(at), &centroids[a]).total_cmp(&distance(row(at), &centroids[b]))
                    })
                    .unwrap()
            };
            let labels: Vec<usize> = (0..options.sample.len()).map(nearest).collect();
            let members = |cell| (0..labels.len()).filter(|&at| labels[at] == cell).collect::<Vec<_>>();
            let mut sizes: Vec<usize> = (0..options.cells).map(|cell| members(cell).len()).collect();
            for cell in (0..options.cells).filter(|&cell| !members(cell).is_empty()) {
                let members = members(cell);
                let sum = |at: usize| members.iter().map(|&member| f64::from(row(member)[at])).sum::<f64>();
                let sums: Vec<f64> = (0..tied.width).map(sum).collect();
                let length = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
                let by = if options.directions && length > 0.0 { length } else { members.len() as f64 };
                centroids[cell] = sums.iter().map(|sum| (sum / by) as f32).collect();
            }
            let mut taken = Vec::new();
            for cell in (0..options.cells).filter(|&cell| members(cell).is_empty()) {
                let largest =
                    (0..options.cells).max_by(|&a, &b| sizes[a].cmp(&sizes[b]).then(b.cmp(&a))).unwrap();
                let free = members(largest).into_iter().filter(|at| !taken.contains(at));
                let far = |at: usize| {
                    metric::squared_distance(Simd::active().unwrap(), row(at), &centroids[largest])
                };
                if let Some(at) = free.max_by(|&a, &b| far(a).total_cmp(&far(b)).then(b.cmp(&a))) {
                    centroids[cell] = row(at).to_vec();
                    taken.push(at);
                    sizes[largest] /= 2;
                    sizes[cell] = sizes[largest];
                }
            }
        }
        centroids.concat()
    }

    proptest! {
        #[test]
        fn one_round_is_the_definition(tied in Tied::up_to(40), cells in 1usize..12, shift in 0usize..40, directions: bool) {
            let rows = tied.rows();
            let sample: Vec<usize> = (0..rows).map(|at| (at + shift) % rows).collect();
            let options = KMeans { sample: &sample, cells: cells.min(rows), iterations: 1, directions };
            prop_assume!(rows > 0);
            let expected = by_hand(&tied, options);
            for simd in Simd::available() {
                let matrix = tied.matrix(Metric::SquaredEuclidean, simd);
                for threads in THREADS {
                    let found = with_threads(threads, || k_means(matrix.view(), options, &Unwatched));
                    prop_assert_eq!(found.as_ref(), Ok(&expected));
                }
            }
        }
    }

    #[test]
    fn the_bits_are_the_same_everywhere_and_rows_come_closer() {
        let (rows, width) = (2000, 37);
        let data = real_rows(rows, width, 5);
        let sample: Vec<usize> = (0..rows).step_by(2).collect();
        let spread = |centroids: &[f32]| -> f64 {
            let near = |row: &[f32]| {
                centroids.chunks(width).map(|centroid| distance(row, centroid)).fold(f64::MAX, f64::min)
            };
            sample.iter().map(|&row| near(&data[row * width..][..width])).sum()
        };
        let mut before = f64::MAX;
        for iterations in 0..5 {
            let options = KMeans { sample: &sample, cells: 20, iterations, directions: false };
            let mut all = Vec::new();
            for simd in Simd::available() {
                let matrix =
                    Matrix::raw(&data[..], width, Metric::SquaredEuclidean, simd, &Unwatched).unwrap();
                for threads in THREADS {
                    all.push(with_threads(threads, || k_means(matrix.view(), options, &Unwatched)).unwrap());
                }
            }
            assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
            let after = spread(&all[0]);
            assert!(after < before, "{after} is not below {before}");
            before = after;
        }
    }

    #[test]
    fn copies_leave_no_cell_empty_where_rows_differ() {
        let tied = Tied { data: vec![0.0, 0.0, 0.0, 0.0, 7.0, 9.0], width: 1 };
        let matrix = tied.matrix(Metric::SquaredEuclidean, Simd::active().unwrap());
        let options = KMeans { sample: &[0, 1, 2, 3, 4, 5], cells: 3, iterations: 3, directions: false };
        let mut found = k_means(matrix.view(), options, &Unwatched).unwrap();
        found.sort_by(f32::total_cmp);
        assert_eq!(found, [0.0, 7.0, 9.0]);
    }

    #[test]
    fn bad_arguments_are_refused() {
        let tied = Tied { data: vec![1.0, 2.0], width: 1 };
        let matrix = tied.matrix(Metric::SquaredEuclidean, Simd::active().unwrap());
        let refused = |sample: &[usize], cells| {
            k_means(matrix.view(), KMeans { sample, cells, iterations: 1, directions: false }, &Unwatched)
                .unwrap_err()
        };
        assert_eq!(refused(&[0, 2], 1), Error::NoSuchRow { row: 2, n: 2 });
        assert_eq!(refused(&[0, 1], 3), Error::BadK { k: 3, n: 2 });
        assert!(matches!(refused(&[0, 1], 0), Error::Argument { .. }));
    }
}
