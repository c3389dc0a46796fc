//! The chat page in a real browser.

use crate::devtools::{Browser, Page};
use crate::support::proxy::nginx;
use crate::support::*;
use std::process::Command;

/// The two addresses of a daemon: native and HTTP.
pub fn addresses(daemon: &Daemon) -> (String, String) {
    (daemon.addresses[0].clone(), daemon.addresses[1].clone())
}

pub fn hub() -> Daemon {
    Daemon::with(&["--listen", "127.0.0.1:0", "--ws", "127.0.0.1:0"])
}

/// A chat page with this name in this room.
pub fn enter<'b>(browser: &'b Browser, http: &str, name: &str, room: &str) -> Page<'b> {
    let page = browser.open(&format!("{http}/#name={name}&room={room}"), 1000, 700);
    page.wait_for(&format!("{ONLINE} && !document.getElementById('app').hidden && {}", has_line("joined")));
    page
}

pub const ONLINE: &str = "document.body.dataset.online === 'true'";

/// Whether the log has a line with this text.
pub fn has_line(text: &str) -> String {
    let text = serde_json::Value::from(text);
    format!("[...document.querySelectorAll('#log > *')].some(line => line.textContent.includes({text}))")
}

/// How many messages in the log have exactly this text.
pub fn count_of(page: &Page<'_>, text: &str) -> u64 {
    let text = serde_json::Value::from(text);
    let script = format!("[...document.querySelectorAll('#log .text')].filter(p => p.textContent === {text}).length");
    page.evaluate(&script).as_u64().expect("a number")
}

/// Publishes in a room, skipping events that arrive meanwhile.
pub fn speak(client: &mut Raw, body: &[u8]) {
    client.send(&frame(PUBLISH, RECEIPT, 9, publish("lobby", body)));
    while client.receive().kind != 0x89 {}
}

/// A native client that has joined the lobby and published `message 1` to `message {count}` there.
pub fn say_numbered(native: &str, count: usize) -> Raw {
    let mut client = Raw::connect(native);
    client.join("lobby");
    for number in 1..=count {
        speak(&mut client, format!("message {number}").as_bytes());
    }
    client
}

/// The next message of a room, skipping other events.
fn next_message(client: &mut Raw) -> Vec<u8> {
    loop {
        let event = client.event();
        if event.what == MESSAGE {
            return event.body;
        }
    }
}

/// Types a message and sends it, by the keyboard alone.
pub fn say(page: &Page<'_>, text: &str) {
    page.evaluate("document.getElementById('compose').focus()");
    page.type_text(text);
    page.press("Enter");
}

