//! What a command line asks for: the work of one run, or of each run of a sweep.

use super::load::{Extent, Pace, Plan, Sizes};
use super::options;
use super::protocol::{Endpoint, Protocol};
use getopts::Matches;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The default window of a publisher, and the most messages of all publishers together that the default allows in
/// flight.
const WINDOW: u32 = 64;
const IN_FLIGHT: u32 = 4096;

/// The most deliveries and bytes of one publisher that the default window allows in flight: a hub queues 4 MiB for one
/// receiver.
const DELIVERIES_IN_FLIGHT: u32 = 65_536;
const BYTES_IN_FLIGHT: usize = 4 << 20;

/// With more sessions than this, a receiver is by default in this number of rooms: one session may be in 256.
const SESSIONS: u64 = 10_000;
const ROOMS_PER_SESSION: u32 = 255;

/// The default length in seconds of a single run, and of each run of a sweep.
const SECS: f64 = 8.0;
const SWEEP_SECS: f64 = 3.0;

/// The warm-up takes this part of a run's time, but at most this long.
const WARM_UP: f64 = 1.0 / 6.0;
const WARM_UP_MAX: Duration = Duration::from_secs(1);

/// The most values of a sweep.
const SWEEP_VALUES: usize = 32;

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Publishers send to receivers: each group is a set of ids to which the publisher relays, or a topic.
    Relay,
    /// The same, and each group is a room or topic.
    Rooms,
    /// Sessions only stay connected.
    Hold,
    /// This number of sessions come and go one after another.
    Churn(u32),
}

/// One run.
pub struct Work {
    pub endpoint: Endpoint,
    pub case: Case,
    pub plan: Plan,
}

/// Runs that differ in one option.
pub struct Sweep {
    pub option: String,
    /// The value of each run, as it was given.
    pub runs: Vec<(String, Work)>,
}

/// What the command line asks for.
pub enum Request {
    /// To print this text.
    Text(String),
    One(Bench, Box<Work>),
    Many(Bench, Sweep),
}

/// What all runs of a command line share.
pub struct Bench {
    pub endpoint: Endpoint,
    pub pid: Option<u32>,
    pub json: bool,
}

/// What these arguments ask for, or what is wrong with them.
pub fn parse(arguments: &[String]) -> Result<Request, String> {
    let matches = options::parse(arguments)?;
    if matches.opt_present("help") {
        return Ok(Request::Text(options::help()));
    }
    if matches.opt_present("version") {
        return Ok(Request::Text(concat!("cubby ", env!("CARGO_PKG_VERSION")).to_owned()));
    }
    let protocol = Protocol::of(matches.opt_str("protocol").as_deref())?;
    let endpoint = protocol.endpoint(matches.opt_str("hub"))?;
    let asked = Asked { matches: &matches, endpoint: &endpoint, varied: None, secs: SECS };
    asked.check()?;
    let pid = asked.number("pid", 1..=u32::MAX)?;
    let bench = Bench { endpoint: endpoint.clone(), pid, json: matches.opt_present("json") };
    Ok(match matches.opt_str("sweep") {
        None => Request::One(bench, asked.work()?.into()),
        Some(text) => Request::Many(bench, sweep(&matches, &text, &endpoint)?),
    })
}

/// The runs of a sweep.
fn sweep(matches: &Matches, text: &str, endpoint: &Endpoint) -> Result<Sweep, String> {
    let Some((option, values)) = text.split_once('=') else {
        return Err(format!("--sweep: {text:?} is not an option and its values, as in size=16,64,1K"));
    };
    let option = option.trim_start_matches('-');
    options::check_varies(option)?;
    if matches.opt_present(option) {
        return Err(format!("the sweep varies --{option}, so --{option} can not be given as well"));
    }
    let values: Vec<&str> = values.split(',').collect();
    if values.len() > SWEEP_VALUES {
        return Err(format!("--sweep: {} values are more than {SWEEP_VALUES}", values.len()));
    }
    let run = |value: &&str| {
        let asked = Asked { matches, endpoint, varied: Some((option, value)), secs: SWEEP_SECS };
        asked.check()?;
        Ok(((*value).to_owned(), asked.work()?))
    };
    let runs: Result<Vec<_>, String> = values.iter().map(run).collect();
    Ok(Sweep { option: option.to_owned(), runs: runs? })
}

