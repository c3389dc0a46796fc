//! The command-line client. `cli` reads the command line and calls a command; the other files are the commands and what
//! they share.
#![forbid(unsafe_code)]

mod bench;
mod body;
mod call;
mod chat;
mod cli;
#[path = "../common/mod.rs"]
mod common;
mod cursor;
mod failure;
mod listen;
mod output;
mod retry;
mod rooms;
mod settings;
mod show;
mod users;

use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    match common::arguments().map_err(Failure::Usage).and_then(|arguments| cli::run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(failure),
    }
}

/// Writes a failure to standard error and returns the exit code.
fn report(failure: Failure) -> ExitCode {
    match failure {
        Failure::Usage(what) => {
            show::complain(&format!("{what} (see cubby --help)"));
            ExitCode::from(2)
        }
        Failure::BenchUsage(what) => {
            show::complain(&format!("{what} (see cubby bench --help)"));
            ExitCode::from(2)
        }
        Failure::Hub(error) => {
            show::complain(&show::safe(&error.to_string()));
            ExitCode::FAILURE
        }
        Failure::Other(what) => {
            show::complain(&what);
            ExitCode::FAILURE
        }
        Failure::NotReached => ExitCode::FAILURE,
        Failure::NoReader => ExitCode::SUCCESS,
    }
}
