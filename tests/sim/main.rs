//! The simulator: the whole hub and its loop over the virtual operating system of [`cubby::testing`]. One number
//! reproduces a run exactly. There are two kinds of runs:
//!
//! - Clients act at the same time and wait for each other, and faults happen. The order in which the hub executes
//!   requests is then unknown, so a ledger records what each client may receive, and must have received in the end.
//! - Clients act one after the other and never wait. Then the model of [`cubby::testing`], which the fuzz bodies use as
//!   well, predicts every frame.
//!
//! `cargo test` runs some dozens of seeds, those of the first kind twice. Environment variables:
//!
//! - `CUBBY_SIM_SEED=n`: that seed alone; with `CUBBY_SIM_TRACE=1` every step is printed.
//! - `CUBBY_SIM_EVENTS=n`: seed after seed until n events have happened.
//! - `CUBBY_SIM_SECS=n`: seed after seed for n seconds.
//! - `CUBBY_SIM_FROM=n`: the first seed of either.
//!
//! The long run is `cargo test --profile sim --test sim -- --nocapture`.

mod actors;
mod arrivals;
mod asks;
mod bounds;
mod conn;
mod crowd;
mod hostile;
mod innocent;
mod ledger;
mod limits;
mod regressions;
mod rooms;
mod run;

use cubby::marks;
use cubby::testing::fuzz;
use cubby::testing::system::{FAULTS, Faults};
use run::{Outcome, Plan, run};
use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seeds that every `cargo test` runs.
const SEEDS: u64 = 24;

/// The number of seeds for runs with the model: in every `cargo test`, and in a long run.
const FORETOLD_SEEDS: (u64, u64) = (200, 4_000);

/// The number of events after which every rare branch must have been reached.
const ENOUGH_FOR_MARKS: u64 = 100_000_000;

/// The number of seeds for runs with a hostile majority, and after how many other seeds of a long run there is one of
/// them.
const CROWDED_SEEDS: u64 = 40;
const CROWDED_EVERY: u64 = 32;

thread_local! {
    /// Where this thread last panicked, while a run is being tried.
    static WHERE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes a panic of a run print nothing by itself. The failure is reported after it was shrunk.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_tried = WHERE.with_borrow_mut(|at| {
                at.as_mut().map(|at| *at = info.location().map_or_else(String::new, ToString::to_string)).is_some()
            });
            if !is_tried {
                usual(info);
            }
        }));
    });
}

/// Calls `call`; returns the message if it panicked.
fn catch<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    hush();
    WHERE.set(Some(String::new()));
    let outcome = panic::catch_unwind(AssertUnwindSafe(call));
    let at = WHERE.take().unwrap_or_default();
    outcome.map_err(|wrong| format!("{} ({at})", text_of(wrong)))
}

