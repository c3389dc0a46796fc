//! The host program and the rooms of its hub: listeners, and the methods of a handle.

use crate::support::TempPath;
use cubby::{Client, Event, EventType, HOST, Handle, HostError, Listener, Push, Server, SharedEvent, Status, WhenFull};
use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// A hub on a thread of its own: its address and its handle.
fn hub(builder: cubby::Builder) -> (String, Handle, JoinHandle<io::Result<()>>) {
    let mut server = builder.listen("127.0.0.1:0").bind().expect("a free port");
    let (address, handle) = (server.addresses()[0].to_string(), server.handle());
    (address, handle, spawn(move || server.run()))
}

fn client(address: &str, name: &str) -> Client {
    Client::connect_as(address, name, Duration::from_secs(20)).expect("the hub is up")
}

/// The next push of a client, which is an event.
fn event(client: &mut Client) -> Event {
    match client.next(Some(Duration::from_secs(20))).expect("the hub is up") {
        Some(Push::Event(event)) => event,
        other => panic!("{other:?}"),
    }
}

/// A listener that forwards the events that it receives.
fn reporting(to: Sender<(String, u64)>) -> impl FnMut(&SharedEvent) + Send {
    move |event| {
        let event = event.view();
        to.send((event.room.to_owned(), event.id)).expect("the test listens");
    }
}

#[test]
fn listeners_hear_every_room_or_one() {
    let mut server = Server::builder().bind().expect("nothing to fail");
    let ((all, heard), (some, heard_some)) = (channel(), channel());
    server.listen_to_all(reporting(all));
    server.listen_to("lobby", reporting(some));
    let publish = |server: &mut Server, room| server.publish(room, b"hi").expect("it may");
    assert_eq!((publish(&mut server, "lobby"), publish(&mut server, "attic")), (1, 1));
    assert_eq!(publish(&mut server, "lobby"), 2);
    assert!(server.close_room("lobby") && !server.close_room("lobby"));
    assert_eq!(publish(&mut server, "lobby"), 1);
    let told = |heard: Receiver<(String, u64)>| heard.try_iter().collect::<Vec<_>>();
    let in_lobby = |id| ("lobby".to_owned(), id);
    assert_eq!(told(heard), [in_lobby(1), ("attic".to_owned(), 1), in_lobby(2), in_lobby(3), in_lobby(1)]);
    assert_eq!(told(heard_some), [in_lobby(1), in_lobby(2), in_lobby(3), in_lobby(1)]);
}

#[test]
fn the_host_means_the_same_room_in_any_normal_form() {
    let (nfc, nfd) = ("Zo\u{eb}", "Zoe\u{308}");
    let mut server = Server::builder().bind().expect("nothing to fail");
    let (tell, told) = channel();
    server.listen_to(nfd, reporting(tell));
    assert_eq!(["a", "b"].map(|body| server.publish(nfc, body.as_bytes()).expect("it may")), [1, 2]);
    assert_eq!(server.publish(nfd, b"c").expect("it may"), 3);
    assert_eq!(server.history(nfd, 0, 9).len(), 3);
    assert!(server.members(nfd).is_empty());
    assert!(server.close_room(nfd) && !server.close_room(nfc));
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [1, 2, 3, 4].map(|id| (nfc.to_owned(), id)));
}

#[test]
fn an_event_is_queued_for_the_members_when_a_listener_hears_it() {
    let (address, handle, _hub) = hub(Server::builder());
    let (tell, told) = channel();
    handle.listen_to_all(reporting(tell)).expect("the hub is up");
    let mut ann = client(&address, "ann");
    assert_eq!(ann.join("lobby").expect("an answer").newest, 1);
    assert_eq!(told.recv().expect("it was heard"), ("lobby".to_owned(), 1));
    assert_eq!(event(&mut ann).what, EventType::Join);
    handle.stop().expect("the hub is up");
}

/// A listener that removes itself after two events.
struct Impatient(Arc<Mutex<u32>>);

