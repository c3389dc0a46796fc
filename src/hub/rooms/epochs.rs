//! Epochs: numbers that tell one life of a room's event ids from another.

/// Draws the epochs of rooms. None is drawn twice, and those drawn after another seed are others, as far as chance
/// goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    /// Where the sequence is: the seed, and a constant more with each number.
    state: u64,
}

/// The step of the generator `SplitMix64`: odd, so that the state takes every value before one comes again.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Epochs {
    /// Those that follow from this seed.
    pub fn from_seed(seed: u64) -> Epochs {
        Epochs { state: seed }
    }

    /// The next one, which is not 0.
    pub fn draw(&mut self) -> u64 {
        loop {
            self.state = self.state.wrapping_add(STEP);
            let mixed = mix(self.state);
            if mixed != 0 {
                return mixed;
            }
        }
    }
}

/// The output of `SplitMix64` for a state. Different states have different outputs.
fn mix(state: u64) -> u64 {
    let state = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ state >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ state >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn none_is_zero_or_drawn_twice_and_another_seed_draws_others() {
        let mut seen = HashSet::from([0]);
        for seed in [0, 1, 1 << 63] {
            let mut epochs = Epochs::from_seed(seed);
            assert!((0..1000).all(|_| seen.insert(epochs.draw())), "seed {seed}");
        }
    }

    #[test]
    fn the_one_state_whose_number_is_zero_is_passed_over() {
        let mut epochs = Epochs::from_seed(0_u64.wrapping_sub(STEP));
        assert_eq!((mix(0), epochs.draw()), (0, mix(STEP)));
    }
}
