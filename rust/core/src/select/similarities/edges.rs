//! Edges: rows that another row is like, with their canonical similarities.

use crate::metric::{Dot, Rows, tile};
use crate::simd::{Kernel, Lanes, Simd};

/// A row at the other end, and its similarity.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::select) struct Edge {
    pub(in crate::select) client: u32,
    pub(in crate::select) similarity: f32,
}

/// Edges from `x` to these of the rows, with canonical similarities, in the order of `ids`.
pub(in crate::select) fn edges(simd: Simd, x: &[f32], rows: Rows<'_>, ids: &[u32]) -> Vec<Edge> {
    simd.run(Edges { x, rows, ids })
}

struct Edges<'a> {
    x: &'a [f32],
    rows: Rows<'a>,
    ids: &'a [u32],
}

impl Kernel for Edges<'_> {
    type Output = Vec<Edge>;
    #[inline(always)]
    fn run<V: Lanes, const R: usize, const C: usize>(self) -> Vec<Edge> {
        let Self { x, rows, ids } = self;
        let mut edges = Vec::with_capacity(ids.len());
        for group in ids.chunks(C) {
            // At the end `x` is repeated and its extra values are ignored.
            let mut ys = [x; C];
            for (y, &client) in ys.iter_mut().zip(group) {
                *y = rows.row(client as usize);
            }
            let values = tile::<Dot, V, 1, C>([x], ys)[0];
            for (&client, value) in group.iter().zip(values) {
                // Adding +0 turns -0 into +0, which the order would tell apart.
                edges.push(Edge { client, similarity: value + 0.0 });
            }
        }
        edges
    }
}
