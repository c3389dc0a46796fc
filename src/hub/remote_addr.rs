//! Where connections come from, and how many come from the same address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

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
    fn counted_as(self) -> Option<IpAddr> {
        match self {
            RemoteAddr::Unix => None,
            RemoteAddr::Ip(address) => match address.to_canonical() {
                IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
                address @ IpAddr::V4(_) => Some(address),
            },
        }
    }
}

/// How many connections each address has. It is empty if there is no limit to keep.
#[derive(Debug, Default)]
pub(super) struct AddressCounts {
    counts: HashMap<IpAddr, usize>,
    /// The address under which the connection in a slot is counted.
    by_slot: HashMap<usize, IpAddr>,
}

impl AddressCounts {
    /// Whether no further connection from there is allowed, if `most` is the limit of each address (0: none).
    pub fn is_full(&self, remote: RemoteAddr, most: usize) -> bool {
        let count = remote.counted_as().and_then(|address| self.counts.get(&address));
        most > 0 && count.is_some_and(|count| *count >= most)
    }

    /// Counts the connection in `slot`, if there is a limit.
    pub fn add(&mut self, slot: usize, remote: RemoteAddr, most: usize) {
        if let Some(address) = remote.counted_as().filter(|_| most > 0) {
            *self.counts.entry(address).or_default() += 1;
            self.by_slot.insert(slot, address);
        }
    }

    /// Stops counting the connection in `slot`, if it was counted.
    pub fn remove(&mut self, slot: usize) {
        if let Some(address) = self.by_slot.remove(&slot)
            && let Some(count) = self.counts.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&address);
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

    #[test]
    fn an_address_has_so_many_connections_and_no_more_until_one_is_over() {
        let mut counts = AddressCounts::default();
        let one = remote("192.0.2.1");
        counts.add(5, one, 2);
        assert!(!counts.is_full(one, 2));
        counts.add(6, remote("::ffff:192.0.2.1"), 2);
        assert!(counts.is_full(one, 2) && !counts.is_full(remote("192.0.2.2"), 2));
        counts.remove(5);
        counts.remove(5);
        assert!(!counts.is_full(one, 2));
        counts.remove(6);
        assert!(counts.counts.is_empty() && counts.by_slot.is_empty());
    }

    #[test]
    fn an_ipv6_address_counts_by_its_network() {
        let mut counts = AddressCounts::default();
        counts.add(1, remote("2001:db8::1"), 1);
        assert!(counts.is_full(remote("2001:db8::2"), 1) && !counts.is_full(remote("2001:db8:0:1::1"), 1));
    }

    #[test]
    fn what_is_not_limited_is_not_kept() {
        let mut counts = AddressCounts::default();
        counts.add(1, remote("192.0.2.1"), 0);
        counts.add(2, RemoteAddr::Unix, 1);
        assert!(counts.counts.is_empty() && counts.by_slot.is_empty());
        assert!(!counts.is_full(remote("192.0.2.1"), 0) && !counts.is_full(RemoteAddr::Unix, 1));
    }

    #[test]
    fn this_machine_is_known_by_any_of_its_names() {
        let local =
            [RemoteAddr::Unix, remote("127.0.0.1"), remote("127.9.9.9"), remote("::1"), remote("::ffff:127.0.0.1")];
        assert!(local.into_iter().all(RemoteAddr::is_local));
        assert!(!remote("192.0.2.1").is_local());
    }
}