impl Listener for Impatient {
    fn hear(&mut self, _: &SharedEvent) -> ControlFlow<()> {
        let mut heard = self.0.lock().expect("nobody panics with it");
        *heard += 1;
        if *heard < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

#[test]
fn a_listener_may_have_heard_enough() {
    let mut server = Server::builder().bind().expect("nothing to fail");
    let heard = Arc::new(Mutex::new(0));
    server.listen_to("lobby", Impatient(heard.clone()));
    for id in 1..=5 {
        assert_eq!(server.publish("lobby", b""), Ok(id));
    }
    assert_eq!(*heard.lock().expect("nobody panics with it"), 2);
}

#[test]
fn a_bot_may_answer_from_within_a_listener_but_not_wait_there() {
    let mut server = Server::bind("127.0.0.1:0").expect("a free port");
    let (address, handle) = (server.addresses()[0].to_string(), server.handle());
    let (tell, told) = channel();
    let bot = handle.clone();
    server.listen_to("lobby", move |event: &SharedEvent| {
        if event.view().body == b"ping" {
            tell.send(bot.publish("lobby", b"pong")).expect("the test listens");
            bot.post("lobby", b"pong").expect("the hub is up");
        }
    });
    let hub = spawn(move || server.run());
    let mut ann = client(&address, "ann");
    ann.join("lobby").expect("an answer");
    assert_eq!(ann.publish("lobby", b"ping").expect("an answer"), 2);
    let said: Vec<Event> = (0..3).map(|_| event(&mut ann)).collect();
    assert_eq!((said[2].id, said[2].session, &said[2].name[..], &said[2].body[..]), (3, HOST, "", &b"pong"[..]));
    assert_eq!(told.recv().expect("it was asked"), Err(HostError::WouldDeadlock));
    handle.stop().expect("the hub is up");
    hub.join().expect("no panic").expect("an orderly end");
    assert_eq!(handle.post("lobby", b""), Err(HostError::Gone));
}

#[test]
fn a_handle_speaks_sends_looks_around_and_closes() {
    let (address, handle, hub) = hub(Server::builder().max_rooms(1));
    let (mut ann, mut bob) = (client(&address, "ann"), client(&address, "bob"));
    ann.join("lobby").expect("an answer");
    bob.join("lobby").expect("an answer");
    assert_eq!(handle.publish("lobby", b"welcome"), Ok(3));
    assert!(matches!(handle.publish("attic", b""), Err(HostError::LimitReached(why)) if why.contains("1 rooms")));
    assert!(matches!(handle.publish("\n", b""), Err(HostError::BadName(_))));
    let members = [(ann.welcome().user, "ann".to_owned()), (bob.welcome().user, "bob".to_owned())];
    assert_eq!(handle.members("lobby"), Ok(members.to_vec()));
    assert_eq!(handle.members("attic"), Ok(vec![]));
    let past = handle.history("lobby", 1, 5).expect("the hub is up");
    let told: Vec<(u64, EventType)> = past.iter().map(|event| (event.view().id, event.view().what)).collect();
    assert_eq!(told, [(2, EventType::Join), (3, EventType::Message)]);
    assert_eq!(handle.send(&["bob", "eve"], b"just for you"), Ok(vec![Status::Queued, Status::Unknown]));
    assert_eq!(handle.close_room("lobby"), Ok(true));
    assert_eq!(handle.close_room("lobby"), Ok(false));
    let told: Vec<EventType> = (0..4).map(|_| event(&mut ann).what).collect();
    assert_eq!(told, [EventType::Join, EventType::Join, EventType::Message, EventType::Close]);
    (0..2).for_each(|_| drop(event(&mut bob)));
    let Some(Push::Mail(mail)) = bob.next(None).expect("the hub is up") else { panic!("a mail was sent") };
    assert_eq!((mail.sender, &mail.name[..], &mail.body[..], mail.id), (HOST, "", &b"just for you"[..], 1));
    assert_eq!(event(&mut bob).what, EventType::Close);
    assert!(bob.who("lobby").is_err(), "nobody is in it any more");
    assert_eq!(bob.join("lobby").expect("an answer").newest, 1, "numbers begin anew");
    handle.stop().expect("the hub is up");
    hub.join().expect("no panic").expect("an orderly end");
    assert_eq!(handle.history("lobby", 0, 1).err(), Some(HostError::Gone));
}

#[test]
fn a_host_thread_gets_events_by_a_channel_that_ends_with_the_hub() {
    let (address, handle, hub) = hub(Server::builder());
    let (listener, events) = cubby::event_channel(100, 1 << 20, WhenFull::Drop);
    handle.listen_to_all(listener).expect("the hub is up");
    let mut ann = client(&address, "ann");
    ann.join("lobby").expect("an answer");
    ann.publish("lobby", b"hello").expect("an answer");
    handle.stop().expect("the hub is up");
    hub.join().expect("no panic").expect("an orderly end");
    let told: Vec<Event> = std::iter::from_fn(|| events.recv()).map(|event| event.to_event()).collect();
    let kinds: Vec<EventType> = told.iter().map(|event| event.what).collect();
    assert_eq!(kinds, [EventType::Join, EventType::Message, EventType::Leave], "whoever was there has left");
    assert!(told.iter().zip(1..).all(|(event, id)| event.id == id && event.name == "ann"));
    assert!(told[2].unix_ms >= told[0].unix_ms && events.dropped() == 0);
}

#[test]
fn a_client_does_all_that_can_be_done_in_rooms() {
    let path = TempPath::new("client.sock");
    let mut server = Server::bind(&format!("unix:{}", path.as_str())).expect("a fresh path");
    let (address, handle) = (server.addresses()[0].to_string(), server.handle());
    let hub = spawn(move || server.run());
    let (mut ann, mut bob) = (client(&address, "ann"), client(&address, "bob"));
    assert_eq!(ann.join("lobby").map(|joined| (joined.sessions, joined.newest)).expect("an answer"), (1, 1));
    assert_eq!(bob.publish("lobby", b"from outside").expect("an answer"), 2);
    assert_eq!(bob.join("lobby").map(|joined| (joined.sessions, joined.newest)).expect("an answer"), (2, 3));
    assert_eq!(ann.publish_no_echo("lobby", b"quietly").expect("an answer"), 4);
    let history = bob.history("lobby", 1, 2).expect("an answer");
    assert_eq!((history.events.len(), history.oldest, history.newest), (2, 1, 4));
    assert_eq!(&history.events[0].body[..], b"from outside");
    assert_eq!(bob.events_after("lobby", 2).expect("an answer").len(), 2);
    let names: Vec<String> = ann.who("lobby").expect("an answer").into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["ann", "bob"]);
    bob.leave("lobby").expect("an answer");
    let refused = bob.leave("lobby").expect_err("it has left");
    assert!(matches!(refused, cubby::ClientError::Refused { code: cubby::ErrorCode::NotInRoom, fatal: false, .. }));
    let ids: Vec<u64> = (0..4).map(|_| event(&mut ann).id).collect();
    assert_eq!(ids, [1, 2, 3, 5], "its own quiet words are left out");
    assert_eq!(ann.next(Some(Duration::ZERO)).expect("nothing is wrong"), None);
    let too_long = "x".repeat(300);
    assert!(matches!(ann.join(&too_long), Err(cubby::ClientError::NameTooLong { len: 300 })));
    assert_eq!(bob.send(&["ann", "eve"], b"hi").expect("an answer"), [Status::Queued, Status::Unknown]);
    assert!(matches!(ann.next(None), Ok(Some(Push::Mail(mail))) if mail.name == "bob" && mail.body == b"hi"));
    handle.stop().expect("the hub is up");
    hub.join().expect("no panic").expect("an orderly end");
}

#[test]
fn a_listener_outside_a_turn_may_not_wait_either() {
    let mut server = Server::builder().bind().expect("nothing to fail");
    let (handle, (tell, told)) = (server.handle(), channel());
    server.listen_to("a", move |_: &SharedEvent| tell.send(handle.stats().map(drop)).expect("the test listens"));
    assert_eq!(server.publish("a", b""), Ok(1));
    assert!(server.close_room("a"));
    assert_eq!(told.try_iter().collect::<Vec<_>>(), vec![Err(HostError::WouldDeadlock); 2]);
}

#[test]
fn listeners_that_post_to_each_other_for_ever_stop_nobody() {
    let mut server = Server::bind("127.0.0.1:0").expect("a free port");
    let (address, handle) = (server.addresses()[0].to_string(), server.handle());
    for (heard, said) in [("a", "b"), ("b", "a")] {
        let handle = handle.clone();
        server.listen_to(heard, move |_: &SharedEvent| {
            // Each event causes two more: more than the hub can ever process.
            let _ = (handle.post(said, b""), handle.post(said, b""));
        });
    }
    let hub = spawn(move || server.run());
    handle.post("a", b"").expect("the hub is up");
    let mut ann = client(&address, "ann");
    for _ in 0..20 {
        ann.identity().expect("an answer");
    }
    assert_eq!(std::iter::repeat_with(|| handle.post("c", b"")).find_map(Result::err), Some(HostError::Busy));
    handle.stop().expect("the hub is up");
    hub.join().expect("no panic").expect("an orderly end");
}

#[test]
fn what_is_posted_is_bounded_by_the_memory_limit_and_counts_towards_it() {
    let mut server = Server::builder().memory(1 << 20).bind().expect("nothing to fail");
    let handle = server.handle();
    server.turn(Some(Duration::ZERO)).expect("it works");
    let said = std::iter::repeat_with(|| handle.post("lobby", &[7; 20_000]).err()).position(|error| error.is_some());
    assert_eq!(said, Some(7), "an eighth of the limit");
    let (listener, events) = cubby::event_channel(1024, 1 << 20, WhenFull::Drop);
    server.listen_to_all(listener);
    server.turn(None).expect("it works");
    let held = server.stats().held;
    assert!((140_000..145_000).contains(&held), "in the channel, and not posted any more: {held} B");
    let heard = std::iter::from_fn(|| events.try_recv().ok()).count();
    assert!(handle.post("lobby", b"").is_ok() && server.turn(None).is_ok());
    assert_eq!((heard, events.try_recv().is_ok(), server.turn(Some(Duration::ZERO)).is_ok()), (7, true, true));
    assert!(server.stats().held < 1000 && server.stats().events_dropped == 0, "{} B for the room", server.stats().held);
}

#[test]
fn clients_go_on_when_a_listener_has_passed_on_what_filled_the_memory() {
    let (address, handle, hub) = hub(Server::builder().max_body(16 << 10).memory(512 << 10));
    let (listener, events) = cubby::event_channel(1024, 1 << 20, WhenFull::Drop);
    handle.listen_to_all(listener).expect("the hub is up");
    let told = (0..100).take_while(|_| handle.publish("lobby", &[7; 10_000]).is_ok()).count();
    assert!((50..=53).contains(&told), "the channel holds all that the hub may hold: {told} events");
    let ann = spawn(move || client(&address, "ann").identity());
    std::thread::sleep(Duration::from_millis(300));
    assert!(!ann.is_finished(), "nobody is read");
    while events.recv_timeout(Duration::from_millis(1)).is_ok() {}
    ann.join().expect("no panic").expect("an answer");
    handle.stop().expect("the hub is up");
    hub.join().expect("no panic").expect("an orderly end");
}

#[test]
fn what_a_host_says_at_once_is_told_in_several_turns() {
    let mut server = Server::builder().bind().expect("nothing to fail");
    let handle = server.handle();
    (0..200).for_each(|_| handle.post("lobby", &[7; 60_000]).expect("the hub is up"));
    let (mut turns, mut told) = (0, 0);
    while told < 200 {
        server.turn(None).expect("it works");
        let now = server.stats().events;
        assert!(now - told <= 20, "a quarter of a queue, and the one that filled it: {}", now - told);
        (turns, told) = (turns + 1, now);
        assert!(turns < 1000, "it stops half-way");
    }
}
