//! Names from strangers, made fit to be shown and to name a file.
//!
//! The server stores a movie's name only to show it (files have keys of their own), and the client
//! uses a name from a server for the file that it writes. Both pass it through [`sanitised`].

use unicode_normalization::UnicodeNormalization;

/// Bytes of a sanitised name at most: file systems allow 255, and a temporary name adds some.
pub const MAX_BYTES: usize = 200;

/// Bytes of an ending (`.mp4`) that is kept when the rest is cut.
const MAX_ENDING: usize = 16;

/// What is left of a name that holds nothing usable.
const NAMELESS: &str = "movie";

/// Names that Windows gives to devices, whatever ending follows.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// The last part of a path as a harmless file name.
///
/// Unicode compatibility forms are folded **first** (NFKC), since folding makes dots, slashes and
/// device names out of look-alikes: `．．／x` is `../x`, and `COM¹` is `COM1`. Then everything up to
/// the last slash or backslash goes, characters that are invisible or steer a terminal or the
/// reading direction go, what Windows forbids becomes `_`, dots and spaces at either end go, and
/// the rest is cut to [`MAX_BYTES`] with its ending kept. The result is never empty and is its own
/// sanitised form.
///
/// ```
/// use movie::names::sanitised;
///
/// assert_eq!(sanitised("../../etc/passwd"), "passwd");
/// assert_eq!(sanitised("．．／雪.mp4"), "雪.mp4");
/// ```
pub fn sanitised(name: &str) -> String {
    // Twice: taking out an invisible character can bring a letter and its accent together.
    let folded: String = name.nfkc().filter(|c| !is_hidden(*c)).nfkc().collect();
    let last = folded.rsplit(['/', '\\']).next().unwrap_or_default();
    let tame: String = last
        .chars()
        .map(|c| if is_forbidden(c) { '_' } else { c })
        .collect();
    let trimmed = trim(&tame);
    let short = trim(&shortened(trimmed)).to_owned();
    match short.as_str() {
        "" => NAMELESS.to_owned(),
        name if is_device(name) => trim(&shortened(&format!("_{name}"))).to_owned(),
        _ => short,
    }
}

/// Whether a character moves the cursor, the reading direction, or nothing at all.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

fn is_forbidden(c: char) -> bool {
    matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
}

fn trim(name: &str) -> &str {
    name.trim_matches(|c: char| c == '.' || c.is_whitespace())
}

fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_lowercase();
    let numbered = |port: &str| {
        stem.strip_prefix(port)
            .is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
    };
    DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

fn shortened(name: &str) -> String {
    if name.len() <= MAX_BYTES {
        return name.to_owned();
    }
    let ending = match name.rfind('.') {
        Some(dot) if name.len() - dot <= MAX_ENDING => &name[dot..],
        _ => "",
    };
    let end = name.floor_char_boundary(MAX_BYTES - ending.len());
    format!("{}{ending}", &name[..end])
}

#[cfg(test)]
#[path = "../tests/server/support/hostile_names.rs"]
mod hostile_names;

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;
    use crate::names::hostile_names::HOSTILE_NAMES;

    #[test]
    fn corpus_becomes_harmless() {
        for (hostile, harmless) in HOSTILE_NAMES {
            assert_eq!(sanitised(hostile), harmless, "{hostile:?}");
        }
    }

    #[test]
    fn long_name_keeps_its_ending() {
        let name = format!("{}.mp4", "雪".repeat(300));
        let short = sanitised(&name);
        assert!(
            short.len() <= MAX_BYTES && short.ends_with("雪.mp4"),
            "{short}"
        );
    }

    /// Text made of what hurts, and of anything else.
    fn hostile() -> impl Strategy<Value = String> {
        let nasty = prop::sample::select(vec![
            "/",
            "\\",
            ".",
            "..",
            " ",
            ":",
            "\0",
            "\u{1b}",
            "\u{202e}",
            "\u{200b}",
            "．",
            "／",
            "‥",
            "¹",
            "\u{301}",
            "e",
            "con",
            ".mp4",
            "雪雪雪雪雪雪雪雪雪雪雪雪雪雪雪雪雪雪雪雪",
        ]);
        let piece = prop_oneof![3 => nasty.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn any_name_is_one_component_and_stays_so(name in hostile()) {
            let tame = sanitised(&name);
            prop_assert_eq!(sanitised(&tame), tame.clone());
            prop_assert!(tame.len() <= MAX_BYTES);
            prop_assert!(!tame.chars().any(is_hidden));
            prop_assert!(!tame.contains(['/', '\\']));
            let parts: Vec<_> = Path::new(&tame).components().collect();
            prop_assert!(matches!(parts[..], [Component::Normal(part)] if part == tame.as_str()));
        }
    }
}
