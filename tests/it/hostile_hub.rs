//! The client against hubs that never come to an end: what others send must neither fill its memory nor keep it for
//! ever.

use crate::chat::Chat;
use crate::support::*;
use cubby::{Client, ClientError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a reply costs at most before a test ends that would never end by itself.
const ENOUGH: usize = 200 << 20;

/// A request as the hub reads it.
pub struct Asked {
    pub kind: u8,
    pub tag: u16,
}

impl Asked {
    /// The next request, without its payload; `None` if the client is gone.
    fn read(stream: &mut TcpStream) -> Option<Asked> {
        let mut header = [0; 8];
        stream.read_exact(&mut header).ok()?;
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        io::copy(&mut Read::by_ref(stream).take(length.into()), &mut io::sink()).ok()?;
        Some(Asked { kind: header[0], tag: u16::from_be_bytes([header[2], header[3]]) })
    }
}

/// Starts a hub that greets one client after the other, and answers everything else by `answer`. Returns its address.
pub fn hub(mut answer: impl FnMut(&mut TcpStream, &Asked) -> io::Result<()> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client comes");
            while let Some(asked) = Asked::read(&mut stream) {
                let answered = match asked.kind {
                    HELLO => stream.write_all(&welcome(asked.tag)),
                    _ => answer(&mut stream, &asked),
                };
                if answered.is_err() {
                    break;
                }
            }
        }
    });
    address
}

/// The WELCOME of a hub that accepts bodies of 4 MiB.
fn welcome(tag: u16) -> Vec<u8> {
    let payload = [&[1][..], &7u64.to_be_bytes(), &(4u32 << 20).to_be_bytes(), &[0, 255, 0, 0, 0], &str8("cubby/9")];
    frame(0x81, 0, tag, payload.concat())
}

pub fn joined(tag: u16) -> Vec<u8> {
    frame(0x87, 0, tag, [&2u32.to_be_bytes()[..], &1u64.to_be_bytes(), &7u64.to_be_bytes()].concat())
}

/// An EVENT: a message in the lobby.
pub fn message(flags: u8, tag: u16, id: u64, body: &[u8]) -> Vec<u8> {
    message_in("lobby", flags, tag, id, body)
}

fn message_in(room: &str, flags: u8, tag: u16, id: u64, body: &[u8]) -> Vec<u8> {
    let numbers = [id, 1_700_000_000_000, 9].map(u64::to_be_bytes).concat();
    frame(EVENT, flags, tag, [&[1][..], &numbers, &str8(room), &str8("mallory"), body].concat())
}

/// The end of the reply to HISTORY.
pub fn history_end(tag: u16, newest: u64) -> Vec<u8> {
    frame(
        0x8A,
        0,
        tag,
        [&1u64.to_be_bytes()[..], &newest.to_be_bytes(), &1u32.to_be_bytes(), &7u64.to_be_bytes()].concat(),
    )
}

/// A part of the reply to LIST or WHO, with many users, and more to follow.
fn part(asked: &Asked) -> Vec<u8> {
    let user =
        if asked.kind == LIST { 9u64.to_be_bytes().to_vec() } else { [&9u64.to_be_bytes()[..], &str8("eve")].concat() };
    frame(asked.kind | 0x80, 1, asked.tag, user.repeat(512))
}

/// Sends this again and again, until the client is gone or had enough.
fn without_end(stream: &mut TcpStream, frame: &[u8]) -> io::Result<()> {
    for _ in 0..ENOUGH / frame.len() {
        stream.write_all(frame)?;
    }
    Err(io::ErrorKind::BrokenPipe.into())
}

/// Runs a command against a hub. Returns its exit code, what it said, and how long it took.
fn call(hub: &str, arguments: &[&str]) -> (Option<i32>, String, Duration) {
    let begun = Instant::now();
    let output = run(cubby(hub, arguments), b"");
    (output.status.code(), text(&output.stderr).to_owned(), begun.elapsed())
}

#[test]
fn a_reply_without_end_is_given_up_when_it_has_more_than_any_hubs_users() {
    for command in [&["list"][..], &["who", "lobby"], &["list", "--json"]] {
        let hub = hub(|stream, asked| match asked.kind {
            JOIN => stream.write_all(&joined(asked.tag)),
            _ => without_end(stream, &part(asked)),
        });
        let (code, said, _) = call(&hub, command);
        assert_eq!((code, said.as_str()), (Some(1), "cubby: the hub sends more than 33554432 bytes in one reply\n"));
    }
}

