//! A hub inside a program that has left SIGPIPE at its default. This is a test program of its own, because the signal's
//! action belongs to the whole process.

use cubby::{Server, UserId};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

fn turns(server: &mut Server) {
    while server.turn(Some(Duration::ZERO)).expect("the poll works") && server.patience() == Some(Duration::ZERO) {}
}

#[test]
fn sending_to_a_peer_that_has_gone_does_not_end_the_host() {
    // SAFETY: no handler is set, and no other thread of this process uses signals.
    #[allow(unsafe_code, reason = "there is no safe way to put a signal back to its default")]
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
    let path = std::env::temp_dir().join(format!("cubby-sigpipe-{}.sock", std::process::id()));
    let mut server = Server::bind(&format!("unix:{}", path.display())).expect("a fresh path");
    let [_full, mut leaver] = [(); 2].map(|()| UnixStream::connect(&path).expect("it listens"));
    while server.stats().users < 2 {
        turns(&mut server);
    }
    let [full_id, leaver_id] = [1, 2].map(|arrival| UserId(arrival << 22 | (arrival - 1)));

    // A session that waits for a full receiver is not read, so the hub does not notice that it has left until it sends
    // to it.
    for _ in 0..6 {
        server.relay(&[full_id], &[7; 1 << 20]).expect("short enough");
        turns(&mut server);
    }
    let relay = [&[4, 0, 0, 0, 0, 0, 0, 11, 0, 1][..], &full_id.0.to_be_bytes(), b"x"].concat();
    leaver.write_all(&relay).expect("the hub is up");
    while server.stats().waits == 0 {
        turns(&mut server);
    }
    drop(leaver);
    server.relay(&[leaver_id], b"gone?").expect("short enough");
    turns(&mut server);
    assert_eq!(server.stats().users, 1, "it was sent to, and found gone");
}
