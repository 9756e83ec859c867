//! When to guess: failed guesses are followed by ever longer pauses.

/// The maximum number of passes without a guess.
const LONGEST_PAUSE: u32 = 16;

/// After a guess of which no row was picked the next passes go without, each time twice as many.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    guessed: bool,
    /// Whether a row of the last guess was picked.
    hit: bool,
    /// Passes without a guess that are still to come, and that followed the last guess.
    remaining: u32,
    pause: u32,
}

impl Backoff {
    /// Notes that a guessed row was picked.
    pub(super) fn note_hit(&mut self) {
        self.hit = true;
    }

    /// Whether the next pass is one with a guess.
    pub(super) fn next_guesses(&mut self) -> bool {
        if self.guessed {
            self.pause = if self.hit { 0 } else { (2 * self.pause).clamp(1, LONGEST_PAUSE) };
            self.remaining = self.pause;
            self.hit = false;
        }
        self.guessed = self.remaining == 0;
        self.remaining = self.remaining.saturating_sub(1);
        self.guessed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_while_guesses_fail_and_end_with_a_hit() {
        let mut backoff = Backoff::default();
        let guesses = (0..60).filter(|_| backoff.next_guesses()).count();
        // After pauses of 1, 2, 4, 8, 16 and 16 passes.
        assert_eq!(guesses, 7);
        while !backoff.next_guesses() {}
        backoff.note_hit();
        assert!(backoff.next_guesses());
    }
}
