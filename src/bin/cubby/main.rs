//! The command-line client: reads the command line and calls the command. What the commands do stands in `commands`,
//! how bodies are shown in `show`.

mod commands;
mod show;

use commands::{Failure, Session};
use cubby::UserId;
use getopts::{Matches, Options};
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
    let outcome = match options.parse(std::env::args_os().skip(1)) {
        Ok(matches) if matches.opt_present("help") => show::line(options.usage(USAGE).trim_end()),
        Ok(matches) if matches.opt_present("version") => show::line(concat!("cubby ", env!("CARGO_PKG_VERSION"))),
        Ok(matches) => run(&matches),
        Err(error) => Err(Failure::Usage(error.to_string())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn options() -> Options {
    let mut options = Options::new();
    options
        .optopt("H", "hub", "where the hub is (default: $CUBBY_HUB, else 127.0.0.1:7070)", "HOST:PORT|unix:PATH")
        .optopt("f", "file", "relay: the file to send, in place of standard input", "FILE")
        .optopt("s", "save", "listen: put each body into a file of its own there", "DIR")
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
    let hub = matches.opt_str("hub").or_else(|| std::env::var("CUBBY_HUB").ok());
    let hub = hub.filter(|hub| !hub.is_empty()).unwrap_or_else(|| DEFAULT_HUB.to_owned());
    let timeout = match matches.opt_str("timeout").map(|text| (text.parse::<u64>(), text)) {
        None => cubby::DEFAULT_TIMEOUT,
        Some((Ok(secs), _)) if (1..=86_400).contains(&secs) => Duration::from_secs(secs),
        Some((_, text)) => {
            return Err(Failure::Usage(format!("--timeout: {text:?} is not a number of seconds from 1 to 86400")));
        }
    };
    Ok(Session { hub, timeout, json: matches.opt_present("json") })
}

fn receivers(arguments: &[String]) -> Result<Vec<UserId>, Failure> {
    if arguments.is_empty() {
        return Err(Failure::Usage("relay needs the id of at least one user; `cubby list` prints them".to_owned()));
    }
    let parse = |text: &String| text.parse().map_err(|_| Failure::Usage(format!("{text:?} is no user id")));
    arguments.iter().map(parse).collect()
}
