//! Rows E3 and E4: codes in their time, and walls that do not need each other.

use std::collections::BTreeSet;
use std::time::Duration;

use checkin::codes::{self, Code};
use checkin::models::{Class, Role};
use checkin::server;
use serde_json::json;

use crate::support::{Fixture, PATIENCE, config, next_code, sign_in, standing, watch};

/// How many teachers look at one class.
const WALLS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_the_others_get_every_code() {
    let mut config = config();
    config.every = Duration::from_millis(250);
    let fixture = Fixture::with(config).await;
    let names: Vec<String> = (0..WALLS).map(|at| format!("teacher-{at}")).collect();
    let mut teachers = Vec::new();
    for name in &names {
        teachers.push(fixture.staff(name, Role::Teacher).await);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let seed = std::env::var("PACKETBOAT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| getrandom::u64().unwrap());
    println!("PACKETBOAT_SEED={seed}");
    let mut random = seed;
    let mut draw = move |below: usize| {
        // splitmix64
        random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below as u64).unwrap()
    };
    // A hundred orders, ten classes at a time.
    for round in 0..10 {
        let mut orders = tokio::task::JoinSet::new();
        for order in 0..10 {
            let course = fixture.course(&format!("{round}-{order}"), &names, 0).await;
            let class = fixture.open(&mut teachers[0], course).await;
            let mut walls = Vec::new();
            for teacher in &teachers {
                walls.push(watch(teacher, &class).await.0);
            }
            let leaves: Vec<(usize, bool)> = (0..WALLS - 1)
                .map(|gone| (draw(WALLS - gone), draw(2) == 0))
                .collect();
            orders.spawn(async move {
                let mut shown: Vec<Vec<String>> = vec![Vec::new(); walls.len()];
                for (at, in_order) in leaves {
                    for (wall, shown) in walls.iter_mut().zip(&mut shown) {
                        shown.push(next_code(wall).await);
                    }
                    let gone = walls.swap_remove(at);
                    no_code_is_missing(&class, &shown.swap_remove(at));
                    if in_order {
                        gone.close().await.unwrap();
                    } else {
                        drop(gone);
                    }
                }
                for _ in 0..2 {
                    shown[0].push(next_code(&mut walls[0]).await);
                }
                assert!(shown[0].len() > WALLS);
                no_code_is_missing(&class, &shown[0]);
            });
        }
        while let Some(order) = orders.join_next().await {
            order.unwrap();
        }
    }
}

/// Each code is the one that follows the one before it.
fn no_code_is_missing(class: &Class, shown: &[String]) {
    let from = codes::counter(class, class.opened.timestamp_millis()) - 1;
    let at: Vec<i64> = shown
        .iter()
        .map(|code| (from..from + 10_000).find(|at| Code::at(class, *at).as_str() == code))
        .map(|at| at.expect("a code of this class"))
        .collect();
    for pair in at.windows(2) {
        assert_eq!(pair[1], pair[0] + 1, "{at:?}");
    }
}

#[tokio::test]
async fn alone_codes_come_when_they_are_due() {
    let mut config = config();
    config.every = Duration::from_secs(1);
    let fixture = Fixture::with(config).await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 0).await;
    let class = fixture.open(&mut teacher, course).await;
    let (mut one, _) = watch(&teacher, &class).await;
    let (mut two, _) = watch(&teacher, &class).await;
    // The first comes at once, and not when one is due.
    next_code(&mut one).await;
    next_code(&mut two).await;
    for _ in 0..5 {
        let code = next_code(&mut one).await;
        let late = chrono::Utc::now().timestamp_millis().rem_euclid(1_000);
        assert!(late <= 100, "{late} ms");
        assert_eq!(next_code(&mut two).await, code, "two walls show one code");
    }
}

#[tokio::test]
async fn a_class_goes_on_when_its_server_is_started_again() {
    let fixture = Fixture::new().await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 2).await;
    let class = fixture.open(&mut teacher, course).await;
    let (mut wall, _) = watch(&teacher, &class).await;
    let code = next_code(&mut wall).await;
    let mut student = fixture.student("C-1").await;
    assert_eq!(
        standing(&sign_in(&mut student, &class, &code).await).unwrap(),
        "present"
    );
    let form = student.get("/").await.unwrap().token().unwrap();

    let Fixture {
        server,
        mut config,
        dir,
        addr,
        ..
    } = fixture;
    server.shutdown().await;
    // With another setting: a class that is open keeps the one that it was opened with.
    config.place.data = dir.path().to_owned();
    config.listen = addr;
    config.every = Duration::from_secs(3);
    let again = server::serve(config).await.unwrap();
    let (mut wall, view) = watch(&teacher, &class).await;
    assert_eq!(view["every_ms"], 60_000);
    assert_eq!(
        (&view["here"], &view["lines"][0]["standing"]),
        (&json!(1), &json!("present"))
    );
    let shown = next_code(&mut wall).await;
    assert_eq!(
        shown,
        codes::current(&class, again.app().clock.millis()).as_str()
    );
    // Sessions, devices and forms are what they were.
    let lang = student
        .post("/lang", &form, &[("lang", "zh"), ("back", "/")])
        .await
        .unwrap();
    assert_eq!(lang.status, 303);
    let again = sign_in(&mut student, &class, "WRONG").await;
    assert!(again.text().contains("你已签到"), "{}", again.text());
}

#[tokio::test]
async fn a_class_that_is_closed_shows_no_more_codes() {
    let mut config = config();
    config.every = Duration::from_millis(200);
    let fixture = Fixture::with(config).await;
    let mut ann = fixture.staff("ann", Role::Teacher).await;
    let bob = fixture.staff("bob", Role::Teacher).await;
    let course = fixture.course("C", &["ann", "bob"], 1).await;
    let class = fixture.open(&mut ann, course).await;
    let (mut wall, _) = watch(&bob, &class).await;
    next_code(&mut wall).await;
    let (mut console, _) = watch(&ann, &class).await;
    console
        .call(json!({"type": "close_class", "class": class.id}))
        .await
        .unwrap()
        .unwrap();
    wall.push_of("closed", PATIENCE).await.unwrap();
    assert!(
        wall.push_of("code", Duration::from_millis(600))
            .await
            .is_err()
    );
    // A page that is opened now is told that it is over, and gets no code.
    let (mut late, view) = watch(&bob, &class).await;
    assert!(view["closed"].is_string());
    assert!(
        late.push_of("code", Duration::from_millis(600))
            .await
            .is_err()
    );
    // The next class is another one, with other codes.
    let next = fixture.open(&mut ann, course).await;
    assert_ne!(next.id, class.id);
    assert_ne!(next.secret, class.secret);
}

#[tokio::test]
async fn two_teachers_who_open_at_once_open_one_class() {
    let fixture = Fixture::new().await;
    fixture.staff("ann", Role::Teacher).await;
    fixture.staff("bob", Role::Teacher).await;
    let course = fixture.course("C", &["ann", "bob"], 0).await;
    let mut openings = tokio::task::JoinSet::new();
    for at in 0..10 {
        let name = ["ann", "bob"][at % 2];
        let mut socket = fixture.log_in(name).await.socket("/socket").await.unwrap();
        openings.spawn(async move {
            let open = json!({"type": "open_class", "course": course, "late_after": 60});
            socket.call(open).await.unwrap().unwrap()["class"]
                .as_i64()
                .unwrap()
        });
    }
    let classes: BTreeSet<i64> = openings.join_all().await.into_iter().collect();
    assert_eq!(classes.len(), 1, "{classes:?}");
}
