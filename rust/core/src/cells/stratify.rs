//! Picks by score spread over cells: as many from each as its size allows, around one quantile of the scores
//! within it.

use crate::topk::Score;
use crate::{Error, blocks};

/// Ranks all rows so that the first `count` are divided over the cells in proportion to their size.
///
/// A cell of `s` of the `n` rows is due `count * s / n` of them; the whole parts are allotted, and the rest
/// goes one by one to the cells with the largest remainders, ties to the lowest cell. Within a cell the rows
/// are sorted by (score ascending, row ascending), and the window of the allotted length `m` that starts at
/// `floor(quantile * (s - 1) - (m - 1) / 2 + 1/2)`, moved into the cell where it reaches beyond, comes first:
/// the `m` rows around the quantile. These are ordered by (score descending, row ascending). All others follow, for
/// where some of the first cannot be had: by (places from the window, score descending, row ascending).
///
/// # Errors
/// [`Error::Shape`] where the lengths differ; [`Error::Argument`] where `quantile` is not within 0 and 1;
/// [`Error::NotFinite`] and [`Error::NegativeCell`] with the first such row; [`Error::BadK`] where `count` is
/// more than there are rows.
pub fn stratified<S: Score>(
    scores: &[S],
    cells: &[i32],
    count: usize,
    quantile: f64,
) -> Result<Vec<usize>, Error> {
    let n = scores.len();
    if cells.len() != n {
        return Err(Error::Shape { what: "the number of cells", expected: n, got: cells.len() });
    }
    if !(0.0..=1.0).contains(&quantile) {
        return Err(Error::Argument {
            what: format!("the quantile must be between 0 and 1, not {quantile}"),
        });
    }
    let mut rows = blocks::reserved(n)?;
    for (row, (score, &cell)) in scores.iter().zip(cells).enumerate() {
        let key = score.descending().ok_or(Error::NotFinite { row })?;
        if cell < 0 {
            return Err(Error::NegativeCell { row });
        }
        rows.push((cell, std::cmp::Reverse(key), row));
    }
    if count > n {
        return Err(Error::BadK { k: count, n });
    }
    rows.sort_unstable();
    let groups: Vec<&[_]> = rows.chunk_by(|a, b| a.0 == b.0).collect();
    let sizes: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let mut ranks = blocks::reserved(n)?;
    for (group, share) in groups.iter().zip(shares(&sizes, count)) {
        let window = window(group.len(), share, quantile);
        for (place, &(_, std::cmp::Reverse(key), row)) in group.iter().enumerate() {
            ranks.push((outside(&window, place), key, row));
        }
    }
    ranks.sort_unstable();
    Ok(ranks.into_iter().map(|(_, _, row)| row).collect())
}

/// How many places a place is from a window; 0 within. An empty window is where it starts.
fn outside(window: &std::ops::Range<usize>, place: usize) -> usize {
    if place < window.start { window.start - place } else { (place + 1).saturating_sub(window.end) }
}

/// Divides `count` (at most the sum) in proportion to `sizes` by largest remainder, ties to the first.
///
/// No share exceeds its size: there is a remainder only where `count` is below the sum, and then each whole
/// part is below its size.
fn shares(sizes: &[usize], count: usize) -> Vec<usize> {
    let n = sizes.iter().sum::<usize>().max(1) as u128;
    let due = |size: usize| size as u128 * count as u128;
    let mut shares: Vec<usize> = sizes.iter().map(|&size| (due(size) / n) as usize).collect();
    let rest = count - shares.iter().sum::<usize>();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&cell| std::cmp::Reverse(due(sizes[cell]) % n));
    for &cell in &order[..rest] {
        shares[cell] += 1;
    }
    shares
}

