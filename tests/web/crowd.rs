//! The chat page in a room of thousands who come and go.

use crate::browser::{addresses, enter, hub};
use crate::devtools::{Browser, Page};

const MEMBERS: u32 = 4000;

/// Takes hold of the page's socket, and tells it that this many members joined, as if the hub did.
fn crowd(page: &Page<'_>, members: u32) {
    page.evaluate(
        "const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (data) { window.socket = this; send.call(this, data); };
        window.last = +[...document.querySelectorAll('#log > [data-id]')].at(-1).dataset.id;
        window.tell = (type, name, sessionId = name) => socket.onmessage({ data: JSON.stringify({ id: ++last,
            chatroomId: 'lobby', type, userId: name, sessionId, unixMs: Date.now() }) });
        dispatchEvent(new Event('online'))",
    );
    page.wait_for("window.socket");
    let names = format!(
        "Array.from({{ length: {members} }}, (_, at) => `member ${{String(at * 7 % {members}).padStart(4, 0)}}`)"
    );
    page.evaluate(&format!("window.names = {names}; for (const name of names) tell('join', name)"));
    let here = format!("document.getElementById('subtitle').textContent === '{},001 here'", members / 1000);
    page.wait_for(&here);
}

/// The names in the list of members, as far as it is drawn.
fn listed(page: &Page<'_>) -> Vec<String> {
    let names = page.evaluate("[...document.querySelectorAll('#member-list bdi')].map((name) => name.textContent)");
    serde_json::from_value(names).expect("texts")
}

fn number(page: &Page<'_>, expression: &str) -> u64 {
    page.evaluate(expression).as_u64().expect("a number")
}

#[test]
fn a_crowd_that_comes_and_goes_keeps_the_page_busy_for_less_than_a_tenth_of_the_time() {
    let hub = hub();
    let (_, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    crowd(&ann, MEMBERS);
    ann.evaluate(
        "window.drawn = 0;
        new MutationObserver((changes) => { for (const { addedNodes } of changes) drawn += addedNodes.length; })
            .observe(document.getElementById('member-list'), { childList: true, subtree: true });
        window.turn = 0;
        setInterval(() => tell(turn % 2 ? 'join' : 'leave', names[(turn++ >> 1) * 31 % names.length]), 1000 / 7); true",
    );
    let before = ann.metrics();
    ann.wait_for("turn >= 50");
    let after = ann.metrics();
    let spent = |name: &str| after[name].as_f64().expect("a number") - before[name].as_f64().expect("a number");
    // The processor's time, for others on this machine may keep the page waiting.
    let busy = spent("ThreadTime") / spent("Timestamp");
    assert!(busy < 0.1, "{:.1} % of the time", busy * 100.0);
    assert!(number(&ann, "drawn") <= 200, "the list is not drawn anew: {} nodes", number(&ann, "drawn"));
    assert_eq!(ann.evaluate("document.getElementById('subtitle').textContent"), "4,001 here");
}

#[test]
fn members_are_drawn_in_slices_in_order_and_only_where_they_are_seen() {
    let hub = hub();
    let (_, http) = addresses(&hub);
    let browser = Browser::start();
    let ann = enter(&browser, &http, "ann", "lobby");
    crowd(&ann, MEMBERS);
    ann.wait_for("document.getElementById('members-more').textContent === 'and 3,951 more'");
    let first = listed(&ann);
    assert_eq!((first.len(), &first[..3]), (50, &["ann", "member 0000", "member 0001"].map(str::to_owned)[..]));
    // Whoever comes stands where the alphabet has it, and who has several sessions is there once, to the last of them.
    ann.evaluate("tell('join', 'bob'); tell('add', 'bob', 'another'); tell('leave', 'member 0000')");
    ann.wait_for("document.querySelectorAll('#member-list li')[1].textContent === 'bob×2'");
    assert_eq!(listed(&ann)[..3], ["ann", "bob", "member 0001"].map(str::to_owned));
    ann.evaluate("tell('remove', 'bob')");
    ann.wait_for("document.querySelectorAll('#member-list li')[1].textContent === 'bob'");
    ann.evaluate("tell('leave', 'bob', 'another')");
    ann.wait_for("document.querySelectorAll('#member-list li')[1].textContent === 'member 0001'");
    // Who scrolls to the end sees further ones.
    let scroll =
        "(document.getElementById('members').scrollTop = 1e6, document.querySelectorAll('#member-list > li').length";
    ann.wait_for(&format!("{scroll} >= 200)"));
    let many = listed(&ann);
    assert!(many.is_sorted(), "{many:?}");
    ann.wait_for(&format!("{scroll} === 1000)"));
    // Where there is no place for them nothing is drawn, until one asks for it.
    let bob = browser.open(&format!("{http}/#name=bob&room=lobby"), 360, 640);
    bob.wait_for("document.getElementById('people').textContent === 'Members 2'");
    assert_eq!(listed(&bob), [""; 0]);
    bob.evaluate("document.getElementById('people').click()");
    bob.wait_for("document.querySelectorAll('#member-list > li').length === 2");
}
