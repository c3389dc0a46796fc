//! `cubby bench` against the real daemon.

use crate::support::*;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Runs `cubby bench`, and returns its exit code, its output, and its standard error.
fn bench(hub: &str, arguments: &str) -> (i32, String, String) {
    let arguments: Vec<&str> = ["bench"].into_iter().chain(arguments.split_whitespace()).collect();
    let output = run_command(hub, &arguments);
    let code = output.status.code().expect("it ends by itself");
    (code, text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
}

fn run_command(hub: &str, arguments: &[&str]) -> std::process::Output {
    run(cubby(hub, arguments), b"")
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
    assert!(printed.contains("/s   3000 in all") && printed.contains("of messages held at most"), "{printed}");
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
fn held_and_churning_sessions_are_measured() {
    let daemon = Daemon::start();
    let report = |arguments: &str| {
        let (code, printed, said) = bench(&daemon.addresses[0], &format!("{arguments} --json --pid {}", daemon.pid()));
        assert_eq!((code, said.as_str()), (0, ""), "{printed}");
        serde_json::from_str::<serde_json::Value>(&printed).expect("JSON")
    };
    let held = report("--hold 50 --rest 0.1");
    assert_eq!((&held["connections"], &held["messages"]), (&50.into(), &0.into()));
    assert!(held["hub"]["memoryBytesPerConnection"].is_f64() && held["hub"]["restingProcessorNs"].is_u64(), "{held}");
    let churn = report("--churn 40");
    assert_eq!((&churn["sessions"], &churn["connections"]), (&40.into(), &0.into()));
    assert!(churn["hub"]["processorNsPerSession"].as_f64() > Some(0.0), "{churn}");
    let (code, printed, _) = bench(&daemon.addresses[0], "--sweep churn=10,20");
    assert!(code == 0 && printed.contains("come/s") && printed.contains("sessions a second"), "{printed}");
}

#[cfg(feature = "ws")]
#[test]
fn the_web_is_a_protocol_as_well() {
    let daemon = Daemon::with(&["--listen", "127.0.0.1:0", "--ws", "127.0.0.1:0"]);
    let web = daemon.addresses[1].trim_start_matches("http://");
    for (name, hub) in [("ws", format!("ws://{web}")), ("json", web.to_owned())] {
        let arguments = format!("--protocol {name} --hub {hub} --rooms 3 --subscribers 2 --messages 300 --json");
        let (code, printed, said) = bench("", &arguments);
        assert_eq!((code, said.as_str()), (0, ""), "{name}");
        let report: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!((&report["protocol"], &report["deliveries"]), (&name.into(), &600.into()));
        let (code, _, said) = bench("", &format!("--protocol {name} --hub ws://{web}/nowhere --messages 9"));
        assert!(code == 1 && said.contains("the hub accepted 0 of 101 sessions, then: "), "{said}");
    }
    let (code, _, said) = bench("", &format!("--protocol redis --hub {} --messages 9", daemon.addresses[0]));
    assert!(code == 1 && said.contains("not of this protocol"), "{said}");
}

#[test]
fn a_sweep_is_a_table_and_a_chart() {
    let daemon = Daemon::start();
    let (code, printed, said) = bench(&daemon.addresses[0], "--relay 2 --messages 500 --sweep size=16,1K");
    assert_eq!(code, 0, "{said}");
    let first_words: Vec<&str> = printed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(first_words, ["relay,", "size", "16", "1K", "deliveries", "16", "1K"], "{printed}");
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
    assert!(code == 1 && said.contains("relay 9: the hub accepted") && said.contains("1 of 3 runs failed"), "{said}");
    let [first, failed, last] = [0, 1, 2].map(|place| &sweep["runs"][place]);
    assert_eq!((&first["deliveries"], &last["deliveries"]), (&50.into(), &100.into()));
    assert!(failed["value"] == "9" && failed["error"].as_str().is_some_and(|why| why.contains("the hub accepted")));
    let (code, printed, _) = bench(&daemon.addresses[0], "--messages 50 --sweep relay=1,9");
    assert!(code == 1 && printed.lines().any(|line| line.trim_end().ends_with("failed")), "{printed}");
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_an_absent_hub_1() {
    for (arguments, what) in [
        ("--sise 5", "did you mean --size? (see cubby bench --help)"),
        ("--relay 5 --rooms 5", "contradict each other (see cubby bench --help)"),
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
fn bench_has_its_own_help() {
    let (code, printed, _) = bench("", "--help");
    assert!(code == 0 && printed.starts_with("Usage: cubby bench [OPTIONS]"), "{printed}");
}

#[test]
fn a_hub_that_dies_is_an_error() {
    let daemon = Daemon::start();
    let mut command = cubby(&daemon.addresses[0], &["bench", "--secs", "600", "--relay", "2"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("cubby starts");
    wait_until_running(&mut child);
    daemon.signal("KILL");
    let output = child.wait_with_output().expect("it was started");
    assert!(output.status.code() == Some(1) && text(&output.stdout).contains("errors               3"));
}

/// The output of a run that a signal interrupts once it runs.
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
fn messages_that_were_not_sent_because_of_a_signal_are_exit_code_1() {
    let output = interrupted(&["bench", "--messages", "9000000000", "--relay", "2", "--size", "1K"]);
    let (printed, said) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.code() == Some(1) && said.contains(" of 9000000000 messages"), "{said}");
    assert!(printed.contains("\nstopped "), "{printed}");
}

#[test]
fn a_signal_ends_a_churn_and_a_rest() {
    let output = interrupted(&["bench", "--churn", "100000000"]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains(" of 100000000 sessions"), "{said}");
    let output = interrupted(&["bench", "--hold", "5", "--rest", "600"]);
    let printed = text(&output.stdout);
    assert!(output.status.code() == Some(0) && printed.contains("connections          5"), "{printed}");
}

/// Waits until the command reports that it runs. It goes on to report that every two seconds, which nobody reads.
fn wait_until_running(child: &mut std::process::Child) {
    let said = BufReader::new(child.stderr.as_mut().expect("piped")).lines();
    let running = said.map_while(Result::ok).any(|line| line.starts_with("running"));
    assert!(running, "it runs");
}
