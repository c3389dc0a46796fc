//! The command line of `cubby bench`: its options, and the work that they ask for.

use crate::bench::load::{Extent, Pace, Plan, Sizes};
use crate::{hub_address, nearest};
use cubby::{Address, OptionRow};
use getopts::{Fail, Matches, Options};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Messages that one publisher has under way where nothing else is asked for, and all publishers together.
const WINDOW: u32 = 64;
const UNDER_WAY: u32 = 4096;

/// Deliveries of one publisher's messages that are under way then, at the most.
const DELIVERIES_UNDER_WAY: u32 = 65_536;

/// Bytes that one publisher has under way then, at the most: as much as a hub queues for one receiver.
const BYTES_UNDER_WAY: usize = 4 << 20;

/// Sessions beyond which one is in many rooms where nothing else is asked for, and in how many then: it may be in 256.
const SESSIONS: u64 = 10_000;
const ROOMS_PER_SESSION: u32 = 255;

/// How long a run is, and each run of a sweep, in seconds.
const SECS: f64 = 8.0;
const SWEEP_SECS: f64 = 3.0;

/// The part of a run's time that passes before anything is counted, and the longest such time.
const WARM_UP: f64 = 1.0 / 6.0;
const WARM_UP_MOST: Duration = Duration::from_secs(1);

/// Values of a sweep, at the most.
const SWEEP_VALUES: usize = 32;

/// Every option.
const OPTIONS: [OptionRow; 21] = [
    ("r", "relay", "N", "one sends to N receivers by their ids (100)"),
    ("", "pairs", "N", "or N times one to one"),
    ("", "rooms", "N", "or in N rooms, each with"),
    ("", "subscribers", "N", "so many that hear (10), and"),
    ("", "publishers", "N", "so many that speak; with --relay: that send (1)"),
    ("", "rooms-per-session", "N", "of one that hears (1; 255 beyond 10,000 sessions)"),
    ("", "size", "BYTES", "of a body: 64, 4K, or a mix 64:80,1K:15,64K:5 (64)"),
    ("", "window", "N", "closed loop: N under way of each (64; many: fewer)"),
    ("", "rate", "N", "open loop: so many messages a second, come what may"),
    ("", "secs", "S", "for so long, after a second that does not count (8)"),
    ("", "messages", "N", "or until so many are sent"),
    ("", "idle", "N", ""),
    ("", "slow", "N", "connections only there; receivers that never read"),
    ("", "joiners", "N", ""),
    ("", "leavers", "N", "sessions a second that come; that leave"),
    ("H", "hub", "ADDRESS", "HOST:PORT or unix:PATH ($CUBBY_HUB, 127.0.0.1:7070)"),
    ("p", "pid", "PID", "the hub's: shows its processor time and its memory"),
    ("s", "sweep", "NAME=A,B..", "a run for each value of an option: size=16,64,1K"),
    ("j", "json", "", "print one JSON object"),
    ("h", "help", "", ""),
    ("V", "version", "", "print this, or the version"),
];

/// Options of which only one can be given.
const CONTRADICTIONS: [(&str, &str); 7] = [
    ("relay", "pairs"),
    ("relay", "rooms"),
    ("pairs", "rooms"),
    ("pairs", "publishers"),
    ("relay", "subscribers"),
    ("window", "rate"),
    ("secs", "messages"),
];

/// The options that say what a run does, and that a sweep may vary.
const VARIABLE: [&str; 15] = [
    "relay",
    "pairs",
    "rooms",
    "subscribers",
    "publishers",
    "rooms-per-session",
    "size",
    "window",
    "rate",
    "secs",
    "messages",
    "idle",
    "slow",
    "joiners",
    "leavers",
];

/// How messages reach their receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Relay,
    Rooms,
}

/// One run.
pub struct Work {
    pub way: Way,
    pub plan: Plan,
}

/// Runs that differ in one option, and what to call each.
pub struct Sweep {
    pub option: String,
    pub runs: Vec<(String, Work)>,
}

/// What the command line asked for.
pub struct Bench {
    pub hub: String,
    pub pid: Option<u32>,
    pub json: bool,
    pub what: What,
}

/// What to run.
pub enum What {
    One(Work),
    Many(Sweep),
    /// Only to print this.
    Text(String),
}

/// What `--help` prints: no more than a screen.
pub fn help() -> String {
    let text = cubby::usage("Usage: cubby bench [OPTIONS]    loads a running hub (defaults in parentheses)", &OPTIONS);
    text.trim_end().to_owned()
}

