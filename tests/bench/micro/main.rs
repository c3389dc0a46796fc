//! `cargo bench --bench micro`: the cost of parts of the hot path, without sockets.
//!
//! It shows times, and items a second: deliveries if a message goes to receivers, else messages. With
//! `-- --instructions` it counts instructions instead, which distinguishes two commits also on a busy machine. Further
//! words select the cases that have them in their names.

mod cases;
mod crowd;
mod instructions;
mod wire;

use cases::Case;
use divan::Bencher;
use divan::counter::ItemsCount;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo adds an argument of its own.
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
