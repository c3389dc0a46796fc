//! The load generator against a hub in the same process.

use super::*;
use crate::bench::drivers::NativeDriver as Native;
use cubby::{Builder, Client, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// A run that only its end ends.
const LONG: Extent = Extent::Time(Duration::from_secs(600));

/// What the hub's thread does.
const RUNS: u8 = 0;
const STALLS: u8 = 1;
const DIES: u8 = 2;

/// A hub on a thread of its own, which the test may stall or end without a farewell.
struct Hub {
    address: String,
    state: Arc<AtomicU8>,
    thread: Option<JoinHandle<()>>,
}

impl Hub {
    fn start() -> Hub {
        Hub::with("127.0.0.1:0", |builder| builder)
    }

    fn with(address: &str, configure: impl FnOnce(Builder) -> Builder) -> Hub {
        let mut server = configure(Server::builder().listen(address)).bind().expect("it listens");
        let address = server.addresses()[0].to_string();
        let state = Arc::new(AtomicU8::new(RUNS));
        let thread = spawn({
            let state = state.clone();
            move || {
                while state.load(Ordering::Relaxed) != DIES {
                    match state.load(Ordering::Relaxed) {
                        STALLS => sleep(Duration::from_millis(1)),
                        _ => drop(server.turn(Some(Duration::from_millis(20))).expect("it turns")),
                    }
                }
            }
        });
        Hub { address, state, thread: Some(thread) }
    }

    /// The hub does nothing from now on.
    fn stall(&self) {
        self.state.store(STALLS, Ordering::Relaxed);
    }

    /// The hub closes all connections without a word.
    fn die(&mut self) {
        self.state.store(DIES, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the hub does not panic");
        }
    }

    fn connect(&self) -> Client {
        Client::connect(&self.address).expect("it accepts")
    }

    fn stats(&self) -> serde_json::Value {
        serde_json::from_str(&self.connect().stats().expect("it tells")).expect("one JSON object")
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.die();
    }
}

fn plan(hub: &Hub) -> Plan {
    Plan { address: hub.address.parse().expect("an address"), ..Plan::default() }
}

fn relay(plan: &Plan) -> Outcome {
    run(plan, Native::relay, &mut |_| {}).expect("it runs")
}

fn rooms(plan: &Plan) -> Outcome {
    run(plan, Native::rooms, &mut |_| {}).expect("it runs")
}

/// Checks that there were no errors, and that each message was delivered to this number of receivers.
fn expect_all(outcome: &Outcome, messages: u64, receivers: u64) {
    let Outcome { errors, missed, deliveries, latency, first_error, .. } = outcome;
    assert_eq!((*errors, *missed, first_error.as_deref()), (0, 0, None));
    assert_eq!((outcome.messages, *deliveries, latency.len()), (messages, messages * receivers, messages * receivers));
    assert!(outcome.elapsed > Duration::ZERO && outcome.processor > Duration::ZERO);
}

#[test]
fn every_delivery_of_a_relay_is_counted() {
    let hub = Hub::start();
    let plan = Plan { subscribers: 3, publishers: 2, extent: Extent::Messages(5001), ..plan(&hub) };
    let outcome = relay(&plan);
    expect_all(&outcome, 5001, 3);
    assert!(!outcome.stopped);
    assert_eq!(outcome.bytes, 5001 * 3 * 64);
    let warmed = relay(&Plan { warm_up: Duration::from_millis(50), ..plan });
    expect_all(&warmed, 5001, 3);
}

#[test]
fn more_receivers_than_a_relay_may_name_are_reached_by_several() {
    let hub = Hub::with("127.0.0.1:0", |builder| builder.max_receivers(7));
    expect_all(&relay(&Plan { subscribers: 30, extent: Extent::Messages(500), ..plan(&hub) }), 500, 30);
}

#[test]
fn pairs_and_a_unix_socket_do_as_well() {
    let path = std::env::temp_dir().join(format!("cubby-load-{}.sock", std::process::id()));
    let hub = Hub::with(&format!("unix:{}", path.display()), |builder| builder);
    expect_all(
        &relay(&Plan { groups: 20, pace: Pace::Window(5), extent: Extent::Messages(3000), ..plan(&hub) }),
        3000,
        1,
    );
}

#[test]
fn a_session_may_serve_many_rooms() {
    let hub = Hub::start();
    let (groups, extent) = (7, Extent::Messages(700));
    for sharing in [1, 3, 255] {
        let plan = Plan { groups, publishers: 2, subscribers: 2, sharing, extent, ..plan(&hub) };
        expect_all(&rooms(&plan), 700, 2);
    }
    assert_eq!(hub.stats()["rooms"], 7);
}

/// The native protocol without the optional methods of a driver.
struct Plain(Native);

impl Driver for Plain {
    fn open(&mut self, part: Part, out: &mut Vec<u8>) {
        self.0.open(part, out);
    }

    fn set_receivers(&mut self, receivers: &[u64]) {
        self.0.set_receivers(receivers);
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        self.0.publish(body, out);
    }

    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Incoming<'a>)>, String> {
        self.0.next(input, out)
    }
}

