//! Which wire a new connection speaks, by its first bytes.

use crate::{hint::Hint, native::Preface};

/// A wire that a port may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// A `<i` length before every message: [`Prefix::CLASSIC`](crate::Prefix::CLASSIC).
    Classic,
    /// HTTP of any version, WebSocket handshakes included.
    Http,
    /// The [native](crate::native) wire.
    Native,
    /// TLS, inside of which it begins anew.
    Tls,
}

/// What the first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet: wait for another byte.
    Undecided,
    /// No other dialect of this port begins so. Hand it the same bytes.
    Speaks(Dialect),
    /// No dialect of this port begins so.
    Foreign(Option<Hint>),
}

/// The dialects that a port serves.
///
/// Each is excluded at the first byte that it cannot have, and the last one that is left has it.
/// Its own decoder then refuses what it is not after all: an illegal classic length at its fourth
/// byte.
///
/// - HTTP begins with a method, that is with upper-case letters.
/// - The native wire begins with its [`Preface`].
/// - TLS begins with `16 03 0x`, and has `01` as its sixth byte.
/// - The classic wire begins with a legal length. `16 03 01 00` is the length 66,326 as well, so
///   where that is legal it takes six bytes to tell the two apart.
///
/// ```
/// use packetboat_framing::{Dialect, Dialects, Limits, Verdict};
///
/// let port = Dialects::all(&Limits::default());
/// assert_eq!(port.detect(b"GE"), Verdict::Undecided);
/// assert_eq!(port.detect(b"GET"), Verdict::Speaks(Dialect::Http));
/// assert_eq!(port.detect(&[0xb0, 0xa7, 0xb0]), Verdict::Speaks(Dialect::Native));
/// assert_eq!(port.detect(&[44, 0, 0, 0]), Verdict::Speaks(Dialect::Classic));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialects {
    /// The classic wire, with the smallest and the largest message that a stranger may send.
    pub classic: Option<(u32, u32)>,
    /// HTTP.
    pub http: bool,
    /// The native wire.
    pub native: bool,
    /// TLS.
    pub tls: bool,
}

impl Dialects {
    /// Bytes that are enough to decide whatever they are.
    pub const MAX_BYTES: usize = 6;

    /// All of them. The limit on a message before login is that of the classic wire.
    pub fn all(limits: &crate::Limits) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            classic: Some((
                number(limits.min_message_bytes),
                number(limits.max_message_bytes_before_login),
            )),
            http: true,
            native: true,
            tls: true,
        }
    }

    /// The same without TLS, for what comes out of it.
    #[must_use]
    pub fn within_tls(self) -> Self {
        Self { tls: false, ..self }
    }

    /// Looks at all bytes that have come so far. More bytes never change a verdict.
    pub fn detect(&self, bytes: &[u8]) -> Verdict {
        // Each byte is judged on its own first, so that a long read decides as single bytes do.
        for n in 1..=bytes.len().min(Self::MAX_BYTES) {
            let verdict = self.judge(&bytes[..n]);
            if verdict != Verdict::Undecided {
                return match verdict {
                    Verdict::Foreign(_) => Verdict::Foreign(Hint::of(bytes)),
                    speaks => speaks,
                };
            }
        }
        Verdict::Undecided
    }

    fn judge(&self, bytes: &[u8]) -> Verdict {
        let left = [
            (self.native && is_native(bytes), Dialect::Native),
            (self.tls && is_tls(bytes), Dialect::Tls),
            (self.http && is_http(bytes), Dialect::Http),
            (self.is_classic(bytes), Dialect::Classic),
        ];
        let mut left = left
            .iter()
            .filter(|(may, _)| *may)
            .map(|(_, dialect)| *dialect);
        match (left.next(), left.next()) {
            (Some(only), None) => Verdict::Speaks(only),
            // Four bytes are what a hint for the log can be taken from.
            (None, _) if bytes.len() >= 4 => Verdict::Foreign(None),
            // A limit so high that a length may be spelled in letters: they are no length.
            (Some(first), Some(_)) if bytes.len() == Self::MAX_BYTES => Verdict::Speaks(first),
            _ => Verdict::Undecided,
        }
    }

    /// Whether a legal length begins so.
    fn is_classic(&self, bytes: &[u8]) -> bool {
        let Some((min, max)) = self.classic else {
            return false;
        };
        let mut length = [0; 4];
        let known = bytes.len().min(4);
        length[..known].copy_from_slice(&bytes[..known]);
        let least = u32::from_le_bytes(length);
        let signed_max = max.min(i32::MAX as u32);
        // Bytes to come only add to it.
        least <= signed_max && (known < 4 || least >= min)
    }
}

