//! How the programs show their options: a line each, so that all fit a screen.

/// Columns before the help of an option.
const HELP_AT: usize = 27;

/// An option: its short and long name, what it takes (nothing: a flag), and its help, which fits one line. Where that
/// is empty it stands on one line with the next.
pub type OptionRow = (&'static str, &'static str, &'static str, &'static str);

/// What `--help` prints: the first line, and one for each option.
pub fn usage(first: &str, rows: &[OptionRow]) -> String {
    let mut text = format!("{first}\n\n");
    let mut options = String::new();
    for (short, long, takes, help) in rows {
        let short = if short.is_empty() { String::new() } else { format!("-{short}, ") };
        match options.is_empty() {
            true => options = format!("  {short:4}--{long} {takes}"),
            false => options = format!("{}, {short}--{long} {takes}", options.trim_end()),
        }
        if !help.is_empty() {
            text.push_str(&format!("{options:HELP_AT$}  {help}\n"));
            options.clear();
        }
    }
    text
}
