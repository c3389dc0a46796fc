//! The command line: a table of the commands, a table of their options, and how a command is found and called.

use crate::call::Call;
use crate::common::{OptionRow, nearest, usage, wrong_option};
use crate::failure::Failure;
use crate::settings::{Settings, hub_address, timeout};
use crate::{bench, chat, listen, rooms, show, users};
use getopts::{Matches, Options};

/// A command.
struct Command {
    name: &'static str,
    arguments: Arguments,
    /// What it does, in half a line.
    help: &'static str,
    /// The options that only some commands have, and this is one of them.
    options: &'static [&'static str],
    run: Run,
}

/// The arguments that a command takes.
enum Arguments {
    None,
    /// Exactly one: what help calls it, and what an error says is needed.
    One(&'static str, &'static str),
    /// One or more, likewise.
    Several(&'static str, &'static str),
}

/// How a command runs.
enum Run {
    /// It uses the options of this table.
    Ordinary(fn(&Call) -> Result<(), Failure>),
    /// It has its own options. It must be the first argument, and gets the others as they are.
    Own(fn(&[String]) -> Result<(), Failure>),
}

use Arguments::{None as NoArguments, One, Several};
use Run::{Ordinary, Own};

const fn command(
    name: &'static str,
    arguments: Arguments,
    help: &'static str,
    options: &'static [&'static str],
    run: Run,
) -> Command {
    Command { name, arguments, help, options, run }
}

const ROOM: Arguments = One("ROOM", "one room");
const ROOMS: Arguments = Several("ROOM...", "at least one room");
const NAMES: Arguments = Several("NAME...", "at least one name");
const IDS: Arguments = Several("ID...", "the id of at least one user; `cubby list` prints them");

/// All commands, in the order in which they are listed. Adding one takes a row here and its function.
const COMMANDS: &[Command] = &[
    command("chat", NoArguments, "talk in rooms; type `help` there", &["mess"], Ordinary(chat::chat)),
    command(
        "sub",
        ROOMS,
        "print the events of rooms as they happen",
        &["history", "no-retry"],
        Ordinary(rooms::subscribe),
    ),
    command("pub", ROOM, "publish a file, or standard input, in a room", &["file"], Ordinary(rooms::publish)),
    command("who", ROOM, "print the members of a room", &[], Ordinary(rooms::who)),
    command("send", NAMES, "send a file, or standard input, to names", &["file"], Ordinary(users::send)),
    command("relay", IDS, "send a file, or standard input, to user ids", &["file"], Ordinary(users::relay)),
    command(
        "listen",
        NoArguments,
        "print this client's id, then what is sent to it",
        &["save", "no-retry"],
        Ordinary(listen::listen),
    ),
    command("list", NoArguments, "print the ids of all other users", &[], Ordinary(users::list)),
    command("id", NoArguments, "print the id that the hub gives this client", &[], Ordinary(users::id)),
    command("stats", NoArguments, "print the hub's counters (on its own machine only)", &[], Ordinary(users::stats)),
    command("bench", NoArguments, "put load on a hub; see `cubby bench --help`", &[], Own(bench::bench)),
];

/// All options. Those that only some commands have are listed there as well.
const OPTIONS: &[OptionRow<'_>] = &[
    ("H", "hub", "ADDRESS", "HOST:PORT, unix:PATH or ws://HOST:PORT (default: $CUBBY_HUB, or else 127.0.0.1:7070)"),
    ("n", "name", "NAME", "the name to connect with; chat needs one"),
    ("f", "file", "FILE", "pub, send, relay: the file to send (default: stdin)"),
    ("", "history", "N", "sub: first print the last N events of each room"),
    ("s", "save", "DIR", "listen: save each body as a file in this directory"),
    ("", "no-retry", "", "sub, listen: do not reconnect; exit with 1 if the connection is lost"),
    ("", "mess", "", "chat: append each incoming line to ./NAME.mess"),
    ("j", "json", "", "print JSON, one object per line"),
    ("t", "timeout", "SECS", "how long to wait for the hub (30)"),
    ("h", "help", "", "print this help; deploy/REFERENCE.md says more"),
    ("V", "version", "", "print the version"),
];

