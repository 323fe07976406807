//! Turns Nagle's algorithm off on connections that a driver opened and keeps to itself.
//!
//! sqlx 0.9.0 forgot `TCP_NODELAY` (its issue 4335; mended since, not yet released): the last part of every statement
//! longer than a segment then waits up to 40 ms for a delayed acknowledgement. Remove this crate with the next release.

use std::{
    fs, io,
    os::fd::{BorrowedFd, RawFd},
};

use socket2::SockRef;

/// Sends at once on every TCP connection of this process to that port; says on how many.
pub fn set(port: u16) -> io::Result<usize> {
    let mut found = 0;
    for entry in fs::read_dir("/dev/fd")? {
        let Some(fd) = entry?.file_name().to_str().and_then(|it| it.parse::<RawFd>().ok()) else {
            continue;
        };
        #[expect(
            unsafe_code,
            reason = "a number closed meanwhile, or given to another file, only makes the calls below fail"
        )]
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let socket = SockRef::from(&fd);
        let peer = socket.peer_addr().ok().and_then(|it| it.as_socket());
        if peer.is_some_and(|it| it.port() == port) {
            socket.set_tcp_nodelay(true)?;
            found += 1;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn connections_to_the_port_send_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connected = TcpStream::connect(address).unwrap();
        let (_accepted, _) = listener.accept().unwrap();
        assert!(!connected.nodelay().unwrap());
        assert_eq!(set(address.port()).unwrap(), 1);
        assert!(connected.nodelay().unwrap());
        assert_eq!(set(1).unwrap(), 0);
    }
}
