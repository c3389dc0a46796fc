//! What others can make grow in the chat page, and in the client library: each has a bound, and one sees when it is
//! reached.

use crate::browser::{addresses, count_of, enter, has_line, hub, say, say_numbered, speak};
use crate::devtools::{Browser, Page};
use crate::support::*;
use serde_json::Value;
use std::time::Instant;

/// Sends a text to ann under a name of its own.
fn mail_as(client: &mut Raw, name: &str, body: &str) {
    client.send(&frame(HELLO, 0, 1, [&[1], &str8(name)[..], &[0, 0]].concat()));
    client.send(&frame(SEND, RECEIPT, 2, send(&["ann"], body.as_bytes())));
    while client.receive().kind != 0x85 {}
}

/// How many elements the page has of this kind.
fn count(page: &Page<'_>, selector: &str) -> u64 {
    let script = format!("document.querySelectorAll({}).length", Value::from(selector));
    page.evaluate(&script).as_u64().expect("a number")
}

fn click(page: &Page<'_>, selector: &str) {
    page.evaluate(&format!("document.querySelector({}).click()", Value::from(selector)));
}

/// The part of the address that the page writes.
fn fragment(page: &Page<'_>) -> String {
    page.evaluate("location.hash").as_str().expect("text").to_owned()
}

/// The page draws, and does so soon.
fn is_alive(page: &Page<'_>) {
    let frame = "new Promise((done) => { const begun = performance.now(); \
                 requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun))); })";
    let took = page.evaluate(frame).as_f64().expect("a time");
    assert!(took < 2000.0, "{took} ms");
}

