//! The command-line client: reads the command line and calls the command. What the commands do stands in `commands`,
//! how bodies are shown in `show`.
#![forbid(unsafe_code)]

mod commands;
mod show;

use commands::{Failure, Session};
use cubby::UserId;
use getopts::{Matches, Options};
use std::env::VarError;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

/// Where the hub is looked for when not told.
const DEFAULT_HUB: &str = "127.0.0.1:7070";

const USAGE: &str = "\
Usage: cubby [OPTIONS] COMMAND

Commands:
    id                  print the id that the hub gives this connection
    list                print the ids of all who are connected
    relay ID...         send a file, or standard input, to these users
    listen              print the own id, then whatever arrives";

/// The options that belong to one command alone.
const OWN_OPTIONS: [(&str, &str); 2] = [("file", "relay"), ("save", "listen")];

fn main() -> ExitCode {
    let options = options();
    let outcome = match arguments().and_then(|arguments| options.parse(arguments).map_err(|error| error.to_string())) {
        Ok(matches) if matches.opt_present("help") => show::line(options.usage(USAGE).trim_end()),
        Ok(matches) if matches.opt_present("version") => show::line(concat!("cubby ", env!("CARGO_PKG_VERSION"))),
        Ok(matches) => run(&matches),
        Err(what) => Err(Failure::Usage(what)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// The arguments, which must all be text.
fn arguments() -> Result<Vec<String>, String> {
    let text = |argument: OsString| argument.into_string().map_err(|argument| format!("{argument:?} is not UTF-8"));
    std::env::args_os().skip(1).map(text).collect()
}

fn options() -> Options {
    let mut options = Options::new();
    options
        .optopt("H", "hub", "where the hub is (default: $CUBBY_HUB, else 127.0.0.1:7070)", "HOST:PORT|unix:PATH")
        .optopt("f", "file", "relay: the file to send, in place of standard input", "FILE")
        .optopt("s", "save", "listen: put each body into a file of its own there", "DIR")
        .optopt("n", "name", "what to call oneself", "NAME")
        .optflag("j", "json", "print JSON, an object a line")
        .optopt("t", "timeout", "how long the hub may take to answer (default 30)", "SECS")
        .optflag("h", "help", "print this help")
        .optflag("V", "version", "print the version");
    options
}

fn run(matches: &Matches) -> Result<(), Failure> {
    let Some((command, arguments)) = matches.free.split_first() else {
        return Err(Failure::Usage("a command is missing: id, list, relay or listen".to_owned()));
    };
    for (option, owner) in OWN_OPTIONS {
        if matches.opt_present(option) && command != owner {
            return Err(Failure::Usage(format!("--{option} goes with {owner}")));
        }
    }
    if let Some(extra) = arguments.first().filter(|_| command != "relay") {
        return Err(Failure::Usage(format!("{command} takes no argument, but {extra:?} is given")));
    }
    let session = session(matches)?;
    match command.as_str() {
        "id" => commands::id(&session),
        "list" => commands::list(&session),
        "listen" => commands::listen(&session, matches.opt_str("save").map(Into::into)),
        "relay" => commands::relay(&session, &receivers(arguments)?, matches.opt_str("file").map(Into::into)),
        other => Err(Failure::Usage(format!("{other:?} is no command; there are id, list, relay and listen"))),
    }
}

fn session(matches: &Matches) -> Result<Session, Failure> {
    let hub = match (matches.opt_str("hub"), std::env::var("CUBBY_HUB")) {
        (Some(hub), _) if hub.is_empty() => return Err(Failure::Usage("--hub: the address is empty".to_owned())),
        (Some(hub), _) => hub,
        (None, Ok(hub)) if !hub.is_empty() => hub,
        (None, Err(VarError::NotUnicode(hub))) => {
            return Err(Failure::Usage(format!("CUBBY_HUB: {hub:?} is not UTF-8")));
        }
        (None, _) => DEFAULT_HUB.to_owned(),
    };
    let timeout = match matches.opt_str("timeout").map(|text| (text.parse::<u64>(), text)) {
        None => cubby::DEFAULT_TIMEOUT,
        Some((Ok(secs), _)) if (1..=86_400).contains(&secs) => Duration::from_secs(secs),
        Some((_, text)) => {
            return Err(Failure::Usage(format!("--timeout: {text:?} is not a number of seconds from 1 to 86400")));
        }
    };
    Ok(Session { hub, timeout, json: matches.opt_present("json"), name: matches.opt_str("name").unwrap_or_default() })
}

fn receivers(arguments: &[String]) -> Result<Vec<UserId>, Failure> {
    if arguments.is_empty() {
        return Err(Failure::Usage("relay needs the id of at least one user; `cubby list` prints them".to_owned()));
    }
    let parse = |text: &String| text.parse().map_err(|_| Failure::Usage(format!("{text:?} is no user id")));
    arguments.iter().map(parse).collect()
}