#[test]
fn bodies_of_all_sizes_are_received_whether_discarded_or_collected() {
    let hub = Hub::start();
    let sizes = "16:40,5K:20,20K:20,300K:15,1M:5".parse().expect("a mix");
    let plan = Plan { sizes, subscribers: 2, pace: Pace::Window(9), extent: Extent::Messages(200), ..plan(&hub) };
    let relayed = relay(&plan);
    expect_all(&relayed, 200, 2);
    let plain = run(&plan, || Plain(Native::relay()), &mut |_| {}).expect("it runs");
    expect_all(&plain, 200, 2);
    let published = rooms(&plan);
    expect_all(&published, 200, 2);
    assert_eq!((plain.bytes, published.bytes), (relayed.bytes, relayed.bytes), "in the same order");
}

/// A driver that appends a byte to each body.
struct Trailed(Native);

impl Driver for Trailed {
    fn open(&mut self, part: Part, out: &mut Vec<u8>) {
        self.0.open(part, out);
    }

    fn set_receivers(&mut self, receivers: &[u64]) {
        self.0.set_receivers(receivers);
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        self.0.publish(&[body, b";"].concat(), out);
    }

    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Incoming<'a>)>, String> {
        self.0.next(input, out)
    }

    fn decode_front<'a>(&mut self, front: &'a [u8]) -> Option<(usize, &'a [u8])> {
        self.0.decode_front(front)
    }
}

#[test]
fn a_body_of_a_length_that_nobody_sends_is_an_error() {
    let hub = Hub::start();
    for size in ["64", "300K"] {
        let sizes = size.parse().expect("a size");
        let plan = Plan { sizes, extent: Extent::Messages(20), ..plan(&hub) };
        let outcome = run(&plan, || Trailed(Native::relay()), &mut |_| {}).expect("it runs");
        let said = outcome.first_error.expect("an error");
        assert!(outcome.errors == 20 && said.contains("which no message of this run has"), "{size}: {said}");
    }
}

#[test]
fn an_open_loop_sends_as_many_as_its_rate_says() {
    let hub = Hub::start();
    let extent = Extent::Time(Duration::from_millis(200));
    let plan = Plan { pace: Pace::Rate(5000.0), publishers: 3, subscribers: 2, extent, ..plan(&hub) };
    expect_all(&relay(&plan), 1000, 2);
    let slow = Plan { pace: Pace::Rate(100.0), extent: Extent::Messages(10), ..plan };
    let outcome = relay(&slow);
    expect_all(&outcome, 10, 2);
    assert!(outcome.elapsed >= Duration::from_millis(90), "the last one is due 90 ms after the first");
}

#[test]
fn sessions_come_and_go_beside_the_traffic() {
    let hub = Hub::start();
    let extent = Extent::Time(Duration::from_millis(500));
    let plan = Plan { groups: 2, idle: 3, joiners: 40, leavers: 60, extent, ..plan(&hub) };
    let outcome = rooms(&plan);
    assert_eq!((outcome.errors, outcome.missed, outcome.first_error), (0, 0, None));
    assert_eq!((outcome.joined, outcome.left), (20, 30));
    assert!(outcome.deliveries >= outcome.messages);
    let outcome = relay(&plan);
    assert_eq!((outcome.joined, outcome.left), (20, 30));
}

#[test]
fn a_receiver_that_never_reads_is_closed_and_the_run_goes_on() {
    let hub = Hub::with("127.0.0.1:0", |builder| builder.stall(Duration::from_secs(1)).queue(64 << 10));
    let extent = Extent::Messages(400);
    let sizes = "100K".parse().expect("a size");
    let outcome = relay(&Plan { slow: 1, sizes, extent, ..plan(&hub) });
    expect_all(&outcome, 400, 1);
    assert_eq!(hub.stats()["closed"]["too slow"], 1);
}

/// A run during which something happens to the hub, once messages arrive.
fn disturbed(plan: &Plan, mut disturb: impl FnMut()) -> Outcome {
    let mut done = false;
    let mut progress = |progress: &Progress| {
        if progress.phase == Phase::Running && progress.deliveries > 0 && !std::mem::replace(&mut done, true) {
            disturb();
        }
    };
    run(plan, Native::relay, &mut progress).expect("it runs")
}

#[test]
fn a_hub_that_dies_ends_the_run() {
    let mut hub = Hub::start();
    let plan = Plan { subscribers: 4, idle: 2, extent: LONG, ..plan(&hub) };
    let outcome = disturbed(&plan, || hub.die());
    assert_eq!(outcome.errors, 7, "each connection: {:?}", outcome.first_error);
    assert!(outcome.deliveries > 0);
}