#[test]
fn a_reply_that_drips_takes_no_longer_than_the_timeout() {
    for command in [&["list", "--timeout", "1"][..], &["who", "lobby", "--timeout", "1"]] {
        let hub = hub(|stream, asked| match asked.kind {
            JOIN => stream.write_all(&joined(asked.tag)),
            _ => (0..100).try_for_each(|_| {
                std::thread::sleep(Duration::from_millis(100));
                stream.write_all(&part(asked))
            }),
        });
        let (code, said, took) = call(&hub, command);
        assert_eq!((code, said.as_str()), (Some(1), "cubby: the hub did not reply in time\n"));
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[test]
fn several_slow_replies_together_take_no_longer_than_the_timeout() {
    let hub = hub(|stream, asked| {
        std::thread::sleep(Duration::from_millis(700));
        match asked.kind {
            JOIN => stream.write_all(&joined(asked.tag)),
            WHO => stream.write_all(&frame(0x8B, 0, asked.tag, [])),
            _ => stream.write_all(&frame(asked.kind | 0x80, 0, asked.tag, [])),
        }
    });
    let (code, said, _) = call(&hub, &["who", "lobby", "--timeout", "1"]);
    assert_eq!((code, said.as_str()), (Some(1), "cubby: the hub did not reply in time\n"));
}

#[test]
fn a_hub_that_reads_one_byte_after_the_other_is_waited_for_until_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client comes");
        let hello = Asked::read(&mut stream).expect("HELLO");
        stream.write_all(&welcome(hello.tag)).expect("it reads");
        while stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let mut client = Client::connect(&address).expect("a hub");
    client.set_deadline(Instant::now().checked_add(Duration::from_millis(300)));
    let begun = Instant::now();
    // More than the buffers of two sockets take, in several requests.
    let sent = (0..8).try_for_each(|_| client.relay(&[cubby::UserId(9)], &vec![0; 4 << 20]).map(drop));
    assert!(matches!(sent, Err(ClientError::TimedOut)), "{sent:?}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn pushes_that_come_in_place_of_a_reply_are_queued_up_to_a_bound() {
    let body = vec![b'x'; 1 << 20];
    let address =
        hub(move |stream, _| without_end(stream, &frame(DELIVER, 0, 0, [&9u64.to_be_bytes()[..], &body].concat())));
    let mut client = Client::connect(&address).expect("a hub");
    let answer = client.identity();
    assert!(matches!(answer, Err(ClientError::TooMuch { max, .. }) if max == 64 << 20), "{answer:?}");
    assert_eq!(client.queued(), 63);
}

#[test]
fn a_single_body_may_be_as_large_as_the_hub_allows() {
    let body = vec![b'x'; 70 << 20];
    let address = hub(move |stream, asked| match asked.kind {
        HISTORY => {
            stream.write_all(&message(1, asked.tag, 1, &body))?;
            stream.write_all(&history_end(asked.tag, 1))
        }
        _ => {
            stream.write_all(&frame(DELIVER, 0, 0, [&9u64.to_be_bytes()[..], &body].concat()))?;
            stream.write_all(&frame(asked.kind | 0x80, 0, asked.tag, 7u64.to_be_bytes()))
        }
    });
    let mut client = Client::connect(&address).expect("a hub");
    assert_eq!(client.identity().expect("a reply"), cubby::UserId(7));
    assert_eq!(client.queued(), 1);
    assert_eq!(client.history("lobby", 0, 9).expect("a page").events[0].body.len(), 70 << 20);
}

#[test]
fn a_reply_in_one_frame_without_end_is_refused_by_its_header() {
    let address = hub(|stream, asked| {
        let mut head = frame(asked.kind | 0x80, 0, asked.tag, []);
        head[4..].copy_from_slice(&(1u32 << 30).to_be_bytes());
        stream.write_all(&head)
    });
    let (code, said, _) = call(&address, &["list", "--timeout", "5"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("it announced a payload of 1073741824 bytes"), "{said}");
}

#[test]
fn a_history_without_end_is_given_up_and_its_pages_are_not() {
    let serve = || {
        let mut id = 0;
        hub(move |stream, asked| {
            for _ in 0..2 {
                id += 1;
                stream.write_all(&message(1, asked.tag, id, &vec![b'x'; 1 << 20]))?;
            }
            stream.write_all(&history_end(asked.tag, u64::MAX))
        })
    };
    let mut client = Client::connect(&serve()).expect("a hub");
    let all = client.events_after("lobby", 0);
    assert!(matches!(all, Err(ClientError::TooMuch { max, .. }) if max == 32 << 20), "{:?}", all.map(|all| all.len()));
    let mut client = Client::connect(&serve()).expect("a hub");
    let mut pages = cubby::Pages::new("lobby", 0, 99);
    let mut ids = Vec::new();
    while let Some(events) = pages.next(&mut client).expect("a page") {
        ids.extend(events.iter().map(|event| event.id));
    }
    assert!(ids.iter().copied().eq(1..=99), "{ids:?}");
}

#[test]
fn a_question_with_too_long_an_answer_is_not_asked_again_after_a_reconnect() {
    let lists = Arc::new(AtomicUsize::new(0));
    let counted = lists.clone();
    let address = hub(move |stream, asked| match asked.kind {
        LIST => {
            counted.fetch_add(1, Ordering::Relaxed);
            without_end(stream, &part(asked))
        }
        _ => stream.write_all(&frame(asked.kind | 0x80, 0, asked.tag, 7u64.to_be_bytes())),
    });
    let mut ann = Chat::start(&address, "ann");
    ann.type_line("list");
    assert!(ann.said().contains("more than 33554432 bytes in one reply; trying to reconnect"));
    assert_eq!(ann.said(), "cubby: the hub is back");
    assert_eq!(ann.end(), (vec![], vec![], Some(0)));
    assert_eq!(lists.load(Ordering::Relaxed), 1);
}

#[test]
fn a_hub_cannot_put_anyone_into_rooms_that_they_did_not_join() {
    // An event that shows a gap, and a history with events of ever new rooms.
    let rooms = |flags, tag| (1..5).flat_map(move |id| message_in(&format!("room {id}"), flags, tag, id, b"boo"));
    let address = hub(move |stream, asked| match asked.kind {
        JOIN => {
            stream.write_all(&joined(asked.tag))?;
            stream.write_all(&[rooms(0, 0).collect(), message(0, 0, 5, b"hello")].concat())
        }
        HISTORY => {
            stream.write_all(&rooms(1, asked.tag).collect::<Vec<u8>>())?;
            stream.write_all(&history_end(asked.tag, 5))
        }
        _ => stream.write_all(&frame(asked.kind | 0x80, 0, asked.tag, 7u64.to_be_bytes())),
    });
    let mut ann = Chat::start(&address, "ann");
    ann.type_line("sub lobby");
    assert!(ann.said().contains("r/lobby no longer remembers"));
    assert_eq!(ann.shown(), "[r/lobby]> (@mallory): hello");
    ann.type_line("rooms");
    assert_eq!(ann.end(), (vec!["r/lobby".to_owned()], vec![], Some(0)));
    let mut sub = cubby(&address, &["sub", "lobby"]);
    let mut child = sub.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let first = BufReader::new(child.stdout.take().expect("piped")).lines().next();
    child.kill().expect("it goes on until then");
    let said = child.wait_with_output().expect("it was started").stderr;
    assert!(text(&said).contains("r/lobby no longer remembers"), "{}", text(&said));
    assert_eq!(first.expect("a line").expect("text"), "[r/lobby]> (@mallory): hello");
}

#[test]
fn a_room_that_never_pauses_does_not_keep_who_leaves_the_chat() {
    // Only whole frames may be written by either thread.
    let writing = Arc::new(Mutex::new(()));
    let address = hub(move |stream, asked| match asked.kind {
        JOIN => {
            stream.write_all(&joined(asked.tag))?;
            let (mut flood, writing) = (stream.try_clone()?, writing.clone());
            std::thread::spawn(move || {
                // Their ids are put in afterwards: this must be faster than the chat shows them.
                let one = message(0, 0, 0, b"hello");
                let mut events = one.repeat(2000);
                for first in (1u64..).step_by(2000) {
                    for (id, event) in (first..).zip(events.chunks_mut(one.len())) {
                        event[9..17].copy_from_slice(&id.to_be_bytes());
                    }
                    let written = writing.lock().map(|_whole| flood.write_all(&events));
                    if !written.is_ok_and(|written| written.is_ok()) {
                        return;
                    }
                    std::thread::yield_now();
                }
            });
            Ok(())
        }
        _ => {
            let _whole = writing.lock().expect("nothing panics there");
            stream.write_all(&frame(asked.kind | 0x80, 0, asked.tag, 7u64.to_be_bytes()))
        }
    });
    let mut command = cubby(&address, &["chat", "--name", "ann"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(b"sub lobby\nquit\n").expect("it reads");
    let code = eventually("it ends", || child.try_wait().expect("it was started"));
    assert_eq!(code.code(), Some(0));
}
