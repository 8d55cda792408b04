//! The other spellings of the classic wire.
//!
//! Clients in the field disagree about keys. A request may use any spelling; every reply carries
//! all of them. Code sees only the names in [`crate::messages`].

mod replies;
mod requests;
pub mod zero_one;

pub use replies::MORE;
pub(crate) use replies::{
    DownloadReplyWire, LoginReplyWire, MovieListWire, NoticeListWire, RecordListWire,
};
pub(crate) use requests::also_pay;
pub use requests::{BadKey, DeleteMovie, Login, Register, ReleaseNotice, UploadMovie};

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::messages::{self, LoginReply, MovieList, MovieRow, Notice, Secret};
    use serde::de::DeserializeOwned;

    fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
        serde_json::from_str(&value.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn first_spelling_of_the_table_wins_whatever_the_order() {
        for text in [
            r#"{"movie_id": 2, "delete_movie_id": 1}"#,
            r#"{"delete_movie_id": 1, "movie_id": 2}"#,
            r#"{"delete_movie_id": 1, "movie_id": "not even a number"}"#,
            r#"{"delete_movie_id": null, "movie_id": 1}"#,
        ] {
            let read: messages::DeleteMovie = serde_json::from_str(text).expect(text);
            assert_eq!(read.delete_movie_id, 1, "{text}");
        }
    }

    #[test]
    fn missing_and_wrong_keys_are_named() {
        let read = |value: Value| read::<messages::DeleteMovie>(&value).expect_err("refused");
        assert!(read(json!({})).contains("delete_movie_id"));
        assert!(read(json!({"movie_id": "x"})).contains("`movie_id`"));
    }

    #[test]
    fn zero_and_one_are_bools() {
        let upload = |is_free: Value| {
            let sent =
                json!({"movie_name": "n", "file_size": 1, "file_md5": "", "is_free": is_free});
            read::<messages::UploadMovie>(&sent).map(|upload| upload.is_free)
        };
        assert_eq!(upload(json!(0)), Ok(false));
        assert_eq!(upload(json!(1)), Ok(true));
        assert_eq!(upload(json!(true)), Ok(true));
        assert!(upload(json!(2)).is_err_and(|error| error.contains("0 or 1")));
        assert!(upload(json!("1")).is_err());
    }

    #[test]
    fn login_reply_has_every_spelling_and_reads_back() {
        let mut reply = LoginReply {
            msg: "登录成功".into(),
            session: Secret("s".into()),
            is_vip: true,
            notices: Vec::new(),
            more: false,
        };
        let none = json!({"msg": "登录成功", "session": "s", "is_vip": 1, "last_notice": false,
            "new_notice": null, "notice": []});
        assert_eq!(serde_json::to_value(&reply).expect("serialises"), none);
        let notice = Notice {
            title: "t".into(),
            content: "c".into(),
        };
        reply.notices.push(notice.clone());
        let some = serde_json::to_value(&reply).expect("serialises");
        assert_eq!(some["last_notice"], json!([{"t": "c"}]));
        assert_eq!(some["new_notice"], json!({"title": "t", "content": "c"}));
        let back: LoginReply = serde_json::from_value(some).expect("reads");
        assert_eq!((back.notices, back.is_vip), (vec![notice], true));
    }

    #[test]
    fn cut_lists_say_so() {
        let row = MovieRow("n".into(), messages::Fee::Free, 7);
        let list = |more| MovieList {
            movie_list: vec![row.clone()],
            more,
        };
        let rows = json!([["n", "免费", 7]]);
        let whole = json!({"movie_list": rows, "back_movie_list": rows});
        assert_eq!(
            serde_json::to_value(list(false)).expect("serialises"),
            whole
        );
        let cut = serde_json::to_value(list(true)).expect("serialises");
        assert_eq!((&cut["more"], &cut["msg"]), (&json!(true), &json!(MORE)));
    }
}
