//! What a person types in a chat, as commands. A table has one row for each command. It knows nothing of the hub.

use crate::common::nearest;
use cubby::{ListedName, canonical_name, split_names, take_name};

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Publish a text in a room.
    Say { room: String, text: String },
    /// Join rooms.
    Sub(Vec<String>),
    /// Leave rooms.
    Unsub(Vec<String>),
    /// Join a room, and publish further lines there.
    Attach(String),
    /// Show the members of a room, or of the only room.
    Who(Option<String>),
    /// Show the ids of all other users.
    List,
    /// Show the last events of a room, or of the only room.
    History(Option<String>, u32),
    /// Send a text to names.
    To { names: Vec<String>, text: String },
    /// What needs no hub.
    Local(Local),
    /// Leave the chat.
    Quit,
}

impl Command {
    /// The bytes of its text, which may be many.
    pub fn text_len(&self) -> usize {
        match self {
            Command::Say { text, .. } | Command::To { text, .. } => text.len(),
            Command::Sub(_)
            | Command::Unsub(_)
            | Command::Attach(_)
            | Command::Who(_)
            | Command::List
            | Command::History(..)
            | Command::Local(_)
            | Command::Quit => 0,
        }
    }
}

/// A command that needs no hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Local {
    /// Lines are commands again.
    Detach,
    /// Show the rooms that this session is in.
    Rooms,
    /// Show the commands.
    Help,
    /// The line was not understood; this says why.
    Wrong(String),
}

/// Makes a command of what follows its name, or says what the command needs.
type Parse = fn(&str) -> Result<Command, String>;

/// Each command: its name, its arguments, what it does, and how it is parsed.
const COMMANDS: [(&str, &str, &str, Parse); 10] = [
    ("sub", "ROOM...", "join rooms and see what happens there", |rest| rooms(rest).map(Command::Sub)),
    ("unsub", "ROOM...", "leave rooms", |rest| rooms(rest).map(Command::Unsub)),
    ("attach", "ROOM", "join a room, and say there what you type until //", attach),
    ("who", "[ROOM]", "show the members of a room", who),
    ("history", "[ROOM] [N]", "show the last N (20) events of a room", history),
    ("rooms", "", "show the rooms that you are in", |rest| alone(rest, Command::Local(Local::Rooms))),
    ("list", "", "show the ids of all other users", |rest| alone(rest, Command::List)),
    ("to", "NAME[,NAME] TEXT", "send a text to every session of these names", to),
    ("help", "", "show this help", |_| Ok(Command::Local(Local::Help))),
    ("quit", "", "leave, as Ctrl-C and Ctrl-D do", |rest| alone(rest, Command::Quit)),
];

/// What `help` says after the list of commands.
const NOTES: &str = "\
While a room is attached, //COMMAND runs a command, // detaches the room,
and /// begins a line that is to begin with //.
Put double quotes around names with blanks or commas.";

/// The number of events that `history` shows by default.
const DEFAULT_HISTORY: u32 = 20;

/// The lines of `help`.
pub fn help() -> impl Iterator<Item = String> {
    let row = |(name, arguments, help, _)| format!("{:22}{help}", format!("{name} {arguments}"));
    COMMANDS.into_iter().map(row).chain(NOTES.lines().map(str::to_owned))
}

/// Parses a line. If a room is attached, a line that is not a command is said there. `None` if the line is empty.
pub fn parse(line: &str, attached: Option<&str>) -> Option<Command> {
    let line = line.trim_end();
    let Some(room) = attached else {
        return (!line.trim().is_empty()).then(|| command(line.trim_start()));
    };
    let escaped = line.trim_start().strip_prefix("//");
    match escaped {
        Some("") => Some(Command::Local(Local::Detach)),
        Some(rest) if rest.starts_with('/') => Some(Command::Say { room: room.to_owned(), text: format!("/{rest}") }),
        Some(rest) if is_command(rest) => Some(command(rest)),
        _ if line.is_empty() => None,
        _ => Some(Command::Say { room: room.to_owned(), text: line.to_owned() }),
    }
}

fn is_command(text: &str) -> bool {
    text.split_whitespace().next().is_some_and(|word| names().any(|name| name == word))
}

fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, ..)| *name)
}

fn command(line: &str) -> Command {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let parsed = match COMMANDS.iter().find(|(known, ..)| *known == name) {
        Some((_, _, _, parse)) => parse(rest).map_err(|what| format!("{name} {what}")),
        None => Err(unknown(name)),
    };
    parsed.unwrap_or_else(|what| Command::Local(Local::Wrong(what)))
}

fn unknown(name: &str) -> String {
    match nearest(name, names()) {
        _ if name == "//" => "no room is attached".to_owned(),
        Some(known) => format!("{name:?} is no command; did you mean {known}?"),
        None => format!("{name:?} is no command; `help` lists them. To talk in a room, attach it first"),
    }
}

fn rooms(rest: &str) -> Result<Vec<String>, String> {
    let rooms = words(rest)?;
    if rooms.is_empty() { Err("needs at least one room".to_owned()) } else { Ok(rooms) }
}

fn attach(rest: &str) -> Result<Command, String> {
    match <[String; 1]>::try_from(words(rest)?) {
        Ok([room]) => Ok(Command::Attach(room)),
        Err(_) => Err("needs one room; put double quotes around a name with blanks".to_owned()),
    }
}

fn who(rest: &str) -> Result<Command, String> {
    let mut words = words(rest)?;
    if words.len() > 1 { Err("takes at most one room".to_owned()) } else { Ok(Command::Who(words.pop())) }
}

