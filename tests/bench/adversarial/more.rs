//! Attacks beyond those that were once seen: many small things at once, and slow ones.

use crate::client::{Client, Crowd, RECEIPT_OF_SEND, hello, join};
use crate::hub::Hub;
use crate::innocents::Innocent;
use crate::non_readers::members;
use crate::scene::{Case, LONG, SET_UP, SHORT, Scene};
use crate::support::*;
use crate::work::{beside_readers, each};
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

/// A SEND of an innocent to somebody who reads.
const SEND_EVERY: Duration = Duration::from_millis(20);

pub const CASES: [Case; 8] = [
    Case { longest: LONG, ..Case::new("9a-drips", "4,000 have sent a part of a frame and go on byte by byte", drips) },
    Case::new("9b-namesakes", "40 take and leave a name with 2,000 sessions in one room of theirs", namesakes),
    Case::new("9c-reset", "a room of 3,000 resets its connections at once", reset_at_once),
    Case::new("9d-churn", "40 join and leave a room of 3,000 as fast as they can", churn),
    Case {
        longest: LONG,
        ..Case::new("9e-sippers", "400 ask HISTORY of 1 MB 12 times and read byte by byte", sippers)
    },
    Case::new("9f-full", "50 SEND again and again to 30 who are full; an innocent SENDs to another", full_receivers),
    Case::new("9g-ring", "60 in a ring RELAY 1 MB to the next and nobody reads", ring),
    Case::new("9h-connects", "eight connect, send half of something and reset, as fast as they can", connects),
];

fn drips(scene: &mut Scene) -> io::Result<()> {
    let mut all = Crowd::connect(scene.hub.native(), 4000)?;
    let whole = frame(PUBLISH, 0, 0, publish("lobby", &vec![7; 1_000_000]));
    all.send(|_| whole[..16_384].to_vec());
    // An answer to one that came later shows that the hub has received it.
    scene.hub.counters()?;
    let sent = scene.attack(|_, until| Ok(all.send_slowly(until, |_, sent| &whole[16_384 + sent..][..1])))?;
    scene.note(format!("{sent} bytes, one by one"));
    Ok(())
}

fn namesakes(scene: &mut Scene) -> io::Result<()> {
    let mut sessions = Crowd::connect(scene.hub.native(), 2000)?;
    sessions.send(|index| [hello("legion"), join(&format!("room {}", index % 256))].concat());
    sessions.settle(SET_UP);
    let rooms: Vec<u8> = (0..64).flat_map(|room| join(&format!("room {room}"))).collect();
    let turn = [hello("legion"), rooms, hello("another")].concat();
    beside_readers(scene, sessions, |hub, until| Ok(Crowd::connect(hub.native(), 40)?.flood(&turn, until)))?;
    Ok(())
}

fn reset_at_once(scene: &mut Scene) -> io::Result<()> {
    let members = members(&scene.hub, 3000, 4)?;
    scene.attack(|_, _| {
        let all = members.all.iter().map(socket2::SockRef::from);
        all.for_each(|stream| stream.set_linger(Some(Duration::ZERO)).expect("it is open"));
        drop(members);
        Ok(())
    })
}

fn churn(scene: &mut Scene) -> io::Result<()> {
    let members = members(&scene.hub, 3000, 4)?;
    let turn = [join("crowd"), frame(LEAVE, 0, 0, str8("crowd"))].concat();
    beside_readers(scene, members, |hub, until| Ok(Crowd::connect(hub.native(), 40)?.flood(&turn, until)))?;
    Ok(())
}

fn sippers(scene: &mut Scene) -> io::Result<()> {
    scene.hub.connect()?.fill("big", 1000, 1000)?;
    let asks = [join("big"), frame(HISTORY, 0, 1, history("big", 0, u32::MAX)).repeat(12)].concat();
    let mut all = Crowd::connect_small(scene.hub.native(), 400)?;
    all.shrink_buffers()?;
    scene.attack(|_, until| {
        all.send(|_| asks.clone());
        while Instant::now() < until {
            all.sip();
            thread::sleep(Duration::from_millis(50));
        }
        Ok(all)
    })?;
    Ok(())
}

fn full_receivers(scene: &mut Scene) -> io::Result<()> {
    reader(&scene.hub, "ann")?;
    scene.innocents.push(Innocent::sends("ann", SEND_EVERY, SHORT));
    scene.hub.connect()?.fill("big", 1000, 1000)?;
    let asks = frame(HISTORY, 0, 1, history("big", 0, u32::MAX)).repeat(12);
    let mut full = Crowd::connect_small(scene.hub.native(), 30)?;
    full.shrink_buffers()?;
    full.send(|index| [hello(&format!("full {index}")), join("big"), asks.clone()].concat());
    let names: Vec<String> = (0..30).map(|index| format!("full {index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let request = frame(SEND, RECEIPT, 1, send(&names, &[7; 1000]));
    scene.attack(|hub, until| {
        each(hub, 50, until, |client| client.ask(&request, RECEIPT_OF_SEND))?;
        Ok(full)
    })?;
    Ok(())
}

/// A session of this name that reads all until the hub ends.
pub fn reader(hub: &Hub, name: &str) -> io::Result<()> {
    let mut client = hub.connect()?;
    client.hello(name)?;
    client.0.get_ref().set_read_timeout(None)?;
    thread::spawn(move || while client.receive().is_ok() {});
    Ok(())
}

fn ring(scene: &mut Scene) -> io::Result<()> {
    let mut all: Vec<Client> = (0..60).map(|_| Client::connect(scene.hub.native())).collect::<io::Result<_>>()?;
    let ids: Vec<u64> = all.iter_mut().map(Client::id).collect::<io::Result<_>>()?;
    let body = vec![7; 1_000_000];
    scene.attack(|_, until| {
        let mut at = vec![0; all.len()];
        let requests: Vec<Vec<u8>> =
            (0..60).map(|index| frame(RELAY, 0, 0, relay(&[ids[(index + 1) % 60]], &body))).collect();
        all.iter().try_for_each(|client| client.0.get_ref().set_nonblocking(true))?;
        while Instant::now() < until {
            for ((client, at), request) in all.iter_mut().zip(&mut at).zip(&requests) {
                *at += client.0.get_mut().write(&request[*at % request.len()..]).unwrap_or(0);
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(all)
    })?;
    Ok(())
}

fn connects(scene: &mut Scene) -> io::Result<()> {
    let part = frame(PUBLISH, 0, 0, publish("lobby", &[7; 1000]));
    let count = scene.attack(|hub, until| {
        let run = || {
            let mut count = 0;
            while Instant::now() < until {
                let Ok(mut client) = Client::connect(hub.native()) else { break };
                // The hub may have refused it already.
                let _ = client.send(&part[..500]);
                let _ = socket2::SockRef::from(client.0.get_ref()).set_linger(Some(Duration::ZERO));
                count += 1;
            }
            count
        };
        Ok(thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
            all.into_iter().map(|thread| thread.join().expect("it ends")).sum::<usize>()
        }))
    })?;
    scene.note(format!("{count} connections"));
    Ok(())
}