#[test]
fn a_hub_that_stalls_ends_the_run_and_what_is_under_way_is_missed() {
    let hub = Hub::start();
    let patience = Duration::from_millis(300);
    let plan = Plan { subscribers: 4, patience, extent: LONG, ..plan(&hub) };
    let outcome = disturbed(&plan, || hub.stall());
    assert!((1..=4 * 64).contains(&outcome.missed), "{}", outcome.missed);
    let said = outcome.first_error.expect("an error");
    assert!(outcome.errors == 1 && said.contains("nothing was received for 0.3 s"), "{said}");
}

#[test]
fn a_run_that_is_stopped_has_what_came_so_far() {
    let hub = Hub::start();
    let plan = Plan { subscribers: 4, extent: LONG, ..plan(&hub) };
    let outcome = disturbed(&plan, || plan.stop.store(true, Ordering::Relaxed));
    expect_all(&outcome, outcome.messages, 4);
    assert!(outcome.stopped);
}

#[test]
fn a_run_that_is_stopped_as_it_warms_up_does_not_begin() {
    let hub = Hub::start();
    let plan = Plan { warm_up: Duration::from_secs(600), joiners: 5, extent: LONG, ..plan(&hub) };
    let mut phases = Vec::new();
    let mut progress = |progress: &Progress| {
        if phases.last() != Some(&progress.phase) {
            phases.push(progress.phase);
        }
        if progress.phase == Phase::WarmingUp {
            plan.stop.store(true, Ordering::Relaxed);
        }
    };
    let outcome = run(&plan, Native::relay, &mut progress).expect("it runs");
    assert!(!phases.contains(&Phase::Running) && phases.last() == Some(&Phase::Done), "{phases:?}");
    assert_eq!((outcome.messages, outcome.errors, outcome.elapsed), (0, 0, Duration::ZERO));
    assert_eq!((outcome.joined, outcome.left), (0, 0));
    assert!(outcome.stopped);
}

#[test]
fn what_the_hub_refuses_is_an_error_in_its_words() {
    let hub = Hub::start();
    let sizes = "2M".parse().expect("a size");
    let outcome = relay(&Plan { sizes, extent: LONG, ..plan(&hub) });
    let said = outcome.first_error.expect("an error");
    assert!(outcome.errors > 0 && said.contains("too large"), "{said}");
    let hub = Hub::with("127.0.0.1:0", |builder| builder.max_connections(5));
    let error = run(&Plan { subscribers: 9, ..plan(&hub) }, Native::relay, &mut |_| {}).expect_err("too many");
    assert!(matches!(&error, LoadError::NotReady { of: 10, why, .. } if why.contains("14")), "{error}");
}

#[test]
fn what_can_not_be_run_is_said_before_it_begins() {
    let hub = Hub::start();
    let failed = |plan: &Plan| run(plan, Native::relay, &mut |_| {}).expect_err("it can not be run");
    let error = failed(&Plan { idle: u32::MAX, ..plan(&hub) });
    assert!(matches!(error, LoadError::Descriptors { needed, most } if needed > most), "{error}");
    assert!(matches!(failed(&Plan { subscribers: 0, ..plan(&hub) }), LoadError::Plan(_)));
    assert!(matches!(failed(&Plan { pace: Pace::Rate(0.0), ..plan(&hub) }), LoadError::Plan(_)));
    let gone = plan(&hub);
    drop(hub);
    assert!(matches!(failed(&gone), LoadError::Connect { made: 0, .. }));
}

#[test]
fn sessions_are_held_without_traffic_until_the_rest_is_over() {
    let hub = Hub::start();
    let (rest, idle) = (Duration::from_millis(300), 20);
    let plan = Plan { groups: 0, idle, extent: Extent::Messages(0), rest, ..plan(&hub) };
    let mut seen = None;
    let began = Instant::now();
    let mut progress = |progress: &Progress| {
        if progress.phase == Phase::Resting && seen.is_none() {
            seen = Some(hub.connect().list().expect("it tells").len());
        }
    };
    let outcome = run(&plan, Native::relay, &mut progress).expect("they are accepted");
    assert_eq!((seen, outcome.connections, outcome.errors), (Some(20), 20, 0));
    assert!(began.elapsed() >= rest && outcome.messages == 0);
    let traffic = relay(&Plan { groups: 1, idle: 0, extent: Extent::Messages(100), ..plan.clone() });
    expect_all(&traffic, 100, 1);
}

#[test]
fn sessions_connect_and_leave_one_after_another() {
    let hub = Hub::start();
    let outcome = connect_and_leave(&plan(&hub), 50, Native::rooms, &mut |_| {}).expect("they are accepted");
    assert!(outcome.sessions == 50 && outcome.elapsed > Duration::ZERO && !outcome.stopped);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !hub.connect().list().expect("it tells").is_empty() {
        assert!(Instant::now() < deadline, "all have left");
    }
    let stats = hub.stats();
    assert!(stats["accepted"].as_u64() >= Some(56));
    assert_eq!(stats["frames-in"]["BYE"]["frames"], 55, "5 more come before those that count: {stats}");
}
