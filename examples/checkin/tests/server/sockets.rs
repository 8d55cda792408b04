//! Rows E1 and E2: who may open the WebSocket of a class, and what ends with it.

use std::time::Duration;

use axum::http::header::COOKIE;
use checkin::client::{Browser, ClientError};
use checkin::models::{Account, Class, Role, Teaching, account};
use packetboat_dispatch::Peer;
use packetboat_orm::ModelExt;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest};

use crate::support::{Fixture, PASSWORD, config, next_code, until, watch};

#[tokio::test]
async fn five_of_six_identities_get_no_websocket() {
    let fixture = Fixture::new().await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let other = fixture.staff("bob", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 1).await;
    fixture.course("D", &["bob"], 0).await;
    let class = fixture.open(&mut teacher, course).await;
    let student = fixture.student("C-1").await;
    let nobody = Browser::new(fixture.addr);
    let mut garbage = nobody.clone();
    garbage.cookies.insert(
        "session".to_owned(),
        "0123456789abcdef0123456789abcdef".to_owned(),
    );
    let mut over = fixture.log_in("ann").await;
    let session = over.cookies["session"].clone();
    let token = over.get("/").await.unwrap().token().unwrap();
    over.post("/logout", &token, &[]).await.unwrap();
    over.cookies.insert("session".to_owned(), session);

    let path = format!("/classes/{}/socket", class.id);
    for (who, browser, status) in [
        ("nobody", &nobody, 401),
        ("garbage", &garbage, 401),
        ("a session that is over", &over, 401),
        ("a student of the course", &student, 403),
        ("a teacher of another course", &other, 403),
    ] {
        match browser.socket(&path).await {
            Err(ClientError::Refused(found)) => assert_eq!(found, status, "{who}"),
            other => panic!("{who}: {other:?}"),
        }
    }
    let socket = teacher.socket(&path).await;
    assert!(socket.is_ok(), "{socket:?}");
    // Neither one that does not exist, nor a page of another origin, whoever it is.
    for (path, origin) in [
        ("/classes/99/socket", teacher.origin()),
        (path.as_str(), "https://evil.example".to_owned()),
        (path.as_str(), "null".to_owned()),
        ("/socket", "http://127.0.0.1".to_owned()),
    ] {
        match teacher.socket_from(path, &origin).await {
            Err(ClientError::Refused(403)) => {}
            other => panic!("{path} from {origin}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn messages_are_guarded_each_by_itself() {
    let fixture = Fixture::new().await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    fixture.staff("bob", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 1).await;
    let class = fixture.open(&mut teacher, course).await;
    let line = json!({"type": "correct", "class": class.id, "student": 1, "standing": "late", "reason": "x"});
    let messages = [
        json!({"type": "open_class", "course": course}),
        json!({"type": "close_class", "class": class.id}),
        json!({"type": "watch_class", "class": class.id}),
        line,
    ];
    for who in ["C-1", "bob"] {
        let mut socket = fixture.log_in(who).await.socket("/socket").await.unwrap();
        for message in &messages {
            let refused = socket.call(message.clone()).await.unwrap();
            assert_eq!(refused.unwrap_err(), "forbidden", "{who}: {message}");
        }
    }
    // A lock counts from the next message on, on a WebSocket that is open.
    let mut socket = fixture.log_in("ann").await.socket("/socket").await.unwrap();
    let list = json!({"type": "list_courses"});
    let courses = socket.call(list.clone()).await.unwrap().unwrap();
    assert_eq!(courses[0]["open_class"], class.id);
    let own = Account::select().filter(account::name.eq("ann"));
    own.clone()
        .update([account::is_locked.set(true)], &fixture.app().db)
        .await
        .unwrap();
    assert_eq!(
        socket.call(list.clone()).await.unwrap().unwrap_err(),
        "account_locked"
    );
    own.update([account::is_locked.set(false)], &fixture.app().db)
        .await
        .unwrap();
    // So does a logout in another window.
    let mut window = fixture.log_in("ann").await;
    let mut socket = window.socket("/socket").await.unwrap();
    let token = window.get("/").await.unwrap().token().unwrap();
    window.post("/logout", &token, &[]).await.unwrap();
    assert_eq!(
        socket.call(list).await.unwrap().unwrap_err(),
        "not_logged_in"
    );
}

#[tokio::test]
async fn who_may_not_see_a_class_any_more_is_told_no_more_of_it() {
    let mut config = config();
    config.every = Duration::from_millis(200);
    let fixture = Fixture::with(config).await;
    let app = fixture.app();
    let mut ann = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 1).await;
    let mut class = fixture.open(&mut ann, course).await;
    // Of a class that is closed there are corrections to see.
    for is_closed in [false, true] {
        if is_closed {
            let list = format!("/classes/{}", class.id);
            let close = format!("{list}/close");
            ann.submit(&list, &close, &[]).await.unwrap();
            let db = &app.db;
            class = Class::find(class.id, db).await.unwrap().unwrap();
        }
        for way in ["logged out", "reset", "locked", "taken off the course"] {
            let name = format!("{way} {is_closed}");
            let mut teacher = fixture.staff(&name, Role::Teacher).await;
            let (db, named) = (&app.db, account::name.eq(name.as_str()));
            let own = Account::select().filter(named);
            let id = own.clone().one(db).await.unwrap().id;
            let mut teaches = Teaching {
                id: 0,
                course_id: course,
                account_id: id,
            };
            teaches.insert(db).await.unwrap();
            let (mut wall, _) = watch(&teacher, &class).await;
            if !is_closed {
                next_code(&mut wall).await;
            }
            assert_eq!(app.hub.rooms(), 2, "{name}: the class's, and everyone's");
            match way {
                "logged out" => {
                    let token = teacher.get("/").await.unwrap().token().unwrap();
                    teacher.post("/logout", &token, &[]).await.unwrap();
                }
                "reset" => {
                    let subject = id.to_string();
                    app.sessions.revoke_subject(&subject).await.unwrap();
                }
                "locked" => {
                    let locked = [account::is_locked.set(true)];
                    own.update(locked, db).await.unwrap();
                }
                _ => assert!(teaches.delete(db).await.unwrap()),
            }
            // Its WebSocket stays open, and hears of the class no more.
            until(|| app.watching.running() == 0 && app.hub.rooms() == 1).await;
            assert_eq!(app.hub.connections(), 1, "{name}");
            drop(wall);
            until(|| app.hub.connections() == 0).await;
        }
    }
}

#[tokio::test]
async fn a_session_by_message_ends_with_all_others() {
    let fixture = Fixture::new().await;
    fixture.staff("ann", Role::Teacher).await;
    fixture.course("C", &["ann"], 1).await;
    let app = fixture.app();
    let mut socket = fixture.log_in("C-1").await.socket("/socket").await.unwrap();
    let login = json!({"type": "login", "name": "ann", "password": PASSWORD});
    let session = socket.call(login).await.unwrap().unwrap()["session"].clone();
    let list = json!({"type": "list_courses", "session": session});
    socket.call(list.clone()).await.unwrap().unwrap();
    let ann = Account::select().filter(account::name.eq("ann"));
    let subject = ann.one(&app.db).await.unwrap().id.to_string();
    app.sessions.revoke_subject(&subject).await.unwrap();
    // What is left is what the WebSocket was opened with: C-1's.
    let open = json!({"type": "open_class", "course": 1, "session": session});
    let refused = socket.call(open).await.unwrap();
    assert_eq!(refused.unwrap_err(), "forbidden");
}

#[tokio::test]
async fn a_program_needs_no_origin_and_a_page_its_own() {
    let fixture = Fixture::new().await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 0).await;
    let class = fixture.open(&mut teacher, course).await;
    let wall = format!("/classes/{}/socket", class.id);
    let nobody = Browser::new(fixture.addr);
    for (who, path, status) in [
        (&teacher, "/socket", 101),
        (&nobody, "/socket", 401),
        // A page's, and every page says where it is from.
        (&teacher, wall.as_str(), 403),
    ] {
        let url = format!("ws://{}{path}", fixture.addr);
        let mut request = url.into_client_request().unwrap();
        let cookie = who.cookie_header().parse().unwrap();
        request.headers_mut().insert(COOKIE, cookie);
        let stream = TcpStream::connect(fixture.addr).await.unwrap();
        let found = match client_async(request, stream).await {
            Ok((_, answer)) => answer.status(),
            Err(tungstenite::Error::Http(answer)) => answer.status(),
            Err(error) => panic!("{path}: {error}"),
        };
        assert_eq!(found, status, "{path}");
    }
}

#[tokio::test]
async fn alone_what_a_page_has_started_ends_with_it_within_a_second() {
    let mut config = config();
    config.every = Duration::from_millis(200);
    let fixture = Fixture::with(config).await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 0).await;
    let class = fixture.open(&mut teacher, course).await;
    let app = fixture.app();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    // Once before: what the server keeps for its first WebSocket stays.
    drop(watch(&teacher, &class).await);
    until(|| app.hub.connections() == 0 && app.hub.rooms() == 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (before, sent) = (tasks(), || app.hub.stats().sent);

    for way in ["in order", "cut"] {
        let mut walls = Vec::new();
        for _ in 0..5 {
            let (mut socket, _) = watch(&teacher, &class).await;
            next_code(&mut socket).await;
            // Asked again, it goes on, and does not start another.
            let started = tasks();
            let again = json!({"type": "watch_class", "class": class.id});
            socket.call(again).await.unwrap().unwrap();
            next_code(&mut socket).await;
            until(|| tasks() <= started).await;
            walls.push(socket);
        }
        assert!(tasks() >= before + 5, "{way}");
        for wall in walls {
            match way {
                "in order" => wall.close().await.unwrap(),
                _ => drop(wall),
            }
        }
        let took = until(|| tasks() <= before).await;
        assert!(took <= Duration::from_secs(1), "{way}: {took:?}");
        assert_eq!(app.watching.running(), 0, "{way}");
        let then = sent();
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(sent(), then, "{way}: codes for nobody");
    }
}

#[tokio::test]
async fn a_session_of_another_program_does_not_help_a_page() {
    // By message: a program logs in, and signs in with a device of its own naming.
    let fixture = Fixture::new().await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 2).await;
    let class = fixture.open(&mut teacher, course).await;
    let app = fixture.app();
    let peer = Peer::new(None);
    let session = app.sessions.connection(peer);
    let roster = checkin::courses::roster(&app.db, course).await.unwrap();
    let id = session
        .login(None, roster[0].id.to_string(), true)
        .await
        .unwrap()
        .expose();
    let mut socket = fixture.log_in("C-2").await.socket("/socket").await.unwrap();
    let code = fixture.code(&class);
    let message = |device: Option<&str>| json!({"type": "check_in", "class": class.id, "code": code, "session": id, "device": device});
    for device in [None, Some("short")] {
        let refused = socket.call(message(device)).await.unwrap();
        assert_eq!(refused.unwrap_err(), "device_missing");
    }
    let signed = socket
        .call(message(Some("0123456789abcdef")))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(signed, json!({"standing": "present", "already": false}));
    let rows = fixture.rows(&class).await;
    assert_eq!(rows[0].student_id, roster[0].id);
}
