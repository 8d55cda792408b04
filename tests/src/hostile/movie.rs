//! The movie server as a target.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::hostile::script::Wrong;
use crate::hostile::target::{Ask, Target};

/// A movie server on a fresh folder, where anybody may register as an admin: an admin and a user are made, and a movie.
///
/// # Errors
///
/// When it does not answer.
pub fn movie(addr: SocketAddr) -> Result<Target, Wrong> {
    let mut target = Target::new(addr, json!({"type": "logout"}));
    target.prepare(&[account("register", "admin"), account("register", "user")])?;
    let upload = json!({
        "type": "upload_movie", "file_name": "hostile.mp4", "file_size": "$size", "file_md5": "$unique", "is_free": 1,
    });
    target.upload = Ask::of(json!([account("login", "admin"), upload]));
    target.put(&[42; 300_000])?;
    let download = json!({"type": "download_movie", "movie_id": 1});
    target.download = Ask::of(json!([account("login", "user"), {"type": "buy_vip"}, download]));
    Ok(target)
}

fn account(message: &str, kind: &str) -> Value {
    json!({"type": message, "name": format!("hostile-{kind}"), "password": "pw", "user_type": kind})
}