/// The options of one run.
struct Asked<'m> {
    matches: &'m Matches,
    endpoint: &'m Endpoint,
    /// The option that the sweep varies, and its value in this run.
    varied: Option<(&'m str, &'m str)>,
    /// The default length in seconds.
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
        self.matches.opt_present(option) || self.sweeps(option)
    }

    /// Whether the sweep, if there is one, varies this.
    fn sweeps(&self, option: &str) -> bool {
        let sweep = self.matches.opt_str("sweep");
        sweep.is_some_and(|sweep| sweep.trim_start_matches('-').split('=').next() == Some(option))
    }

    /// Checks that the options can be combined, and that the protocol has what they ask for.
    fn check(&self) -> Result<(), String> {
        options::check(|option| self.has(option))?;
        self.endpoint.protocol.check(|option| self.has(option))
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
        let wrong = |text: &str| format!("--{option}: {text:?} is not a number above 0 and at most {most}");
        let parse = |text: String| text.parse().ok().filter(fits).ok_or_else(|| wrong(&text));
        self.text(option).map(parse).transpose()
    }

    /// The run that is asked for.
    fn work(&self) -> Result<Work, String> {
        let (case, plan) = self.audience()?;
        let sizes = match self.text("size") {
            Some(text) => text.parse::<Sizes>().map_err(|what| format!("--size: {what}"))?,
            None => Sizes::one(64),
        };
        self.endpoint.protocol.check_sizes(&sizes).map_err(|what| format!("--size: {what}"))?;
        let pace = match (self.number("window", 1..=1 << 20)?, self.fraction("rate", 1e8)?) {
            (Some(window), _) => Pace::Window(window),
            (_, Some(rate)) => Pace::Rate(rate),
            _ => Pace::Window(default_window(&plan, sizes.largest())),
        };
        let (extent, warm_up) = self.extent(case)?;
        let rest = Duration::from_secs_f64(self.fraction("rest", 86_400.0)?.unwrap_or(0.0));
        let (address, spins) = (self.endpoint.address.clone(), self.matches.opt_present("spin"));
        let plan = Plan { address, sizes, pace, extent, warm_up, rest, spins, ..plan };
        Ok(Work { endpoint: self.endpoint.clone(), case, plan: self.others(plan)? })
    }

    /// Which sessions send and receive.
    fn audience(&self) -> Result<(Case, Plan), String> {
        let none = Plan { groups: 0, ..Plan::default() };
        if let Some(idle) = self.number("hold", 1..=1_000_000)? {
            return Ok((Case::Hold, Plan { idle, ..none }));
        }
        if let Some(count) = self.number("churn", 1..=100_000_000)? {
            return Ok((Case::Churn(count), none));
        }
        let publishers = self.number("publishers", 1..=10_000)?.unwrap_or(1);
        let plan = Plan { publishers, ..Plan::default() };
        if let Some(groups) = self.number("pairs", 1..=30_000)? {
            return Ok((Case::Relay, Plan { groups, ..plan }));
        }
        let Some(groups) = self.number("rooms", 1..=65_536)? else {
            let subscribers = self.number("relay", 1..=60_000)?.unwrap_or(100);
            let groups = self.number("groups", 1..=30_000)?.unwrap_or(1);
            let case = if self.endpoint.protocol.has_relays() { Case::Relay } else { Case::Rooms };
            return Ok((case, Plan { groups, subscribers, ..plan }));
        };
        let subscribers = self.number("subscribers", 1..=60_000)?.unwrap_or(10);
        let sessions = u64::from(groups) * (u64::from(publishers) + u64::from(subscribers));
        let may_share = self.endpoint.protocol == Protocol::Native;
        let sharing = if may_share && sessions > SESSIONS { ROOMS_PER_SESSION } else { 1 };
        let sharing = self.number("rooms-per-session", 1..=65_536)?.unwrap_or(sharing);
        Ok((Case::Rooms, Plan { groups, subscribers, sharing, ..plan }))
    }

    /// How long the run is, and its warm-up.
    fn extent(&self, case: Case) -> Result<(Extent, Duration), String> {
        if matches!(case, Case::Hold | Case::Churn(_)) {
            return Ok((Extent::Messages(0), Duration::ZERO));
        }
        let secs = self.fraction("secs", 86_400.0)?;
        if let Some(text) = self.text("messages") {
            let count = text.parse().ok().filter(|count| *count > 0);
            let count = count.ok_or_else(|| format!("--messages: {text:?} is not a number of messages"))?;
            return Ok((Extent::Messages(count), Duration::ZERO));
        }
        let time = Duration::from_secs_f64(secs.unwrap_or(self.secs));
        Ok((Extent::Time(time), time.mul_f64(WARM_UP).min(WARM_UP_MAX)))
    }

    /// Adds the sessions beside the traffic.
    fn others(&self, plan: Plan) -> Result<Plan, String> {
        let number = |option, most| self.number(option, 0..=most).map(Option::unwrap_or_default);
        let (joiners, leavers) = (number("joiners", 10_000)?, number("leavers", 10_000)?);
        if leavers > joiners && matches!(plan.extent, Extent::Messages(_)) {
            return Err(
                "more --leavers than --joiners need --secs, which tells how many must connect before".to_owned()
            );
        }
        let idle = self.number("idle", 0..=1_000_000)?.unwrap_or(plan.idle);
        Ok(Plan { idle, slow: number("slow", 60_000)?, joiners, leavers, ..plan })
    }
}

