//! The load generator, and `cubby bench`, against the real daemon.

use crate::load::{Dialect, Extent, Heard, LoadError, Native, Outcome, Pace, Part, Phase, Plan, Progress};
use crate::load::{come_and_go, hold, run};
use crate::support::*;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A run that only its end ends.
const LONG: Extent = Extent::Time(Duration::from_secs(600));

fn plan(daemon: &Daemon) -> Plan {
    Plan { address: daemon.addresses[0].parse().expect("an address"), ..Plan::default() }
}

fn relay(plan: &Plan) -> Outcome {
    run(plan, Native::relay, &mut |_| {}).expect("it runs")
}

fn rooms(plan: &Plan) -> Outcome {
    run(plan, Native::rooms, &mut |_| {}).expect("it runs")
}

/// That all went well: so many messages, each heard by so many.
fn expect_all(outcome: &Outcome, messages: u64, hearers: u64) {
    let Outcome { errors, missed, deliveries, latency, first_error, .. } = outcome;
    assert_eq!((*errors, *missed, first_error.as_deref()), (0, 0, None));
    assert_eq!((outcome.messages, *deliveries, latency.len()), (messages, messages * hearers, messages * hearers));
    assert!(outcome.elapsed > Duration::ZERO && outcome.processor > Duration::ZERO);
}

#[test]
fn every_delivery_of_a_relay_is_counted() {
    let daemon = Daemon::start();
    let plan = Plan { subscribers: 3, publishers: 2, extent: Extent::Messages(5001), ..plan(&daemon) };
    let outcome = relay(&plan);
    expect_all(&outcome, 5001, 3);
    assert!(!outcome.stopped);
    assert_eq!(outcome.bytes, 5001 * 3 * 64);
    let warmed = relay(&Plan { warm_up: Duration::from_millis(50), ..plan });
    expect_all(&warmed, 5001, 3);
}

#[test]
fn more_receivers_than_a_relay_may_name_are_reached_by_several() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--max-receivers", "7"]);
    expect_all(&relay(&Plan { subscribers: 30, extent: Extent::Messages(500), ..plan(&daemon) }), 500, 30);
}

#[test]
fn pairs_and_a_unix_socket_do_as_well() {
    let path = TempPath::new("bench.sock");
    let daemon = Daemon::with(&["--listen", &format!("unix:{}", path.as_str())]);
    expect_all(
        &relay(&Plan { groups: 20, pace: Pace::Window(5), extent: Extent::Messages(3000), ..plan(&daemon) }),
        3000,
        1,
    );
}

#[test]
fn a_session_may_serve_many_rooms() {
    let daemon = Daemon::start();
    let (groups, extent) = (7, Extent::Messages(700));
    for sharing in [1, 3, 255] {
        let plan = Plan { groups, publishers: 2, subscribers: 2, sharing, extent, ..plan(&daemon) };
        expect_all(&rooms(&plan), 700, 2);
    }
    assert_eq!(daemon.connect().stats()["rooms"], 7);
}

/// The native language, less what is not demanded of one.
struct Plain(Native);

impl Dialect for Plain {
    fn greet(&mut self, part: Part, out: &mut Vec<u8>) {
        self.0.greet(part, out);
    }

    fn aim(&mut self, receivers: &[u64]) {
        self.0.aim(receivers);
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        self.0.publish(body, out);
    }

    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>, String> {
        self.0.next(input, out)
    }
}

#[test]
fn bodies_of_all_sizes_are_heard_whether_thrown_away_or_put_together() {
    let daemon = Daemon::start();
    let sizes = "16:40,5K:20,20K:20,300K:15,1M:5".parse().expect("a mix");
    let plan = Plan { sizes, subscribers: 2, pace: Pace::Window(9), extent: Extent::Messages(200), ..plan(&daemon) };
    let relayed = relay(&plan);
    expect_all(&relayed, 200, 2);
    let plain = run(&plan, || Plain(Native::relay()), &mut |_| {}).expect("it runs");
    expect_all(&plain, 200, 2);
    let published = rooms(&plan);
    expect_all(&published, 200, 2);
    assert_eq!((plain.bytes, published.bytes), (relayed.bytes, relayed.bytes), "in the same order");
}

/// A language whose bodies come with a byte that nobody sent.
struct Trailed(Native);

impl Dialect for Trailed {
    fn greet(&mut self, part: Part, out: &mut Vec<u8>) {
        self.0.greet(part, out);
    }

    fn aim(&mut self, receivers: &[u64]) {
        self.0.aim(receivers);
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        self.0.publish(&[body, b";"].concat(), out);
    }

    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>, String> {
        self.0.next(input, out)
    }

