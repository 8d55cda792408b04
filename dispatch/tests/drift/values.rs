//! Random values, and a text in which no two of them look alike.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// One field of each kind that a message may have.
///
/// Integers end at 64 bits, as they do in every message that is not Python's own.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Values {
    signed: i64,
    unsigned: u64,
    float: f64,
    flag: bool,
    text: String,
    maybe: Option<String>,
    list: Vec<f64>,
    any: Value,
}

impl Values {
    pub(crate) fn of(dice: &mut Dice) -> Self {
        Self {
            signed: [i64::MIN, i64::MAX, dice.next() as i64][dice.below(3) as usize],
            unsigned: [u64::MAX, dice.next()][dice.below(2) as usize],
            float: dice.float(),
            flag: dice.below(2) == 0,
            text: dice.text(),
            maybe: (dice.below(2) == 0).then(|| dice.text()),
            list: (0..dice.below(4)).map(|_| dice.float()).collect(),
            any: dice.value(0),
        }
    }

    /// What they are, to the last bit, by the names in their order.
    pub(crate) fn told(&self) -> String {
        let mut out = String::new();
        let mut field = |name: &str, value: &Value| {
            out.push(if out.is_empty() { '{' } else { ',' });
            tell(&mut out, &name.into());
            out.push(':');
            tell(&mut out, value);
        };
        field("any", &self.any);
        field("flag", &self.flag.into());
        field("float", &self.float.into());
        field("list", &self.list.clone().into());
        field("maybe", &self.maybe.clone().into());
        field("signed", &self.signed.into());
        field("text", &self.text.clone().into());
        field("unsigned", &self.unsigned.into());
        out.push('}');
        out
    }
}

/// A float is no integer, and -0.0 is not 0.0.
fn tell(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push('n'),
        Value::Bool(is) => out.push(if *is { 't' } else { 'f' }),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => {
                write!(out, "d{:016x}", float.to_bits()).expect("a text takes it");
            }
            _ => write!(out, "i{number}").expect("a text takes it"),
        },
        Value::String(text) => {
            out.push('s');
            for byte in text.bytes() {
                write!(out, "{byte:02x}").expect("a text takes it");
            }
        }
        Value::Array(values) => {
            out.push('[');
            for (n, value) in values.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                tell(out, value);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // By bytes of UTF-8, which is by code points, as Python sorts.
            members.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (n, (key, value)) in members.into_iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                tell(out, &key.as_str().into());
                out.push(':');
                tell(out, value);
            }
            out.push('}');
        }
    }
}

/// A small generator (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// The length of a file.
    pub(crate) fn file(&mut self) -> u64 {
        let (some, large) = (self.below(2000), self.below(20) == 0);
        let large = if large { 70_001 } else { 0 };
        [large, 1, some][self.below(3) as usize]
    }

    fn float(&mut self) -> f64 {
        let float = match self.below(4) {
            0 => f64::from_bits(self.next()),
            1 => (self.below(2_000_000) as f64 - 1e6) / 100.0,
            2 => self.next() as f64 * 4.0,
            _ => [0.0, -0.0, 5e-324, f64::MAX, 1e16, 1e22, 0.1][self.below(7) as usize],
        };
        if float.is_finite() { float } else { 0.0 }
    }

    fn text(&mut self) -> String {
        const CHARS: [char; 15] = [
            'a',
            ' ',
            '"',
            '\\',
            '/',
            '\n',
            '\t',
            '\0',
            '\x1f',
            '\x7f',
            'é',
            '\u{2028}',
            '安',
            '🚢',
            '\u{10ffff}',
        ];
        let len = [0, 1, 5, 30][self.below(4) as usize];
        (0..len).map(|_| CHARS[self.below(15) as usize]).collect()
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.below(if depth < 4 { 8 } else { 6 }) {
            0 => [Value::Null, true.into(), false.into()][self.below(3) as usize].clone(),
            1 => (self.next() as i64).into(),
            2 => self.next().into(),
            3 => Number::from_f64(self.float()).map_or(Value::Null, Value::Number),
            4 | 5 => self.text().into(),
            6 => {
                let len = self.below(4);
                (0..len).map(|_| self.value(depth + 1)).collect()
            }
            _ => {
                let len = self.below(4);
                let members = (0..len).map(|_| (self.text(), self.value(depth + 1)));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}
