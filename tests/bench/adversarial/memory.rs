//! Those who fill the hub's memory.

use crate::client::Crowd;
use crate::innocents::Innocent;
use crate::scene::{Case, SHORT, Scene};
use crate::support::*;
use std::io;
use std::time::Duration;

pub const CASES: [Case; 1] = [Case {
    options: &["--memory", "32M"],
    ..Case::new("7a-bodies", "forty have sent half a body of 1 MB, one of them drips", half_sent_bodies)
}];

fn half_sent_bodies(scene: &mut Scene) -> io::Result<()> {
    scene.innocents.push(Innocent::publishes("lobby", 100_000, Duration::from_millis(50), SHORT));
    let whole = frame(PUBLISH, 0, 0, publish("lobby", &vec![7; 1_000_000]));
    let (taken, _all) = scene.attack(|hub, until| {
        let mut all = Crowd::connect(hub.native(), 40)?;
        // The first one drips.
        let drip = |index, sent| &whole[sent..if index == 0 { sent + 50 } else { 900_000 }];
        Ok((all.send_slowly(until, drip), all))
    })?;
    scene.note(format!("{:.1} MB taken", taken as f64 / 1e6));
    Ok(())
}
