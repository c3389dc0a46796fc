//! The limits that the hub of a seed keeps.

use cubby::{IfFull, Limits};
use fastrand::Rng;
use std::time::Duration;

fn millis(rng: &mut Rng, least: u64, most: u64) -> Duration {
    Duration::from_millis(rng.u64(least..=most))
}

/// Limits so small that rare situations become frequent.
pub fn draw_limits(rng: &mut Rng, actors: usize) -> Limits {
    let mut limits = Limits::default();
    limits.max_body = [64, 300, 2_000, 16_000][rng.usize(..4)];
    limits.queue = (limits.max_body as usize).max([1, 4, 16, 64][rng.usize(..4)] * 1024);
    limits.max_receivers = [1, 3, 20, 255][rng.usize(..4)];
    limits.max_connections = if rng.u8(..3) == 0 { rng.usize(actors / 2..=actors) } else { actors + 1 }.max(1);
    limits.share_from = [16, 100, 1_000, 4_096][rng.usize(..4)];
    limits.fan_out = [200, 4_096, 65_536, 8 << 20][rng.usize(..4)];
    limits.max_rooms = [1, 3, 6, 1_000][rng.usize(..4)];
    limits.rooms_per_session = [1, 2, 100][rng.usize(..3)];
    limits.history = [0, 1, 10, 200][rng.usize(..4)];
    limits.history_bytes = [0, 1_000, 1 << 20][rng.usize(..3)];
    limits.history_total = [1_000, 20_000, 1 << 20][rng.usize(..3)];
    limits.history_time = if rng.u8(..4) == 0 { Duration::ZERO } else { millis(rng, 1, 1_000) };
    let stall = [5, 50, 3_000][rng.usize(..3)];
    limits.stall = millis(rng, 2, stall);
    limits.linger = millis(rng, 2, stall);
    limits.drain = millis(rng, 50, 1_000);
    limits.max_per_address = if rng.bool() { 0 } else { rng.usize(1..10) };
    limits.rate = [0, 0, 20, 1_000][rng.usize(..4)];
    limits.if_full = [IfFull::Wait, IfFull::Wait, IfFull::Refuse, IfFull::Close][rng.usize(..4)];
    limits.memory = [64 * 1024, 64 * 1024, 100 * 1024, 256 << 20][rng.usize(..4)];
    let silent = [0, 30, 300][rng.usize(..3)];
    limits.heartbeat = millis(rng, silent / 2, silent);
    if (1..100).contains(&limits.rate) && !limits.heartbeat.is_zero() {
        // The answers to heartbeats alone must not use up the rate limit.
        limits.heartbeat = limits.heartbeat.max(Duration::from_secs(2) / limits.rate);
    }
    limits.idle = [Duration::ZERO, millis(rng, 120, 400)][rng.usize(..2)];
    let slow = [20, 200][rng.usize(..2)];
    limits.frame_time = [Duration::ZERO, millis(rng, 5, slow)][rng.usize(..2)];
    limits
}
