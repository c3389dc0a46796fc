//! The sizes of bodies: one size, or a mix of weighted sizes.

use super::stamp::STAMP_LEN;
use cubby::wire::MAX_BODY;
use std::fmt;
use std::str::FromStr;

/// Length of the sequence in which the sizes of a mix come. A weight below 1/1024 of all is rounded up to one place.
const PLACES: usize = 1024;

/// Sizes, and how often each comes. Two runs use the same order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes {
    mix: Vec<(usize, u32)>,
    /// The sequence of sizes, which is repeated.
    order: Vec<usize>,
}

impl Sizes {
    /// Every body has this size, but at least [`STAMP_LEN`], and at most what the native protocol allows.
    pub fn one(bytes: usize) -> Sizes {
        let bytes = bytes.clamp(STAMP_LEN, MAX_BODY as usize);
        Sizes { mix: vec![(bytes, 1)], order: vec![bytes] }
    }

    /// Sizes in bytes, each with its weight.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong with them.
    pub fn mix(mix: &[(usize, u32)]) -> Result<Sizes, String> {
        let total: u64 = mix.iter().map(|&(_, weight)| u64::from(weight)).sum();
        if let Some((bytes, _)) = mix.iter().find(|(bytes, _)| *bytes < STAMP_LEN) {
            return Err(format!("a body of {bytes} bytes is too small: {STAMP_LEN} are needed for the stamp"));
        }
        if let Some((bytes, _)) = mix.iter().find(|(bytes, _)| *bytes > MAX_BODY as usize) {
            return Err(format!("a body of {bytes} bytes is larger than any hub takes: {MAX_BODY} at the most"));
        }
        if total == 0 {
            return Err("no size has a weight above 0".to_owned());
        }
        if let [(bytes, _)] = mix {
            return Ok(Sizes::one(*bytes));
        }
        let places = |weight: u32| (u64::from(weight) * PLACES as u64).div_ceil(total) as usize;
        let mut order: Vec<usize> = mix.iter().flat_map(|&(bytes, weight)| vec![bytes; places(weight)]).collect();
        shuffle(&mut order);
        Ok(Sizes { mix: mix.to_vec(), order })
    }

    /// The size of the message with this number.
    pub(super) fn of(&self, number: usize) -> usize {
        if let [only] = self.order[..] { only } else { self.order[number % self.order.len()] }
    }

    /// Whether any message has this size.
    pub(super) fn has(&self, bytes: usize) -> bool {
        self.mix.iter().any(|&(size, weight)| size == bytes && weight > 0)
    }

    /// The smallest of them.
    pub fn smallest(&self) -> usize {
        self.order.iter().copied().min().unwrap_or(STAMP_LEN)
    }

    /// The largest of them.
    pub fn largest(&self) -> usize {
        self.order.iter().copied().max().unwrap_or(STAMP_LEN)
    }
}

/// Shuffles the sizes, always in the same way.
fn shuffle(order: &mut [usize]) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for last in (1..order.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(last, (state % (last as u64 + 1)) as usize);
    }
}

impl FromStr for Sizes {
    type Err = String;

    /// `64`, `64K`, or `64:80,1K:15,64K:5`: sizes with weights, which may have any sum.
    fn from_str(text: &str) -> Result<Sizes, String> {
        let part = |part: &str| {
            let (bytes, weight) = part.split_once(':').unwrap_or((part, "1"));
            parse_bytes(bytes).zip(weight.parse().ok())
        };
        let mix: Option<Vec<(usize, u32)>> = text.split(',').map(part).collect();
        let mix = mix.ok_or_else(|| {
            format!("{text:?} is neither a size, as in 64, 512K or 1M, nor a mix, as in 64:80,1K:15,64K:5")
        })?;
        Sizes::mix(&mix)
    }
}

/// A number of bytes, with K, M or G for powers of 1024.
fn parse_bytes(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        _ => return None,
    };
    if digits.starts_with('+') { None } else { digits.parse::<usize>().ok()?.checked_mul(1 << shift) }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mix[..] {
            [(bytes, _)] => write!(f, "{bytes}"),
            mix => mix.iter().enumerate().try_for_each(|(place, (bytes, weight))| {
                write!(f, "{}{bytes}:{weight}", if place == 0 { "" } else { "," })
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_size_is_read_with_its_suffix() {
        for (text, bytes) in [("16", 16), ("64", 64), ("4K", 4096), ("1M", 1 << 20), ("2k", 2048)] {
            let sizes: Sizes = text.parse().expect("a size");
            assert_eq!((sizes.of(0), sizes.of(9), sizes.largest()), (bytes, bytes, bytes), "{text}");
        }
    }

    #[test]
    fn a_mix_follows_its_weights_and_is_written_as_it_was_read() {
        let sizes: Sizes = "64:80,1024:15,65536:5".parse().expect("a mix");
        let count = |bytes| (0..PLACES).filter(|number| sizes.of(*number) == bytes).count();
        assert!((818..=820).contains(&count(64)) && (152..=154).contains(&count(1024)), "{}", count(64));
        assert!(sizes.has(1024) && !sizes.has(1025));
        assert!(sizes.order.windows(64).all(|run| run.contains(&64)), "the sizes alternate");
        assert_eq!((sizes.largest(), sizes.to_string()), (65_536, "64:80,1024:15,65536:5".to_owned()));
    }

    #[test]
    fn text_that_is_no_size_is_an_error() {
        for text in ["", "x", "64:", ":5", "64;5", "64,,1", "-1", "+64", "1T", "64:x", "99999999999999999999", "9G9"] {
            assert!(text.parse::<Sizes>().expect_err(text).contains("is neither a size"), "{text}");
        }
        for text in ["4G", "64:9,1073741825:1"] {
            assert!(text.parse::<Sizes>().expect_err(text).contains("1073741824 at the most"), "{text}");
        }
        assert_eq!("1G".parse::<Sizes>().expect("the largest"), Sizes::one(usize::MAX));
        assert!("15".parse::<Sizes>().expect_err("small").contains("16 are needed"));
        assert!("64:0".parse::<Sizes>().expect_err("none").contains("no size has a weight"));
    }
}