fn is_native(bytes: &[u8]) -> bool {
    let n = bytes.len().min(Preface::MAGIC.len());
    bytes[..n] == Preface::MAGIC[..n]
}

fn is_tls(bytes: &[u8]) -> bool {
    let may = |at: usize, is: fn(u8) -> bool| bytes.get(at).is_none_or(|byte| is(*byte));
    // A handshake record of version 3.x with a client hello in it.
    may(0, |byte| byte == 0x16)
        && may(1, |byte| byte == 3)
        && may(2, |byte| byte <= 4)
        && may(5, |byte| byte == 1)
}

/// Upper-case letters, at least three and the fourth at most a space.
fn is_http(bytes: &[u8]) -> bool {
    let (first, fourth) = bytes.split_at(bytes.len().min(3));
    first.iter().all(u8::is_ascii_uppercase)
        && fourth
            .first()
            .is_none_or(|byte| byte.is_ascii_uppercase() || *byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn port(max_before_login: usize) -> Dialects {
        Dialects::all(&Limits {
            max_message_bytes_before_login: max_before_login,
            ..Limits::default()
        })
    }

    /// The verdict, and the byte at which it was given.
    fn at(port: Dialects, bytes: &[u8]) -> (usize, Verdict) {
        let decided = (0..=bytes.len()).find(|n| port.detect(&bytes[..*n]) != Verdict::Undecided);
        let n = decided.unwrap_or(bytes.len());
        let verdict = port.detect(&bytes[..n]);
        for more in n..=bytes.len() {
            let later = port.detect(&bytes[..more]);
            let same = matches!((later, verdict), (Verdict::Foreign(_), Verdict::Foreign(_)));
            assert!(same || later == verdict, "{bytes:02x?} at {more}");
        }
        (n, verdict)
    }

    use Dialect::{Classic, Http, Native, Tls};
    use Verdict::Speaks;

    #[test]
    fn each_is_told_at_the_first_byte_that_excludes_the_others() {
        let port = port(64 * 1024);
        let seen: [(&[u8], usize, Dialect); 13] = [
            (&Preface::client().to_bytes(), 3, Native),
            (b"GET / HTTP/1.1\r\n", 3, Http),
            (b"PUT /", 3, Http),
            (b"OPTIONS * HTTP/1.1\r\n", 3, Http),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 3, Http),
            // A client hello of 512 bytes, and one of 200, from 1.0 records on.
            (&[0x16, 3, 1, 2, 0, 1], 3, Tls),
            (&[0x16, 3, 1, 0, 200, 1], 3, Tls),
            (&[0x16, 3, 3, 2, 0, 1], 3, Tls),
            // Version 3.0: 790 is a legal length, so only the sixth byte tells.
            (&[0x16, 3, 0, 0, 200, 1], 6, Tls),
            (&[0x16, 3, 0, 0, b'{', b'"'], 6, Classic),
            (&[0x16, 3, 0, 1, b'{', 1], 4, Tls),
            (&[2, 0, 0, 0, b'{', b'}'], 1, Classic),
            (&[0x16, 4, 0, 0, b'{'], 2, Classic),
        ];
        for (bytes, n, dialect) in seen {
            assert_eq!(at(port, bytes), (n, Speaks(dialect)), "{bytes:02x?}");
        }
    }

    #[test]
    fn tls_and_the_length_66_326_are_told_apart_by_the_sixth_byte() {
        for max in [66_326, 66_327, 1024 * 1024] {
            let port = port(max);
            assert_eq!(at(port, &[0x16, 3, 1, 0, 200, 1]), (6, Speaks(Tls)));
            assert_eq!(at(port, &[0x16, 3, 1, 0, b'{', b'"']), (6, Speaks(Classic)));
            assert_eq!(at(port, &[0x16, 3, 1, 0, b'{']), (5, Verdict::Undecided));
        }
        assert_eq!(
            at(port(66_325), &[0x16, 3, 1, 0, b'{', b'"']),
            (3, Speaks(Tls))
        );
    }

    #[test]
    fn an_illegal_length_is_refused_at_its_fourth_byte() {
        let limits = Limits::default();
        let port = port(limits.max_message_bytes_before_login);
        // The classic wire alone is left from the first byte on, and its decoder refuses.
        for bytes in [
            [0xff; 4],
            [0, 0, 0, 0],
            [1, 0, 1, 0],
            [0, 0, 0, 0x80],
            *b"{\"ty",
            *b"get ",
        ] {
            assert_eq!(at(port, &bytes), (1, Speaks(Classic)), "{bytes:02x?}");
            let mut decoder = crate::Decoder::new(crate::Prefix::CLASSIC, &limits);
            decoder.feed(&bytes[..3]);
            assert!(matches!(decoder.decode(), Ok(None)));
            decoder.feed(&bytes[3..]);
            assert!(decoder.decode().is_err(), "{bytes:02x?}");
        }
        // Here another dialect was left until the length was already over the limit.
        for bytes in [*b"GEt ", *b"Get ", [0x16, 3, 5, 0], [0xb0, 0xa7, 9, 9]] {
            let (n, verdict) = at(port, &bytes);
            let refused = match verdict {
                Verdict::Foreign(_) => n == 4,
                speaks => speaks == Speaks(Classic) && n < 4,
            };
            assert!(refused, "{bytes:02x?} {n} {verdict:?}");
        }
        assert!(matches!(at(port, b"GEt "), (4, Verdict::Foreign(_))));
    }

    #[test]
    fn a_dialect_that_is_off_is_never_told() {
        let port = port(64 * 1024);
        let hello = [0x16, 3, 1, 2, 0, 1];
        let modern = Dialects {
            classic: None,
            ..port
        };
        assert_eq!(at(modern, &hello), (1, Speaks(Tls)));
        let inside = modern.within_tls().detect(&hello);
        assert_eq!(inside, Verdict::Foreign(Some(Hint::Tls)));
        assert_eq!(at(port.within_tls(), &hello), (1, Speaks(Classic)));
        let only_native = Dialects {
            http: false,
            ..modern.within_tls()
        };
        let preface = Preface::client().to_bytes();
        assert_eq!(at(only_native, &preface), (1, Speaks(Native)));
        let foreign = only_native.detect(b"SSH-2.0-OpenSSH_9.2\r\n");
        assert_eq!(foreign, Verdict::Foreign(Some(Hint::Ssh)));
        assert_eq!(only_native.detect(b""), Verdict::Undecided);
    }

    #[test]
    fn every_beginning_is_decided_within_six_bytes() {
        let ports = [
            port(100),
            port(64 * 1024),
            port(1024 * 1024),
            port(usize::MAX),
        ];
        let values = [
            0, 1, 2, 3, 4, 0x16, b'-', b' ', b'A', b'G', b'{', 0x7f, 0x80, 0xa7, 0xb0,
        ];
        let count = values.len();
        for port in ports {
            for i in 0..count.pow(6) / 101 {
                // Steps of a prime visit beginnings of every shape in little time.
                let mut rest = i * 101;
                let bytes = [(); 6].map(|()| {
                    let value = values[rest % count];
                    rest /= count;
                    value
                });
                assert_ne!(port.detect(&bytes), Verdict::Undecided, "{bytes:02x?}");
            }
        }
    }
}
