//! The header of the PROXY protocol, in text or in binary, before everything else.
//!
//! ```text
//!  version 1   PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n
//!  version 2   0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a | 21 | 11 | length, u16 | addresses | what else the proxy knows
//! ```

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// Bytes of a header of version 1 at most, as its specification counts them.
const MAX_TEXT: usize = 107;

/// Bytes after the fixed part of version 2 at most: the addresses take 216 at most, and the rest is room for what clouds
/// and TLS add. The specification allows 65,535, which nobody sends.
const MAX_BINARY: usize = 2_048;

/// Bytes by which the versions are told apart: the shortest header has 15.
const SIGNATURE: usize = v2::PROTOCOL_PREFIX.len();

/// The fixed part of version 2.
const FIXED: usize = 16;

/// What was wrong with the header with which a trusted proxy was to begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// The connection ended, or failed, in it.
    #[error("the header of the PROXY protocol was cut off")]
    Cut(#[source] io::Error),
    /// It is none, or says what it cannot mean.
    #[error("no header of the PROXY protocol")]
    Malformed,
    /// It did not come in time.
    #[error("no header of the PROXY protocol within {after:?}")]
    Timeout {
        /// The limit.
        after: Duration,
    },
    /// It is longer than is read.
    #[error("a header of the PROXY protocol of {len} bytes; {max} are read")]
    TooLong {
        /// Its bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
}

/// Reads the header, and nothing behind it. `None`: the proxy speaks for itself, or does not know its client.
///
/// # Cancel safety
///
/// None: what was read is lost. The connection is then to be closed.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    time: Duration,
) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let read = timeout(time, read_now(stream)).await;
    read.map_err(|_| ProxyHeaderError::Timeout { after: time })?
}

async fn read_now(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let mut begun = [0; SIGNATURE];
    stream
        .read_exact(&mut begun)
        .await
        .map_err(ProxyHeaderError::Cut)?;
    if begun == *v2::PROTOCOL_PREFIX {
        binary(stream).await
    } else if begun.starts_with(v1::PROTOCOL_PREFIX.as_bytes()) {
        text(stream, &begun).await
    } else {
        Err(ProxyHeaderError::Malformed)
    }
}

/// Byte by byte, since what stands behind the line is the client's, and is not to be read here.
async fn text(
    stream: &mut (impl AsyncRead + Unpin),
    begun: &[u8],
) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let mut line = begun.to_vec();
    while line.last() != Some(&b'\n') {
        if line.len() == MAX_TEXT {
            return Err(ProxyHeaderError::TooLong {
                len: MAX_TEXT + 1,
                max: MAX_TEXT,
            });
        }
        line.push(stream.read_u8().await.map_err(ProxyHeaderError::Cut)?);
    }
    let header = v1::Header::try_from(&*line).map_err(|_| ProxyHeaderError::Malformed)?;
    // The parser reads up to the first CR LF; a second line would be the client's.
    if header.header.len() != line.len() {
        return Err(ProxyHeaderError::Malformed);
    }
    Ok(match header.addresses {
        v1::Addresses::Tcp4(tcp) => Some(addr(tcp.source_address, tcp.source_port)),
        v1::Addresses::Tcp6(tcp) => Some(addr(tcp.source_address, tcp.source_port)),
        v1::Addresses::Unknown => None,
    })
}

async fn binary(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let mut fixed = [0; FIXED - SIGNATURE];
    stream
        .read_exact(&mut fixed)
        .await
        .map_err(ProxyHeaderError::Cut)?;
    let [.., high, low] = fixed;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len > MAX_BINARY {
        return Err(ProxyHeaderError::TooLong {
            len,
            max: MAX_BINARY,
        });
    }
    let mut all = [v2::PROTOCOL_PREFIX, &fixed].concat();
    all.resize(FIXED + len, 0);
    let rest = &mut all[FIXED..];
    stream
        .read_exact(rest)
        .await
        .map_err(ProxyHeaderError::Cut)?;
    let header = v2::Header::try_from(&*all).map_err(|_| ProxyHeaderError::Malformed)?;
    if header.command == v2::Command::Local {
        return Ok(None);
    }
    match header.addresses {
        // A datagram is nobody's connection.
        _ if header.protocol == v2::Protocol::Datagram => Err(ProxyHeaderError::Malformed),
        v2::Addresses::IPv4(ip) => Ok(Some(addr(ip.source_address, ip.source_port))),
        v2::Addresses::IPv6(ip) => Ok(Some(addr(ip.source_address, ip.source_port))),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => Ok(None),
    }
}

