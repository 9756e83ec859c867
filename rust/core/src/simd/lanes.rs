//! The 16 running sums that every canonical value is made of.

/// Running sums of one canonical value.
pub(crate) const LANES: usize = 16;

/// 16 float32 values, worked on together.
pub(crate) trait Lanes: Copy {
    /// All zeros.
    fn zero() -> Self;
    /// Takes 16 values.
    fn load(values: &[f32; LANES]) -> Self;
    /// `self - other` in each lane, rounded.
    fn minus(self, other: Self) -> Self;
    /// `self + x * y` in each lane, rounded once.
    fn plus_product(self, x: Self, y: Self) -> Self;
    /// The sum as a tree: lanes `l + (l + 8)`, then `+ 4`, `+ 2`, `+ 1`.
    fn tree(self) -> f32;
}

/// Lanes in plain Rust, which the compiler may vectorise; NEON machines take this path.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; LANES]);

impl Lanes for Portable {
    #[inline(always)]
    fn zero() -> Self {
        Self([0.0; LANES])
    }

    #[inline(always)]
    fn load(values: &[f32; LANES]) -> Self {
        Self(*values)
    }

    #[inline(always)]
    fn minus(mut self, other: Self) -> Self {
        for l in 0..LANES {
            self.0[l] -= other.0[l];
        }
        self
    }

    #[inline(always)]
    fn plus_product(mut self, x: Self, y: Self) -> Self {
        for l in 0..LANES {
            self.0[l] = x.0[l].mul_add(y.0[l], self.0[l]);
        }
        self
    }

    #[inline(always)]
    fn tree(mut self) -> f32 {
        let mut half = LANES / 2;
        while half > 0 {
            for l in 0..half {
                self.0[l] += self.0[l + half];
            }
            half /= 2;
        }
        self.0[0]
    }
}
