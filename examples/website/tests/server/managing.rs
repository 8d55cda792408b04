//! What an owner may take back or change, and that no change of his is lost.

use axum::http::StatusCode;
use packetboat_orm::ModelExt;
use website::browser::Page;
use website::models::{Entry, Notice, Question};
use website::storage::Storage;

use crate::support::{Fixture, is};

/// Where the link to older ones of this list leads.
#[track_caller]
fn older(page: &Page, list: &str) -> String {
    let text = page.text();
    let (_, rest) = text
        .split_once(&format!("href=\"/manage?{list}="))
        .unwrap_or_else(|| panic!("no older {list}: {text}"));
    format!("/manage?{list}={}", rest.split('"').next().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_public_can_be_taken_back_however_old_it_is() {
    let site = Fixture::new().await;
    let company = site.company("museum").await;
    let place = website::storage::Place::Folder(site.folder.path().join("databases"));
    let db = Storage::new(place, Vec::new())
        .open(&company.key)
        .await
        .unwrap();
    let at = chrono::Utc::now();
    for index in 1..=120 {
        let mut notice = Notice {
            id: 0,
            title: format!("notice {index}."),
            body: "b".to_owned(),
            at,
        };
        notice.insert(&db).await.unwrap();
        let mut entry = Entry {
            id: 0,
            name: "ann".to_owned(),
            text: format!("entry {index}."),
            is_shown: true,
            at,
        };
        entry.insert(&db).await.unwrap();
        let mut question = Question {
            id: 0,
            name: "ann".to_owned(),
            text: format!("question {index}."),
            answer: Some(format!("answer {index}.")),
            at,
        };
        question.insert(&db).await.unwrap();
    }
    let (mut owner, token) = site.owner("museum").await;
    for (list, thing, delete) in [
        ("notices", "notice", "/manage/notices/delete"),
        ("entries", "entry", "/manage/entries/delete"),
        ("questions", "question", "/manage/questions/delete"),
    ] {
        let mut page = owner.get("/manage").await.unwrap();
        for (newest, oldest) in [(120, 71), (70, 21), (20, 1)] {
            let text = page.text();
            for index in 1..=120 {
                let is_here = (oldest..=newest).contains(&index);
                let wanted = format!("{thing} {index}.");
                assert_eq!(text.contains(&wanted), is_here, "{wanted}");
            }
            if oldest > 1 {
                page = owner.get(&older(&page, list)).await.unwrap();
                is(&page, StatusCode::OK);
            }
        }
        assert!(!page.text().contains(&format!("href=\"/manage?{list}=")));
        let (form, id) = (format!("action=\"{delete}\""), [("id", "1")]);
        assert!(page.text().contains(&form), "{}", page.text());
        let gone = owner.post(delete, &token, &id).await.unwrap();
        is(&gone, StatusCode::SEE_OTHER);
    }
    // Answered anew, by the form that has the answer in it.
    let page = owner.get("/manage").await.unwrap();
    assert!(page.text().contains(">answer 120.</textarea>"));
    let anew = [("id", "120"), ("answer", "another answer")];
    let sent = owner.post("/manage/questions/answer", &token, &anew).await;
    is(&sent.unwrap(), StatusCode::SEE_OTHER);
    let public = owner.get("/questions").await.unwrap().text();
    assert!(public.contains("another answer") && !public.contains("answer 120."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_is_overwritten_unseen() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let (mut owner, token) = site.owner("museum").await;
    for (slug, body) in [("one", "the first"), ("two", "the second")] {
        let new = [("slug", slug), ("title", slug), ("body", body)];
        let made = owner.post("/manage/pages", &token, &new).await.unwrap();
        is(&made, StatusCode::SEE_OTHER);
    }
    // A new page takes nobody's address.
    let over = [("slug", "one"), ("title", "x"), ("body", "over it")];
    let refused = owner.post("/manage/pages", &token, &over).await.unwrap();
    is(&refused, StatusCode::CONFLICT);
    assert!(refused.text().contains("The name is taken"));
    // Nor does a page that moves.
    let first = owner.get("/manage/page?slug=one").await.unwrap();
    let (was, seen) = (first.field("was"), first.field("seen"));
    assert_eq!(was, "one");
    let own = [("was", was.as_str()), ("seen", seen.as_str())];
    let fields = |slug, body| {
        [
            own[0],
            own[1],
            ("slug", slug),
            ("title", "t"),
            ("body", body),
        ]
    };
    let refused = owner
        .post("/manage/pages", &token, &fields("two", "over it"))
        .await
        .unwrap();
    is(&refused, StatusCode::CONFLICT);
    for (path, text) in [("/p/one", "the first"), ("/p/two", "the second")] {
        assert!(owner.get(path).await.unwrap().text().contains(text));
    }
    // To an address that is free it moves, and is no copy.
    let moved = owner
        .post(
            "/manage/pages",
            &token,
            &fields("three", "the first, moved"),
        )
        .await
        .unwrap();
    is(&moved, StatusCode::SEE_OTHER);
    is(&owner.get("/p/one").await.unwrap(), StatusCode::NOT_FOUND);
    is(&owner.get("/p/three").await.unwrap(), StatusCode::OK);
    // Of two tabs the second is told, in both languages, and the first one's text stays.
    let tab = owner.get("/manage/page?slug=three").await.unwrap();
    let (was, seen) = (tab.field("was"), tab.field("seen"));
    let own = [("was", was.as_str()), ("seen", seen.as_str())];
    let fields = |body| {
        let title = ("title", "t");
        [own[0], own[1], ("slug", "three"), title, ("body", body)]
    };
    let send = async |owner: &mut website::browser::Browser, body| {
        let sent = owner.post("/manage/pages", &token, &fields(body)).await;
        sent.unwrap()
    };
    is(
        &send(&mut owner, "by the first tab").await,
        StatusCode::SEE_OTHER,
    );
    let refused = send(&mut owner, "by the second tab").await;
    is(&refused, StatusCode::CONFLICT);
    assert!(refused.text().contains("changed meanwhile"));
    owner.get("/?lang=zh").await.unwrap();
    assert!(
        send(&mut owner, "by the second tab")
            .await
            .text()
            .contains("已被修改")
    );
    let page = owner.get("/p/three").await.unwrap().text();
    assert!(page.contains("by the first tab"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_language_is_of_the_same_page() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let (mut owner, token) = site.owner("museum").await;
    let new = [("slug", "one"), ("title", "t"), ("body", "the first")];
    owner.post("/manage/pages", &token, &new).await.unwrap();
    let edit = owner.get("/manage/page?lang=en&slug=one").await.unwrap();
    let link = "href=\"?slug=one&#38;lang=zh\"";
    assert!(edit.text().contains(link), "{}", edit.text());
    let edit = owner.get("/manage/page?slug=one&lang=zh").await.unwrap();
    assert!(edit.text().contains("<html lang=\"zh-CN\">") && edit.text().contains("the first"));
    let thanks = owner.get("/guests?sent&lang=en").await.unwrap();
    assert!(thanks.text().contains("Thank you"), "{}", thanks.text());
    // The link of a page that answers a form leads to the form's own address.
    for path in website::web::forms() {
        let page = owner.get(&format!("{path}?lang=zh")).await.unwrap();
        let has_page = ["/guests", "/questions", "/login"].contains(&path);
        if has_page {
            is(&page, StatusCode::OK);
        } else {
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
            assert_eq!(page.header("location"), "/manage", "{path}");
        }
    }
    let manage = owner.get("/manage").await.unwrap();
    assert!(manage.text().contains("<html lang=\"zh-CN\">"));
}