/// The window of each publisher, for bodies of at most this size.
fn default_window(plan: &Plan, largest: usize) -> u32 {
    let publishers = plan.groups.saturating_mul(plan.publishers).max(1);
    let by_bytes = u32::try_from(BYTES_IN_FLIGHT / largest).unwrap_or(u32::MAX);
    WINDOW.min(IN_FLIGHT / publishers).min(DELIVERIES_IN_FLIGHT / plan.subscribers).min(by_bytes).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::{Extent, Pace};
    use cubby::Address;

    fn parsed(line: &str) -> Result<Request, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn work(line: &str) -> Work {
        match parsed(line) {
            Ok(Request::One(_, work)) => *work,
            Ok(_) => panic!("{line} is one run"),
            Err(what) => panic!("{line}: {what}"),
        }
    }

    #[test]
    fn the_default_is_one_to_a_hundred_for_eight_seconds() {
        let Work { case, plan, .. } = work("");
        assert_eq!((case, plan.groups, plan.publishers, plan.subscribers), (Case::Relay, 1, 1, 100));
        assert_eq!((plan.sizes.to_string(), plan.pace), ("64".to_owned(), Pace::Window(64)));
        assert_eq!((plan.extent, plan.warm_up), (Extent::Time(Duration::from_secs(8)), Duration::from_secs(1)));
    }

    #[test]
    fn what_is_asked_for_is_planned() {
        let Work { case, plan, .. } =
            work("--rooms 60000 --subscribers 1 --rate 1000.5 --size 64:80,1K:20 --messages 9");
        assert_eq!((case, plan.groups, plan.subscribers, plan.sharing), (Case::Rooms, 60_000, 1, 255));
        assert_eq!((plan.pace, plan.extent), (Pace::Rate(1000.5), Extent::Messages(9)));
        let plan = work("--pairs 100 --secs 0.5 --idle 5 --slow 6 --joiners 7 --leavers 8").plan;
        assert_eq!((plan.groups, plan.subscribers, plan.pace), (100, 1, Pace::Window(40)));
        assert_eq!((plan.idle, plan.slow, plan.joiners, plan.leavers), (5, 6, 7, 8));
        assert_eq!(work("--size 1M").plan.pace, Pace::Window(4));
        assert_eq!(work("--relay 10000").plan.pace, Pace::Window(6));
        assert_eq!(work("--rooms 3 --publishers 2 --window 5").plan.pace, Pace::Window(5));
        let Work { case, plan, .. } = work("--relay 249 --groups 40 --messages 320 --rest 10 --spin");
        assert_eq!((case, plan.groups, plan.subscribers, plan.spins), (Case::Relay, 40, 249, true));
        assert_eq!(plan.rest, Duration::from_secs(10));
    }

    #[test]
    fn without_traffic_there_are_no_groups() {
        let Work { case, plan, .. } = work("--hold 10000 --rest 2");
        assert_eq!((case, plan.groups, plan.idle, plan.extent), (Case::Hold, 0, 10_000, Extent::Messages(0)));
        assert_eq!(plan.rest, Duration::from_secs(2));
        let Work { case, plan, .. } = work("--churn 4000");
        assert_eq!((case, plan.groups, plan.idle), (Case::Churn(4000), 0, 0));
    }

    #[test]
    fn each_protocol_has_its_own_port_and_cases() {
        for (name, port) in [("nats", 4222), ("redis", 6379), ("mqtt", 1883)] {
            let Work { endpoint, case, plan } = work(&format!("--protocol {name} --rooms 20000 --subscribers 1"));
            assert_eq!(plan.address, Address::Tcp(format!("127.0.0.1:{port}")), "{name}");
            assert_eq!((case, plan.sharing, endpoint.protocol.name()), (Case::Rooms, 1, name));
        }
        for (line, what) in [
            ("--protocol raw", "--protocol raw has no port of its own: say where the repeater is with --hub"),
            ("--protocol smtp", "there is no protocol \"smtp\"; choose native, ws, json, nats, redis, mqtt or raw"),
            ("--protocol raw --hub 127.0.0.1:1 --publishers 2", "--publishers: protocol raw"),
            ("--protocol raw --hub 127.0.0.1:1 --slow 2", "--slow: protocol raw"),
            ("--protocol nats --rooms 9 --rooms-per-session 2", "--rooms-per-session: protocol nats"),
            ("--protocol mqtt --size 256M", "--size: protocol mqtt"),
            ("--protocol redis --hub ws://127.0.0.1", "needs HOST:PORT or unix:PATH"),
            ("--hub ws://127.0.0.1", "needs HOST:PORT or unix:PATH"),
        ] {
            let said = parsed(line).err().unwrap_or_else(|| panic!("{line} is wrong"));
            assert!(said.contains(what), "{line}: {said}");
        }
    }

    #[cfg(feature = "ws")]
    #[test]
    fn websocket_protocols_have_rooms_only() {
        for name in ["ws", "json"] {
            let Work { case, plan, .. } = work(&format!("--protocol {name} --hub ws://[::1]:9/x"));
            assert_eq!((case, plan.groups, plan.subscribers), (Case::Rooms, 1, 100));
            assert_eq!(plan.address, Address::Tcp("[::1]:9".to_owned()));
            let said = parsed(&format!("--protocol {name} --relay 5")).err().expect("it has none");
            assert!(said.contains("--relay") && said.contains("--rooms"), "{said}");
        }
        let said = parsed("--protocol json --size 31").err().expect("too small");
        assert!(said.contains("at least 32 bytes"), "{said}");
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
            ("--hold 5 --rooms 5", "--rooms and --hold contradict each other"),
            ("--churn 5 --rest 5", "--churn and --rest contradict each other"),
            ("--window 5 --rate 5", "--window and --rate contradict each other"),
            ("--secs 5 --messages 5", "--secs and --messages contradict each other"),
            ("--subscribers 5", "--subscribers needs --rooms"),
            ("--leavers 5 --messages 5", "need --secs"),
            ("--sise 64", "there is no option --sise; did you mean --size?"),
            ("--pid x", "--pid: \"x\" is not a number from 1"),
            ("--hub nowhere", "the port is missing"),
            ("more", "unexpected argument \"more\""),
            ("--sweep size", "is not an option and its values"),
            ("--sweep sizes=1", "did you mean size?"),
            ("--sweep hub=1", "no option that can be varied"),
            ("--sweep size=16,x", "--size: \"x\" is neither a size"),
            ("--sweep size=16, --size 64", "the sweep varies --size"),
            ("--sweep relay=1 --rooms 5", "--relay and --rooms contradict each other"),
        ] {
            let said = parsed(line).err().unwrap_or_else(|| panic!("{line} is wrong"));
            assert!(said.contains(what), "{line}: {said}");
        }
    }

    #[test]
    fn a_sweep_is_a_shorter_run_for_each_value() {
        let Ok(Request::Many(_, sweep)) = parsed("--sweep rooms=1,10,60000 --subscribers 1") else { panic!("a sweep") };
        let groups: Vec<_> = sweep.runs.iter().map(|(value, work)| (value.as_str(), work.plan.groups)).collect();
        assert_eq!((sweep.option.as_str(), groups), ("rooms", vec![("1", 1), ("10", 10), ("60000", 60_000)]));
        assert_eq!(sweep.runs[0].1.plan.extent, Extent::Time(Duration::from_secs(3)));
    }
}
