//! The rules, each of which lists its offences: how long things may be, what may stand in shipped code, and which room
//! may use which.

use crate::code::{Token, closing, tokens};
use crate::tree::{Source, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// A place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offence {
    pub rule: Rule,
    /// What an exception names: a file, a function, two rooms.
    pub key: String,
    pub file: String,
    pub line: usize,
    /// What is wrong, and how to fix it.
    pub advice: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    Header,
    LineLength,
    FileLength,
    FunctionLength,
    StructSize,
    Forbidden,
    Unsafe,
    Mio,
    Stray,
    Features,
    Arrow,
    Circle,
}

/// Lines that a file may ship, and that it may have with its tests.
const FILE_LINES: [usize; 2] = [450, 700];

/// Characters in a line.
const LINE_LENGTH: usize = 120;

/// Lines of a function that is shipped, and of one of a test, from its `fn` to its last brace.
const FUNCTION_LINES: [usize; 2] = [60, 70];

const STRUCT_FIELDS: usize = 20;

/// Lines of the core that depend on a feature.
const FEATURE_LINES: usize = 14;

/// Rooms that are features or programs, so that they do not belong to the core. Code for tests is a feature as well.
const NOT_CORE: [&str; 8] = ["auth", "bin", "client", "cluster", "store", "testing", "tls", "web"];

/// The files that may name `mio`: one of the hub's loop, and one of the load generator's.
const MIO_FILES: [&str; 2] = ["src/net/mio_os.rs", "src/bin/cubby/bench/load/poll.rs"];

/// The one file that may hold unsafe code, and that once.
const UNSAFE_FILE: &str = "src/bin/cubbyd/allocator.rs";

/// What may not stand in shipped code: tokens in a row, and what to do.
const FORBIDDEN: [(&[&str], &str); 4] = [
    (&[".", "unwrap", "("], "return an error, or say with `expect` why it can not fail"),
    (&["todo", "!"], "write it"),
    (&["unimplemented", "!"], "write it"),
    (&["dbg", "!"], "remove it, or use `log`"),
];

/// What the rooms of the library may use: `server → {net, web, tls, auth, store, cluster} → hub → wire`, and
/// `client → wire`. A module at the root is a room as well; it knows `wire` at the most.
const ROOMS: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("escape", &[]),
    ("marks", &[]),
    ("name", &["escape"]),
    ("name_list", &[]),
    ("wire", &[]),
    ("json", &["escape", "wire"]),
    ("error", &["wire"]),
    ("stats", &["wire"]),
    ("limits", &["error", "wire"]),
    ("deadlines", &["limits"]),
    ("hub", &["deadlines", "error", "escape", "limits", "marks", "name", "stats", "wire"]),
    ("net", &["address", "deadlines", "error", "hub", "limits", "marks", "stats", "wire"]),
    ("web", &["deadlines", "escape", "hub", "json", "limits", "marks", "name", "name_list", "stats", "wire"]),
    ("tls", &["deadlines", "hub", "limits", "marks", "stats", "wire"]),
    ("auth", &["deadlines", "hub", "limits", "marks", "stats", "wire"]),
    ("store", &["deadlines", "hub", "limits", "marks", "stats", "wire"]),
    ("cluster", &["deadlines", "hub", "limits", "marks", "stats", "wire"]),
    (
        "server",
        &[
            "address",
            "auth",
            "cluster",
            "deadlines",
            "error",
            "escape",
            "hub",
            "limits",
            "marks",
            "net",
            "stats",
            "store",
            "tls",
            "web",
            "wire",
        ],
    ),
    ("client", &["address", "json", "limits", "stats", "wire"]),
];

/// What a program may not use, though the library has it: the daemon runs the server, the client's program a client.
const NOT_FOR_PROGRAMS: [(&str, &[&str]); 2] =
    [("bin/cubby", &["auth", "cluster", "hub", "net", "server", "store", "tls", "web"]), ("bin/cubbyd", &["client"])];

/// Rooms that may use all others: the root, which only names its parts, and code for tests.
const FREE: [&str; 2] = ["", "testing"];

/// Every offence against every rule.
pub fn offences(tree: &Tree) -> Vec<Offence> {
    let mut found = Vec::new();
    for (file, source) in &tree.sources {
        let check = Check { file, source, tokens: tokens(&source.code) };
        check.texts(&mut found);
        check.functions(&mut found);
        check.structs(&mut found);
        check.forbidden(&mut found);
        check.unsafe_code(&mut found);
        check.mio(&mut found);
    }
    for file in &tree.strays {
        let advice = "no module declares this file: declare it or remove it".to_owned();
        found.push(Offence { rule: Rule::Stray, key: file.clone(), file: file.clone(), line: 1, advice });
    }
    features(tree, &mut found);
    arrows(tree, &mut found);
    circles(tree, &mut found);
    found.sort();
    found.dedup();
    found
}