/// What these arguments ask for, or what is wrong with them.
pub fn parse(arguments: &[String]) -> Result<Bench, String> {
    let mut options = Options::new();
    for (short, long, takes, _) in OPTIONS {
        match takes {
            "" => options.optflag(short, long, ""),
            _ => options.optopt(short, long, "", takes),
        };
    }
    let matches = options.parse(arguments).map_err(|fail| misspelt(&fail))?;
    let bench = |hub, what| Bench { hub, pid: None, json: matches.opt_present("json"), what };
    if matches.opt_present("help") {
        return Ok(bench(String::new(), What::Text(help())));
    }
    if matches.opt_present("version") {
        return Ok(bench(String::new(), What::Text(concat!("cubby ", env!("CARGO_PKG_VERSION")).to_owned())));
    }
    if let Some(argument) = matches.free.first() {
        return Err(format!("unexpected argument {argument:?}"));
    }
    let hub = hub_address(matches.opt_str("hub"))?;
    let address: Address = hub.parse().map_err(|error| format!("the hub's address: {error}"))?;
    if matches!(address, Address::Ws { .. }) {
        return Err(format!(
            "the hub's address: bench loads a hub by its native one, HOST:PORT or unix:PATH, not {hub}"
        ));
    }
    let asked = Asked { matches: &matches, varied: None, secs: SECS };
    asked.check()?;
    let pid = asked.number("pid", 1..=u32::MAX)?;
    let what = match matches.opt_str("sweep") {
        None => What::One(asked.work(&address)?),
        Some(text) => What::Many(sweep(&matches, &text, &address)?),
    };
    Ok(Bench { pid, ..bench(hub, what) })
}

/// What is wrong with an option that is none, and which may have been meant.
fn misspelt(fail: &Fail) -> String {
    let known = OPTIONS.map(|(_, long, _, _)| long);
    match fail {
        Fail::UnrecognizedOption(name) => match nearest(name, &known) {
            Some(meant) => format!("--{name} is no option; did you mean --{meant}?"),
            None => format!("{name:?} is no option"),
        },
        other => other.to_string(),
    }
}

/// The runs of a sweep.
fn sweep(matches: &Matches, text: &str, address: &Address) -> Result<Sweep, String> {
    let Some((option, values)) = text.split_once('=') else {
        return Err(format!("--sweep: {text:?} is not an option and its values, as in size=16,64,1K"));
    };
    let option = option.trim_start_matches('-');
    if !VARIABLE.contains(&option) {
        let hint = nearest(option, &VARIABLE).map_or_else(String::new, |known| format!("; did you mean {known}?"));
        return Err(format!("--sweep: {option:?} is no option that can be varied{hint}"));
    }
    if matches.opt_present(option) {
        return Err(format!("--{option} is what the sweep varies, so it is not given beside it"));
    }
    let values: Vec<&str> = values.split(',').collect();
    if values.len() > SWEEP_VALUES {
        return Err(format!("--sweep: {} values are more than {SWEEP_VALUES}", values.len()));
    }
    let run = |value: &&str| {
        let asked = Asked { matches, varied: Some((option, value)), secs: SWEEP_SECS };
        asked.check()?;
        Ok(((*value).to_owned(), asked.work(address)?))
    };
    let runs: Result<Vec<_>, String> = values.iter().map(run).collect();
    Ok(Sweep { option: option.to_owned(), runs: runs? })
}

/// What is asked of one run.
struct Asked<'m> {
    matches: &'m Matches,
    /// The option that a sweep varies, and its value.
    varied: Option<(&'m str, &'m str)>,
    /// How long it is where it is not said.
    secs: f64,
}

