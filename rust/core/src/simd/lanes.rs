//! The 16 running sums that every canonical value is made of.

/// Running sums of one canonical value.
pub(crate) const LANES: usize = 16;

/// 16 float32 values, worked on together.
pub(crate) trait Lanes: Copy {
    /// All zeros.
    fn zero() -> Self;
    /// The same value 16 times.
    fn all(value: f32) -> Self;
    /// Takes 16 values.
    fn load(values: &[f32; LANES]) -> Self;
    /// Asks for the memory of `values[at]` and what shares its cache line, ahead of its load; `at` may lie beyond
    /// the end. Changes no value.
    fn fetch(values: &[f32], at: usize);
    /// Gives the 16 values.
    fn store(self, values: &mut [f32; LANES]);
    /// `self - other` in each lane, rounded.
    fn minus(self, other: Self) -> Self;
    /// `self + x * y` in each lane, rounded once.
    fn plus_product(self, x: Self, y: Self) -> Self;
    /// The lesser of `self` and `other` in each lane, `other` where `self` is NaN; `other` holds no NaN.
    fn lesser(self, other: Self) -> Self;
    /// Whether `self` is NaN or at least `other` in each lane, the first in the lowest bit.
    fn not_below(self, other: Self) -> u16;
    /// The least of all lanes; none holds a NaN.
    fn least(self) -> f32;
    /// The sum as a tree: lanes `l + (l + 8)`, then `+ 4`, `+ 2`, `+ 1`.
    fn tree(self) -> f32;
}

/// Lanes in plain Rust, which the compiler may vectorise; NEON machines take this path.
#[derive(Clone, Copy)]
pub(super) struct Portable(pub(super) [f32; LANES]);

impl Lanes for Portable {
    #[inline(always)]
    fn zero() -> Self {
        Self([0.0; LANES])
    }

    #[inline(always)]
    fn all(value: f32) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    fn load(values: &[f32; LANES]) -> Self {
        Self(*values)
    }

    #[inline(always)]
    fn fetch(_values: &[f32], _at: usize) {}

    #[inline(always)]
    fn store(self, values: &mut [f32; LANES]) {
        *values = self.0;
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
    fn lesser(mut self, other: Self) -> Self {
        for l in 0..LANES {
            // Not `min`, which costs more for its care of a NaN in `other`.
            self.0[l] = if self.0[l] < other.0[l] { self.0[l] } else { other.0[l] };
        }
        self
    }

    #[inline(always)]
    fn not_below(self, other: Self) -> u16 {
        // Bits of the lanes' own width, which become one comparison for several lanes.
        let mut bits = [0u32; LANES];
        for (l, bit) in bits.iter_mut().enumerate() {
            *bit = if self.0[l] < other.0[l] { 0 } else { 1 << l };
        }
        bits.into_iter().fold(0, |mask, bit| mask | bit) as u16
    }

    #[inline(always)]
    fn least(self) -> f32 {
        self.0.into_iter().fold(f32::INFINITY, f32::min)
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