/// The message of a panic.
fn text_of(wrong: Box<dyn Any + Send>) -> String {
    let text = wrong.downcast_ref::<String>().map(String::as_str);
    text.or(wrong.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

/// Runs a seed twice, without the faults that are `off`, and shrinks it if it fails.
fn try_seed(seed: u64, off: u32) -> Outcome {
    let plan = Plan { seed, off, is_traced: false };
    match (catch(|| run(plan)), catch(|| run(plan))) {
        (Ok(first), Ok(second)) if first == second => first,
        (Ok(first), Ok(second)) => panic!("seed {seed} does not repeat itself: {first:?}, {second:?}"),
        (Err(wrong), _) | (_, Err(wrong)) => {
            let (off, last) = shrink(plan, wrong);
            panic!("seed {seed} fails: {last}\nfaults that it needs: {}", Faults::names(off))
        }
    }
}

/// Turns faults off one at a time, and keeps those off that the failure does not depend on.
fn shrink(plan: Plan, mut wrong: String) -> (u32, String) {
    let mut off = plan.off;
    for (fault, _) in FAULTS {
        let without = off | 1 << fault as u8;
        if let Err(still) = catch(|| run(Plan { off: without, ..plan })) {
            (off, wrong) = (without, still);
        }
    }
    (off, wrong)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// A random seed.
fn a_first_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64 >> 8)
}

/// The seeds that the environment asks for.
struct Wanted {
    from: u64,
    events: u64,
    until: Option<Instant>,
    seeds: u64,
}

impl Wanted {
    fn read() -> Wanted {
        let (events, secs) = (number("CUBBY_SIM_EVENTS"), number("CUBBY_SIM_SECS"));
        let from = number("CUBBY_SIM_FROM").unwrap_or(if secs.is_some() { a_first_seed() } else { 0 });
        let until = secs.map(|secs| Instant::now() + Duration::from_secs(secs));
        let seeds = if events.is_some() || secs.is_some() { u64::MAX } else { SEEDS };
        Wanted { from, events: events.unwrap_or(u64::MAX), until, seeds }
    }

    fn is_done(&self, seeds: u64, events: u64) -> bool {
        seeds >= self.seeds || events >= self.events || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

#[test]
fn every_seed_keeps_the_contract_and_repeats_itself() {
    if let Some(seed) = number("CUBBY_SIM_SEED") {
        return one_seed(seed);
    }
    let (wanted, began) = (Wanted::read(), Instant::now());
    let (mut seeds, mut events) = (0, 0);
    while !wanted.is_done(seeds, events) {
        events += 2 * try_seed(wanted.from + seeds, 0).events;
        if seeds % CROWDED_EVERY == CROWDED_EVERY - 1 {
            try_crowd(seeds / CROWDED_EVERY % CROWDED_SEEDS);
        }
        seeds += 1;
    }
    let pace = events as f64 / began.elapsed().as_secs_f64();
    println!("{seeds} seeds from {}, {events} events, {pace:.0} events a second", wanted.from);
    let counts = marks::counts();
    let marks: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("marks: {}", marks.join(", "));
    let unmet: Vec<_> = counts.iter().filter(|(_, count)| *count == 0).collect();
    assert!(events < ENOUGH_FOR_MARKS || unmet.is_empty(), "branches that no seed has met: {unmet:?}");
}

/// Runs one seed, and reports the outcome.
fn one_seed(seed: u64) {
    let is_traced = number("CUBBY_SIM_TRACE").is_some();
    if is_traced {
        println!("{:?}", run(Plan { seed, off: 0, is_traced }));
    } else {
        println!("seed {seed}: {:?}", try_seed(seed, 0));
    }
}

#[test]
fn an_innocent_is_answered_whatever_a_hostile_majority_does() {
    let wanted = Wanted::read();
    let seeds = number("CUBBY_SIM_SEED").map_or(wanted.from..wanted.from + CROWDED_SEEDS, |seed| seed..seed + 1);
    seeds.take_while(|_| !wanted.is_done(0, 0)).for_each(try_crowd);
}

/// Runs a seed with a hostile majority.
fn try_crowd(seed: u64) {
    if let Err(wrong) = catch(|| crowd::run(seed)) {
        panic!("seed {seed} fails: {wrong}");
    }
}

#[test]
fn without_waiting_clients_hear_what_the_model_foretells() {
    let wanted = Wanted::read();
    let count = if wanted.seeds == u64::MAX { FORETOLD_SEEDS.1 } else { FORETOLD_SEEDS.0 };
    let seeds = number("CUBBY_SIM_SEED").map_or(wanted.from..wanted.from + count, |seed| seed..seed + 1);
    for seed in seeds.take_while(|_| !wanted.is_done(0, 0)) {
        if let Err(wrong) = catch(|| fuzz::loop_seed(seed)) {
            panic!("seed {seed} fails: {wrong}");
        }
    }
}

#[test]
fn what_once_failed_does_not_fail_again() {
    for (seed, without, _) in regressions::REGRESSIONS {
        try_seed(seed, without);
    }
}
