//! What the scan finds and refuses, and which field the decode names.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const SIZES: &[&str] = &["file_size"];

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Movie {
    #[serde(alias = "movie_id")]
    id: i64,
    name: String,
    price: Option<f64>,
    tags: Vec<f64>,
}

fn scan(message: &str) -> Result<Envelope<'_>, Rejection> {
    Envelope::scan(message.as_bytes(), SIZES)
}

fn decode_movie(message: &str) -> Result<Movie, Rejection> {
    decode(
        &scan(message).expect("the scan passes"),
        Fields::of::<Movie>(),
    )
}

fn refused(message: &str) -> String {
    decode_movie(message)
        .expect_err("the decode fails")
        .text()
        .to_owned()
}

#[test]
fn type_session_and_size_are_found_wherever_they_stand() {
    for message in [
        r#"{"type": "upload", "session": "ab", "file_size": 7}"#,
        r#" { "a":[{"type":"x"},"}"],"file_size":7 ,"session":"ab","type":"upload" } "#,
        r#"{"\u0074ype":"up\u006coad","s\u0065ssion":"a\u0062","file_size":7}"#,
    ] {
        let envelope = scan(message).expect("the scan passes");
        assert_eq!(envelope.message_type.as_deref(), Some("upload"));
        assert_eq!(envelope.session.as_deref(), Some("ab"));
        assert_eq!(envelope.attachment_len("file_size").expect("a size"), 7);
        assert_eq!(envelope.repeated, None);
    }
}

