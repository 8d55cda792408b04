//! The command line: companies by hand, and the story.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use tokio::process::Command;

async fn website(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_website"));
    command.args(args).arg("--data").arg(folder);
    command
        .env_remove("WEBSITE_DATABASE")
        .output()
        .await
        .unwrap()
}

fn said(output: &Output) -> String {
    let texts =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    texts.concat()
}

#[tokio::test]
async fn companies_come_change_their_plan_and_leave() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = [
        "tenant",
        "create",
        "shop",
        "--plan",
        "business",
        "--with",
        "pages,files,counter,notices",
        "--title",
        "The Shop",
    ];
    let made = website(folder, &made).await;
    assert!(made.status.success(), "{}", said(&made));
    assert!(
        said(&made).contains("with the password "),
        "{}",
        said(&made)
    );
    let again = website(folder, &["tenant", "create", "shop"]).await;
    assert!(
        !again.status.success() && said(&again).contains("the name is taken"),
        "{}",
        said(&again)
    );
    let too_many = ["tenant", "create", "kiosk", "--with", "pages,files,counter"];
    let too_many = website(folder, &too_many).await;
    assert!(
        !too_many.status.success() && said(&too_many).contains("starter allows 2"),
        "{}",
        said(&too_many)
    );
    for bad in ["../etc", "a.b", "A", "a_b", &"x".repeat(41)] {
        assert!(
            !website(folder, &["tenant", "create", bad])
                .await
                .status
                .success(),
            "{bad}"
        );
    }
    let list = website(folder, &["tenant", "list"]).await;
    assert_eq!(
        said(&list),
        "shop\tbusiness\tThe Shop\t\tpages,files,counter,notices\n"
    );
    let moved = website(folder, &["tenant", "move", "shop", "starter"]).await;
    let text = "shop is on the plan starter, of 2 components. Switched off, with all that is in them kept: counter, notices.\n";
    assert_eq!(said(&moved), text);
    let database = folder.join("databases/shop-1.db");
    assert!(database.exists());
    // Nothing without saying the name twice, and what is to become of the data.
    for refused in [
        &["tenant", "remove", "shop", "--confirm", "shop"][..],
        &["tenant", "remove", "shop", "--delete-data"],
        &[
            "tenant",
            "remove",
            "shop",
            "--confirm",
            "shpo",
            "--delete-data",
        ],
        &[
            "tenant",
            "remove",
            "none",
            "--confirm",
            "none",
            "--delete-data",
        ],
    ] {
        assert!(
            !website(folder, refused).await.status.success(),
            "{refused:?}"
        );
    }
    assert!(database.exists());
    let kept = website(
        folder,
        &[
            "tenant",
            "remove",
            "shop",
            "--confirm",
            "shop",
            "--keep-data",
        ],
    )
    .await;
    assert!(
        kept.status.success() && database.exists(),
        "{}",
        said(&kept)
    );
    website(folder, &["tenant", "create", "shop"]).await;
    let second = folder.join("databases/shop-2.db");
    assert!(second.exists());
    let gone = website(
        folder,
        &[
            "tenant",
            "remove",
            "shop",
            "--confirm",
            "shop",
            "--delete-data",
        ],
    )
    .await;
    assert!(gone.status.success() && !second.exists(), "{}", said(&gone));
}

#[tokio::test]
async fn what_a_command_makes_is_its_users_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    // Under the mask that most accounts have.
    let mut open = Command::new("sh");
    open.args([
        "-c",
        "umask 022; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_website"),
    ]);
    open.args(["tenant", "create", "shop", "--data"])
        .arg(&folder);
    let made = open.env_remove("WEBSITE_DATABASE").output().await.unwrap();
    assert!(made.status.success(), "{}", said(&made));
    let mut left = vec![folder.clone()];
    let mut seen = 0;
    while let Some(path) = left.pop() {
        let data = std::fs::metadata(&path).unwrap();
        let mode = data.permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
        seen += 1;
        if data.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            left.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
    assert!(folder.join("databases/shop-1.db").exists() && seen > 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_holds() {
    let tally = website::demo::play().await.unwrap();
    assert!(tally.is_whole(), "{tally}");
    assert_eq!(tally.steps, website::demo::STEPS);
}