#[test]
fn two_pages_talk_and_a_native_client_hears_both_and_answers() {
    let hub = hub();
    let (native, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    let bob = enter(&browser, &http, "bob", "lobby");
    let mut carl = Raw::connect(&native);
    carl.join("lobby");
    say(&ann, "hello from ann");
    bob.wait_for(&has_line("hello from ann"));
    say(&bob, "hello from bob");
    ann.wait_for(&has_line("hello from bob"));
    for expected in ["hello from ann", "hello from bob"] {
        assert_eq!(next_message(&mut carl), expected.as_bytes());
    }
    speak(&mut carl, b"hello from carl");
    for page in [&ann, &bob] {
        page.wait_for(&has_line("hello from carl"));
        page.wait_for("document.querySelectorAll('#member-list > *').length === 3");
        assert_eq!(count_of(page, "hello from ann"), 1);
    }
    ann.picture("wide");
    ann.set_dark(true);
    ann.picture("dark");
    let narrow = browser.open(&format!("{http}/#name=dora&room=lobby"), 360, 640);
    narrow.wait_for(&has_line("hello from carl"));
    assert_eq!(narrow.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
    narrow.picture("narrow");
}

#[test]
fn pages_come_back_by_themselves_when_the_hub_is_killed_and_started_again() {
    let hub = hub();
    let (native, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    let bob = enter(&browser, &http, "bob", "lobby");
    say(&ann, "before");
    bob.wait_for(&has_line("before"));
    hub.signal("KILL");
    hub.end();
    for page in [&ann, &bob] {
        page.wait_for("document.body.dataset.online === 'false' && !document.getElementById('banner').hidden");
    }
    ann.picture("disconnected");
    let _again = Daemon::with(&["--listen", &native, "--ws", http.trim_start_matches("http://")]);
    for page in [&ann, &bob] {
        page.evaluate("document.getElementById('retry').click()");
        page.wait_for(&format!("{ONLINE} && document.getElementById('banner').hidden"));
    }
    say(&bob, "after");
    ann.wait_for(&has_line("after"));
    say(&ann, "and on");
    bob.wait_for(&has_line("and on"));
    for page in [&ann, &bob] {
        page.wait_for(&has_line("and on"));
        page.wait_for("document.querySelectorAll('#outbox > *').length === 0");
        assert_eq!(["before", "after", "and on"].map(|text| count_of(page, text)), [1, 1, 1]);
    }
}

#[test]
fn a_hostile_message_does_no_harm() {
    let hub = hub();
    let (native, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    let mut mallory = Raw::connect(&native);
    mallory.join("lobby");
    let markup = "<img src=x onerror=\"document.title='harm'\"><script>document.title='harm'</script>";
    speak(&mut mallory, markup.as_bytes());
    speak(&mut mallory, "\u{202e}drawkcab\u{2066} \u{7}\u{0}".as_bytes());
    speak(&mut mallory, &[0xFF, 0xFE, 0x00]);
    speak(&mut mallory, &vec![b'w'; 1 << 20]);
    speak(&mut mallory, b"the end");
    ann.wait_for(&has_line("the end"));
    assert_eq!(count_of(&ann, markup), 1);
    assert_eq!(ann.evaluate("document.querySelectorAll('#log img, #log script').length"), 0);
    assert_eq!(ann.evaluate("document.title.includes('harm')"), false);
    assert_eq!(ann.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
    assert_eq!(ann.evaluate("document.getElementById('log').textContent.length < 100000"), true);
    ann.picture("hostile");
}

#[test]
fn a_thousand_messages_are_shown_in_order_each_once() {
    let hub = hub();
    let (native, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    let _bob = say_numbered(&native, 1000);
    ann.wait_for(&has_line("message 1000"));
    let ids = ann.evaluate("[...document.querySelectorAll('#log > [data-id]')].map(line => +line.dataset.id)");
    let ids: Vec<u64> = ids.as_array().expect("a list").iter().map(|id| id.as_u64().expect("a number")).collect();
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "without a gap or a double");
    assert!((100..=2100).contains(&ids.len()), "{} lines", ids.len());
    assert_eq!(ann.evaluate("document.querySelectorAll('*').length < 20000"), true);
}

#[test]
fn a_scroll_event_before_new_messages_are_drawn_does_not_stop_the_page_from_following() {
    let hub = hub();
    let (native, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    // More than the page keeps in the document, so that a new line at the end takes an old one out at the top.
    let mut bob = say_numbered(&native, 400);
    ann.wait_for(&has_line("message 400"));
    // From the second next frame on, so that no frame is pending that was not held.
    ann.evaluate(
        "window.frame = requestAnimationFrame.bind(window); window.held = [];
        new Promise((done) => frame(() => frame(() => done(window.requestAnimationFrame = (draw) => held.push(draw)))))
            .then(() => true)",
    );
    speak(&mut bob, "a tall message\n".repeat(12).as_bytes());
    ann.wait_for("held.length > 0");
    ann.evaluate("for (const _ of '12') document.getElementById('scroll').dispatchEvent(new Event('scroll'))");
    ann.evaluate("window.requestAnimationFrame = frame; held.forEach((draw) => draw())");
    ann.wait_for(&has_line("a tall message"));
    let below = "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight < 40)";
    assert_eq!(ann.evaluate(&format!("{below}(document.getElementById('scroll'))")), true);
    assert_eq!(ann.evaluate("document.getElementById('jump').hidden"), true);
}

#[test]
fn a_name_that_will_not_do_is_told_beside_its_field_and_another_one_enters() {
    let hub = hub();
    let (_, http) = addresses(&hub);
    let browser = Browser::start();
    let page = browser.open(&format!("{http}/#room=lobby"), 800, 600);
    page.wait_for("document.getElementById('entry').open");
    page.evaluate("document.getElementById('entry-name').focus()");
    page.type_text(&"long".repeat(20));
    page.press("Enter");
    page.wait_for("document.getElementById('entry-name-error').textContent !== ''");
    page.picture("entry");
    page.evaluate("document.getElementById('entry-name').select()");
    page.type_text("ann");
    page.press("Enter");
    page.wait_for(&format!("{ONLINE} && {}", has_line("joined")));
    assert_eq!(page.evaluate("location.href.includes('lobby')"), true);
}

#[test]
fn curl_speaks_in_the_lobby_and_the_page_shows_it() {
    let hub = hub();
    let (_, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    let url = format!("{http}/rooms/lobby");
    let output = Command::new("curl").args(["-sS", "-d", "hello", &url]).output().expect("curl is there");
    assert!(output.status.success() && text(&output.stdout).starts_with("{\"id\":"), "{output:?}");
    ann.wait_for(&has_line("hello"));
}

#[test]
fn two_browsers_talk_through_a_proxy() {
    let hub = hub();
    let (_, http) = addresses(&hub);
    let proxy = nginx(http.trim_start_matches("http://"), "75s");
    let http = format!("http://{}", proxy.address);
    let (one, other) = (Browser::start(), Browser::start());
    let ann = enter(&one, &http, "ann", "lobby");
    let bob = enter(&other, &http, "bob", "lobby");
    say(&ann, "hello through the proxy");
    bob.wait_for(&has_line("hello through the proxy"));
    say(&bob, "and back");
    ann.wait_for(&has_line("and back"));
}

#[test]
fn enter_that_takes_a_composed_character_does_not_send() {
    let hub = hub();
    let (_, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    ann.evaluate("document.getElementById('compose').focus()");
    ann.type_text("にほんご");
    // Safari ends composing before it tells of the key; others tell while composing.
    for about in ["keyCode: 229", "keyCode: 13, isComposing: true"] {
        let key = format!("{{ key: 'Enter', bubbles: true, cancelable: true, {about} }}");
        let press = format!("document.getElementById('compose').dispatchEvent(new KeyboardEvent('keydown', {key}))");
        assert_eq!(ann.evaluate(&press), true, "{about}");
    }
    assert_eq!(ann.evaluate("document.getElementById('compose').value"), "にほんご");
    ann.press("Enter");
    ann.wait_for(&has_line("にほんご"));
    assert_eq!(count_of(&ann, "にほんご"), 1);
}

#[test]
fn half_a_character_in_a_name_a_room_or_a_message_keeps_nobody_out() {
    let hub = hub();
    let (_, http) = addresses(&hub);
    let browser = Browser::start();
    let page = browser.open(&format!("{http}/#room=lobby"), 800, 600);
    page.wait_for("document.getElementById('entry').open");
    page.evaluate("void (document.getElementById('entry-name').value = 'ann\\ud83d')");
    page.evaluate("void (document.getElementById('entry-room').value = 'den\\ud83d')");
    page.evaluate("document.getElementById('entry-go').click()");
    page.wait_for(&format!("{ONLINE} && !document.getElementById('entry').open && {}", has_line("joined")));
    page.evaluate("void (document.getElementById('compose').value = 'hi\\ud83d')");
    page.evaluate("document.getElementById('send').click()");
    page.wait_for(&has_line("hi\u{fffd}"));
    page.wait_for("document.querySelectorAll('#outbox > *').length === 0");
    assert_eq!(page.evaluate("document.getElementById('me-name').textContent"), "ann\u{fffd}");
}
