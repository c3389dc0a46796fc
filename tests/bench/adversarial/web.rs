//! Those who come by HTTP or WebSocket, where a short text can become a long one and the reverse.

use crate::client::{Client, Crowd};
use crate::hub::Hub;
use crate::non_readers::waves;
use crate::scene::{Case, SET_UP, Scene};
use crate::support::web::{TEXT, handshake, message};
use crate::support::*;
use crate::work::flood;
use std::io::{self, Read};
use std::time::{Duration, Instant};

pub const CASES: [Case; 4] = [
    Case::new("7b-controls", "four GET the history of 1 MB of control characters as fast as they can", controls),
    Case {
        options: &["--max-body", "100M", "--history-total", "4M"],
        // A request is executed in one turn, and this one has 100 MB.
        turn: Duration::from_millis(300),
        ..Case::new("7c-escapes", "one message in JSON has 570 MB of escapes", escapes)
    },
    Case::new("8a-json-list", "40 every 2 s ask LIST of 8,000 in JSON 50 times and do not read", unread_json),
    Case::new(
        "8b-json-history",
        "20 ask HISTORY of 1 MB of control characters in JSON as fast as they read",
        json_history,
    ),
];

/// A room of 1 MB of characters that take six bytes in JSON.
fn fill_with_controls(hub: &Hub) -> io::Result<()> {
    let event = frame(PUBLISH, 0, 0, publish("controls", &[1; 1000]));
    let mut client = hub.connect()?;
    client.send(&event.repeat(1000))?;
    client.ask(&frame(PING, 0, 0, []), 0x8C).map(drop)
}

fn controls(scene: &mut Scene) -> io::Result<()> {
    fill_with_controls(&scene.hub)?;
    let get = b"GET /rooms/controls/history HTTP/1.1\r\nHost: localhost\r\n\r\n";
    flood(scene, Hub::web, 4, &[], get)
}

fn json_history(scene: &mut Scene) -> io::Result<()> {
    fill_with_controls(&scene.hub)?;
    let first = [handshake("").into_bytes(), say(r#"{"type":"join","room":"controls"}"#)].concat();
    flood(scene, Hub::web, 20, &first, &say(r#"{"type":"history","room":"controls","after":0,"limit":1000}"#))
}

fn unread_json(scene: &mut Scene) -> io::Result<()> {
    let _sessions = Crowd::connect(scene.hub.native(), 8000)?;
    let asks = [handshake("").into_bytes(), say(r#"{"type":"list"}"#).repeat(50)].concat();
    scene.attack(|hub, until| waves(hub.web(), &asks, until)).map(drop)
}

/// A text message.
fn say(json: &str) -> Vec<u8> {
    message(TEXT, json)
}

fn escapes(scene: &mut Scene) -> io::Result<()> {
    let body = r"\u0001".repeat(95_000_000);
    let whole = say(&format!(r#"{{"type":"publish","room":"lobby","receipt":true,"body":"{body}"}}"#));
    drop(body);
    let (sent, answer) = scene.attack(|hub, until| {
        let mut client = Client::connect(hub.web())?;
        client.send(handshake("").as_bytes())?;
        // The answer to the handshake comes in one piece.
        let _ = client.0.get_mut().read(&mut [0; 1024])?;
        let mut sent = 0;
        while sent < whole.len() && Instant::now() < until + SET_UP {
            client.send(&whole[sent..whole.len().min(sent + 1_000_000)])?;
            sent = whole.len().min(sent + 1_000_000);
        }
        let mut answer = [0; 256];
        let count = client.0.get_mut().read(&mut answer)?;
        Ok((sent, String::from_utf8_lossy(&answer[..count]).into_owned()))
    })?;
    let answer = answer.trim_start_matches(|letter| letter != '{');
    scene.note(format!("{} MB sent, and the answer is {answer}", sent / 1_000_000));
    Ok(())
}