/// Does what the arguments ask for.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some((first, rest)) = arguments.split_first()
        && let Some(Command { run: Own(run), .. }) = COMMANDS.iter().find(|command| command.name == first)
    {
        return run(rest);
    }
    let options = options().parse(arguments).map_err(|fail| Failure::Usage(wrong_option(&fail, long_names())))?;
    if options.opt_present("help") {
        return show::line(help().trim_end());
    }
    if options.opt_present("version") {
        return show::line(concat!("cubby ", env!("CARGO_PKG_VERSION")));
    }
    let (command, arguments) = find(&options.free).map_err(Failure::Usage)?;
    match command.run {
        Own(_) => Err(Failure::Usage(format!("{0} has its own options: write `cubby {0} [OPTIONS]`", command.name))),
        Ordinary(run) => {
            check(command, arguments, &options).map_err(Failure::Usage)?;
            let settings = settings(&options).map_err(Failure::Usage)?;
            let arguments = arguments.to_vec();
            run(&Call { settings, arguments, options })
        }
    }
}

fn long_names() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().map(|(_, long, _, _)| *long)
}

/// The options as the parser wants them.
fn options() -> Options {
    let mut options = Options::new();
    for &(short, long, value, _) in OPTIONS {
        match value {
            "" => options.optflag(short, long, ""),
            _ => options.optopt(short, long, "", value),
        };
    }
    options
}

fn help() -> String {
    let mut first = "Usage: cubby [OPTIONS] COMMAND\n\nCommands:\n".to_owned();
    for command in COMMANDS {
        let arguments = match command.arguments {
            NoArguments => "",
            One(name, _) | Several(name, _) => name,
        };
        let call = format!("{} {arguments}", command.name);
        first.push_str(&format!("  {call:25}  {}\n", command.help));
    }
    usage(&format!("{first}\nOptions:"), OPTIONS)
}

/// The command that is called, and its arguments.
fn find(words: &[String]) -> Result<(&'static Command, &[String]), String> {
    let names = || COMMANDS.iter().map(|command| command.name);
    let Some((name, arguments)) = words.split_first() else {
        return Err(format!("a command is missing: one of {}", names().collect::<Vec<_>>().join(", ")));
    };
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => Ok((command, arguments)),
        None => {
            let hint = nearest(name, names()).map_or_else(String::new, |known| format!("; did you mean {known}?"));
            Err(format!("there is no command {name:?}{hint}"))
        }
    }
}

/// Checks that a command takes these arguments and options.
fn check(command: &Command, arguments: &[String], options: &Matches) -> Result<(), String> {
    for option in long_names().filter(|option| options.opt_present(option)) {
        let owners: Vec<_> = COMMANDS.iter().filter(|command| command.options.contains(&option)).collect();
        if !owners.is_empty() && !command.options.contains(&option) {
            let owners: Vec<_> = owners.iter().map(|owner| owner.name).collect();
            return Err(format!("--{option} is an option of {}", owners.join(", ")));
        }
    }
    let (least, most, what) = match command.arguments {
        NoArguments => (0, 0, "no argument"),
        One(_, what) => (1, 1, what),
        Several(_, what) => (1, usize::MAX, what),
    };
    match arguments.get(most) {
        Some(extra) => Err(format!("{} takes {what}; {extra:?} is one too many", command.name)),
        None if arguments.len() < least => Err(format!("{} needs {what}", command.name)),
        None => Ok(()),
    }
}

fn settings(options: &Matches) -> Result<Settings, String> {
    let hub = hub_address(options.opt_str("hub"))?;
    let timeout = timeout(options.opt_str("timeout"))?;
    let name = options.opt_str("name").unwrap_or_default();
    Ok(Settings { hub, timeout, json: options.opt_present("json"), name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_commands_exist() {
        for option in COMMANDS.iter().flat_map(|command| command.options) {
            assert!(long_names().any(|name| name == *option), "--{option}");
        }
    }

    #[test]
    fn the_help_fits_a_terminal() {
        help().lines().for_each(|line| assert!(line.chars().count() <= 80, "{line}"));
    }
}
