//! Reads lines of which no more is kept than a hub takes.

use std::io::{self, BufRead, Read};

/// How many bytes of a line that was read before stay allocated.
const KEPT: usize = 64 * 1024;

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A whole line, which may lack its line end if the input ends.
    Whole,
    /// A line that is too long. It was skipped.
    TooLong,
    /// The input has ended.
    End,
}

/// Reads the next line into `line`, with its line end, if it has at most `max` bytes without that.
pub fn read(from: &mut impl BufRead, max: usize, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    line.shrink_to(KEPT);
    let count = from.by_ref().take(max as u64 + 1).read_until(b'\n', line)?;
    if count == 0 {
        Ok(Line::End)
    } else if count <= max || line.ends_with(b"\n") {
        Ok(Line::Whole)
    } else {
        from.skip_until(b'\n')?;
        line.clear();
        Ok(Line::TooLong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_not_kept() {
        let input = [b"four\nlonger\n".as_slice(), &[b'x'; 1 << 20], b"\nfive5\n\nlast"].concat();
        let mut from = input.as_slice();
        let mut line = Vec::new();
        let mut next = || {
            let read = read(&mut from, 5, &mut line).expect("bytes in memory");
            assert!(line.capacity() <= KEPT, "{}", line.capacity());
            (read, String::from_utf8_lossy(&line).into_owned())
        };
        for expected in ["four\n", "", "", "five5\n", "\n", "last"] {
            let kind = if expected.is_empty() { Line::TooLong } else { Line::Whole };
            assert_eq!(next(), (kind, expected.to_owned()));
        }
        assert_eq!(next().0, Line::End);
    }
}
