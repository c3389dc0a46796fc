//! Seeds that once failed, each with what was wrong. They hold as long as a seed draws the same run: whoever changes
//! what is drawn undoes the mend, finds a seed that fails again, and puts it here.

use crate::faults::Fault;

/// The fault that they all were found without.
pub const WITHOUT: u32 = 1 << Fault::Outage as u32;

/// Seeds, and what they found.
pub const REGRESSIONS: [(u64, &str); 6] = [
    (11, "a SEND was told to have reached a name whose one session had refused it"),
    (317, "a connection that broke while its requests waited for their pace stayed listed"),
    (1_001_397, "one that was full and silent was neither asked nor closed for that"),
    (3_000_156, "one that went to make room was closed before it could hear why"),
    (5_001_181, "the same, where the hub asks nobody"),
    (41_007_675, "one whose frame could not be finished any more stayed favoured, and nobody else went on"),
];
