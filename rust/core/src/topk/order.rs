//! Scores as unsigned keys of the opposite order, so that every comparison is one of integers.

/// A number that can be ranked.
pub trait Score: Copy + Send + Sync {
    /// Unsigned integer of the same order.
    type Key: Ord + Copy + Send + Sync;
    /// The key that ranks higher scores *first* (smaller), or nothing for NaN and infinities; -0 and +0 have
    /// the same.
    fn descending(self) -> Option<Self::Key>;
}

macro_rules! score {
    ($float:ty, $key:ty, $to_key:ident) => {
        /// The key of any number that is not NaN; an infinity is beyond all finite ones.
        #[inline(always)]
        pub(super) fn $to_key(score: $float) -> $key {
            const SIGN: $key = 1 << (<$key>::BITS - 1);
            // Adding +0 turns -0 into +0 and leaves the rest alone.
            let bits = (score + 0.0).to_bits();
            let ascending = if bits & SIGN == 0 { bits | SIGN } else { !bits };
            !ascending
        }

        impl Score for $float {
            type Key = $key;
            #[inline(always)]
            fn descending(self) -> Option<$key> {
                self.is_finite().then_some($to_key(self))
            }
        }
    };
}

score!(f32, u32, key_of);
score!(f64, u64, wide_key_of);

/// The score that has this key. The key between those of -1e-45 and +0, which no score has, gives -0: it
/// compares as +0 does.
#[inline]
pub(super) fn score_of(key: u32) -> f32 {
    const SIGN: u32 = 1 << 31;
    let ascending = !key;
    f32::from_bits(if ascending & SIGN == 0 { !ascending } else { ascending ^ SIGN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fall_as_scores_rise_and_lead_back() {
        let rising = [f32::NEG_INFINITY, f32::MIN, -1.0, -1e-45, 0.0, 1e-45, 1.0, f32::MAX, f32::INFINITY];
        for pair in rising.windows(2) {
            assert!(key_of(pair[0]) > key_of(pair[1]), "{pair:?}");
            // The next key is the next number; the one between -1e-45 and 0 is -0.
            assert_eq!(score_of(key_of(pair[0]) - 1), pair[0].next_up(), "{pair:?}");
        }
        for score in rising {
            assert_eq!(score_of(key_of(score)), score);
        }
        assert_eq!(key_of(-0.0), key_of(0.0));
        assert_eq!([f32::NAN.descending(), f32::INFINITY.descending()], [None, None]);
        assert_eq!((-0.0f64).descending(), 0.0f64.descending());
        assert!(1.0f64.descending() < (-1.0f64).descending());
    }
}
