//! The chat page for those who use it by a screen reader: axe-core finds nothing to object to in any of its views.

use crate::browser::{ONLINE, addresses, enter, has_line, hub, say, speak};
use crate::devtools::{Browser, Page};
use crate::scripts::packages;
use crate::support::*;
use std::sync::OnceLock;

/// The text of axe-core, which is installed by npm.
fn axe() -> &'static str {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        install::program("node", &["nodejs"]);
        let npm = install::program("npm", &["npm"]);
        let dir = packages("axe");
        let path = dir.to_str().expect("text");
        let arguments = ["install", "--silent", "--no-audit", "--no-fund", "--prefix", path, "axe-core@4"];
        install::libraries(&dir, &["node_modules/axe-core/axe.min.js"], &npm, &arguments);
        std::fs::read_to_string(dir.join("node_modules/axe-core/axe.min.js")).expect("text")
    })
}

/// Nothing in the page, as it is shown now, is a violation of any rule.
fn assert_accessible(page: &Page<'_>, view: &str) {
    page.evaluate(&format!("{}; true", axe()));
    let violations = page.evaluate(
        "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
            violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`)))",
    );
    assert_eq!(violations, serde_json::json!([]), "{view}");
}

#[test]
fn no_view_of_a_room_has_anything_that_axe_objects_to() {
    let hub = hub();
    let (native, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    let mut bob = Raw::connect(&native);
    bob.hello("bob");
    bob.join("lobby");
    say(&ann, "hello");
    for body in ["hi", &"long ".repeat(1000), "\u{202e}"] {
        speak(&mut bob, body.as_bytes());
    }
    speak(&mut bob, &[0xFF, 0xFE]);
    ann.wait_for(&has_line("binary"));
    for dark in [false, true] {
        ann.set_dark(dark);
        assert_accessible(&ann, if dark { "a room, dark" } else { "a room" });
    }
    ann.resize(360, 640);
    assert_accessible(&ann, "a room, narrow");
    ann.evaluate("document.getElementById('people').click()");
    ann.wait_for("document.querySelectorAll('#member-list > li').length === 2");
    assert_accessible(&ann, "a room, narrow, with its members");
    ann.resize(1000, 700);
    ann.evaluate("document.querySelector('.member:enabled').click()");
    assert_accessible(&ann, "a talk with one person");
    bob.send(&frame(SEND, 0, 1, send(&["ann"], b"psst")));
    ann.wait_for(&has_line("psst"));
    let mut carl = Raw::connect(&native);
    carl.hello("carl");
    carl.send(&frame(SEND, 0, 1, send(&["ann"], b"psst")));
    ann.wait_for("document.querySelector('[data-inbox]') !== null");
    ann.evaluate("document.querySelector('[data-inbox]').click()");
    ann.wait_for(&has_line("Answer"));
    assert_accessible(&ann, "requests");
}

#[test]
fn neither_the_form_nor_a_lost_connection_has_anything_that_axe_objects_to() {
    let hub = hub();
    let (_, http) = addresses(&hub);
    let browser = Browser::start();
    let page = browser.open(&format!("{http}/#room=lobby"), 800, 600);
    page.wait_for("document.getElementById('entry').open");
    assert_accessible(&page, "the form");
    page.evaluate("document.getElementById('entry-go').click()");
    page.wait_for("document.getElementById('entry-name-error').textContent !== ''");
    page.evaluate("document.getElementById('entry-token-field').hidden = false");
    assert_accessible(&page, "the form, with an error and a token");
    page.evaluate("document.getElementById('entry-name').value = 'ann'; document.getElementById('entry-go').click()");
    page.wait_for(&format!("{ONLINE} && {}", has_line("joined")));
    page.evaluate("document.getElementById('add').click()");
    page.wait_for("document.getElementById('entry').open");
    assert_accessible(&page, "the form over a room");
    page.evaluate("document.getElementById('entry-cancel').click()");
    hub.signal("KILL");
    hub.end();
    page.wait_for("!document.getElementById('banner').hidden");
    say(&page, "kept");
    page.wait_for("document.querySelectorAll('#outbox > *').length === 1");
    for width in [1000, 360] {
        page.resize(width, 640);
        assert_accessible(&page, "a lost connection");
    }
}
