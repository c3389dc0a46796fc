//! Names that others use as well.

use crate::client::{Client, hello, join};
use crate::hub::Hub;
use crate::innocents::Innocent;
use crate::more::reader;
use crate::scene::{Case, Scene};
use crate::support::*;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How often a newcomer takes the name, and how long it goes on: longer than one request may wait in all.
const NEWCOMERS: Duration = Duration::from_secs(5);
const TIME: Duration = Duration::from_secs(16);

/// One request waits for full receivers for so long in all.
const SEND_WAIT: Duration = Duration::from_secs(11);

pub const CASES: [Case; 1] =
    [Case::new("3-borrowed", "every 5 s one takes the name bob, fills itself and does not read (16 s)", borrowed)];

fn borrowed(scene: &mut Scene) -> io::Result<()> {
    // The real bob reads all.
    reader(&scene.hub, "bob")?;
    scene.innocents.push(Innocent::sends("bob", Duration::from_millis(20), SEND_WAIT));
    scene.time = scene.time.max(TIME);
    scene.hub.connect()?.fill("big", 1000, 1000)?;
    scene.attack(|hub, until| {
        let mut newcomers = Vec::new();
        while Instant::now() < until {
            newcomers.push(full_bob(hub)?);
            thread::sleep(NEWCOMERS.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(newcomers)
    })?;
    Ok(())
}

/// A session of bob's name that has asked for more than its queue holds, and does not read.
fn full_bob(hub: &Hub) -> io::Result<Client> {
    let mut client = Client::connect_small(hub.native())?;
    let asks = frame(HISTORY, 0, 1, history("big", 0, u32::MAX)).repeat(12);
    client.send(&[hello("bob"), join("big"), asks].concat())?;
    Ok(client)
}