impl Asked<'_> {
    fn text(&self, option: &str) -> Option<String> {
        match self.varied {
            Some((varied, value)) if varied == option => Some(value.to_owned()),
            _ => self.matches.opt_str(option),
        }
    }

    fn has(&self, option: &str) -> bool {
        self.text(option).is_some()
    }

    /// That no two options contradict each other.
    fn check(&self) -> Result<(), String> {
        for (one, other) in CONTRADICTIONS {
            if self.has(one) && self.has(other) {
                return Err(format!("--{one} and --{other} contradict each other"));
            }
        }
        let in_rooms = self.has("rooms") || self.sweeps("rooms");
        for option in ["subscribers", "rooms-per-session"] {
            if self.has(option) && !in_rooms {
                return Err(format!("--{option} goes with --rooms"));
            }
        }
        Ok(())
    }

    /// Whether the sweep, if there is one, varies this.
    fn sweeps(&self, option: &str) -> bool {
        let sweep = self.matches.opt_str("sweep");
        sweep.is_some_and(|sweep| sweep.trim_start_matches('-').split('=').next() == Some(option))
    }

    /// A whole number within bounds.
    fn number(&self, option: &str, bounds: RangeInclusive<u32>) -> Result<Option<u32>, String> {
        let wrong = |text: &str| {
            let (least, most) = (bounds.start(), bounds.end());
            format!("--{option}: {text:?} is not a number from {least} to {most}")
        };
        let parse =
            |text: String| text.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| wrong(&text));
        self.text(option).map(parse).transpose()
    }

    /// A number that may have a fraction.
    fn fraction(&self, option: &str, most: f64) -> Result<Option<f64>, String> {
        let fits = |number: &f64| *number > 0.0 && *number <= most;
        let wrong = |text: &str| format!("--{option}: {text:?} is not a number above 0, {most} at the most");
        let parse = |text: String| text.parse().ok().filter(fits).ok_or_else(|| wrong(&text));
        self.text(option).map(parse).transpose()
    }

    /// The run that is asked for.
    fn work(&self, address: &Address) -> Result<Work, String> {
        let (way, plan) = self.audience()?;
        let sizes = match self.text("size") {
            Some(text) => text.parse::<Sizes>().map_err(|what| format!("--size: {what}"))?,
            None => Sizes::one(64),
        };
        let pace = match (self.number("window", 1..=1 << 20)?, self.fraction("rate", 1e8)?) {
            (Some(window), _) => Pace::Window(window),
            (_, Some(rate)) => Pace::Rate(rate),
            _ => Pace::Window(default_window(&plan, sizes.largest())),
        };
        let (extent, warm_up) = self.extent()?;
        let plan = Plan { address: address.clone(), sizes, pace, extent, warm_up, ..plan };
        Ok(Work { way, plan: self.beside(plan)? })
    }

    /// Who sends and who hears.
    fn audience(&self) -> Result<(Way, Plan), String> {
        let publishers = self.number("publishers", 1..=10_000)?.unwrap_or(1);
        let plan = Plan { publishers, ..Plan::default() };
        if let Some(groups) = self.number("pairs", 1..=30_000)? {
            return Ok((Way::Relay, Plan { groups, ..plan }));
        }
        let Some(groups) = self.number("rooms", 1..=65_536)? else {
            let subscribers = self.number("relay", 1..=60_000)?.unwrap_or(100);
            return Ok((Way::Relay, Plan { subscribers, ..plan }));
        };
        let subscribers = self.number("subscribers", 1..=60_000)?.unwrap_or(10);
        let sessions = u64::from(groups) * (u64::from(publishers) + u64::from(subscribers));
        let sharing = if sessions > SESSIONS { ROOMS_PER_SESSION } else { 1 };
        let sharing = self.number("rooms-per-session", 1..=65_536)?.unwrap_or(sharing);
        Ok((Way::Rooms, Plan { groups, subscribers, sharing, ..plan }))
    }

    /// How long, and how long before that.
    fn extent(&self) -> Result<(Extent, Duration), String> {
        let secs = self.fraction("secs", 86_400.0)?;
        if let Some(text) = self.text("messages") {
            let count = text.parse().ok().filter(|count| *count > 0);
            let count = count.ok_or_else(|| format!("--messages: {text:?} is not a number of messages"))?;
            return Ok((Extent::Messages(count), Duration::ZERO));
        }
        let time = Duration::from_secs_f64(secs.unwrap_or(self.secs));
        Ok((Extent::Time(time), time.mul_f64(WARM_UP).min(WARM_UP_MOST)))
    }

    /// Who is there beside.
    fn beside(&self, plan: Plan) -> Result<Plan, String> {
        let number = |option, most| self.number(option, 0..=most).map(Option::unwrap_or_default);
        let (joiners, leavers) = (number("joiners", 10_000)?, number("leavers", 10_000)?);
        if leavers > joiners && matches!(plan.extent, Extent::Messages(_)) {
            return Err("--leavers over --joiners needs --secs, to know how many must be there before".to_owned());
        }
        Ok(Plan { idle: number("idle", 1_000_000)?, slow: number("slow", 60_000)?, joiners, leavers, ..plan })
    }
}

