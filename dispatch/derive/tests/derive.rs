//! What the derive writes, and what it says when it cannot.

use packetboat_dispatch_derive::Message;

/// The trait as packetboat-dispatch has it, so that this crate is tested alone.
mod wire {
    pub(crate) trait Message {
        const TYPE: &'static str;
        const ALIASES: &'static [&'static str];
        const ATTACHMENT: Option<&'static str>;
        const REPLY_ATTACHMENT: Option<&'static str>;
        const IS_SAFE: bool;
        type Reply;

        fn schema() -> Option<schema::Schemas> {
            None
        }
    }

    pub(crate) mod schema {
        pub(crate) struct Schemas(pub(crate) &'static str);

        impl Schemas {
            pub(crate) fn of<M: super::Message>() -> Self {
                Self(M::TYPE)
            }
        }
    }
}

use wire::Message as _;

struct Done;

#[derive(Message)]
#[message(type = "login", reply = Done, crate = wire)]
struct Login {
    _name: String,
}

#[derive(Message)]
#[message(type = "upload_movie", alias = "upload", alias = "put", reply = Vec<Done>)]
#[message(attachment = "file_size", crate = crate::wire)]
struct Upload {
    _file_name: String,
    file_size: u64,
}

#[derive(serde::Serialize, Message)]
#[message(type = "send", reply = Done, attachment = "size", crate = wire)]
struct Renamed<T> {
    #[serde(rename = "size", skip_serializing_if = "Option::is_none")]
    bytes: Option<T>,
}

#[derive(serde::Serialize, Message)]
#[message(type = "send", reply = Done, attachment = "size", crate = wire)]
struct RenamedEachWay {
    #[serde(rename(serialize = "size", deserialize = "size"))]
    bytes: u64,
}

#[derive(serde::Serialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(type = "send", reply = Done, attachment = "fileSize", crate = wire)]
struct Camel {
    file_size: u64,
}

#[derive(Message)]
#[message(type = "buy_vip", reply = Done, crate = wire)]
struct BuyVip {}

#[derive(Message)]
#[message(type = "download", reply = Done, reply_attachment = "size", safe, crate = wire)]
struct Download {}

#[derive(Message)]
#[message(type = "described", reply = Done, crate = wire, schema)]
struct Described {}

fn reply_of<M: wire::Message<Reply = R>, R>(_: &M) {}

#[test]
fn plain_message_has_a_type_and_nothing_else() {
    assert_eq!(Login::TYPE, "login");
    assert!(Login::ALIASES.is_empty());
    assert_eq!(Login::ATTACHMENT, None);
    assert_eq!(Login::REPLY_ATTACHMENT, None);
    const { assert!(!Login::IS_SAFE) };
    assert_eq!(BuyVip::TYPE, "buy_vip");
    reply_of::<_, Done>(&BuyVip {});
}

#[test]
fn reply_may_have_the_file() {
    assert_eq!(Download::REPLY_ATTACHMENT, Some("size"));
    assert_eq!(Download::ATTACHMENT, None);
    const { assert!(Download::IS_SAFE) };
    reply_of::<_, Done>(&Download {});
}

#[test]
fn only_a_message_that_asks_for_it_has_a_schema() {
    assert_eq!(
        Described::schema().map(|schemas| schemas.0),
        Some("described")
    );
    assert!(Login::schema().is_none());
    reply_of::<_, Done>(&Described {});
}

#[test]
fn keys_may_stand_in_several_attributes() {
    assert_eq!(Upload::TYPE, "upload_movie");
    assert_eq!(Upload::ALIASES, ["upload", "put"]);
    assert_eq!(Upload::ATTACHMENT, Some("file_size"));
    let upload = Upload {
        _file_name: String::new(),
        file_size: 1,
    };
    reply_of::<_, Vec<Done>>(&upload);
    assert_eq!(upload.file_size, 1);
}

#[test]
fn generic_message_keeps_its_parameters() {
    assert_eq!(Renamed::<u32>::ATTACHMENT, Some("size"));
    assert_eq!(Renamed { bytes: Some(1u64) }.bytes, Some(1));
}

#[test]
fn attachment_may_be_a_name_that_serde_gives() {
    assert_eq!(Camel::ATTACHMENT, Some("fileSize"));
    assert_eq!(Camel { file_size: 1 }.file_size, 1);
    assert_eq!(RenamedEachWay::ATTACHMENT, Some("size"));
    assert_eq!(RenamedEachWay { bytes: 1 }.bytes, 1);
}

#[test]
fn compile_errors_name_the_place_and_the_remedy() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
