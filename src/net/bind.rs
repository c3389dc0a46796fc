//! Opens the sockets that listen for TCP: on every address of a host, and on both versions of IP if both are asked for.

use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// TCP connections that the kernel may hold for us between two turns. It lowers this to its own limit.
const BACKLOG: i32 = 4096;

/// How often a port that is free on all addresses of a host is looked for, if the system is to choose it.
const ATTEMPTS: usize = 16;

/// Listens on all these addresses of one host that this machine has. If their port is 0, the system chooses one for all
/// of them. `ports_of_v4`: the ports on which other listeners ask for IPv4.
///
/// # Errors
///
/// The system's error, if the machine has none of the addresses, or one of them cannot be bound for another reason.
pub(super) fn bind_all(addresses: &[SocketAddr], ports_of_v4: &[u16]) -> io::Result<Vec<TcpListener>> {
    let is_chosen = addresses.len() > 1 && addresses.iter().all(|address| address.port() == 0);
    for _ in 1..ATTEMPTS {
        match bind_each(addresses, ports_of_v4) {
            Err(error) if is_chosen && error.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
    bind_each(addresses, ports_of_v4)
}

fn bind_each(addresses: &[SocketAddr], ports_of_v4: &[u16]) -> io::Result<Vec<TcpListener>> {
    let (mut listeners, mut port) = (Vec::new(), 0);
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for &(mut address) in addresses {
        address.set_port(if address.port() == 0 { port } else { address.port() });
        let has_v4 = ports_of_v4.contains(&address.port()) || addresses.iter().any(SocketAddr::is_ipv4);
        match bind(address, has_v4) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(error) if is_not_here(&error) => {
                log::debug!("not listening on {address}: {error}");
                failed = error;
            }
            Err(error) => return Err(error),
        }
    }
    if listeners.is_empty() { Err(failed) } else { Ok(listeners) }
}

/// Whether an error says that this machine does not have the address, or not this version of IP.
fn is_not_here(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// Listens on an address. `has_v4`: the same port of IPv4 has another listener, so that the one for all addresses of
/// IPv6 must leave it alone. By itself it takes both, on most systems.
fn bind(address: SocketAddr, has_v4: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() && has_v4 {
        socket.set_only_v6(true)?;
    }
    // Accepted sockets inherit this, which saves a call for each.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
    const ALL_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const ALL_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    /// An address for examples, which no machine has.
    const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn listen(ips: &[IpAddr]) -> io::Result<Vec<SocketAddr>> {
        let addresses: Vec<SocketAddr> = ips.iter().map(|&ip| (ip, 0).into()).collect();
        bind_all(&addresses, &[])?.iter().map(TcpListener::local_addr).collect()
    }

    /// Those of these addresses that this machine can have: some have no IPv6.
    fn those_here(ips: &[IpAddr]) -> Vec<IpAddr> {
        let has_v6 = listen(&[V6]).is_ok();
        ips.iter().copied().filter(|ip| ip.is_ipv4() || has_v6).collect()
    }

    #[test]
    fn a_host_is_listened_to_on_each_of_its_addresses_that_is_here() {
        for ips in [&[V4, V6][..], &[V6, V4], &[ALL_V4, ALL_V6], &[ALL_V6, ALL_V4]] {
            let bound = listen(ips).expect("one is here");
            assert_eq!(bound.iter().map(SocketAddr::ip).collect::<Vec<_>>(), those_here(ips));
            assert!(bound.iter().all(|address| address.port() == bound[0].port() && address.port() != 0));
        }
        assert_eq!(listen(&[NOWHERE, V4]).expect("one is here").len(), 1);
        assert_eq!(listen(&[NOWHERE]).map_err(|error| error.kind()), Err(io::ErrorKind::AddrNotAvailable));
        assert!(listen(&[]).is_err());
    }

    #[test]
    fn all_addresses_of_ipv6_leave_a_port_of_ipv4_to_its_own_listener() {
        if those_here(&[V6]).is_empty() {
            return eprintln!("this machine has no IPv6");
        }
        let v4 = bind_all(&[(ALL_V4, 0).into()], &[]).expect("a port is free");
        let port = v4[0].local_addr().expect("it is bound").port();
        assert!(bind_all(&[(ALL_V6, port).into()], &[port]).is_ok());
        let both = bind_all(&[(ALL_V6, 0).into()], &[]).expect("a port is free");
        let port = both[0].local_addr().expect("it is bound").port();
        assert!(bind_all(&[(V4, port).into()], &[]).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse));
    }
}
