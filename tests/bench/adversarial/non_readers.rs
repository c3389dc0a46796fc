//! Those who ask for much, or are told much, and do not read it.

use crate::client::{BOUND, Crowd, hello, join};
use crate::hub::Hub;
use crate::scene::{Case, LONG, SET_UP, Scene};
use crate::support::*;
use crate::work::beside_readers;
use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How many of them there are, and how often as many more come.
const ASKERS: usize = 40;
const RENEWED: Duration = Duration::from_secs(2);

pub const CASES: [Case; 7] = [
    Case::new("1a-history", "40 every 2 s ask HISTORY of a room of 1 MB 12 times and do not read", unread_history),
    Case::new("1b-list", "40 every 2 s ask LIST of 15,000 a hundred times and do not read", unread_list),
    Case::new("1c-who", "40 every 2 s ask WHO in a room of 3,000 fifty times and do not read", unread_who),
    Case::new("1d-stats", "40 every 2 s ask STATS 5,000 times and do not read", unread_stats),
    Case::new("1e-http", "40 every 2 s GET a history, the page and the metrics and do not read", unread_http),
    Case { longest: LONG, ..Case::new("1f-room", "4,000 members do not read 1.4 MB of small events", unread_events) },
    Case { longest: LONG, ..Case::new("1f-room-20M", "4,000 members do not read 20 MB", many_unread_events) },
];

fn unread_history(scene: &mut Scene) -> io::Result<()> {
    scene.hub.connect()?.fill("big", 1000, 1000)?;
    let asks = frame(HISTORY, 0, 1, history("big", 0, u32::MAX)).repeat(12);
    let asks = [join("big"), asks].concat();
    scene.attack(|hub, until| waves(hub.native(), &asks, until)).map(drop)
}

fn unread_list(scene: &mut Scene) -> io::Result<()> {
    let _sessions = Crowd::connect(scene.hub.native(), 15_000)?;
    let asks = frame(LIST, 0, 1, []).repeat(100);
    scene.attack(|hub, until| waves(hub.native(), &asks, until)).map(drop)
}

fn unread_who(scene: &mut Scene) -> io::Result<()> {
    let members = members(&scene.hub, 3000, 60)?;
    let asks = [join("crowd"), frame(WHO, 0, 1, str8("crowd")).repeat(50)].concat();
    // The members hear of those who come, and read it.
    beside_readers(scene, members, |hub, until| waves(hub.native(), &asks, until)).map(drop)
}

fn unread_stats(scene: &mut Scene) -> io::Result<()> {
    let asks = frame(STATS, 0, 1, []).repeat(5000);
    scene.attack(|hub, until| waves(hub.native(), &asks, until)).map(drop)
}

fn unread_http(scene: &mut Scene) -> io::Result<()> {
    scene.hub.connect()?.fill("big", 1000, 1000)?;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let asks = [get("/rooms/big/history"), get("/"), get("/metrics")].concat().repeat(60);
    scene.attack(|hub, until| waves(hub.web(), asks.as_bytes(), until)).map(drop)
}

/// New ones come every two seconds, ask this, and stay without reading. Returns them, because none goes by itself.
pub fn waves(address: &str, asks: &[u8], until: Instant) -> io::Result<Vec<Crowd>> {
    let mut all = Vec::new();
    while Instant::now() < until {
        let mut wave = Crowd::connect_small(address, ASKERS)?;
        wave.shrink_buffers()?;
        wave.send(|_| asks.to_vec());
        all.push(wave);
        sleep(RENEWED.min(until.saturating_duration_since(Instant::now())));
    }
    Ok(all)
}

fn unread_events(scene: &mut Scene) -> io::Result<()> {
    publish_to_non_readers(scene, 1_400_000)
}

fn many_unread_events(scene: &mut Scene) -> io::Result<()> {
    publish_to_non_readers(scene, 20_000_000)
}

/// 4,000 members who read nothing more once they are in, and one who publishes so many bytes in events of 64 bytes.
fn publish_to_non_readers(scene: &mut Scene, bytes: usize) -> io::Result<()> {
    let members = members(&scene.hub, 4000, 4)?;
    members.shrink_buffers()?;
    let event = frame(PUBLISH, 0, 0, publish("crowd", &[7; 64]));
    let events = event.repeat(bytes / event.len());
    let taken = scene.attack(|hub, until| {
        let mut publisher = hub.connect()?.0.into_inner();
        publisher.set_write_timeout(Some(Duration::from_millis(500)))?;
        let mut rest = &events[..];
        while !rest.is_empty() && Instant::now() < until {
            rest = &rest[publisher.write(&rest[..rest.len().min(65_536)]).unwrap_or(0)..];
        }
        Ok(events.len() - rest.len())
    })?;
    scene.note(format!("{:.1} MB sent", taken as f64 / 1e6));
    drop(members);
    Ok(())
}

/// Members of the room `crowd`, who have read all until now, with names of so many bytes.
pub fn members(hub: &Hub, count: usize, name_len: usize) -> io::Result<Crowd> {
    let mut members = Crowd::connect_small(hub.native(), count)?;
    members.send(|index| [hello(&format!("{index:0name_len$}")), join("crowd")].concat());
    if members.settle(SET_UP) { Ok(members) } else { Err(io::Error::other(format!("no room after {BOUND:?}"))) }
}
