//! Counts the instructions of the cases with callgrind. There is no clock and no hardware counter, so the result does
//! not depend on what else the machine does.
//!
//! Each case runs twice in a process of its own, the second time with twice as many rounds. The difference is the cost
//! of the rounds without their preparation. This needs no symbols, which a release build does not have. To see the cost
//! of each function, keep the symbols and collect in the rounds only:
//!
//! ```text
//! CARGO_PROFILE_BENCH_STRIP=none CARGO_PROFILE_BENCH_DEBUG=1 cargo bench --bench micro --no-run
//! valgrind --tool=callgrind '--toggle-collect=*one_round*' \
//!     target/release/deps/micro-… --rounds 100 'send 64 B to 1, 64 a turn'
//! callgrind_annotate callgrind.out.…
//! ```

use crate::cases::{self, Case, Round};
use std::io;
use std::process::{Command, ExitCode};

/// The option that asks for the table.
pub const TABLE: &str = "--instructions";

/// The option with which the program calls itself, before the number of rounds and the case.
pub const ROUNDS: &str = "--rounds";

/// Messages or deliveries of the shorter run, at least. The preparation varies by a few thousand instructions, because
/// hash tables have random seeds; this is enough to hide that.
const ITEMS: usize = 20_000;

/// Prints the cost of each case that has one of `words` in its name.
pub fn print_table(words: &[&str]) -> ExitCode {
    let is_wanted = |case: &Case| words.is_empty() || words.iter().any(|word| case.name.contains(word));
    let wanted: Vec<Case> = cases::all().into_iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let names: Vec<String> = cases::all().into_iter().map(|case| case.name).collect();
        eprintln!("no case has such a word in its name; the cases are:\n{}", names.join("\n"));
        return ExitCode::from(2);
    }
    println!("{:<32} {:>12} {:>12}", "instructions", "a message", "a delivery");
    for case in wanted {
        match count(&case) {
            Ok(round) => println!("{}", row(&case, round)),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn row(case: &Case, round: f64) -> String {
    let message = round / case.messages as f64;
    let name = &case.name;
    match case.receivers {
        0 => format!("{name:<32} {message:>12.1}"),
        receivers => format!("{name:<32} {message:>12.1} {:>12.1}", message / receivers as f64),
    }
}

/// Instructions of one round.
fn count(case: &Case) -> io::Result<f64> {
    let rounds = (ITEMS / (case.messages * case.receivers.max(1))).max(4);
    let (once, twice) = (collected(case, rounds)?, collected(case, 2 * rounds)?);
    Ok((twice - once) / rounds as f64)
}

/// Instructions of a process that runs this number of rounds.
fn collected(case: &Case, rounds: usize) -> io::Result<f64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(std::env::current_exe()?);
    let output = valgrind.args([ROUNDS, &rounds.to_string(), &case.name]).output().map_err(|error| {
        let text = "valgrind counts the instructions, and can not be run; install the package of that name (apt-get \
                    install valgrind, dnf install valgrind), then try again";
        io::Error::new(error.kind(), format!("{text}: {error}"))
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    collected.filter(|_| output.status.success()).ok_or_else(|| io::Error::other(format!("no count:\n{said}")))
}

/// Runs a case this number of times, under callgrind.
pub fn run_rounds(rounds: &str, name: &str) {
    let case = cases::all().into_iter().find(|case| case.name == name).expect("the name of a case");
    let mut round = case.prepare();
    for _ in 0..rounds.parse().expect("a number of rounds") {
        one_round(&mut round);
    }
}

/// Separates the preparation from what is measured, so that callgrind can tell them apart by this name.
#[inline(never)]
fn one_round(round: &mut Round) {
    round();
}
