//! The neighbours of rows among all rows, in canonical arithmetic.

use rayon::prelude::*;

use super::super::edges::Edge;
use super::nearest_first::NearestFirst;
use crate::blocks;
use crate::matrix::MatrixView;
use crate::metric::{Dot, Rows, for_each_pair};
use crate::simd::{Kernel, Lanes};
use crate::topk::Smallest;
use crate::{Control, Error};

/// Rows whose neighbours one task finds together, and columns whose vectors stay in cache meanwhile.
const PANEL: usize = 48;
const COLUMNS: usize = 192;
/// Rows of a sample that one task finds the neighbours of.
const FEW: usize = 8;

/// The lists of all rows, `neighbours` edges each, the row itself first.
pub(super) fn lists(
    matrix: MatrixView<'_>,
    neighbours: usize,
    control: &impl Control,
) -> Result<Vec<Edge>, Error> {
    let mut nearest = blocks::zeroed::<Edge>(matrix.len().saturating_mul(neighbours))?;
    if matrix.is_empty() {
        return Ok(nearest);
    }
    blocks::fill(&mut nearest, neighbours, PANEL, control, |first, panel| {
        let ids: Vec<usize> = (first..first + panel.len() / neighbours).collect();
        let own = matrix.rows.part(first, ids.len());
        let lists = matrix.simd.run(Nearest { all: matrix.rows, own, ids: &ids, neighbours });
        for (own, list) in panel.chunks_exact_mut(neighbours).zip(lists) {
            own.copy_from_slice(&list);
        }
        Ok(())
    })?;
    Ok(nearest)
}

/// The lists of some rows.
pub(super) fn lists_of(
    matrix: MatrixView<'_>,
    rows: &[usize],
    neighbours: usize,
) -> Result<Vec<Vec<Edge>>, Error> {
    let few = rows.par_chunks(FEW).map(|ids| {
        let vectors = matrix.take(ids)?;
        let own = Rows::new(&vectors, matrix.rows.width());
        Ok(matrix.simd.run(Nearest { all: matrix.rows, own, ids, neighbours }))
    });
    Ok(few.collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect())
}

struct Nearest<'a> {
    all: Rows<'a>,
    own: Rows<'a>,
    /// The row numbers of `own`.
    ids: &'a [usize],
    neighbours: usize,
}

impl Kernel for Nearest<'_> {
    type Output = Vec<Vec<Edge>>;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> Vec<Vec<Edge>> {
        let Self { all, own, ids, neighbours } = self;
        let mut lists: Vec<Smallest<NearestFirst>> =
            ids.iter().map(|_| Smallest::new(neighbours - 1)).collect();
        let mut selves = vec![0.0; ids.len()];
        for column in (0..all.len()).step_by(COLUMNS) {
            for_each_pair::<Dot, V, R, C>(own, all.part(column, COLUMNS), |x, y, similarity| {
                let client = column + y;
                if client == ids[x] {
                    selves[x] = similarity;
                } else {
                    // Adding +0 turns -0 into +0, which the order would tell apart.
                    lists[x].push(NearestFirst(Edge { client: client as u32, similarity: similarity + 0.0 }));
                }
            });
        }
        let own = ids.iter().zip(selves).map(|(&row, similarity)| Edge { client: row as u32, similarity });
        own.zip(lists)
            .map(|(own, list)| {
                std::iter::once(own).chain(list.into_sorted().into_iter().map(|near| near.0)).collect()
            })
            .collect()
    }
}
