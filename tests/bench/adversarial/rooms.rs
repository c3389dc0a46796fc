//! Those who join or make as many rooms as they may: what rooms and memberships cost, and whether others can have any.

use crate::client::{Crowd, hello, join};
use crate::hub::{CONNECTION, Hub};
use crate::scene::{Case, SET_UP, Scene};
use crate::support::*;
use crate::work::ROOMS;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Rooms that a hub may have by default.
const ALL_ROOMS: usize = 65_536;

/// Groups of sessions with different rooms. Each session is in all rooms of its group.
const GROUPS: usize = ALL_ROOMS / ROOMS;

/// Sessions that join. A room then has some twenty members; with fifteen thousand the events alone would be 6 GB.
const SESSIONS: usize = 5000;

/// What a membership may take, and what may be left when all is gone, in bytes.
const MEMBERSHIP: u64 = 40;

/// Fewer memberships than this can not be told from what else changes in the process's memory.
const ENOUGH: u64 = 100_000;
const LEFT_OVER: u64 = 16_000_000;

/// How long those who join read at a time.
const READING: Duration = Duration::from_millis(5);

/// After how long the hub has given back what it needed for a burst.
const TRIMMED: Duration = Duration::from_millis(1500);

/// After how long all that was held for those who left should be gone.
const GONE: Duration = Duration::from_secs(3);

const LITTLE: &[&str] = &["--memory", "8M", "--history-total", "4M"];
const LESS: &[&str] = &["--memory", "4M", "--history-total", "1M"];

pub const CASES: [Case; 4] = [
    Case {
        options: LITTLE,
        ..Case::new("4a-members", "5,000 with names join 256 rooms each, 65,536 in all, and leave", join_all)
    },
    Case {
        options: &["--history", "0"],
        ..Case::new("4a-default", "the same with the default memory, and rooms that remember nothing", join_all)
    },
    Case { options: LESS, ..Case::new("4b-rooms", "one makes 65,536 rooms by empty PUBLISHes", publish_all) },
    Case::new("5-every-room", "one takes every room by PUBLISH and leaves; others want a new room", take_all),
];

fn join_all(scene: &mut Scene) -> io::Result<()> {
    // The first of each group makes its rooms, so that the rest show what a membership costs.
    let mut first = Crowd::connect(scene.hub.native(), GROUPS)?;
    join_own_group(&mut first, "first");
    first.settle(SET_UP);
    sleep(TRIMMED);
    let (before, rooms) = (scene.hub.memory(), scene.hub.counters()?.joined());
    let mut rest = scene.attack(|hub, until| {
        let mut rest = Crowd::connect(hub.native(), SESSIONS - GROUPS)?;
        join_own_group(&mut rest, "rest");
        while Instant::now() < until {
            rest.read(READING);
            first.read(READING);
        }
        Ok(rest)
    })?;
    let settled = rest.settle(SET_UP) && first.settle(SET_UP);
    sleep(TRIMMED);
    let full = scene.hub.memory();
    let counters = scene.hub.counters()?;
    let joined = counters.joined() - rooms;
    scene.note(format!("{} of {SESSIONS} are there", counters.users() - 1));
    let grown = full.saturating_sub(before + rest.all.len() as u64 * CONNECTION);
    drop((first, rest));
    sleep(GONE);
    if !settled {
        scene.fault("the joins do not end");
    }
    tell(scene, [before, full], joined, grown)
}

/// Notes what the memberships took, and what is left of it.
fn tell(scene: &mut Scene, [before, full]: [u64; 2], joined: u64, grown: u64) -> io::Result<()> {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let left = scene.hub.memory();
    scene.note(format!("{:.1} MB with one member in each room", megabytes(before)));
    scene.note(format!("{:.1} MB with {joined} more memberships", megabytes(full)));
    if joined >= ENOUGH {
        let each = grown / joined;
        scene.note(format!("{each} bytes each"));
        if each > MEMBERSHIP {
            scene.fault("bytes of a membership");
        }
    }
    scene.note(format!("{:.1} MB {} s after all have left", megabytes(left), GONE.as_secs()));
    if left > scene.hub.base + LEFT_OVER {
        scene.fault("memory is not given back");
    }
    Ok(())
}

/// Each takes a name of its own and joins the rooms of its group.
fn join_own_group(all: &mut Crowd, names: &str) {
    let rooms = |group: usize| (0..ROOMS).flat_map(move |room| join(&format!("{group} {room}")));
    all.send(|index| hello(&format!("{names} {index}")).into_iter().chain(rooms(index % GROUPS)).collect());
}

fn publish_all(scene: &mut Scene) -> io::Result<()> {
    let before = scene.hub.memory();
    scene.attack(|hub, _| make_all(hub).map(drop))?;
    let grown = scene.hub.memory().saturating_sub(before);
    scene.note(format!("{:.1} MB more with them", grown as f64 / 1e6));
    Ok(())
}

/// One client publishes to as many rooms as there may be. Returns how many of them there were not.
fn make_all(hub: &Hub) -> io::Result<usize> {
    let mut client = hub.connect()?;
    let publish = |room: usize| frame(PUBLISH, 0, 1, publish(&format!("mine {room:055}"), b""));
    let mut refused = 0;
    for some in 0..GROUPS {
        let rooms: Vec<u8> = (0..ROOMS).flat_map(|room| publish(some * ROOMS + room)).collect();
        client.send(&rooms)?;
        client.send(&frame(IDENTITY, 0, 2, []))?;
        while client.receive()?.kind != 0x82 {
            refused += 1;
        }
    }
    Ok(refused)
}

fn take_all(scene: &mut Scene) -> io::Result<()> {
    let (can_join, can_publish, refused) = scene.attack(|hub, _| {
        let refused = make_all(hub)?;
        let mut other = hub.connect()?;
        let can_join = other.ask(&join("a new room"), 0x87).is_ok();
        let publish = frame(PUBLISH, RECEIPT, 1, publish("another new room", b"hello"));
        Ok((can_join, hub.connect()?.ask(&publish, 0x89).is_ok(), refused))
    })?;
    scene.note(format!("the taker was refused {refused} times"));
    for (can, what) in [(can_join, "JOIN"), (can_publish, "PUBLISH")] {
        if can {
            scene.note(format!("others can make a room by {what}: yes"));
        } else {
            scene.fault(format!("others can make a room by {what}: no"));
        }
    }
    Ok(())
}
