//! The door for programs: the same functions, limits and refusals.

use packetboat_dispatch::{ClientError, NativeClient};
use website::messages::{
    Ask, CountVisit, GetGuestBook, GetNotices, GetPage, LogIn, PublishNotice, SignGuestBook,
};
use website::plans::{Component, Plan};

use crate::support::{Fixture, PASSWORD};

fn code<T: std::fmt::Debug>(result: Result<T, ClientError>) -> String {
    match result {
        Err(ClientError::Rejected { code, .. }) => code,
        other => panic!("{other:?} is no rejection"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_browser_writes_a_program_reads_and_the_other_way_round() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let museum = || "museum".to_owned();
    let (mut owner, token) = site.owner("museum").await;
    let page = [
        ("slug", "home"),
        ("title", "Home"),
        ("body", "Some **text**."),
    ];
    owner.post("/manage/pages", &token, &page).await.unwrap();
    let client = NativeClient::connect(site.addr()).await.unwrap();
    let page = client
        .call(GetPage {
            site: museum(),
            slug: "home".to_owned(),
        })
        .await
        .unwrap();
    assert_eq!(
        (page.title.as_str(), page.body.as_str()),
        ("Home", "Some **text**.")
    );
    assert_eq!(
        client
            .call(CountVisit { site: museum() })
            .await
            .unwrap()
            .visits,
        1
    );
    assert_eq!(owner.get("/").await.unwrap().visits(), Some(2));
    let entry = SignGuestBook {
        site: museum(),
        name: "a program".to_owned(),
        text: "hello".to_owned(),
    };
    let id = client.call(entry).await.unwrap().id;
    assert!(
        client
            .call(GetGuestBook { site: museum() })
            .await
            .unwrap()
            .entries
            .is_empty()
    );
    owner
        .post("/manage/entries/show", &token, &[("id", &id.to_string())])
        .await
        .unwrap();
    let shown = client
        .call(GetGuestBook { site: museum() })
        .await
        .unwrap()
        .entries;
    assert_eq!(shown[0].name, "a program");
    client
        .call(Ask {
            site: museum(),
            name: "a".to_owned(),
            text: "Why?".to_owned(),
        })
        .await
        .unwrap();
    assert!(owner.get("/manage").await.unwrap().text().contains("Why?"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_is_refused_what_a_browser_is() {
    let site = Fixture::new().await;
    site.company("museum").await;
    site.company_on("kiosk", Plan::Starter, vec![Component::Counter])
        .await;
    let client = NativeClient::connect(site.addr()).await.unwrap();
    let page = |site: &str| GetPage {
        site: site.to_owned(),
        slug: "none".to_owned(),
    };
    assert_eq!(code(client.call(page("museum")).await), "not_found");
    assert_eq!(code(client.call(page("kiosk")).await), "component_off");
    assert_eq!(code(client.call(page("../museum")).await), "not_found");
    let entry = SignGuestBook {
        site: "museum".to_owned(),
        name: "\u{202e}".to_owned(),
        text: "x".to_owned(),
    };
    assert_eq!(code(client.call(entry).await), "bad_text");
    let publish = || PublishNotice {
        title: "by a program".to_owned(),
        body: "b".to_owned(),
    };
    assert_eq!(code(client.call(publish()).await), "not_logged_in");
    let login = |site: &str, password: &str| LogIn {
        site: site.to_owned(),
        name: "owner".to_owned(),
        password: password.to_owned(),
    };
    assert_eq!(
        code(client.call(login("museum", "wrong password")).await),
        "bad_login"
    );
    let session = client
        .call(login("museum", PASSWORD))
        .await
        .unwrap()
        .session;
    client.set_session(Some(session.clone()));
    client.call(publish()).await.unwrap();
    let notices = client
        .call(GetNotices {
            site: "museum".to_owned(),
        })
        .await
        .unwrap();
    assert_eq!(notices.notices[0].title, "by a program");
    // The company leaves, and its sessions are nobody's.
    site.server.operator().remove("museum", true).await.unwrap();
    assert_eq!(code(client.call(publish()).await), "not_logged_in");
}
