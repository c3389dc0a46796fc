//! The command-line client: reads the command line and calls the command. What the commands do stands in `commands`,
//! `rooms` and `chat`, how things are shown in `show`.
#![forbid(unsafe_code)]

mod bench;
mod chat;
#[path = "../common/mod.rs"]
mod common;
mod rooms;
mod show;
mod users;

use cubby::UserId;
use getopts::{Matches, Options};
use std::env::VarError;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use users::{Failure, Session};

/// Where the hub is looked for when not told.
const DEFAULT_HUB: &str = "127.0.0.1:7070";

const USAGE: &str = "\
Usage: cubby [OPTIONS] COMMAND

Commands:
    chat                talk in rooms; `help` there shows how
    sub ROOM...         print what happens in these rooms
    pub ROOM            say a file, or standard input, in a room
    who ROOM            print who is in a room
    send NAME...        send a file, or standard input, to these names
    relay ID...         the same to these users, each by its id
    listen              print the own id, then what is sent or relayed here
    list                print the ids of all who are connected
    id                  print the id that the hub gives this connection
    stats               print what the hub counts, on its own machine
    bench               put load on a hub; `cubby bench --help` shows how";

/// The commands.
const COMMANDS: [&str; 11] = ["chat", "sub", "pub", "who", "send", "relay", "listen", "list", "id", "stats", "bench"];

/// The options that belong to some commands alone.
const OWN_OPTIONS: [(&str, &[&str]); 4] =
    [("file", &["pub", "send", "relay"]), ("save", &["listen"]), ("history", &["sub"]), ("mess", &["chat"])];

fn main() -> ExitCode {
    let outcome = match common::arguments() {
        Ok(arguments) if arguments.first().is_some_and(|first| first == "bench") => bench::bench(&arguments[1..]),
        Ok(arguments) => command(arguments),
        Err(what) => Err(Failure::Usage(what)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Does what these arguments ask for.
fn command(arguments: Vec<String>) -> Result<(), Failure> {
    let options = options();
    match options.parse(arguments) {
        Ok(matches) if matches.opt_present("help") => show::line(options.usage(USAGE).trim_end()),
        Ok(matches) if matches.opt_present("version") => show::line(concat!("cubby ", env!("CARGO_PKG_VERSION"))),
        Ok(matches) => run(&matches),
        Err(fail) => Err(Failure::Usage(common::wrong_option(&fail, []))),
    }
}

fn options() -> Options {
    let mut options = Options::new();
    options
        .optopt(
            "H",
            "hub",
            "where the hub is (default: $CUBBY_HUB, else 127.0.0.1:7070)",
            "HOST:PORT|unix:PATH|ws://HOST:PORT",
        )
        .optopt("n", "name", "what to call oneself; chat needs it", "NAME")
        .optopt("f", "file", "pub, send, relay: the file to send, in place of standard input", "FILE")
        .optopt("", "history", "sub: print the last N events first", "N")
        .optopt("s", "save", "listen: put each body into a file of its own there", "DIR")
        .optflag("", "mess", "chat: append each incoming line to NAME.mess here")
        .optflag("j", "json", "print JSON, an object a line")
        .optopt("t", "timeout", "how long the hub may take to answer (default 30)", "SECS")
        .optflag("h", "help", "print this help")
        .optflag("V", "version", "print the version");
    options
}

fn run(matches: &Matches) -> Result<(), Failure> {
    let Some((command, arguments)) = matches.free.split_first() else {
        return Err(Failure::Usage(format!("a command is missing: one of {}", COMMANDS.join(", "))));
    };
    check_arguments(matches, command, arguments)?;
    let session = session(matches)?;
    let file = matches.opt_str("file").map(PathBuf::from);
    match (command.as_str(), arguments) {
        ("chat", _) => chat::chat(session, matches.opt_present("mess")),
        ("sub", rooms) => rooms::subscribe(&session, rooms, history(matches)?),
        ("pub", [room]) => rooms::publish(&session, room, file.as_deref()),
        ("who", [room]) => rooms::who(&session, room),
        ("send", names) => users::send(&session, names, file.as_deref()),
        ("relay", ids) => users::relay(&session, &receivers(ids)?, file.as_deref()),
        ("listen", _) => users::listen(&session, matches.opt_str("save").map(Into::into)),
        ("list", _) => users::list(&session),
        ("stats", _) => users::stats(&session),
        _ => users::id(&session),
    }
}

/// That the command is one, and has the arguments and options that it can have.
fn check_arguments(matches: &Matches, command: &str, arguments: &[String]) -> Result<(), Failure> {
    if !COMMANDS.contains(&command) {
        let hint =
            common::nearest(command, COMMANDS).map_or_else(String::new, |known| format!("; did you mean {known}?"));
        return Err(Failure::Usage(format!("{command:?} is no command{hint}")));
    }
    if command == "bench" {
        return Err(Failure::Usage("bench has options of its own, and comes before them".to_owned()));
    }
    for (option, owners) in OWN_OPTIONS {
        if matches.opt_present(option) && !owners.contains(&command) {
            return Err(Failure::Usage(format!("--{option} goes with {}", owners.join(", "))));
        }
    }
    let (least, most, what) = match command {
        "sub" => (1, usize::MAX, "at least one room"),
        "send" => (1, usize::MAX, "at least one name"),
        "relay" => (1, usize::MAX, "the id of at least one user; `cubby list` prints them"),
        "pub" | "who" => (1, 1, "one room"),
        _ => (0, 0, "no argument"),
    };
    match arguments.len() {
        count if count < least => Err(Failure::Usage(format!("{command} needs {what}"))),
        count if count > most => {
            Err(Failure::Usage(format!("{command} takes {what}, but {:?} is given too", arguments[most])))
        }
        _ => Ok(()),
    }
}

fn history(matches: &Matches) -> Result<u64, Failure> {
    let wrong = |text: String| Failure::Usage(format!("--history: {text:?} is no number of events"));
    matches.opt_str("history").map_or(Ok(0), |text| text.parse().map_err(|_| wrong(text)))
}

/// Where the hub is: as an option says, else the environment, else where it is by default.
fn hub_address(option: Option<String>) -> Result<String, String> {
    match (option, std::env::var("CUBBY_HUB")) {
        (Some(hub), _) if hub.is_empty() => Err("--hub: the address is empty".to_owned()),
        (Some(hub), _) => Ok(hub),
        (None, Ok(hub)) if !hub.is_empty() => Ok(hub),
        (None, Err(VarError::NotUnicode(hub))) => Err(format!("CUBBY_HUB: {hub:?} is not UTF-8")),
        (None, _) => Ok(DEFAULT_HUB.to_owned()),
    }
}

fn session(matches: &Matches) -> Result<Session, Failure> {
    let hub = hub_address(matches.opt_str("hub")).map_err(Failure::Usage)?;
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
    let parse = |text: &String| text.parse().map_err(|_| Failure::Usage(format!("{text:?} is no user id")));
    arguments.iter().map(parse).collect()
}
