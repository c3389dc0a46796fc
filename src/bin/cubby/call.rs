//! A command as it was called: its settings, its arguments and its own options.

use crate::failure::Failure;
use crate::settings::Settings;
use getopts::Matches;
use std::path::PathBuf;
use std::str::FromStr;

/// A command as it was called. The number of its arguments has been checked.
pub struct Call {
    pub settings: Settings,
    pub arguments: Vec<String>,
    pub options: Matches,
}

impl Call {
    /// Whether a flag is given.
    pub fn flag(&self, option: &str) -> bool {
        self.options.opt_present(option)
    }

    /// The file or directory that an option names.
    pub fn path(&self, option: &str) -> Option<PathBuf> {
        self.options.opt_str(option).map(PathBuf::from)
    }

    /// The number that an option gives.
    pub fn number<T: FromStr>(&self, option: &str) -> Result<Option<T>, Failure> {
        let wrong = |text: &str| Failure::Usage(format!("--{option}: {text:?} is not a valid number"));
        self.options.opt_str(option).map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
    }
}