    fn glimpse<'a>(&mut self, front: &'a [u8]) -> Option<(usize, &'a [u8])> {
        self.0.glimpse(front)
    }
}

#[test]
fn a_body_of_a_length_that_nobody_sends_is_an_error() {
    let daemon = Daemon::start();
    for size in ["64", "300K"] {
        let sizes = size.parse().expect("a size");
        let plan = Plan { sizes, extent: Extent::Messages(20), ..plan(&daemon) };
        let outcome = run(&plan, || Trailed(Native::relay()), &mut |_| {}).expect("it runs");
        let said = outcome.first_error.expect("an error");
        assert!(outcome.errors == 20 && said.contains("which no message of this run has"), "{size}: {said}");
    }
}

#[test]
fn an_open_loop_sends_as_many_as_its_rate_says() {
    let daemon = Daemon::start();
    let extent = Extent::Time(Duration::from_millis(200));
    let plan = Plan { pace: Pace::Rate(5000.0), publishers: 3, subscribers: 2, extent, ..plan(&daemon) };
    expect_all(&relay(&plan), 1000, 2);
    let slow = Plan { pace: Pace::Rate(100.0), extent: Extent::Messages(10), ..plan };
    let outcome = relay(&slow);
    expect_all(&outcome, 10, 2);
    assert!(outcome.elapsed >= Duration::from_millis(90), "the last one is due 90 ms after the first");
}

#[test]
fn sessions_come_and_go_beside_the_traffic() {
    let daemon = Daemon::start();
    let extent = Extent::Time(Duration::from_millis(500));
    let plan = Plan { groups: 2, idle: 3, joiners: 40, leavers: 60, extent, ..plan(&daemon) };
    let outcome = rooms(&plan);
    assert_eq!((outcome.errors, outcome.missed, outcome.first_error), (0, 0, None));
    assert_eq!(outcome.visits, (20, 30));
    assert!(outcome.deliveries >= outcome.messages);
    assert_eq!(relay(&plan).visits, (20, 30));
}

#[test]
fn a_receiver_that_never_reads_is_closed_and_the_run_goes_on() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--stall-secs", "1", "--queue", "64K"]);
    let extent = Extent::Messages(400);
    let sizes = "100K".parse().expect("a size");
    let outcome = relay(&Plan { slow: 1, sizes, extent, ..plan(&daemon) });
    expect_all(&outcome, 400, 1);
    assert_eq!(daemon.connect().stats()["closed"]["too slow"], 1);
}

/// A run during which something happens to the hub, once messages come.
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
    let daemon = Daemon::start();
    let plan = Plan { subscribers: 4, idle: 2, extent: LONG, ..plan(&daemon) };
    let outcome = disturbed(&plan, || daemon.signal("KILL"));
    assert_eq!(outcome.errors, 7, "each connection: {:?}", outcome.first_error);
    assert!(outcome.deliveries > 0);
}

#[test]
fn a_hub_that_stalls_ends_the_run_and_what_is_under_way_is_missed() {
    let daemon = Daemon::start();
    let patience = Duration::from_millis(300);
    let plan = Plan { subscribers: 4, patience, extent: LONG, ..plan(&daemon) };
    let outcome = disturbed(&plan, || daemon.signal("STOP"));
    assert!((1..=4 * 64).contains(&outcome.missed), "{}", outcome.missed);
    let said = outcome.first_error.expect("an error");
    assert!(outcome.errors == 1 && said.contains("nothing was heard for 0.3 s"), "{said}");
}

#[test]
fn a_run_that_is_stopped_has_what_came_so_far() {
    let daemon = Daemon::start();
    let plan = Plan { subscribers: 4, extent: LONG, ..plan(&daemon) };
    let outcome = disturbed(&plan, || plan.stop.store(true, Ordering::Relaxed));
    expect_all(&outcome, outcome.messages, 4);
    assert!(outcome.stopped);
}

#[test]
fn a_run_that_is_stopped_as_it_warms_up_does_not_begin() {
    let daemon = Daemon::start();
    let plan = Plan { warm_up: Duration::from_secs(600), joiners: 5, extent: LONG, ..plan(&daemon) };
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
    assert_eq!((outcome.messages, outcome.errors, outcome.visits, outcome.elapsed), (0, 0, (0, 0), Duration::ZERO));
    assert!(outcome.stopped);
}

