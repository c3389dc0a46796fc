//! What single parts of the hot path cost, without sockets.
//!
//! `cargo bench --bench micro` shows times, and items a second: deliveries where a message goes to many, messages
//! elsewhere. `cargo bench --bench micro -- --instructions` counts instructions instead, which tells two commits apart
//! on a busy machine too. A word after either chooses the cases that have it in their names.

mod cases;
mod crowd;
mod instructions;
mod wire;

use cases::Case;
use divan::Bencher;
use divan::counter::ItemsCount;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo puts an argument of its own somewhere among them.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [instructions::TABLE, ref words @ ..] => return instructions::print_table(words),
        [instructions::ROUNDS, rounds, name] => instructions::run_rounds(rounds, name),
        _ => divan::main(),
    }
    ExitCode::SUCCESS
}

#[divan::bench(args = cases::all())]
fn times(bencher: Bencher<'_, '_>, case: &Case) {
    bencher.counter(ItemsCount::new(case.messages * case.receivers.max(1))).bench_local(case.prepare());
}
