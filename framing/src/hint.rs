//! What a stranger's first bytes look like, for the log.

use std::fmt;

/// A guess at what a peer really speaks, made from the bytes where a header was expected.
///
/// It only ever explains a refusal. No frame is accepted or refused because of a hint, and it is
/// never sent to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hint {
    /// A length that would be in range if its bytes were read in the other order.
    ByteOrder {
        /// The length, read in the other order.
        len: u64,
    },
    /// A request line of HTTP/1, WebSocket handshakes included.
    Http,
    /// The preface of HTTP/2 without TLS.
    Http2,
    /// JSON with no header before it.
    Json,
    /// The PROXY protocol of load balancers, version 1 or 2.
    Proxy,
    /// A version or method selection of SOCKS.
    Socks,
    /// The identification line of SSH.
    Ssh,
    /// Lines of text, as SMTP, FTP, Redis and memcached speak.
    Text,
    /// A TLS record with a handshake.
    Tls,
}

impl Hint {
    /// Looks at the bytes where a header was expected. Four bytes are enough for most guesses.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        const METHODS: [&[u8]; 9] = [
            b"GET ",
            b"POST ",
            b"PUT ",
            b"HEAD ",
            b"DELETE ",
            b"OPTIONS ",
            b"PATCH ",
            b"CONNECT ",
            b"TRACE ",
        ];
        // A short read still tells: `bytes` may hold the beginning of `whole` only.
        let begins = |whole: &[u8]| {
            let n = whole.len().min(bytes.len());
            n >= 3 && bytes[..n] == whole[..n]
        };
        let first = bytes.get(..3)?;
        if first[0] == 0x16 && first[1] == 3 && first[2] <= 4 {
            Some(Self::Tls)
        } else if begins(b"PRI * HTTP/2") {
            Some(Self::Http2)
        } else if begins(b"PROXY ") || begins(b"\r\n\r\n\0\r\nQUIT\n") {
            Some(Self::Proxy)
        } else if METHODS.into_iter().any(begins) {
            Some(Self::Http)
        } else if begins(b"SSH-") {
            Some(Self::Ssh)
        } else if (first[0] == b'{' || first[0] == b'[') && is_text(bytes) {
            Some(Self::Json)
        } else if (first[0] == 5 && (1..8).contains(&first[1]) && first[2] < 4)
            || (first[0] == 4 && (first[1] == 1 || first[1] == 2) && bytes.get(3).is_some())
        {
            Some(Self::Socks)
        } else if is_text(bytes) {
            Some(Self::Text)
        } else {
            None
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByteOrder { len } => write!(f, "a length of {len} in the other byte order"),
            Self::Http => f.write_str("HTTP"),
            Self::Http2 => f.write_str("HTTP/2"),
            Self::Json => f.write_str("JSON without a header"),
            Self::Proxy => f.write_str("the PROXY protocol"),
            Self::Socks => f.write_str("SOCKS"),
            Self::Ssh => f.write_str("SSH"),
            Self::Text => f.write_str("lines of text"),
            Self::Tls => f.write_str("TLS"),
        }
    }
}

/// Printable ASCII and line ends, in the first four bytes that there are.
fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .take(4)
        .all(|b| matches!(b, b'\r' | b'\n' | b'\t' | b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_dialects_people_really_send() {
        let seen: [(&[u8], Hint); 12] = [
            (b"GET / HTTP/1.1\r\n", Hint::Http),
            (b"POST", Hint::Http),
            (b"OPTI", Hint::Http),
            (b"PRI * HTTP/2.0\r\n", Hint::Http2),
            (b"\x16\x03\x01\x02\x00\x01", Hint::Tls),
            (b"\x16\x03\x03\x00", Hint::Tls),
            (b"SSH-2.0-OpenSSH_9.2\r\n", Hint::Ssh),
            (b"\x05\x02\x00\x02", Hint::Socks),
            (b"PROXY TCP4 10.0.0.1", Hint::Proxy),
            (b"EHLO mail.example\r\n", Hint::Text),
            (b"*1\r\n$4\r\nPING\r\n", Hint::Text),
            (b"{\"type\": \"login\"}", Hint::Json),
        ];
        for (bytes, hint) in seen {
            assert_eq!(Hint::of(bytes), Some(hint), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn says_nothing_of_bytes_it_does_not_know() {
        assert_eq!(Hint::of(b""), None);
        assert_eq!(Hint::of(b"GE"), None);
        assert_eq!(Hint::of(&[0xff; 4]), None);
        assert_eq!(Hint::of(&[0, 0, 0, 0]), None);
    }
}