#[test]
fn a_second_key_of_the_envelope_is_noticed_however_it_is_spelled() {
    for (message, key) in [
        (r#"{"type":"a","type":"a"}"#, "type"),
        (r#"{"type":"a","\u0074ype":"b"}"#, "type"),
        (r#"{"session":null,"x":1,"session":"b"}"#, "session"),
        (r#"{"file_size":1,"file_size":1}"#, "file_size"),
    ] {
        assert_eq!(scan(message).expect("the scan passes").repeated, Some(key));
    }
    let nested = scan(r#"{"type":"a","x":{"type":"b","session":1,"file_size":2}}"#);
    assert_eq!(nested.expect("the scan passes").repeated, None);
}

#[test]
fn an_odd_size_is_no_size() {
    for odd in [
        "-1",
        "-0",
        "1.5",
        "1.0",
        "1e3",
        "\"5\"",
        "null",
        "true",
        "[5]",
        "{}",
        "NaN",
        "Infinity",
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999",
    ] {
        let message = format!(r#"{{"file_size":{odd}}}"#);
        let envelope = scan(&message).expect("the scan passes");
        let refusal = envelope.attachment_len("file_size").expect_err(odd);
        assert_eq!(refusal.code(), code::BAD_ATTACHMENT_SIZE);
        assert!(refusal.text().contains("file_size"));
        assert!(envelope.states_a_size());
    }
    let none = scan("{}").expect("the scan passes");
    assert!(none.attachment_len("file_size").is_err() && !none.states_a_size());
    let largest = scan(r#"{"file_size":9223372036854775807}"#).expect("the scan passes");
    assert_eq!(
        largest.attachment_len("file_size").expect("a size"),
        i64::MAX as u64
    );
}

#[test]
fn what_is_no_object_is_bad_json() {
    for bad in [
        "",
        " ",
        "[]",
        "null",
        "1",
        "\"x\"",
        "{",
        "{}}",
        "{} x",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":[1,]}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":nan}",
        "{\"a\":-NaN}",
        "{\"a\":tru}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\ud800\\u12\"}",
        "{\"a\":[}",
        "{\"a\":1]",
        "\u{feff}{}",
        "{\"a\":\"unended",
    ] {
        assert_eq!(scan(bad).expect_err(bad).code(), code::BAD_JSON, "{bad}");
    }
    let gbk = b"{\"a\":\"\xd6\xd0\"}";
    assert_eq!(
        Envelope::scan(gbk, SIZES).expect_err("no UTF-8").code(),
        code::BAD_JSON
    );
}

#[test]
fn depth_is_counted_in_ignored_values_and_costs_no_stack() {
    let nest = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(scan(&nest(126)).is_ok());
    assert_eq!(
        scan(&nest(127)).expect_err("too deep").code(),
        code::TOO_DEEP
    );
    assert!(serde_json::from_str::<serde_json::Value>(&nest(126)).is_ok());
    assert!(serde_json::from_str::<serde_json::Value>(&nest(127)).is_err());
    let start = std::time::Instant::now();
    for deep in [nest(100_000), "{\"x\":".repeat(100_000)] {
        assert_eq!(scan(&deep).expect_err("too deep").code(), code::TOO_DEEP);
    }
    assert!(start.elapsed() < std::time::Duration::from_millis(5));
}

#[test]
fn what_json_forbids_passes_in_unknown_keys_only() {
    let odd = [
        "NaN",
        "Infinity",
        "-Infinity",
        "[1,NaN]",
        "{\"deep\":[-Infinity]}",
        r#""\ud800""#,
        r#""\udc00x""#,
        r#""\ud800\ud800""#,
        r#""\ud83d\u0041""#,
    ];
    for value in odd {
        let unknown = format!(r#"{{"type":"movie","unknown":{value},"id":3}}"#);
        assert_eq!(decode_movie(&unknown).expect("it passes").id, 3);
        for known in ["name", "price", "tags", "movie_id"] {
            let said = refused(&format!(r#"{{"type":"movie","{known}":{value},"x":NaN}}"#));
            assert!(said.contains(&format!("`{known}`")), "{said}");
        }
    }
    let pair = decode_movie(r#"{"name":"\ud83d\ude00"}"#).expect("a whole pair");
    assert_eq!(pair.name, "😀");
}

#[test]
fn half_a_surrogate_in_a_key_is_no_fault_of_the_field_before_it() {
    let movie = decode_movie(r#"{"type":"x","name":"film","\ud800":1}"#).expect("decodes");
    assert_eq!(movie.name, "film");
    let text = refused(r#"{"type":"x","\ud800":1,"name":"\ud800"}"#);
    assert_eq!(text, "`name` holds half of a surrogate pair");
}

#[test]
fn a_megabyte_of_what_json_forbids_costs_two_scans() {
    let many = "NaN,".repeat(1 << 18);
    let message = format!(r#"{{"type":"x","odd":[{many}NaN],"name":"film"}}"#);
    let start = std::time::Instant::now();
    assert_eq!(decode_movie(&message).expect("decodes").name, "film");
    let message = format!(r#"{{"type":"x","odd":[{many}NaN],"name":NaN}}"#);
    assert!(refused(&message).starts_with("`name` holds a number"));
    // One scan takes milliseconds; one scan for each of them took minutes.
    let took = start.elapsed();
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_type_that_checks_its_own_fields_names_them() {
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "serde_json::Value")]
    struct Checked;

    impl TryFrom<serde_json::Value> for Checked {
        type Error = String;

        fn try_from(_: serde_json::Value) -> Result<Self, String> {
            let error = serde_json::from_str::<i64>("\"hunter2\"").expect_err("no number");
            Err(format!("field `movie_id`: {error}"))
        }
    }
    let envelope = scan(r#"{"type":"x","other":1}"#).expect("the scan passes");
    let refusal = decode::<Checked>(&envelope, Fields::of::<Checked>()).expect_err("refused");
    assert_eq!(refusal.text(), "`movie_id` has to be i64");
}

#[test]
fn the_decode_names_the_field() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[expect(dead_code, reason = "only whether it decodes is looked at")]
        name: String,
        #[expect(dead_code, reason = "only whether it decodes is looked at")]
        #[serde(rename = "type")]
        message_type: String,
    }
    for value in [r#""x""#, "[1]", " [1]", "{}", "true", "null", "1.5"] {
        let said = refused(&format!(
            r#"{{"type":"t","name":"a","movie_id":{value},"x":1}}"#
        ));
        assert_eq!(said, "`movie_id` has to be i64", "{value}");
    }
    assert_eq!(
        refused(r#"{"name":"a","movie_id": 99999999999999999999 }"#),
        "`movie_id` has to be i64"
    );
    assert_eq!(
        refused("{\"name\":\"a\",\n\"tags\":[1,\n\"b\"],\"id\":1}"),
        "`tags` has to be f64"
    );
    assert_eq!(refused(r#"{"id":1,"movie_id":2}"#), "`id` stands twice");
    let strict = |message: &str| {
        let envelope = scan(message).expect("the scan passes");
        let refusal = decode::<Strict>(&envelope, Fields::of::<Strict>()).expect_err("refused");
        refusal.text().to_owned()
    };
    assert_eq!(strict(r#"{"type":"x"}"#), "`name` is missing");
    assert_eq!(
        strict(r#"{"type":"x","name":"n","pass":"p"}"#),
        "`pass` is not known"
    );
    assert!(!refused(r#"{"movie_id":"hunter2"}"#).contains("hunter2"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Where serde_json takes a text as an object, the scan does, and the other way round.
    #[test]
    fn the_scan_agrees_with_serde_json(text in r#"\{("(a|type|\\u0061|\\n|é|\\")":(1|-0|1e5|"x\\\\"|\[\]|\[1, \{"b":null\}\]|true|\{\}|[-0-9.eE+]{1,5}),?){0,4}[}\] ]{1,2}"#) {
        let serde = serde_json::from_str::<std::collections::HashMap<String, serde::de::IgnoredAny>>(&text);
        prop_assert_eq!(scan(&text).is_ok(), serde.is_ok(), "{}", text);
    }

    /// Junk gives an error and never a panic.
    #[test]
    fn junk_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Envelope::scan(&bytes, SIZES);
    }
}
