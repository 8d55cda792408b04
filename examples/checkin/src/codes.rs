//! The code on the wall: a function of the class's secret and the time, so that it needs no
//! memory, is the same for two teachers, and survives a restart.

use std::fmt;

use crate::models::Class;
use crate::secrets;

/// The symbols of a code: digits and capitals without those that look like another (0 and O, 1
/// and I). There are 32, five bits each.
pub const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Symbols of a code: 30 bits. With five attempts a minute, somebody who guesses through a class
/// of 90 minutes finds a code with a chance of one in a million.
pub const LEN: usize = 6;

/// How long ago a code may have been shown to be told from one that never was: it is then called
/// expired and not wrong.
const REMEMBERED_MS: i64 = 10 * 60 * 1_000;

/// A code as it is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code([u8; LEN]);

/// What a typed code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is on the wall, or was within the grace.
    Current,
    /// It was on the wall within the last ten minutes.
    Expired,
    /// It was not.
    Wrong,
}

impl Code {
    /// The code of a class in this stretch of time: HMAC-SHA-256, under the class's secret, of the
    /// course, the class and the counter.
    pub fn at(class: &Class, counter: i64) -> Self {
        let [course, id, counter] = [class.course_id, class.id, counter].map(i64::to_be_bytes);
        let mac = secrets::mac(&class.secret, &[b"code", &course, &id, &counter]);
        let mut symbols = [0; LEN];
        for (symbol, byte) in symbols.iter_mut().zip(mac) {
            // 256 is a multiple of 32: every symbol is as likely as another.
            *symbol = ALPHABET[usize::from(byte) % ALPHABET.len()];
        }
        Self(symbols)
    }

    /// The symbols.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

impl fmt::Debug for Code {
    // It opens a class for some seconds: in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// Which stretch of time this millisecond is in.
pub fn counter(class: &Class, now: i64) -> i64 {
    now.div_euclid(period(class))
}

/// The millisecond at which the next code is shown.
pub fn next_change(class: &Class, now: i64) -> i64 {
    (counter(class, now) + 1) * period(class)
}

/// The code that is on the wall at this millisecond.
pub fn current(class: &Class, now: i64) -> Code {
    Code::at(class, counter(class, now))
}

/// Judges what somebody has typed, at this millisecond. Small letters, spaces and hyphens are
/// forgiven. It takes as long for every code that is not on the wall.
pub fn judge(class: &Class, typed: &str, now: i64) -> Verdict {
    let typed = normalised(typed);
    let now_at = counter(class, now);
    let oldest = counter(class, now - REMEMBERED_MS);
    let mut verdict = Verdict::Wrong;
    for at in (oldest..=now_at).rev() {
        if secrets::same(Code::at(class, at).as_str(), &typed) && verdict == Verdict::Wrong {
            let gone_for = now - (at + 1) * period(class);
            let is_taken = at == now_at || gone_for < class.grace_ms;
            verdict = if is_taken {
                Verdict::Current
            } else {
                Verdict::Expired
            };
        }
    }
    verdict
}

/// What was typed, as the alphabet has it.
pub fn normalised(typed: &str) -> String {
    let kept = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    // A whole-width keyboard is a common accident where Chinese is typed.
    let narrow = kept.map(|c| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    });
    narrow
        .take(LEN + 1)
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

fn period(class: &Class) -> i64 {
    // A row with nonsense must not become a division by zero.
    class.every_ms.max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chrono::Utc;
    use proptest::prelude::*;

    use super::*;

    fn class(id: i64, course_id: i64) -> Class {
        Class {
            id,
            course_id,
            open_course_id: Some(course_id),
            opened: Utc::now(),
            closed: None,
            late_after: 600,
            secret: secrets::random::<32>(),
            every_ms: 8_000,
            grace_ms: 2_000,
        }
    }

    #[test]
    fn a_code_is_taken_while_it_is_shown_and_in_the_grace_and_never_after() {
        let class = class(1, 1);
        let start = counter(&class, 1_700_000_000_000) * 8_000;
        let code = current(&class, start);
        for (after, verdict) in [
            (0, Verdict::Current),
            (7_999, Verdict::Current),
            (8_000, Verdict::Current),
            (9_999, Verdict::Current),
            (10_000, Verdict::Expired),
            (599_999, Verdict::Expired),
            (700_000, Verdict::Wrong),
            // A code is not taken before it is shown.
            (-1, Verdict::Wrong),
        ] {
            assert_eq!(
                judge(&class, code.as_str(), start + after),
                verdict,
                "{after}"
            );
        }
    }

    #[test]
    fn a_thousand_stale_codes_are_never_taken() {
        let class = class(1, 1);
        let now = 1_700_000_000_000;
        let oldest_taken = counter(&class, now - class.grace_ms);
        for back in 1..=1_000 {
            let stale = Code::at(&class, oldest_taken - back);
            assert_ne!(
                judge(&class, stale.as_str(), now),
                Verdict::Current,
                "{back}"
            );
        }
    }

    #[test]
    fn the_grace_may_be_longer_than_a_code_is_shown() {
        let class = Class {
            grace_ms: 20_000,
            ..class(1, 1)
        };
        let code = current(&class, 0);
        assert_eq!(judge(&class, code.as_str(), 27_999), Verdict::Current);
        assert_eq!(judge(&class, code.as_str(), 28_000), Verdict::Expired);
    }

    #[test]
    fn another_class_another_course_or_another_secret_is_another_code() {
        let one = class(1, 1);
        let others = [
            Class {
                id: 2,
                ..one.clone()
            },
            Class {
                course_id: 2,
                ..one.clone()
            },
            Class {
                secret: secrets::random::<32>(),
                ..one.clone()
            },
        ];
        let now = 1_700_000_000_000;
        for other in others {
            let foreign = current(&other, now);
            assert_eq!(judge(&one, foreign.as_str(), now), Verdict::Wrong);
        }
    }

    #[test]
    fn codes_use_all_their_symbols_evenly() {
        let class = class(1, 1);
        let codes: Vec<Code> = (0..32_000).map(|at| Code::at(&class, at)).collect();
        for place in 0..LEN {
            let mut counts = [0_u32; 128];
            for code in &codes {
                counts[usize::from(code.0[place])] += 1;
            }
            // Chi-square with 31 degrees of freedom: mean 31, deviation 7.9.
            let chi2: f64 = ALPHABET
                .iter()
                .map(|symbol| (f64::from(counts[usize::from(*symbol)]) - 1_000.0).powi(2) / 1_000.0)
                .sum();
            assert!(chi2 < 90.0, "place {place}: {chi2:.0}");
        }
        let all: HashSet<_> = codes.iter().map(|code| code.0).collect();
        assert!(all.len() > 31_990, "{} of 32000 differ", all.len());
    }

    proptest! {
        #[test]
        fn anything_may_be_typed(typed in "\\PC*", now in 0_i64..4_000_000_000_000) {
            let class = class(1, 1);
            let verdict = judge(&class, &typed, now);
            prop_assert!(verdict == Verdict::Wrong || normalised(&typed).len() == LEN);
        }

        #[test]
        fn how_a_code_is_typed_does_not_matter(now in 0_i64..4_000_000_000_000) {
            let class = class(1, 1);
            let code = current(&class, now);
            let text = code.as_str();
            let wide: String = text.chars()
                .filter_map(|c| char::from_u32(u32::from(c) + 0xfee0))
                .collect();
            for typed in [text.to_lowercase(), format!(" {}-{} ", &text[..3], &text[3..]), wide] {
                prop_assert_eq!(judge(&class, &typed, now), Verdict::Current);
            }
        }
    }
}