#[test]
fn what_the_hub_refuses_is_an_error_in_its_words() {
    let daemon = Daemon::start();
    let sizes = "2M".parse().expect("a size");
    let outcome = relay(&Plan { sizes, extent: LONG, ..plan(&daemon) });
    let said = outcome.first_error.expect("an error");
    assert!(outcome.errors > 0 && said.contains("too large"), "{said}");
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--max-connections", "5"]);
    let error = run(&Plan { subscribers: 9, ..plan(&daemon) }, Native::relay, &mut |_| {}).expect_err("too many");
    assert!(matches!(&error, LoadError::Greeting { of: 10, why, .. } if why.contains("14")), "{error}");
}

#[test]
fn what_can_not_be_run_is_said_before_it_begins() {
    let daemon = Daemon::start();
    let failed = |plan: &Plan| run(plan, Native::relay, &mut |_| {}).expect_err("it can not be run");
    let error = failed(&Plan { idle: u32::MAX, ..plan(&daemon) });
    assert!(matches!(error, LoadError::Descriptors { needed, most } if needed > most), "{error}");
    assert!(matches!(failed(&Plan { subscribers: 0, ..plan(&daemon) }), LoadError::Plan(_)));
    assert!(matches!(failed(&Plan { pace: Pace::Rate(0.0), ..plan(&daemon) }), LoadError::Plan(_)));
    let gone = plan(&daemon);
    drop(daemon);
    assert!(matches!(failed(&gone), LoadError::Connect { made: 0, .. }));
}

#[test]
fn connections_are_held_and_come_and_go() {
    let daemon = Daemon::start();
    let address = daemon.addresses[0].parse().expect("an address");
    let crowd = hold(&address, 20, Native::relay).expect("they are let in");
    assert_eq!(daemon.connect().list().len(), 20);
    drop(crowd);
    assert!(come_and_go(&address, 5, Native::rooms).expect("they are let in") > Duration::ZERO);
    eventually("all have left", || daemon.connect().list().is_empty().then_some(()));
    let stats = daemon.connect().stats();
    assert!(stats["accepted"].as_u64() >= Some(26));
    assert_eq!(stats["frames-in"]["BYE"]["frames"], 5, "those who go say so: {stats}");
}

/// Runs `cubby bench`: its exit code, what it printed, what it said on standard error.
fn bench(hub: &str, arguments: &str) -> (i32, String, String) {
    let arguments: Vec<&str> = ["bench"].into_iter().chain(arguments.split_whitespace()).collect();
    let output = run_command(hub, &arguments);
    let code = output.status.code().expect("it ends by itself");
    (code, text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
}

fn run_command(hub: &str, arguments: &[&str]) -> std::process::Output {
    crate::support::run(cubby(hub, arguments), b"")
}

#[test]
fn the_command_prints_a_table() {
    let daemon = Daemon::start();
    let (code, printed, said) = bench(&daemon.addresses[0], "--relay 3 --messages 1000");
    assert_eq!(code, 0, "{said}");
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("relay, 1 to 3, 64 B, window 64, 1000 messages"));
    let names: Vec<&str> = lines.map(|line| line.split(' ').next().expect("a word")).collect();
    assert_eq!(names, ["messages", "deliveries", "bodies", "latency", "hub", "generator", "missed", "errors"]);
    assert!(printed.contains("/s   3000 in all") && printed.contains("of messages held at the most"), "{printed}");
}

#[test]
fn the_command_prints_json_with_what_the_hub_used() {
    let daemon = Daemon::start();
    let arguments = format!("--rooms 4 --subscribers 2 --messages 2000 --json --pid {}", daemon.pid());
    let (code, printed, said) = bench(&daemon.addresses[0], &arguments);
    assert_eq!((code, said.as_str()), (0, ""));
    let report: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!((&report["type"], &report["messages"]), (&"bench".into(), &2000.into()));
    assert_eq!((&report["deliveries"], &report["errors"], &report["missed"]), (&4000.into(), &0.into(), &0.into()));
    for number in ["/latencyNs/p99.9", "/hub/processorNsPerDelivery", "/hub/memoryBytes", "/messagesPerSecond"] {
        let value = report.pointer(number).and_then(serde_json::Value::as_f64);
        assert!(value.is_some_and(|value| value > 0.0), "{number}: {printed}");
    }
}

#[test]
fn a_sweep_is_a_table_and_a_chart() {
    let daemon = Daemon::start();
    let (code, printed, said) = bench(&daemon.addresses[0], "--relay 2 --messages 500 --sweep size=16,1K");
    assert_eq!(code, 0, "{said}");
    let first_words: Vec<&str> = printed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(first_words, ["relay,", "size", "16", "1K", "heard", "16", "1K"], "{printed}");
    assert!(printed.lines().any(|line| line.ends_with(" 0")) && printed.contains("#####"), "{printed}");
    let (code, printed, _) = bench(&daemon.addresses[0], "--messages 500 --sweep relay=1,2 --json");
    let sweep: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!((code, &sweep["option"], &sweep["runs"][1]["value"]), (0, &"relay".into(), &"2".into()));
    assert_eq!(sweep["runs"][1]["deliveries"], 1000);
}

