//! Long answers over HTTP: none is longer than half a queue, and each says how to go on.

use crate::support::web::*;
use crate::support::*;
use serde_json::Value;

/// What a path shows, page by page: the items under `key`, and the bytes of the longest page. `id` is the key of the
/// number by which the next page is asked for.
fn pages(web: &mut Web, path: &str, key: &str, id: impl Fn(&Value) -> u64) -> (Vec<Value>, usize, usize) {
    let (mut items, mut after, mut longest, mut count) = (Vec::new(), 0, 0, 0);
    loop {
        let response = web.get(&format!("{path}?after={after}"));
        assert_eq!(response.status, 200, "{response:?}");
        let mut page = response.json();
        let new = page[key].as_array_mut().expect("a list").split_off(0);
        (longest, count) = (longest.max(response.body.len()), count + 1);
        after = new.last().map_or(after, &id);
        items.extend(new);
        match page.get("more") {
            None => return (items, longest, count),
            Some(more) => assert_eq!((more, count < 1000), (&Value::Bool(true), true)),
        }
    }
}

fn number(value: &Value) -> u64 {
    value.as_str().expect("a text").parse().expect("a number")
}

#[test]
fn a_room_of_control_characters_is_shown_in_pages_of_half_a_queue() {
    let daemon = web_daemon(&[]);
    let mut raw = daemon.connect();
    for _ in 0..30 {
        raw.publish("lobby", &[1; 30_000]);
    }
    let mut web = Web::connect(&daemon);
    let id = |event: &Value| event["id"].as_u64().expect("a number");
    let (events, longest, count) = pages(&mut web, "/rooms/lobby/history", "events", id);
    assert!(events.iter().map(id).eq(1..=30));
    assert!((1 << 20..=(2 << 20) + 100).contains(&longest) && count == 3, "{longest} B, {count} pages");
    let one = web.get("/rooms/lobby/history?limit=1").json();
    assert_eq!((one["events"].as_array().map(Vec::len), one.get("more")), (Some(1), None), "this was asked for");
}

#[test]
fn an_event_that_is_longer_than_a_page_is_a_page() {
    let daemon = web_daemon(&["--queue", "2000"]);
    let mut raw = daemon.connect();
    for _ in 0..3 {
        raw.publish("lobby", &[1; 1000]);
    }
    let id = |event: &Value| event["id"].as_u64().expect("a number");
    let (events, longest, count) = pages(&mut Web::connect(&daemon), "/rooms/lobby/history", "events", id);
    assert!(events.iter().map(id).eq(1..=3));
    assert!(longest > 6000 && count == 3, "{longest} B, {count} pages");
}

#[test]
fn users_and_members_are_shown_in_pages_by_their_ids() {
    let daemon = web_daemon(&["--queue", "2000"]);
    let mut users: Vec<Raw> = (0..150).map(|_| daemon.connect()).collect();
    let ids: Vec<u64> = users.iter_mut().map(Raw::id).collect();
    for user in &mut users {
        user.hello("somebody");
        user.join("lobby");
    }
    let mut web = Web::connect(&daemon);
    let mut sorted = ids;
    sorted.sort_unstable();
    let (shown, longest, count) = pages(&mut web, "/list", "userIds", number);
    assert_eq!(shown.iter().map(number).collect::<Vec<_>>(), sorted);
    assert!(longest <= 1100 && count > 1, "{longest} B, {count} pages");
    let (shown, longest, count) =
        pages(&mut web, "/rooms/lobby/members", "members", |member| number(&member["userId"]));
    assert_eq!(shown.iter().map(|member| number(&member["userId"])).collect::<Vec<_>>(), sorted);
    assert!(longest <= 1100 && count > 3, "{longest} B, {count} pages");
    assert_eq!(web.get("/list?before=1").refusal(), 400);
}
