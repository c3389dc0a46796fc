//! Where the daemon listens: both versions of IP, all addresses of a host, zones of IPv6.

use crate::support::*;
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A port that the system gives to nobody as long as the socket lives, though others may listen on it.
fn reserved_port() -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("it can be set");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a port is free");
    let port = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound").port();
    (socket, port)
}

fn has_ipv6() -> bool {
    let has = TcpListener::bind("[::1]:0").is_ok();
    if !has {
        eprintln!("this machine has no IPv6");
    }
    has
}

/// A link-local address of this machine with the name of its zone, if it has one.
fn link_local() -> Option<String> {
    let list = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let address = |line: &str| {
        let mut fields = line.split_whitespace();
        let bits = u128::from_str_radix(fields.next()?, 16).ok().filter(|bits| bits >> 118 == 0xFE80 >> 6)?;
        Some(format!("{}%{}", std::net::Ipv6Addr::from_bits(bits), fields.last()?))
    };
    list.lines().find_map(address)
}

#[test]
fn both_versions_of_ip_may_be_asked_for_on_the_same_port() {
    if !has_ipv6() {
        return;
    }
    for hosts in [["0.0.0.0", "[::]"], ["[::]", "0.0.0.0"], ["[::]", "127.0.0.1"]] {
        let (_kept, port) = reserved_port();
        let given = hosts.map(|host| format!("{host}:{port}"));
        let daemon = Daemon::with(&["--listen", &given[0], "--listen", &given[1]]);
        assert_eq!(daemon.addresses, given);
        let ids = ["127.0.0.1", "[::1]"].map(|host| Raw::connect(&format!("{host}:{port}")).id());
        assert_ne!(ids[0], ids[1]);
    }
    let (_kept, port) = reserved_port();
    let daemon = Daemon::with(&["--listen", &format!("[::]:{port}")]);
    assert!(Raw::connect(&format!("[::1]:{port}")).id() > 0);
    if std::fs::read_to_string("/proc/sys/net/ipv6/bindv6only").is_ok_and(|only| only.trim() == "0") {
        assert!(Raw::connect(&format!("127.0.0.1:{port}")).id() > 0, "alone it takes both");
    }
    drop(daemon);
}

#[test]
fn a_name_is_listened_to_on_all_its_addresses() {
    let found = "localhost:0".parse::<cubby::Address>().expect("an address").resolve().expect("every machine has it");
    let expected = found.iter().filter(|address| TcpListener::bind(address).is_ok()).count();
    let command = daemon(&["--listen", "localhost:0"]);
    let daemon = Daemon::run(command, expected);
    let ports: Vec<&str> = daemon.addresses.iter().filter_map(|text| text.rsplit(':').next()).collect();
    assert!(ports.iter().all(|port| *port == ports[0]), "{:?}", daemon.addresses);
    for address in &daemon.addresses {
        assert!(Raw::connect(address).id() > 0, "{address}");
    }
    let (_, said) = {
        daemon.signal("TERM");
        daemon.end()
    };
    assert!(!said.contains("ERROR"), "{said}");
}

#[test]
fn a_zone_may_be_given_by_its_name() {
    let (code, said) = {
        let mut command = daemon(&["--listen", "[fe80::1%nowhere0]:0"]);
        let output = command.output().expect("cubbyd starts");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    assert!(code == Some(1) && said.contains("--listen: ") && said.contains("ip link"), "{said}");
    let Some(host) = link_local() else {
        return eprintln!("this machine has no link-local address");
    };
    let daemon = Daemon::with(&["--listen", &format!("[{host}]:0")]);
    let port = daemon.addresses[0].rsplit(':').next().expect("a port");
    let address = format!("[{host}]:{port}");
    let client = cubby::Client::connect(&address).expect("the hub answers");
    assert_ne!(client.welcome().user.to_string(), "0");
    let numbered = cubby::Client::connect(&daemon.addresses[0]).expect("by the address that it prints as well");
    assert_ne!(numbered.welcome().user, client.welcome().user);
}
