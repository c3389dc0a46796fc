//! Runs `cubby bench` and reads the JSON that it prints.

use serde_json::Value;
use std::process::{Command, Stdio};

/// A server, as `cubby bench` addresses it.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub protocol: &'a str,
    pub address: &'a str,
    pub pid: u32,
}

/// The report of one run.
pub struct Report(Value);

impl Target<'_> {
    /// Runs `cubby bench` with these arguments against the server.
    ///
    /// # Errors
    ///
    /// What the program said, if it printed no report. A report of a run with errors is a report.
    pub fn bench(self, arguments: &[String]) -> Result<Report, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cubby"));
        command.args(["bench", "--json", "--protocol", self.protocol, "--hub", self.address]);
        command.args(["--pid", &self.pid.to_string()]).args(arguments).stdin(Stdio::null());
        let output = command.output().map_err(|error| format!("cubby does not start: {error}"))?;
        let report = serde_json::from_slice(&output.stdout);
        report.map(Report).map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    /// The same for arguments that are separated by spaces.
    pub fn bench_line(self, arguments: &str) -> Result<Report, String> {
        self.bench(&arguments.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }
}

impl Report {
    /// The number at this JSON pointer; NaN if the report has none.
    pub fn number(&self, pointer: &str) -> f64 {
        self.0.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
    }

    /// Messages that were lost, refused or wrong, and the text of the first error.
    pub fn losses(&self) -> (u64, Option<String>) {
        let count = |name: &str| self.0[name].as_u64().unwrap_or_default();
        (count("missed") + count("errors"), self.0["firstError"].as_str().map(str::to_owned))
    }
}
