//! Seeds that once failed, each with the bug that it found. They are useful only as long as a seed draws the same run.
//! If you change what is drawn, revert each fix, find a seed that fails again, and put it here.

use cubby::testing::system::Fault;

/// The fault to leave out for seeds that were found before it was added.
const OLD: u32 = 1 << Fault::Outage as u32;

/// Seeds, the faults that they run without, and the bugs that they found.
pub const REGRESSIONS: [(u64, u32, &str); 8] = [
    (11, OLD, "a SEND was told to have reached a name whose one session had refused it"),
    (317, OLD, "a connection that broke while its requests waited for their pace stayed listed"),
    (1_001_397, OLD, "one that was full and silent was neither asked nor closed for that"),
    (3_000_156, OLD, "one that went to make room was closed before it could hear why"),
    (5_001_181, OLD, "the same, where the hub asks nobody"),
    (41_007_675, OLD, "one whose frame could not be finished any more stayed favoured, and nobody else went on"),
    (42, 0, "a name that was gone for a while was taken for another one when a room was told who had left"),
    (91_000_153, 0, "all whose connections broke at once were told of one another, in one turn"),
];
