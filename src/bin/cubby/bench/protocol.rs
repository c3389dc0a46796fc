//! The protocols that `cubby bench` speaks: what each can do, and where its hub is by default.

use super::load::Sizes;
use crate::settings::hub_address;
use cubby::Address;

/// The path of a WebSocket address that names none.
const WS_PATH: &str = "/ws";

/// The fewest bytes of a body of JSON: its stamp is text.
const JSON_BODY_MIN: usize = 32;

/// The most bytes that an MQTT packet may have, less room for its topic.
const MQTT_BODY_MAX: usize = 268_435_455 - 64;

/// The protocol of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Cubby's own frames over TCP or a unix socket.
    Native,
    /// The same in binary messages of a WebSocket.
    Ws,
    /// JSON in text messages of a WebSocket.
    Json,
    Nats,
    Redis,
    Mqtt,
    /// The byte repeater of the benchmarks.
    Raw,
}

const ALL: [Protocol; 7] =
    [Protocol::Native, Protocol::Ws, Protocol::Json, Protocol::Nats, Protocol::Redis, Protocol::Mqtt, Protocol::Raw];

/// A hub: its protocol, and where it listens.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub protocol: Protocol,
    /// The address as it was given.
    pub given: String,
    /// Where the socket connects.
    pub address: Address,
    /// The path of a WebSocket.
    #[cfg_attr(not(feature = "ws"), expect(dead_code, reason = "only a WebSocket has a path"))]
    pub path: String,
}

impl Protocol {
    /// The protocol of this name; without one, the native protocol.
    pub fn of(name: Option<&str>) -> Result<Protocol, String> {
        let Some(name) = name else { return Ok(Protocol::Native) };
        let protocol = ALL.into_iter().find(|protocol| protocol.name() == name).ok_or_else(|| {
            let names = ALL.map(Protocol::name);
            let (last, others) = names.split_last().expect("there are some");
            format!("there is no protocol {name:?}; choose {} or {last}", others.join(", "))
        })?;
        if protocol.is_websocket() && cfg!(not(feature = "ws")) {
            return Err(format!("protocol {name} needs a program that is built with the feature `ws`"));
        }
        Ok(protocol)
    }

    pub fn name(self) -> &'static str {
        match self {
            Protocol::Native => "native",
            Protocol::Ws => "ws",
            Protocol::Json => "json",
            Protocol::Nats => "nats",
            Protocol::Redis => "redis",
            Protocol::Mqtt => "mqtt",
            Protocol::Raw => "raw",
        }
    }

    /// Whether the hub is Cubby, and can be asked for its statistics at the same address.
    pub fn is_native(self) -> bool {
        self == Protocol::Native
    }

    fn is_websocket(self) -> bool {
        matches!(self, Protocol::Ws | Protocol::Json)
    }

    /// Whether a publisher can send to a group that is not a room. For brokers of topics that is the same.
    pub fn has_relays(self) -> bool {
        !self.is_websocket()
    }

    /// The hub at this address; without one, at the protocol's usual port on this machine.
    pub fn endpoint(self, given: Option<String>) -> Result<Endpoint, String> {
        let usual = |port| given.clone().unwrap_or_else(|| format!("127.0.0.1:{port}"));
        let given = match self {
            Protocol::Native => hub_address(given)?,
            Protocol::Ws | Protocol::Json => usual(8080),
            Protocol::Nats => usual(4222),
            Protocol::Redis => usual(6379),
            Protocol::Mqtt => usual(1883),
            Protocol::Raw => {
                given.ok_or("--protocol raw has no port of its own: say where the repeater is with --hub".to_owned())?
            }
        };
        let address: Address = given.parse().map_err(|error| format!("the hub's address: {error}"))?;
        let (address, path) = match address {
            Address::Ws { host_and_port, path } if self.is_websocket() => (Address::Tcp(host_and_port), path),
            Address::Ws { .. } => {
                let name = self.name();
                let text = "needs HOST:PORT or unix:PATH; for a WebSocket choose --protocol ws or json";
                return Err(format!("the hub's address {given}: protocol {name} {text}"));
            }
            other @ (Address::Tcp(_) | Address::Unix(_)) => (other, WS_PATH.to_owned()),
        };
        Ok(Endpoint { protocol: self, given, address, path })
    }

    /// Checks that the protocol can do what the options ask for, for which `has` is true.
    pub fn check(self, has: impl Fn(&str) -> bool) -> Result<(), String> {
        let (options, why): (&[&str], &str) = match self {
            Protocol::Native => (&[], ""),
            Protocol::Ws | Protocol::Json => (
                &["relay", "groups", "pairs", "rooms-per-session"],
                "has rooms only, one for each session: use --rooms",
            ),
            Protocol::Nats | Protocol::Redis | Protocol::Mqtt => {
                (&["rooms-per-session"], "is driven with one topic for each session")
            }
            Protocol::Raw => (
                &["publishers", "slow", "joiners", "leavers", "rooms-per-session"],
                "repeats the bytes of one publisher to receivers that stay and read",
            ),
        };
        match options.iter().find(|option| has(option)) {
            Some(option) => Err(format!("--{option}: protocol {} {why}", self.name())),
            None => Ok(()),
        }
    }

    /// Checks that the protocol can carry bodies of these sizes.
    pub fn check_sizes(self, sizes: &Sizes) -> Result<(), String> {
        match self {
            Protocol::Json if sizes.smallest() < JSON_BODY_MIN => {
                Err(format!("protocol json needs bodies of at least {JSON_BODY_MIN} bytes"))
            }
            Protocol::Mqtt if sizes.largest() > MQTT_BODY_MAX => {
                Err(format!("protocol mqtt carries bodies of at most {MQTT_BODY_MAX} bytes"))
            }
            Protocol::Native
            | Protocol::Ws
            | Protocol::Json
            | Protocol::Nats
            | Protocol::Redis
            | Protocol::Mqtt
            | Protocol::Raw => Ok(()),
        }
    }

    /// What to do if nothing listens at the address.
    pub fn advice(self) -> String {
        match self {
            Protocol::Native | Protocol::Ws | Protocol::Json => {
                "is it running? start one with `cubbyd`, or name another with --hub".to_owned()
            }
            Protocol::Nats | Protocol::Redis | Protocol::Mqtt | Protocol::Raw => {
                format!("is a server of protocol {} running there? name another address with --hub", self.name())
            }
        }
    }
}
