//! What a person types in a chat, understood. Knows no hub.

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Say something in a room.
    Say { room: String, text: String },
    /// Come into rooms.
    Sub(Vec<String>),
    /// Leave rooms.
    Unsub(Vec<String>),
    /// Come into a room, where lines go from now on.
    Attach(String),
    /// Lines are commands again.
    Detach,
    /// Show who is in a room, or in the only one.
    Who(Option<String>),
    /// Show the ids of all who are connected.
    List,
    /// Show what was said in a room, or in the only one: so many events.
    History(Option<String>, u32),
    /// Send something to names.
    To { names: Vec<String>, text: String },
    /// Show which rooms one is in.
    Rooms,
    /// Show the commands.
    Help,
    /// Leave.
    Quit,
    /// Nothing that is understood; what to say about it.
    Wrong(String),
}

pub const HELP: &str = "\
sub ROOM...           come into rooms, and see what happens there
unsub ROOM...         leave rooms
attach ROOM           come into a room; what is typed goes there until // is
//                    detach. //COMMAND does something else meanwhile, and
//                    /// begins a line that is to begin with //
who [ROOM]            who is in a room
history [ROOM] [N]    the last N (20) events of a room
rooms                 the rooms that this session is in
list                  the ids of all who are connected
to NAME[,NAME] TEXT   send a text to every session of these names
help                  this
quit                  leave; so do Ctrl-C and Ctrl-D
Names with blanks stand in double quotes.";

const NAMES: [&str; 10] = ["sub", "unsub", "attach", "who", "list", "history", "to", "rooms", "help", "quit"];

/// Events shown by `history` when not told.
const DEFAULT_HISTORY: u32 = 20;

/// Understands a line, which goes to the attached room if it is no command there. `None`: there is nothing on it.
pub fn parse(line: &str, attached: Option<&str>) -> Option<Command> {
    let line = line.trim_end();
    let Some(room) = attached else {
        return (!line.trim().is_empty()).then(|| command(line.trim_start()));
    };
    let escaped = line.trim_start().strip_prefix("//");
    match escaped {
        Some("") => Some(Command::Detach),
        Some(rest) if rest.starts_with('/') => Some(Command::Say { room: room.to_owned(), text: format!("/{rest}") }),
        Some(rest) if is_command(rest) => Some(command(rest)),
        _ if line.is_empty() => None,
        _ => Some(Command::Say { room: room.to_owned(), text: line.to_owned() }),
    }
}

fn is_command(text: &str) -> bool {
    text.split_whitespace().next().is_some_and(|word| NAMES.contains(&word))
}

fn command(line: &str) -> Command {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let arguments = match words(rest) {
        Ok(arguments) => arguments,
        Err(_) if name == "to" => Vec::new(),
        Err(what) => return Command::Wrong(what),
    };
    match (name, arguments.len()) {
        ("sub", 1..) => Command::Sub(arguments),
        ("unsub", 1..) => Command::Unsub(arguments),
        ("attach", 1) => Command::Attach(arguments.concat()),
        ("who", 0 | 1) => Command::Who(arguments.into_iter().next()),
        ("history", 0..=2) => history(arguments),
        ("to", _) => to(rest),
        ("list", 0) => Command::List,
        ("rooms", 0) => Command::Rooms,
        ("help", _) => Command::Help,
        ("quit", 0) => Command::Quit,
        ("//", 0) => Command::Wrong("no room is attached".to_owned()),
        ("sub" | "unsub", _) => Command::Wrong(format!("{name} needs at least one room")),
        ("attach", _) => Command::Wrong("attach needs one room; one with blanks stands in double quotes".to_owned()),
        _ if NAMES.contains(&name) => Command::Wrong(format!("{name} takes no such arguments; see help")),
        _ => Command::Wrong(unknown(name)),
    }
}

fn history(mut arguments: Vec<String>) -> Command {
    let number = arguments.last().and_then(|last| last.parse::<u32>().ok());
    match (number, arguments.len()) {
        (None, 2) => Command::Wrong(format!("{:?} is no number of events", arguments[1])),
        (None, _) => Command::History(arguments.pop(), DEFAULT_HISTORY),
        (Some(number), len) => Command::History((len == 2).then(|| arguments.swap_remove(0)), number),
    }
}

/// `NAME[,NAME] TEXT`; further names may follow with an `@` before each.
fn to(rest: &str) -> Command {
    let Ok((first, mut text)) = next_word(rest) else { return Command::Wrong("a quote is not closed".to_owned()) };
    let strip = |name: &str| name.strip_prefix('@').unwrap_or(name).to_owned();
    let mut names: Vec<String> = first.split(',').filter(|name| !name.is_empty()).map(strip).collect();
    while text.trim_start().starts_with('@')
        && let Ok((name, after)) = next_word(text)
    {
        names.push(strip(&name));
        text = after;
    }
    let text = text.trim_start().to_owned();
    if names.is_empty() || text.is_empty() {
        return Command::Wrong("to needs a name and a text, as in: to ann hello".to_owned());
    }
    Command::To { names, text }
}

/// Splits at blanks, but not within double quotes.
fn words(mut rest: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    while !rest.trim_start().is_empty() {
        let (word, after) = next_word(rest)?;
        words.push(word);
        rest = after;
    }
    Ok(words)
}

fn next_word(text: &str) -> Result<(String, &str), String> {
    let text = text.trim_start();
    match text.strip_prefix('"') {
        Some(quoted) => {
            let (word, rest) = quoted.split_once('"').ok_or("a quote is not closed")?;
            Ok((word.to_owned(), rest))
        }
        None => {
            let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            Ok((word.to_owned(), rest))
        }
    }
}

fn unknown(name: &str) -> String {
    match crate::common::nearest(name, NAMES) {
        Some(known) => format!("{name:?} is no command; did you mean {known}?"),
        None => format!("{name:?} is no command; help shows them. To talk in a room, attach it first"),
    }
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
    fn commands_are_understood() {
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
        assert!(matches!(parsed("to ann"), Command::Wrong(_)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |line: &str| match parsed(line) {
            Command::Wrong(what) => what,
            other => panic!("{other:?}"),
        };
        assert!(wrong("sbu lobby").contains("did you mean sub?"));
        assert!(wrong("histroy").contains("did you mean history?"));
        assert!(wrong("hello there everybody").contains("attach"));
        assert!(wrong("sub").contains("at least one room"));
        assert!(wrong("history lobby many").contains("\"many\" is no number"));
        assert!(wrong("sub \"my room").contains("quote"));
    }

    #[test]
    fn lines_go_to_the_attached_room_until_it_is_detached() {
        let say = |text: &str| Some(Command::Say { room: "lobby".to_owned(), text: text.to_owned() });
        assert_eq!(parse("quit", Some("lobby")), say("quit"));
        assert_eq!(parse("  // is a comment", Some("lobby")), say("  // is a comment"));
        assert_eq!(parse("//", Some("lobby")), Some(Command::Detach));
        assert_eq!(parse("///who", Some("lobby")), say("//who"));
        assert_eq!(parse("//who", Some("lobby")), Some(Command::Who(None)));
        assert_eq!(parse("", Some("lobby")), None);
    }
}