/// The two rules that hold for every Rust file, shipped or not.
pub fn text_offences(file: &str, text: &str) -> Vec<Offence> {
    let mut found = Vec::new();
    let offence = |rule, line, advice: String| {
        let file = file.to_owned();
        Offence { rule, key: file.clone(), file, line, advice }
    };
    if !text.starts_with("//!") {
        found.push(offence(Rule::Header, 1, "say in the first lines, with `//!`, what the file owns".to_owned()));
    }
    for (number, line) in text.lines().enumerate() {
        let len = line.chars().count();
        if len > LINE_LENGTH {
            let advice = format!("{len} characters: break the line at {LINE_LENGTH}");
            found.push(offence(Rule::LineLength, number + 1, advice));
        }
    }
    found
}

/// One file under check.
struct Check<'a> {
    file: &'a str,
    source: &'a Source,
    tokens: Vec<Token<'a>>,
}

impl Check<'_> {
    fn offence(&self, rule: Rule, key: &str, at: usize, advice: String) -> Offence {
        Offence { rule, key: key.to_owned(), file: self.file.to_owned(), line: self.source.line(at), advice }
    }

    fn texts(&self, found: &mut Vec<Offence>) {
        found.extend(text_offences(self.file, &self.source.text));
        let lines = [self.source.shipped_lines(), self.source.text.lines().count()];
        for (lines, most) in lines.into_iter().zip(FILE_LINES).filter(|(lines, most)| lines > most) {
            let advice = format!("{lines} lines, and {most} may be: move a part into a file of its own");
            found.push(self.offence(Rule::FileLength, self.file, 0, advice));
        }
    }

    /// Whether these tokens stand at an index.
    fn stands(&self, index: usize, words: &[&str]) -> bool {
        let there = self.tokens[index..].iter().map(|token| token.text);
        there.take(words.len()).eq(words.iter().copied())
    }

    fn functions(&self, found: &mut Vec<Offence>) {
        let tokens = &tokens(&self.source.all_code);
        for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "fn") {
            let Some(name) = tokens.get(index + 1).filter(|name| name.is_word()) else { continue };
            let Some(open) = body(tokens, index) else { continue };
            let close = tokens[closing(tokens, open)];
            let lines = self.source.line(close.at) - self.source.line(token.at) + 1;
            let most = FUNCTION_LINES[usize::from(self.source.is_in_tests(token.at))];
            if lines > most {
                let advice = format!("`{}` has {lines} lines, and {most} may be: divide it", name.text);
                found.push(self.offence(Rule::FunctionLength, name.text, token.at, advice));
            }
        }
    }

    fn structs(&self, found: &mut Vec<Offence>) {
        for (index, token) in self.tokens.iter().enumerate().filter(|(_, token)| token.text == "struct") {
            let Some(open) = body(&self.tokens, index) else { continue };
            let mut fields = 0;
            let mut inner = open + 1;
            let close = closing(&self.tokens, open);
            while inner < close {
                match self.tokens[inner].text {
                    ":" => fields += 1,
                    "(" | "[" | "{" => inner = closing(&self.tokens, inner),
                    _ => {}
                }
                inner += 1;
            }
            if fields > STRUCT_FIELDS {
                let name = self.tokens[index + 1].text;
                let advice = format!("`{name}` has {fields} fields, and {STRUCT_FIELDS} may be: give its parts names");
                found.push(self.offence(Rule::StructSize, name, token.at, advice));
            }
        }
    }

    fn forbidden(&self, found: &mut Vec<Offence>) {
        for (index, token) in self.tokens.iter().enumerate() {
            for (words, advice) in FORBIDDEN {
                if self.stands(index, words) {
                    let advice = format!("`{}` is shipped: {advice}", words.concat());
                    found.push(self.offence(Rule::Forbidden, self.file, token.at, advice));
                }
            }
        }
    }

    fn unsafe_code(&self, found: &mut Vec<Offence>) {
        let all = self.tokens.iter().filter(|token| token.text == "unsafe");
        for token in all.skip(usize::from(self.file == UNSAFE_FILE)) {
            let advice = format!("unsafe code: one block in {UNSAFE_FILE} is all there may be");
            found.push(self.offence(Rule::Unsafe, self.file, token.at, advice));
        }
    }

    fn mio(&self, found: &mut Vec<Offence>) {
        let names = |index: usize| self.stands(index, &["mio", "::"]) || self.stands(index, &["use", "mio"]);
        for index in (0..self.tokens.len()).filter(|index| names(*index)) {
            if !MIO_FILES.contains(&self.file) {
                let advice = format!("`mio` is named: only {} may do that", MIO_FILES.join(" and "));
                found.push(self.offence(Rule::Mio, self.file, self.tokens[index].at, advice));
            }
        }
    }
}

