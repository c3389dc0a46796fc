//! Where connections come from, and how many come from the same address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU64;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteAddr {
    /// A unix socket of this machine.
    Unix,
    /// This address.
    Ip(IpAddr),
}

impl RemoteAddr {
    /// Whether it is on this machine.
    pub fn is_local(self) -> bool {
        match self {
            RemoteAddr::Unix => true,
            RemoteAddr::Ip(address) => address.to_canonical().is_loopback(),
        }
    }

    /// The address under which its connections are counted, if any. An IPv6 address counts as its network, the first 64
    /// bits: a client with one address of a network can use all of them.
    pub(super) fn key(self) -> Option<AddressKey> {
        let bits = match self {
            RemoteAddr::Unix => return None,
            RemoteAddr::Ip(address) => match address.to_canonical() {
                IpAddr::V4(address) => V4_NETWORK | u64::from(address.to_bits()),
                // The network of zeros, where the loopback address is, counts as the next one, which nobody has.
                IpAddr::V6(address) => ((address.to_bits() >> 64) as u64 & !LOCAL).max(1),
            },
        };
        NonZeroU64::new(bits).map(AddressKey)
    }
}

/// An IPv4 address, or the network of an IPv6 address: its first 64 bits without the very first. Of the networks that
/// differ only in this bit, at most one is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct AddressKey(NonZeroU64);

impl AddressKey {
    /// Whether it is an address of this machine.
    pub(super) fn is_loopback(self) -> bool {
        self.0.get() == 1 || self.0.get() >> 24 == (V4_NETWORK | 0x7F00_0000) >> 24
    }
}

/// The IPv6 networks in whose place IPv4 addresses are counted. They are reserved.
const V4_NETWORK: u64 = 0x0000_FFFF_0000_0000;

/// The bit of an [`Origin`] that no address has.
const LOCAL: u64 = 1 << 63;

/// Where a session comes from, in eight bytes: its address, as far as it is counted, and whether it is on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin(u64);

impl From<RemoteAddr> for Origin {
    fn from(remote: RemoteAddr) -> Origin {
        let address = remote.key().map_or(0, |key| key.0.get());
        Origin(address | if remote.is_local() { LOCAL } else { 0 })
    }
}

impl Origin {
    /// The address under which it is counted, if any: as a connection, and for the rooms that it makes.
    pub(super) fn address(self) -> Option<AddressKey> {
        NonZeroU64::new(self.0 & !LOCAL).map(AddressKey)
    }

    /// Whether it is on this machine, as far as the hub can tell.
    pub(super) fn is_local(self) -> bool {
        self.0 & LOCAL != 0
    }

    /// A proxy forwarded its handshake, so that the hub can not tell.
    pub(super) fn forget_locality(&mut self) {
        self.0 &= !LOCAL;
    }
}

/// How many connections each address has. It is empty if there is no limit to keep.
#[derive(Debug, Default)]
pub(super) struct AddressCounts(HashMap<AddressKey, usize>);

impl AddressCounts {
    /// Whether no further connection from there is allowed, if `most` is the limit of each address (0: none).
    pub fn is_full(&self, address: Option<AddressKey>, most: usize) -> bool {
        let count = address.and_then(|address| self.0.get(&address));
        most > 0 && count.is_some_and(|count| *count >= most)
    }

    /// Counts a connection, if there is a limit.
    pub fn add(&mut self, address: Option<AddressKey>, most: usize) {
        if let Some(address) = address.filter(|_| most > 0) {
            *self.0.entry(address).or_default() += 1;
        }
    }

    /// Stops counting a connection that was counted.
    pub fn remove(&mut self, address: Option<AddressKey>) {
        if let Some(address) = address
            && let Some(count) = self.0.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(address: &str) -> RemoteAddr {
        RemoteAddr::Ip(address.parse().expect("an address"))
    }

    fn key(address: &str) -> Option<AddressKey> {
        remote(address).key()
    }

    #[test]
    fn an_address_has_so_many_connections_and_no_more_until_one_is_over() {
        let mut counts = AddressCounts::default();
        let one = key("192.0.2.1");
        counts.add(one, 2);
        assert!(!counts.is_full(one, 2));
        counts.add(key("::ffff:192.0.2.1"), 2);
        assert!(counts.is_full(one, 2) && !counts.is_full(key("192.0.2.2"), 2));
        counts.remove(one);
        assert!(!counts.is_full(one, 2));
        counts.remove(one);
        counts.remove(one);
        assert!(counts.0.is_empty());
    }

    #[test]
    fn an_ipv6_address_counts_by_its_network() {
        let mut counts = AddressCounts::default();
        counts.add(key("2001:db8::1"), 1);
        assert!(counts.is_full(key("2001:db8::2"), 1) && !counts.is_full(key("2001:db8:0:1::1"), 1));
        let is_loopback = |address| key(address).is_some_and(AddressKey::is_loopback);
        assert!(["::1", "127.0.0.1", "127.9.9.9"].into_iter().all(is_loopback));
        assert!(!["126.255.0.1", "128.0.0.1", "2001:db8::1"].into_iter().any(is_loopback));
    }

    #[test]
    fn an_origin_is_an_address_and_whether_it_is_here() {
        for text in ["192.0.2.1", "127.0.0.1", "2001:db8::1", "fe80::1", "::1"] {
            let mut origin = Origin::from(remote(text));
            assert_eq!((origin.address(), origin.is_local()), (key(text), remote(text).is_local()), "{text}");
            origin.forget_locality();
            assert_eq!((origin.address(), origin.is_local()), (key(text), false));
        }
        let unix = Origin::from(RemoteAddr::Unix);
        assert!(unix.address().is_none() && unix.is_local());
    }

    #[test]
    fn what_is_not_limited_is_not_kept() {
        let mut counts = AddressCounts::default();
        counts.add(key("192.0.2.1"), 0);
        counts.add(RemoteAddr::Unix.key(), 1);
        assert!(counts.0.is_empty());
        assert!(!counts.is_full(key("192.0.2.1"), 0) && !counts.is_full(RemoteAddr::Unix.key(), 1));
    }

    #[test]
    fn this_machine_is_known_by_any_of_its_names() {
        let local =
            [RemoteAddr::Unix, remote("127.0.0.1"), remote("127.9.9.9"), remote("::1"), remote("::ffff:127.0.0.1")];
        assert!(local.into_iter().all(RemoteAddr::is_local));
        assert!(!remote("192.0.2.1").is_local());
    }
}