fn history(rest: &str) -> Result<Command, String> {
    let mut words = words(rest)?;
    let number = words.last().and_then(|last| last.parse::<u32>().ok());
    match (number, words.len()) {
        (_, 3..) => Err("takes at most a room and a number".to_owned()),
        (None, 2) => Err(format!("needs a number of events, not {:?}", words[1])),
        (None, _) => Ok(Command::History(words.pop(), DEFAULT_HISTORY)),
        (Some(number), len) => Ok(Command::History((len == 2).then(|| words.swap_remove(0)), number)),
    }
}

/// `NAME[,NAME] TEXT`; further names may follow with an `@` before each.
fn to(rest: &str) -> Result<Command, String> {
    let mut text = rest.trim_start();
    let mut names: Vec<String> = Vec::new();
    while !text.is_empty() && (names.is_empty() || text.starts_with('@')) {
        let (listed, after) = split_names(text, char::is_whitespace)?;
        names.extend(listed.iter().map(addressed));
        text = after.trim_start();
    }
    if text.is_empty() || names.iter().any(String::is_empty) {
        return Err("needs a name and a text, as in: to ann hello".to_owned());
    }
    Ok(Command::To { names, text: text.to_owned() })
}

/// A name without the `@` before it. In quotes, an `@` belongs to the name.
fn addressed(listed: &ListedName<'_>) -> String {
    let bare = if listed.is_quoted { None } else { listed.name.strip_prefix('@') };
    bare.unwrap_or(&listed.name).to_owned()
}

/// A command without arguments.
fn alone(rest: &str, command: Command) -> Result<Command, String> {
    if words(rest)?.is_empty() { Ok(command) } else { Err("takes no arguments".to_owned()) }
}

/// Splits a text at blanks, except within double quotes. What is typed may be in another normal form than the hub's
/// events name.
fn words(mut rest: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    while !rest.trim_start().is_empty() {
        let (word, after) = take_name(rest.trim_start(), char::is_whitespace)?;
        words.push(canonical_name(&word.name).into_owned());
        rest = after;
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Command {
        parse(line, None).expect("something is on it")
    }

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn commands_are_parsed() {
        assert_eq!(parsed("sub lobby  \"my room\""), Command::Sub(strings(&["lobby", "my room"])));
        assert_eq!(parsed("  attach lobby "), Command::Attach("lobby".to_owned()));
        assert_eq!(parsed("who"), Command::Who(None));
        assert_eq!(parsed("history"), Command::History(None, 20));
        assert_eq!(parsed("history 5"), Command::History(None, 5));
        assert_eq!(parsed("history lobby"), Command::History(Some("lobby".to_owned()), 20));
        assert_eq!(parsed("history lobby 5"), Command::History(Some("lobby".to_owned()), 5));
        assert_eq!(parsed("quit"), Command::Quit);
        assert_eq!(parse("   ", None), None);
    }

    #[test]
    fn a_text_goes_to_names() {
        let to = |names: &[&str], text: &str| Command::To { names: strings(names), text: text.to_owned() };
        assert_eq!(parsed("to ann how are you"), to(&["ann"], "how are you"));
        assert_eq!(parsed("to ann,bob  hi,  all"), to(&["ann", "bob"], "hi,  all"));
        assert_eq!(parsed("to @ann @bob hi"), to(&["ann", "bob"], "hi"));
        assert_eq!(parsed("to \"Ann Lee\" don't \"quote"), to(&["Ann Lee"], "don't \"quote"));
        assert_eq!(parsed("to \"Lee, Ann\" x"), to(&["Lee, Ann"], "x"));
        assert_eq!(parsed("to \"Ann Lee\",bob x"), to(&["Ann Lee", "bob"], "x"));
        assert_eq!(
            parsed("to @bob,\"@ann\" @\"Ann Lee\" @carl hi @dora"),
            to(&["bob", "@ann", "Ann Lee", "carl"], "hi @dora")
        );
        for unclear in ["to ann", "to", "to @ hi", "to ann, bob hi", "to \"Ann\"Lee hi", "to ann @bob"] {
            assert!(matches!(parsed(unclear), Command::Local(Local::Wrong(_))), "{unclear}");
        }
    }

    #[test]
    fn an_error_says_what_is_wrong() {
        let wrong = |line: &str| match parsed(line) {
            Command::Local(Local::Wrong(what)) => what,
            other => panic!("{other:?}"),
        };
        assert!(wrong("sbu lobby").contains("did you mean sub?"));
        assert!(wrong("histroy").contains("did you mean history?"));
        assert!(wrong("hello there everybody").contains("attach"));
        assert!(wrong("sub").contains("at least one room"));
        assert!(wrong("history lobby many").contains("a number of events, not \"many\""));
        assert!(wrong("sub \"my room").contains("quote"));
        assert!(wrong("to \"ann hi").contains("quote"));
        assert!(wrong("list all").contains("takes no arguments"));
        assert!(wrong("//").contains("no room is attached"));
    }

    #[test]
    fn lines_go_to_the_attached_room_until_it_is_detached() {
        let say = |text: &str| Some(Command::Say { room: "lobby".to_owned(), text: text.to_owned() });
        assert_eq!(parse("quit", Some("lobby")), say("quit"));
        assert_eq!(parse("  // is a comment", Some("lobby")), say("  // is a comment"));
        assert_eq!(parse("//", Some("lobby")), Some(Command::Local(Local::Detach)));
        assert_eq!(parse("///who", Some("lobby")), say("//who"));
        assert_eq!(parse("//who", Some("lobby")), Some(Command::Who(None)));
        assert_eq!(parse("", Some("lobby")), None);
    }
}
