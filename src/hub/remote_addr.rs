//! Where a connection comes from, and how many come from the same place.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A unix socket of this machine.
    Unix,
    /// This address.
    Ip(IpAddr),
}

impl Peer {
    /// Whether it is on this machine.
    pub fn is_local(self) -> bool {
        match self {
            Peer::Unix => true,
            Peer::Ip(address) => address.to_canonical().is_loopback(),
        }
    }

    /// As which address it counts, if any: an IPv6 one by its network, the first 64 bits, for whoever has one address
    /// of it has them all.
    fn origin(self) -> Option<IpAddr> {
        match self {
            Peer::Unix => None,
            Peer::Ip(address) => match address.to_canonical() {
                IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
                address => Some(address),
            },
        }
    }
}

/// How many connections each address has. Keeps nothing where there is no limit to keep.
#[derive(Debug, Default)]
pub struct Origins {
    counts: HashMap<IpAddr, usize>,
    /// From where each is who counts, by slot.
    of: HashMap<usize, IpAddr>,
}

impl Origins {
    /// Whether no further connection from there may be, where `most` is the limit of each address (0: none).
    pub fn is_full(&self, peer: Peer, most: usize) -> bool {
        let count = peer.origin().and_then(|origin| self.counts.get(&origin));
        most > 0 && count.is_some_and(|count| *count >= most)
    }

    /// Counts the one who lives in `slot` now, where there is a limit.
    pub fn enter(&mut self, slot: usize, peer: Peer, most: usize) {
        if let Some(origin) = peer.origin().filter(|_| most > 0) {
            *self.counts.entry(origin).or_default() += 1;
            self.of.insert(slot, origin);
        }
    }

    /// The one who lived in `slot` does not count any more, if it did.
    pub fn leave(&mut self, slot: usize) {
        if let Some(origin) = self.of.remove(&slot)
            && let Some(count) = self.counts.get_mut(&origin)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::Ip(address.parse().expect("an address"))
    }

    #[test]
    fn an_address_has_so_many_connections_and_no_more_until_one_is_over() {
        let mut origins = Origins::default();
        let one = peer("192.0.2.1");
        origins.enter(5, one, 2);
        assert!(!origins.is_full(one, 2));
        origins.enter(6, peer("::ffff:192.0.2.1"), 2);
        assert!(origins.is_full(one, 2) && !origins.is_full(peer("192.0.2.2"), 2));
        origins.leave(5);
        origins.leave(5);
        assert!(!origins.is_full(one, 2));
        origins.leave(6);
        assert!(origins.counts.is_empty() && origins.of.is_empty());
    }

    #[test]
    fn an_ipv6_address_counts_by_its_network() {
        let mut origins = Origins::default();
        origins.enter(1, peer("2001:db8::1"), 1);
        assert!(origins.is_full(peer("2001:db8::2"), 1) && !origins.is_full(peer("2001:db8:0:1::1"), 1));
    }

    #[test]
    fn what_is_not_limited_is_not_kept() {
        let mut origins = Origins::default();
        origins.enter(1, peer("192.0.2.1"), 0);
        origins.enter(2, Peer::Unix, 1);
        assert!(origins.counts.is_empty() && origins.of.is_empty());
        assert!(!origins.is_full(peer("192.0.2.1"), 0) && !origins.is_full(Peer::Unix, 1));
    }

    #[test]
    fn this_machine_is_known_by_any_of_its_names() {
        let local = [Peer::Unix, peer("127.0.0.1"), peer("127.9.9.9"), peer("::1"), peer("::ffff:127.0.0.1")];
        assert!(local.into_iter().all(Peer::is_local));
        assert!(!peer("192.0.2.1").is_local());
    }
}