/// The index of the brace that opens the body of an item; `None` if it has no body.
fn body(tokens: &[Token<'_>], item: usize) -> Option<usize> {
    let mut index = item;
    while index < tokens.len() {
        match tokens[index].text {
            "{" => return Some(index),
            ";" => return None,
            "(" | "[" => index = closing(tokens, index),
            _ => {}
        }
        index += 1;
    }
    None
}

/// The room of a file: the first part of its path below `src`.
fn room_of_file(file: &str) -> &str {
    let inner = file.trim_start_matches("src/");
    inner.split(['/', '.']).next().unwrap_or(inner)
}

fn features(tree: &Tree, found: &mut Vec<Offence>) {
    let mut lines = Vec::new();
    for (file, source) in tree.sources.iter().filter(|(file, _)| !NOT_CORE.contains(&room_of_file(file))) {
        let tokens = tokens(&source.code);
        let conditions = (0..tokens.len()).filter(|index| {
            let predicate = *index..closing_of_call(&tokens, *index);
            matches!(tokens[*index].text, "cfg" | "cfg_attr") && tokens[predicate].iter().any(|t| t.text == "feature")
        });
        let own: BTreeSet<usize> = conditions.map(|index| source.line(tokens[index].at)).collect();
        lines.extend(own.into_iter().map(|line| (file.clone(), line)));
    }
    let count = lines.len();
    if count > FEATURE_LINES {
        found.extend(lines.into_iter().map(|(file, line)| {
            let advice = format!("one of {count} lines of the core that depend on a feature: {FEATURE_LINES} may");
            Offence { rule: Rule::Features, key: "core".to_owned(), file, line, advice }
        }));
    }
}

/// The end of the brackets that follow a name, with or without `!`.
fn closing_of_call(tokens: &[Token<'_>], name: usize) -> usize {
    let open = (name + 1..tokens.len().min(name + 3)).find(|index| tokens[*index].text == "(");
    open.map_or(name, |open| closing(tokens, open))
}

/// The room of a module: `hub`, `limits`, a program as in `bin/cubbyd`, or nothing for the root of the library.
fn room(path: &[String]) -> &str {
    match path {
        [program, ..] if program.starts_with("bin/") => program,
        [_, room, ..] => room,
        _ => "",
    }
}

fn may_use(from: &str, to: &str) -> bool {
    if FREE.contains(&from) {
        return true;
    }
    if let Some((_, not)) = NOT_FOR_PROGRAMS.iter().find(|(program, _)| *program == from) {
        return !not.contains(&to);
    }
    ROOMS.iter().any(|(room, uses)| *room == from && uses.contains(&to))
}

fn arrows(tree: &Tree, found: &mut Vec<Offence>) {
    let mut seen = BTreeSet::new();
    for arrow in tree.arrows().into_iter().filter(|arrow| seen.insert((arrow.from, arrow.to))) {
        let [from, to] = [arrow.from, arrow.to].map(|module| &tree.modules[module]);
        let rooms = [room(&from.path), room(&to.path)];
        if rooms[0] != rooms[1] && !may_use(rooms[0], rooms[1]) {
            let to = if to.path.len() == 1 { "the root".to_owned() } else { to.path[1..].join("::") };
            let advice = format!("`{}` may not use `{to}`: see ROOMS for what it may", rooms[0]);
            let key = format!("{} → {}", rooms[0], rooms[1]);
            found.push(Offence { rule: Rule::Arrow, key, file: from.file.clone(), line: arrow.line, advice });
        }
    }
}

/// Of the modules with one parent: which uses which, in which file and line.
type Uses<'a> = BTreeMap<&'a str, BTreeMap<&'a str, (&'a str, usize)>>;

/// Modules with the same parent that use each other in a circle, directly or by way of what is in them. What a module
/// and its parent have of each other is the ordinary way of Rust, and not counted.
fn circles(tree: &Tree, found: &mut Vec<Offence>) {
    let mut uses: BTreeMap<&[String], Uses<'_>> = BTreeMap::new();
    for arrow in tree.arrows() {
        let [from, to] = [arrow.from, arrow.to].map(|module| &tree.modules[module]);
        let shared = from.path.iter().zip(&to.path).take_while(|(one, other)| one == other).count();
        if let (Some(one), Some(other)) = (from.path.get(shared), to.path.get(shared)) {
            let siblings = uses.entry(&from.path[..shared]).or_default();
            siblings.entry(one).or_default().entry(other).or_insert((&from.file, arrow.line));
        }
    }
    for (parent, siblings) in &uses {
        for (from, targets) in siblings {
            for (to, (file, line)) in targets {
                let Some(way) = way_back(siblings, to, from) else { continue };
                let place = if parent.len() > 1 { parent[1..].join("::") } else { parent.join("") };
                let advice = format!("a circle in `{place}`: {from} → {}; one must do without", way.join(" → "));
                let mut members = way.clone();
                members.sort_unstable();
                let key = format!("{place}: {}", members.join(" "));
                found.push(Offence { rule: Rule::Circle, key, file: (*file).to_owned(), line: *line, advice });
            }
        }
    }
}

/// The shortest way from one module to another along the uses, both included.
fn way_back<'a>(uses: &Uses<'a>, from: &'a str, to: &'a str) -> Option<Vec<&'a str>> {
    let mut ways = vec![vec![from]];
    let mut seen = BTreeSet::from([from]);
    let mut next = 0;
    while next < ways.len() {
        let way = ways[next].clone();
        let last = way[way.len() - 1];
        if last == to {
            return Some(way);
        }
        for &target in uses.get(last).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(target) {
                ways.push([&way[..], &[target]].concat());
            }
        }
        next += 1;
    }
    None
}
