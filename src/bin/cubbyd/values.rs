//! The values of options: what their text means, and the machine's memory, from which some defaults follow.

use std::str::FromStr;

/// A memory limit that follows from the machine's memory is never lower than this.
const MIN_MEMORY: usize = 1 << 20;

pub fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not a valid number"))
}

/// A number of bytes, with K, M or G for powers of 1024.
pub fn bytes<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => Some(0),
        "K" | "k" => Some(10),
        "M" | "m" => Some(20),
        "G" | "g" => Some(30),
        _ => None,
    };
    let bytes = digits.parse::<u64>().ok().zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift));
    let bytes = bytes.and_then(|bytes| T::try_from(bytes).ok());
    bytes.ok_or_else(|| format!("{text:?} is not a valid size, as in 65536, 512K or 1M"))
}

/// A quarter of the memory of this machine, or of the container that the daemon runs in, if that is less than `limit`.
pub fn quarter_of_memory_below(limit: usize) -> Option<usize> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let machine = total.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).map(|kilobytes| kilobytes * 1024);
    // The file holds "max" if the container has no limit.
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max").unwrap_or_default();
    let least = machine.into_iter().chain(container.trim().parse().ok()).min()?;
    usize::try_from(least / 4).ok().filter(|quarter| *quarter < limit).map(|quarter| quarter.max(MIN_MEMORY))
}