/// The `share` of `size` sorted places around the quantile.
fn window(size: usize, share: usize, quantile: f64) -> std::ops::Range<usize> {
    let middle = quantile * (size - 1) as f64;
    let start = (middle - (share as f64 - 1.0) / 2.0 + 0.5).floor().max(0.0) as usize;
    let start = start.min(size - share);
    start..start + share
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inputs() -> impl Strategy<Value = (Vec<f32>, Vec<i32>, usize, f64)> {
        (0usize..80).prop_flat_map(|n| {
            let scores = prop::collection::vec((-3i8..=3).prop_map(f32::from), n);
            let cells = prop::collection::vec(prop::sample::select(vec![0, 1, 5, i32::MAX]), n);
            (scores, cells, 0..=n, 0.0..=1.0)
        })
    }

    proptest! {
        #[test]
        fn all_rows_are_ranked_once_and_the_first_by_score((scores, cells, count, quantile) in inputs()) {
            let ranked = stratified(&scores, &cells, count, quantile).unwrap();
            let mut all = ranked.clone();
            all.sort_unstable();
            prop_assert_eq!(all, (0..scores.len()).collect::<Vec<_>>());
            let picks = &ranked[..count];
            let ordered = |pair: &[usize]| {
                let (a, b) = (pair[0], pair[1]);
                scores[a] > scores[b] || (scores[a] == scores[b] && a < b)
            };
            prop_assert!(picks.windows(2).all(ordered), "{picks:?}");
        }

        #[test]
        fn each_cell_gets_its_share_as_a_window_around_the_quantile((scores, cells, count, quantile) in inputs()) {
            let ranked = stratified(&scores, &cells, count, quantile).unwrap();
            let (picks, others) = ranked.split_at(count);
            let n = scores.len();
            for cell in [0, 1, 5, i32::MAX] {
                let mut sorted: Vec<usize> = (0..n).filter(|&row| cells[row] == cell).collect();
                sorted.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)));
                let places: Vec<usize> = (0..sorted.len()).filter(|&place| picks.contains(&sorted[place])).collect();
                let due = sorted.len() * count;
                prop_assert!(places.len() >= due.checked_div(n).unwrap_or(0) && places.len() <= due.div_ceil(n.max(1)));
                let Some((&first, &last)) = places.first().zip(places.last()) else { continue };
                prop_assert_eq!(last - first + 1, places.len(), "the window has holes");
                // The middle of the window is within half a place of the quantile, unless the cell ends
                // there.
                let off = (first + last) as f64 / 2.0 - quantile * (sorted.len() - 1) as f64;
                prop_assert!(off.abs() <= 0.5 + 1e-9 || first == 0 && off > 0.0 || last + 1 == sorted.len() && off < 0.0);
                // The others of the cell go away from the window on both sides.
                let place = |&row: &usize| sorted.iter().position(|&other| other == row);
                let away: Vec<usize> = others
                    .iter()
                    .filter_map(place)
                    .map(|place| if place < first { first - place } else { place - last })
                    .collect();
                prop_assert!(away.is_sorted(), "{:?}", away);
            }
        }
    }

    #[test]
    fn the_rest_goes_to_the_largest_remainders_then_the_lowest_cells() {
        // 10 rows, 4 picks: 5, 3 and 2 rows are due 2.0, 1.2 and 0.8.
        assert_eq!(shares(&[5, 3, 2], 4), [2, 1, 1]);
        assert_eq!(shares(&[1, 1, 1, 1], 2), [1, 1, 0, 0]);
        assert_eq!(shares(&[3, 3], 3), [2, 1]);
        assert_eq!(shares(&[4, 0, 2], 6), [4, 0, 2]);
        assert_eq!(shares(&[], 0), [0; 0]);
        // Products beyond 64 bits.
        assert_eq!(shares(&[usize::MAX / 4, usize::MAX / 4], 1 << 40), [1 << 39, 1 << 39]);
    }

    #[test]
    fn windows_lie_around_the_quantile_and_within_the_cell() {
        assert_eq!(window(9, 1, 0.5), 4..5);
        assert_eq!(window(10, 2, 0.5), 4..6);
        assert_eq!(window(9, 2, 0.5), 4..6);
        assert_eq!(window(9, 3, 0.0), 0..3);
        assert_eq!(window(9, 3, 1.0), 6..9);
        assert_eq!(window(9, 9, 0.25), 0..9);
        assert_eq!(window(9, 0, 1.0).len(), 0);
        assert_eq!(window(1, 1, 0.7), 0..1);
    }

    #[test]
    fn bad_input_is_named() {
        let refused = |scores: &[f64], cells: &[i32], count, quantile| {
            stratified(scores, cells, count, quantile).unwrap_err()
        };
        assert!(matches!(refused(&[1.0], &[], 1, 0.5), Error::Shape { .. }));
        assert!(matches!(refused(&[1.0], &[0], 1, f64::NAN), Error::Argument { .. }));
        assert!(matches!(refused(&[1.0], &[0], 1, 1.01), Error::Argument { .. }));
        assert_eq!(refused(&[1.0, f64::NAN], &[0, 0], 1, 0.5), Error::NotFinite { row: 1 });
        assert_eq!(refused(&[1.0, 1.0], &[0, -1], 1, 0.5), Error::NegativeCell { row: 1 });
        assert_eq!(refused(&[1.0], &[0], 2, 0.5), Error::BadK { k: 2, n: 1 });
        assert_eq!(stratified::<f32>(&[], &[], 0, 0.5), Ok(vec![]));
    }
}
