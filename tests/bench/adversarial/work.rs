//! Short requests that make much work. Those who ask read what they are sent.

use crate::client::{Client, Crowd, RECEIPT_OF_SEND, hello, join};
use crate::hub::Hub;
use crate::scene::{Case, SET_UP, Scene};
use crate::support::*;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Rooms that a session may be in by default.
pub const ROOMS: usize = 256;

/// Sessions that are in all of them, and attackers that leave all at once. A request of four in rooms of 300 is as much
/// work as one in rooms of 1,200, which would take minutes to fill.
const MEMBERS: usize = 300;
const LEAVERS: usize = 4;

pub const CASES: [Case; 5] = [
    Case::new("2a-list", "40 in a hub of 8,000 ask LIST as fast as they read it", lists),
    Case::new("2b-histories", "one asks 1,000 HISTORYs in each write, and reads as fast as it can", histories),
    Case::new("2c-send", "SENDs that name one name with 5,000 sessions 255 times", sends),
    Case::new("2d-hello", "four take a new name and so leave 256 rooms of 300", hellos),
    Case::new("2e-stats", "one asks 1,000 STATS in each write, and reads as fast as it can", stats),
];

fn lists(scene: &mut Scene) -> io::Result<()> {
    let _sessions = Crowd::connect(scene.hub.native(), 8000)?;
    flood(scene, Hub::native, 40, &[], &frame(LIST, 0, 1, []).repeat(100))
}

fn histories(scene: &mut Scene) -> io::Result<()> {
    scene.hub.connect()?.fill("small", 1024, 1)?;
    flood(scene, Hub::native, 1, &join("small"), &frame(HISTORY, 0, 1, history("small", 0, u32::MAX)).repeat(1000))
}

fn stats(scene: &mut Scene) -> io::Result<()> {
    flood(scene, Hub::native, 1, &[], &frame(STATS, 0, 1, []).repeat(1000))
}

/// So many clients say one thing first, and then ask again and again as fast as they can read the answers.
pub fn flood(scene: &mut Scene, address: fn(&Hub) -> &str, count: usize, first: &[u8], asks: &[u8]) -> io::Result<()> {
    let read = scene.attack(|hub, until| {
        let mut clients = Crowd::connect(address(hub), count)?;
        clients.send(|_| first.to_vec());
        let read = clients.flood(asks, until);
        // They read the rest while the innocents wait for their last answers.
        clients.read(Duration::from_millis(100));
        Ok(read)
    })?;
    scene.note(format!("{} MB of answers read", read / 1_000_000));
    Ok(())
}

fn sends(scene: &mut Scene) -> io::Result<()> {
    let mut sessions = Crowd::connect(scene.hub.native(), 5000)?;
    sessions.send(|_| hello("legion"));
    sessions.settle(SET_UP);
    let request = frame(SEND, RECEIPT, 1, send(&["legion"; 255], b"x"));
    let asked = beside_readers(scene, sessions, |hub, until| {
        each(hub, 2, until, |client| client.ask(&request, RECEIPT_OF_SEND))
    })?;
    scene.note(format!("{asked} SENDs"));
    Ok(())
}

fn hellos(scene: &mut Scene) -> io::Result<()> {
    let joins: Vec<u8> = (0..ROOMS).flat_map(|room| join(&format!("room {room}"))).collect();
    let mut members = Crowd::connect(scene.hub.native(), MEMBERS)?;
    members.send(|_| joins.clone());
    members.settle(SET_UP);
    let mut attackers = Crowd::connect(scene.hub.native(), LEAVERS)?;
    let left = beside_readers(scene, members, |_, until| {
        let mut left = 0;
        while Instant::now() < until {
            attackers.send(|_| joins.clone());
            attackers.settle(SET_UP.min(until.saturating_duration_since(Instant::now())));
            attackers.send(|index| hello(&format!("{index} {left}")));
            left += 1;
        }
        Ok(left)
    })?;
    scene.note(format!("{left} times"));
    Ok(())
}

/// An attack beside a crowd that reads all that it is sent.
pub fn beside_readers<T>(
    scene: &mut Scene,
    readers: Crowd,
    attack: impl FnOnce(&Hub, Instant) -> io::Result<T>,
) -> io::Result<T> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers = scope.spawn(|| readers.read_until(&stop));
        let done = scene.attack(attack);
        stop.store(true, Ordering::Relaxed);
        drop(readers.join().expect("it ends"));
        done
    })
}

/// So many clients each ask again and again until then. Returns how often they had an answer. One that the hub closes
/// has had its share.
pub fn each<T>(
    hub: &Hub,
    count: usize,
    until: Instant,
    ask: impl Fn(&mut Client) -> io::Result<T> + Sync,
) -> io::Result<usize> {
    let clients: Vec<Client> = (0..count).map(|_| hub.connect()).collect::<io::Result<_>>()?;
    let run = |mut client: Client| {
        let mut answers = 0;
        while Instant::now() < until && ask(&mut client).is_ok() {
            answers += 1;
        }
        answers
    };
    Ok(thread::scope(|scope| {
        let running: Vec<_> = clients.into_iter().map(|client| scope.spawn(|| run(client))).collect();
        running.into_iter().map(|thread| thread.join().expect("it ends")).sum()
    }))
}
