//! What both programs share: how options are listed and misspelt ones corrected, and how errors reach the terminal.

use getopts::Fail;
use std::ffi::OsString;
use std::io::{self, Write};

/// The column at which the help of an option begins, unless the options before it are longer.
const HELP_COLUMN: usize = 29;

/// The width of a help text: what every terminal shows without wrapping.
const WIDTH: usize = 80;

/// An option: its short name (may be empty), its long name, the name of its value (empty for a flag), and its help. If
/// the help is empty, the option shares the line of the next one.
pub type OptionRow<'a> = (&'a str, &'a str, &'a str, &'a str);

/// The text of `--help`: a first line, and the lines of the options. Texts must be ASCII.
pub fn usage(first: &str, rows: &[OptionRow<'_>]) -> String {
    let mut text = format!("{first}\n");
    // Where the current line begins.
    let mut start = text.len();
    for (short, long, value, help) in rows {
        let is_first = text.len() == start;
        text.push_str(if is_first { "  " } else { ", " });
        if !short.is_empty() {
            text.extend(["-", short, ", "]);
        } else if is_first {
            text.push_str("    ");
        }
        text.extend(["--", long]);
        if !value.is_empty() {
            text.extend([" ", value]);
        }
        if !help.is_empty() {
            push_help(&mut text, start, help);
            start = text.len();
        }
    }
    text
}

/// Appends the help of an option to its line, which begins at `start`, and wraps it.
fn push_help(text: &mut String, start: usize, help: &str) {
    let column = HELP_COLUMN.max(text.len() - start + 2);
    let mut line = start;
    let mut separator = column - (text.len() - start);
    for word in help.split(' ') {
        if text.len() - line + separator + word.len() > WIDTH {
            text.push('\n');
            line = text.len();
            separator = column;
        }
        text.extend(std::iter::repeat_n(' ', separator));
        text.push_str(word);
        separator = 1;
    }
    text.push('\n');
}

/// What is wrong with the options, and which of the `known` long names was probably meant.
pub fn wrong_option<'a>(fail: &Fail, known: impl IntoIterator<Item = &'a str>) -> String {
    let Fail::UnrecognizedOption(name) = fail else { return fail.to_string() };
    let dashes = if name.chars().count() == 1 { "-" } else { "--" };
    let hint = nearest(name, known).map_or_else(String::new, |meant| format!("; did you mean --{meant}?"));
    format!("there is no option {dashes}{}{hint}", cubby::escape_unfit(name))
}

/// The known word that was probably meant by a misspelt one, if any is similar enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.into_iter().map(|known| (strsim::osa_distance(word, known), known));
    distances
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= known.len().div_ceil(4))
        .map(|(_, known)| known)
}

/// The program's arguments, or what is wrong with them.
pub fn arguments() -> Result<Vec<String>, String> {
    let text = |argument: OsString| argument.into_string().map_err(|argument| format!("{argument:?} is not UTF-8"));
    std::env::args_os().skip(1).map(text).collect()
}

/// Writes a line to standard error. If that fails there is nobody to tell.
pub fn complain(program: &str, text: &str) {
    let _ = writeln!(io::stderr(), "{program}: {}", cubby::escape_unfit(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_without_a_help_share_the_next_line_and_a_long_help_is_wrapped() {
        let rows = [
            ("a", "all", "", "take all"),
            ("", "least", "N", ""),
            ("", "most", "N", "how many"),
            ("", "wait", "SECS", "wait for this long, and then for as long again, and so on until the end"),
        ];
        let text = [
            "Usage:",
            "  -a, --all                  take all",
            "      --least N, --most N    how many",
            "      --wait SECS            wait for this long, and then for as long again, and",
            "                             so on until the end",
            "",
        ];
        assert_eq!(usage("Usage:", &rows), text.join("\n"));
    }

    #[test]
    fn a_misspelt_word_is_recognized_and_another_word_is_not() {
        assert_eq!(nearest("lits", ["send", "list"]), Some("list"));
        assert_eq!(nearest("frobnicate", ["send", "list"]), None);
    }

    #[test]
    fn an_unknown_option_is_named_as_it_was_typed_and_can_not_control_the_terminal() {
        let wrong = |name: &str| wrong_option(&Fail::UnrecognizedOption(name.into()), ["size", "json"]);
        assert_eq!(wrong("sise"), "there is no option --sise; did you mean --size?");
        assert_eq!(wrong("http"), "there is no option --http");
        assert_eq!(wrong("x"), "there is no option -x");
        assert_eq!(wrong("siz\u{1b}"), "there is no option --siz\\u{1b}; did you mean --size?");
        assert_eq!(wrong_option(&Fail::ArgumentMissing("size".into()), []), "Argument to option 'size' missing");
    }
}