#[test]
fn mail_under_ever_new_names_goes_into_one_inbox() {
    let hub = hub();
    let (native, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    let address = fragment(&ann);
    let mut mallory = Raw::connect(&native);
    for number in 0..20_000 {
        mail_as(&mut mallory, &format!("mallory {number}"), &format!("request {number}"));
    }
    mail_as(&mut mallory, "bob", "the last request");
    ann.wait_for("document.querySelector('[data-inbox] .badge').textContent.startsWith('999+')");
    is_alive(&ann);
    assert_eq!((count(&ann, "[role=tab]"), fragment(&ann)), (2, address));
    click(&ann, "[data-inbox]");
    ann.wait_for(&has_line("the last request"));
    ann.picture("requests");
    assert!(count(&ann, "*") < 5000);
    let top = "document.getElementById('scroll').scrollTop = 0, document.getElementById('older').textContent";
    ann.wait_for(&format!("({top}).includes('older messages were let go')"));
    assert_eq!(ann.evaluate("document.getElementById('composer').hidden"), true);
    // One answer makes a talk of bob's request, which then belongs into the address.
    ann.wait_for(&format!("(document.getElementById('jump').click(), {})", has_line("the last request")));
    ann.evaluate("[...document.querySelectorAll('#log button')].at(-1).click()");
    ann.wait_for("document.getElementById('title').textContent.includes('bob')");
    assert_eq!((count_of(&ann, "the last request"), count(&ann, "[role=tab]")), (1, 3));
    say(&ann, "yes?");
    assert!(mallory.receive().payload.ends_with(b"yes?"));
    mail_as(&mut mallory, "bob", "hello again");
    ann.wait_for(&has_line("hello again"));
    assert!(fragment(&ann).contains("dm=bob") && !fragment(&ann).contains("mallory"), "{}", fragment(&ann));
    ann.reload();
    ann.wait_for("document.querySelectorAll('[role=tab]').length === 2");
}

#[test]
fn those_whom_one_has_answered_open_few_tabs_again_and_none_in_the_address() {
    let hub = hub();
    let (native, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    let address = fragment(&ann);
    let mut friends: Vec<Raw> = (0..9).map(|_| Raw::connect(&native)).collect();
    for (number, friend) in friends.iter_mut().enumerate() {
        mail_as(friend, &format!("friend {number}"), "hi");
        ann.wait_for("document.querySelector('[data-inbox]') !== null");
        click(&ann, "[data-inbox]");
        ann.wait_for(&has_line("hi"));
        click(&ann, "#log button");
        ann.wait_for(&format!("document.getElementById('title').textContent.includes('friend {number}')"));
        say(&ann, "hi to you");
        assert!(friend.receive().payload.ends_with(b"hi to you"));
        // Only once the hub has confirmed it, or the page asks whether to drop it.
        ann.wait_for("[...document.querySelectorAll('#log .text')].some((text) => text.textContent === 'hi to you')");
        click(&ann, "#leave");
        ann.wait_for("document.querySelectorAll('[role=tab]').length === 1");
    }
    for (number, friend) in friends.iter_mut().enumerate() {
        mail_as(friend, &format!("friend {number}"), "are you there?");
    }
    ann.wait_for("document.querySelector('[data-inbox]') !== null");
    assert_eq!((count(&ann, "[role=tab]"), count(&ann, "[data-dm]"), fragment(&ann)), (10, 8, address));
}

#[test]
fn a_room_of_large_messages_is_kept_by_their_size() {
    let hub = hub();
    let (native, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    let mut bob = Raw::connect(&native);
    bob.join("lobby");
    for _ in 0..140 {
        speak(&mut bob, &vec![b'w'; 100_000]);
    }
    speak(&mut bob, b"the end");
    ann.wait_for(&has_line("the end"));
    // Of 14 million characters a tab keeps at most 8.
    assert!(count(&ann, "#log > *") <= 80, "{}", count(&ann, "#log > *"));
}

#[test]
fn what_one_reads_is_let_go_when_too_much_arrives_below_it() {
    let hub = hub();
    let (native, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    let mut bob = say_numbered(&native, 200);
    ann.wait_for(&has_line("message 200"));
    ann.evaluate("document.getElementById('scroll').scrollTop -= 200");
    ann.wait_for("!document.getElementById('jump').hidden");
    for _ in 0..8200 {
        speak(&mut bob, b"flood");
    }
    ann.wait_for("document.getElementById('jump').hidden");
    ann.wait_for("document.getElementById('log').textContent.includes('flood')");
    is_alive(&ann);
    assert!(count(&ann, "#log > *") <= 300);
}

#[test]
fn neither_the_members_of_a_room_nor_the_questions_for_them_grow_without_end() {
    let hub = hub();
    let (_, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    // Takes hold of the page's socket, and tells it events as if they came from the hub.
    ann.evaluate(
        "window.asked = []; const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (data) {
            window.socket = this; asked.push(JSON.parse(data).type); send.call(this, data);
        };
        window.last = +[...document.querySelectorAll('#log > [data-id]')].at(-1).dataset.id;
        window.tell = (id, type) => socket.onmessage({ data: JSON.stringify({ id, chatroomId: 'lobby', type,
            userId: `user ${id}`, sessionId: `${id}`, unixMs: 1000, message: type === 'message' ? 'x' : undefined }) });
        dispatchEvent(new Event('online'))",
    );
    ann.wait_for("window.socket");
    ann.evaluate("for (let count = 0; count < 12000; count++) tell(++last, 'join')");
    ann.wait_for("document.getElementById('subtitle').textContent === '10,000+ here'");
    is_alive(&ann);
    // Each gap in the numbers asks the history, and then who is here.
    let gaps = "(async () => { for (let count = 0; count < 20; count++) { tell(last += 50, 'message'); \
                await new Promise((done) => setTimeout(done, 30)); } })()";
    let begun = Instant::now();
    ann.evaluate(gaps);
    assert_eq!(ann.evaluate("asked.filter((type) => type === 'history').length >= 20"), true);
    ann.evaluate("new Promise((done) => setTimeout(done, 1500)).then(() => true)");
    let who = ann.evaluate("asked.filter((type) => type === 'who').length").as_u64().expect("a number");
    let secs = begun.elapsed().as_secs();
    assert!((1..=secs + 2).contains(&who), "{who} times in {secs} s, at most once a second");
}

#[test]
fn a_link_opens_no_more_than_fifty_tabs() {
    let hub = hub();
    let (_, http) = addresses(&hub);
    let browser = Browser::start();
    let rooms: String = (0..2000).map(|number| format!("&room=r{number}")).collect();
    let ann = browser.open(&format!("{http}/#name=ann{rooms}"), 1000, 700);
    ann.wait_for(&has_line("joined"));
    assert_eq!(count(&ann, "[role=tab]"), 50);
}