/// The window of each publisher of such bodies.
fn default_window(plan: &Plan, largest: usize) -> u32 {
    let publishers = plan.groups.saturating_mul(plan.publishers);
    let by_bytes = u32::try_from(BYTES_UNDER_WAY / largest).unwrap_or(u32::MAX);
    WINDOW.min(UNDER_WAY / publishers).min(DELIVERIES_UNDER_WAY / plan.subscribers).min(by_bytes).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Bench, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn work(line: &str) -> Work {
        match parsed(line).map(|bench| bench.what) {
            Ok(What::One(work)) => work,
            Ok(_) => panic!("{line} is one run"),
            Err(what) => panic!("{line}: {what}"),
        }
    }

    #[test]
    fn the_default_is_one_to_a_hundred_for_eight_seconds() {
        let Work { way, plan } = work("");
        assert_eq!((way, plan.groups, plan.publishers, plan.subscribers), (Way::Relay, 1, 1, 100));
        assert_eq!((plan.sizes.to_string(), plan.pace), ("64".to_owned(), Pace::Window(64)));
        assert_eq!((plan.extent, plan.warm_up), (Extent::Time(Duration::from_secs(8)), Duration::from_secs(1)));
    }

    #[test]
    fn what_is_asked_for_is_planned() {
        let Work { way, plan } = work("--rooms 60000 --subscribers 1 --rate 1000.5 --size 64:80,1K:20 --messages 9");
        assert_eq!((way, plan.groups, plan.subscribers, plan.sharing), (Way::Rooms, 60_000, 1, 255));
        assert_eq!((plan.pace, plan.extent), (Pace::Rate(1000.5), Extent::Messages(9)));
        let plan = work("--pairs 100 --secs 0.5 --idle 5 --slow 6 --joiners 7 --leavers 8").plan;
        assert_eq!((plan.groups, plan.subscribers, plan.pace), (100, 1, Pace::Window(40)));
        assert_eq!((plan.idle, plan.slow, plan.joiners, plan.leavers), (5, 6, 7, 8));
        assert_eq!(work("--size 1M").plan.pace, Pace::Window(4));
        assert_eq!(work("--relay 10000").plan.pace, Pace::Window(6));
        assert_eq!(work("--rooms 3 --publishers 2 --window 5").plan.pace, Pace::Window(5));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, what) in [
            ("--relay 0", "--relay: \"0\" is not a number from 1 to 60000"),
            ("--rate -1", "--rate: \"-1\" is not a number above 0"),
            ("--rate nan", "--rate: \"nan\" is not"),
            ("--secs 0", "--secs: \"0\" is not"),
            ("--messages 0", "--messages: \"0\" is not a number of messages"),
            ("--size 8", "16 are needed"),
            ("--relay 5 --rooms 5", "--relay and --rooms contradict each other"),
            ("--window 5 --rate 5", "--window and --rate contradict each other"),
            ("--secs 5 --messages 5", "--secs and --messages contradict each other"),
            ("--subscribers 5", "--subscribers goes with --rooms"),
            ("--leavers 5 --messages 5", "needs --secs"),
            ("--sise 64", "--sise is no option; did you mean --size?"),
            ("--pid x", "--pid: \"x\" is not a number from 1"),
            ("--hub nowhere", "the port is missing"),
            ("more", "unexpected argument \"more\""),
            ("--sweep size", "is not an option and its values"),
            ("--sweep sizes=1", "did you mean size?"),
            ("--sweep hub=1", "no option that can be varied"),
            ("--sweep size=16,x", "--size: \"x\" is not a size"),
            ("--sweep size=16, --size 64", "is what the sweep varies"),
            ("--sweep relay=1 --rooms 5", "--relay and --rooms contradict each other"),
        ] {
            let said = parsed(line).err().unwrap_or_else(|| panic!("{line} is wrong"));
            assert!(said.contains(what), "{line}: {said}");
        }
    }

    #[test]
    fn a_sweep_is_a_shorter_run_for_each_value() {
        let Ok(What::Many(sweep)) = parsed("--sweep rooms=1,10,60000 --subscribers 1").map(|bench| bench.what) else {
            panic!("a sweep")
        };
        let groups: Vec<_> = sweep.runs.iter().map(|(value, work)| (value.as_str(), work.plan.groups)).collect();
        assert_eq!((sweep.option.as_str(), groups), ("rooms", vec![("1", 1), ("10", 10), ("60000", 60_000)]));
        assert_eq!(sweep.runs[0].1.plan.extent, Extent::Time(Duration::from_secs(3)));
    }

    #[test]
    fn the_help_fits_a_screen() {
        let help = help();
        assert!(help.lines().count() <= 24, "{help}");
        help.lines().for_each(|line| assert!(line.chars().count() <= 80, "{line}"));
    }
}