fn addr(ip: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIME: Duration = Duration::from_secs(1);

    /// What it reads, and what it leaves for the client.
    async fn read_of(bytes: &[u8]) -> (Result<Option<SocketAddr>, ProxyHeaderError>, Vec<u8>) {
        let mut bytes = bytes;
        let read = read(&mut bytes, TIME).await;
        (read, bytes.to_vec())
    }

    fn version_two(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).expect("short");
        [
            v2::PROTOCOL_PREFIX,
            &[0x20 | command, family],
            &len.to_be_bytes(),
            body,
        ]
        .concat()
    }

    #[tokio::test]
    async fn both_versions_tell_the_client_and_leave_its_bytes() {
        let four: SocketAddr = "192.0.2.1:56324".parse().expect("an address");
        let six: SocketAddr = "[2001:db8::1]:4711".parse().expect("an address");
        let body = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 0x04, 0x01, 0xbb];
        let with_more = [&body[..], &[0x04, 0, 1, 42]].concat();
        let mut long = [0; 36];
        long[..16].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        long[32..34].copy_from_slice(&4_711_u16.to_be_bytes());
        for (header, client) in [
            (
                b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n".to_vec(),
                Some(four),
            ),
            (
                b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n".to_vec(),
                Some(six),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN whatever it is\r\n".to_vec(), None),
            (version_two(1, 0x11, &body), Some(four)),
            (version_two(1, 0x11, &with_more), Some(four)),
            (version_two(1, 0x21, &long), Some(six)),
            (version_two(0, 0x00, &[]), None),
            (version_two(0, 0x11, &body), None),
            (version_two(1, 0x00, &[]), None),
        ] {
            let shown = String::from_utf8_lossy(&header).into_owned();
            let (read, rest) = read_of(&[&header[..], b"\r\nGET"].concat()).await;
            assert_eq!(read.expect("a header"), client, "{shown}");
            assert_eq!(rest, b"\r\nGET", "{shown}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused_within_its_limits() {
        let long_text = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        let too_long = [v2::PROTOCOL_PREFIX, &[0x21, 0x11, 0xff, 0xff], &[0; 64][..]].concat();
        for bytes in [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1\r\nGET / HTTP/1.1\r\n".to_vec(),
            b"PROXY TCP4 999.0.2.1 198.51.100.7 56324 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\n more text".to_vec(),
            b"PROXY  TCP4 192.0.2.1 198.51.100.7 56324 443\r\n".to_vec(),
            b"PROXYTCP4 192.0.2.1 198.51.100.7 56324 443\r\n".to_vec(),
            b"proxy TCP4 192.0.2.1 198.51.100.7 56324 443\r\n".to_vec(),
            version_two(2, 0x11, &[0; 12]),
            version_two(1, 0x12, &[0; 12]),
            version_two(1, 0x11, &[0; 11]),
            version_two(1, 0x41, &[0; 12]),
            long_text,
            too_long,
            b"PROXY".to_vec(),
            Vec::new(),
        ] {
            let (read, _) = read_of(&bytes).await;
            assert!(
                read.is_err(),
                "{:?}: {read:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_that_is_silent_is_not_waited_for() {
        let (_proxy, mut server) = tokio::io::duplex(64);
        let read = read(&mut server, TIME).await;
        assert!(
            matches!(read, Err(ProxyHeaderError::Timeout { .. })),
            "{read:?}"
        );
    }

    proptest! {
        /// Whatever comes, it ends with an answer, and no more is read than the longest header.
        #[test]
        fn junk_is_an_error_or_a_header_and_is_bounded(
            version in 0..3_u8,
            junk in proptest::collection::vec(any::<u8>(), 0..4_096),
        ) {
            let begun: &[u8] = match version {
                0 => b"",
                1 => b"PROXY ",
                _ => v2::PROTOCOL_PREFIX,
            };
            let bytes = [begun, &junk].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            let (_, rest) = runtime.block_on(read_of(&bytes));
            prop_assert!(bytes.len() - rest.len() <= FIXED + MAX_BINARY);
        }
    }
}
