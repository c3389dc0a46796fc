//! Seeds that once failed, each with what was wrong.

/// Seeds, and what they found.
pub const REGRESSIONS: [(u64, &str); 0] = [];
