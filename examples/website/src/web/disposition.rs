//! The name of a download in its header: RFC 6266, and RFC 8187 for what is not ASCII.

use axum::http::HeaderValue;

/// `attachment` under this name: in ASCII for old clients, and in full for the rest.
pub(super) fn attachment(name: &str) -> HeaderValue {
    let plain = |sign: char| match sign {
        // What ends or escapes a quoted string, a percent sign, which some decode, and what is not ASCII.
        '"' | '\\' | '%' | '/' | ';' => '_',
        ' '..='~' => sign,
        _ => '_',
    };
    let ascii = name.chars().map(plain).collect::<String>();
    let mut full = String::with_capacity(name.len());
    for byte in name.bytes() {
        // attr-char of RFC 8187, 3.2.1.
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            full.push(char::from(byte));
        } else {
            full.push_str(&format!("%{byte:02X}"));
        }
    }
    let text = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{full}");
    HeaderValue::try_from(text).expect("printable ASCII is a header's value")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_told_twice() {
        for (name, header) in [
            (
                "a.txt",
                r#"attachment; filename="a.txt"; filename*=UTF-8''a.txt"#,
            ),
            (
                "报 告.pdf",
                r#"attachment; filename="_ _.pdf"; filename*=UTF-8''%E6%8A%A5%20%E5%91%8A.pdf"#,
            ),
            (
                "a\"; x=\"b",
                r#"attachment; filename="a__ x=_b"; filename*=UTF-8''a%22%3B%20x%3D%22b"#,
            ),
            (
                "a\r\nSet-Cookie: x",
                r#"attachment; filename="a__Set-Cookie: x"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"#,
            ),
        ] {
            assert_eq!(attachment(name), header);
        }
    }

    proptest! {
        #[test]
        fn whatever_the_name_it_is_one_header_with_two_quotes(name in any::<String>()) {
            let value = attachment(&name);
            let text = value.to_str().expect("ASCII");
            prop_assert!(!text.contains(['\r', '\n', '\0']));
            prop_assert_eq!(text.matches('"').count(), 2);
            let full = text.rsplit("''").next().expect("a part");
            let decoded = full.split('%').enumerate().fold(Vec::new(), |mut bytes, (index, part)| {
                let rest = if index == 0 { part } else {
                    bytes.push(u8::from_str_radix(&part[..2], 16).expect("two digits"));
                    &part[2..]
                };
                bytes.extend_from_slice(rest.as_bytes());
                bytes
            });
            prop_assert_eq!(decoded, name.as_bytes());
        }
    }
}
