//! Whether pages can be read and used: at three widths, in the dark, without a mouse.

use serde_json::{Value, json};
use thirtyfour::prelude::Key;

use crate::checkin::{School, names};
use crate::chrome::{Driver, Window};

/// A phone, a tablet, a projector.
const SIZES: [(&str, u32, u32); 3] = [
    ("phone", 390, 844),
    ("tablet", 820, 1180),
    ("projector", 1920, 1080),
];

#[tokio::test(flavor = "multi_thread")]
async fn checkin_pages_are_readable_at_three_widths_and_in_the_dark() {
    let Some(driver) = Driver::start().await else {
        return;
    };
    let school = School::open(&names()).await;
    let teacher = driver.window("teacher").await;
    let student = driver.window("student").await;
    look_at(&student, &school.url("/login"), "login").await;
    look_at(
        &student,
        &school.url(&format!("/join/{}", school.waiting)),
        "first-password",
    )
    .await;
    school.log_in(&teacher, "ann").await;
    school.log_in(&student, &school.students[0]).await;
    look_at(&student, &school.url("/"), "student-none-open").await;
    let class = school.open_class(&teacher).await;
    teacher
        .open(&school.url(&format!("/classes/{class}/screen")))
        .await;
    let form = school.url(&format!("/c/{class}"));
    look_at(&student, &form, "sign-in").await;
    school.sign_in(&student, class, "ABCDEF").await;
    look(&student, "sign-in-refused").await;
    let code = school.next_code(&teacher).await;
    school.sign_in(&student, class, &code).await;
    assert!(student.text("main").await.contains("Present"));
    look(&student, "signed-in").await;
    look_at(&student, &school.url("/"), "student").await;
    for (path, name) in [
        ("/".to_owned(), "courses"),
        ("/courses/1".to_owned(), "course"),
        ("/courses/1/students/2".to_owned(), "history"),
        ("/nothing/here".to_owned(), "error"),
        (format!("/classes/{class}"), "class"),
        (format!("/classes/{class}/screen"), "screen"),
    ] {
        look_at(&teacher, &school.url(&path), name).await;
    }
    // The switches, by a click: the language, and colours that are not the device's.
    teacher.size(1280, 900, 1).await;
    teacher
        .open(&school.url(&format!("/classes/{class}")))
        .await;
    teacher.click("form[action='/lang'] button").await;
    teacher
        .until("return document.documentElement.lang === 'zh-CN'")
        .await;
    look(&teacher, "class-chinese").await;
    teacher.size(1280, 900, 1).await;
    teacher.click("button[name=theme][value=dark]").await;
    teacher
        .until("return document.documentElement.dataset.theme === 'dark'")
        .await;
    look(&teacher, "class-chinese-chosen-dark").await;
    teacher.close().await;
    student.close().await;
}

pub(crate) async fn look_at(window: &Window, url: &str, name: &str) {
    window.open(url).await;
    look(window, name).await;
}

/// Looks at a page in every size and both colours, and goes through it by the Tab key.
pub(crate) async fn look(window: &Window, name: &str) {
    if window
        .run("return !!document.querySelector('main[data-socket]')")
        .await
        == json!(true)
    {
        window
            .until("return document.querySelector('[data-state].present') !== null")
            .await;
        if window
            .run("return !!document.querySelector('[data-qr]')")
            .await
            == json!(true)
        {
            window.until("const qr = document.querySelector('[data-qr]'); return qr.complete && qr.naturalWidth > 0").await;
        }
    }
    for (size, width, height) in SIZES {
        window.size(width, height, 1).await;
        for is_dark in [false, true] {
            window.dark(is_dark).await;
            let wrong = window.run(include_str!("look.js")).await;
            window
                .picture(&format!(
                    "{name}-{size}{}",
                    if is_dark { "-dark" } else { "" }
                ))
                .await;
            assert_eq!(
                wrong,
                json!([]),
                "{name} on a {size}, in the dark: {is_dark}"
            );
        }
        window.dark(false).await;
        if name == "screen" && size == "projector" {
            let fits = "return document.scrollingElement.scrollHeight <= innerHeight";
            assert_eq!(
                window.run(fits).await,
                json!(true),
                "the wall fits the window"
            );
            // Of a hall of 15 metres the back row reads what is a fifteenth of the picture's height.
            let height = "return parseFloat(getComputedStyle(document.querySelector('[data-code]')).fontSize) / innerHeight";
            let height = window.run(height).await.as_f64().unwrap();
            assert!(height >= 0.2, "the code has {height} of the height");
        }
    }
    focus(window, name).await;
}

/// What the Tab key comes to is seen to have the focus, and all of it is come to.
async fn focus(window: &Window, name: &str) {
    window
        .run("document.activeElement.blur(); window.scrollTo(0, 0);")
        .await;
    let all = "return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex=\"0\"]')]\
        .filter((element) => element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })).length";
    let all = window.run(all).await.as_u64().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..all.min(40) + 2 {
        window.press(Key::Tab).await;
        let at = window
            .run(
                "const at = document.activeElement; \
                 if (at === document.body) return null; \
                 const all = [...document.querySelectorAll('*')]; \
                 const style = getComputedStyle(at); \
                 return [all.indexOf(at), at.outerHTML.slice(0, 80), \
                   style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];",
            )
            .await;
        let Value::Array(at) = at else { continue };
        assert_eq!(
            at[2],
            json!(true),
            "{name}: the focus is not seen on {}",
            at[1]
        );
        seen.insert(at[0].as_u64());
    }
    let expected = usize::try_from(all.min(40)).unwrap();
    assert!(
        seen.len() >= expected,
        "{name}: the Tab key comes to {} of {all}",
        seen.len()
    );
}