#[test]
fn a_sweep_with_a_run_that_failed_shows_the_others_and_is_exit_code_1() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--max-connections", "6"]);
    let (code, printed, said) = bench(&daemon.addresses[0], "--messages 50 --sweep relay=1,9,2 --json");
    let sweep: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    assert!(code == 1 && said.contains("relay 9: the hub let") && said.contains("1 of 3 runs failed"), "{said}");
    let [first, failed, last] = [0, 1, 2].map(|place| &sweep["runs"][place]);
    assert_eq!((&first["deliveries"], &last["deliveries"]), (&50.into(), &100.into()));
    assert!(failed["value"] == "9" && failed["error"].as_str().is_some_and(|why| why.contains("the hub let")));
    let (code, printed, _) = bench(&daemon.addresses[0], "--messages 50 --sweep relay=1,9");
    assert!(code == 1 && printed.lines().any(|line| line.trim_end().ends_with("failed")), "{printed}");
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_an_absent_hub_1() {
    for (arguments, what) in [
        ("--sise 5", "did you mean --size?; see cubby bench --help"),
        ("--relay 5 --rooms 5", "contradict each other; see cubby bench --help"),
        ("--hub nowhere", "the port is missing"),
        ("--size 4G", "larger than any hub takes: 1073741824 at the most"),
        ("--sweep size=64,4G", "larger than any hub takes: 1073741824 at the most"),
        ("more", "unexpected argument"),
    ] {
        let (code, printed, said) = bench("127.0.0.1:1", arguments);
        assert!(code == 2 && printed.is_empty() && said.contains(what), "{arguments}: {said}");
    }
    let output = run_command("127.0.0.1:1", &["--json", "bench"]);
    assert_eq!(output.status.code(), Some(2), "bench comes first");
    let (code, _, said) = bench("127.0.0.1:1", "--json");
    assert!(code == 1 && said.contains("is it running? start one with `cubbyd`"), "{said}");
    let (code, _, said) = bench("127.0.0.1:1", "--pid 999999999");
    assert!(code == 1 && said.contains("process 999999999"), "{said}");
}

#[test]
fn it_has_a_help_of_its_own() {
    let (code, printed, _) = bench("", "--help");
    assert!(code == 0 && printed.starts_with("Usage: cubby bench [OPTIONS]"), "{printed}");
}

#[test]
fn a_hub_that_dies_is_an_error_of_the_command() {
    let daemon = Daemon::start();
    let mut command = cubby(&daemon.addresses[0], &["bench", "--secs", "600", "--relay", "2"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cubby starts");
    wait_until_running(&mut child);
    daemon.signal("KILL");
    let output = child.wait_with_output().expect("it was started");
    assert!(output.status.code() == Some(1) && text(&output.stdout).contains("errors               3"));
}

/// What becomes of a run that is interrupted once messages flow.
fn interrupted(arguments: &[&str]) -> std::process::Output {
    let daemon = Daemon::start();
    let mut command = cubby(&daemon.addresses[0], arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cubby starts");
    wait_until_running(&mut child);
    signal(child.id(), "INT");
    child.wait_with_output().expect("it was started")
}

#[test]
fn a_signal_ends_a_run_early_with_what_it_has() {
    let output = interrupted(&["bench", "--secs", "600", "--relay", "2"]);
    let printed = text(&output.stdout);
    assert!(output.status.code() == Some(0) && printed.contains("errors               0"), "{printed}");
    assert!(printed.contains("\nstopped "), "{printed}");
}

#[test]
fn messages_that_a_signal_kept_from_being_sent_are_exit_code_1() {
    let output = interrupted(&["bench", "--messages", "9000000000", "--relay", "2", "--size", "1K"]);
    let (printed, said) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.code() == Some(1) && said.contains(" of 9000000000 messages"), "{said}");
    assert!(printed.contains("\nstopped "), "{printed}");
}

/// Waits until the command says that messages flow. It goes on to say so every two seconds, which nobody reads.
fn wait_until_running(child: &mut std::process::Child) {
    let said = BufReader::new(child.stderr.as_mut().expect("piped")).lines();
    let running = said.map_while(Result::ok).any(|line| line.starts_with("running"));
    assert!(running, "it runs");
}
