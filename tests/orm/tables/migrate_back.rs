//! Migrations there and back again where an index serves a foreign key, and one that cannot be written.

use std::fs;
use std::path::Path;

use packetboat_orm::migrate::{Migrations, Models};
use packetboat_orm::{DbPool, ModelExt as _};
use tempfile::TempDir;

use crate::common::bed::Bed;

/// A reference that is not unique.
mod many {
    use packetboat_orm::Model;

    #[derive(Clone, Debug, Model)]
    pub(super) struct Person {
        pub(super) id: i64,
        pub(super) name: String,
    }

    #[derive(Clone, Debug, Model)]
    pub(super) struct Profile {
        pub(super) id: i64,
        #[model(references = Person)]
        pub(super) person_id: i64,
    }
}

/// A reference that is.
mod one {
    use packetboat_orm::Model;

    use super::many::Person;

    #[derive(Clone, Debug, Model)]
    pub(super) struct Profile {
        pub(super) id: i64,
        #[model(unique, references = Person)]
        pub(super) person_id: i64,
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn many(folder: &Path) -> Migrations {
    let models = Models::new().add::<many::Person>().add::<many::Profile>();
    models.folder(folder)
}

fn one(folder: &Path) -> Migrations {
    let models = Models::new().add::<many::Person>().add::<one::Profile>();
    models.folder(folder)
}

async fn there_and_back_twice(from: Migrations, to: Migrations, db: &DbPool) {
    from.make("first").expect("a migration");
    from.up(db).await.expect("up");
    let mut ann = many::Person {
        id: 0,
        name: "ann".to_owned(),
    };
    ann.insert(db).await.expect("a person");
    let mut profile = many::Profile {
        id: 0,
        person_id: ann.id,
    };
    profile.insert(db).await.expect("a profile");
    to.make("second").expect("a migration");
    for _ in 0..2 {
        to.up(db).await.expect("up");
        let report = to.check(db).await.expect("a report");
        assert!(report.is_clean(), "{report}");
        to.down(db, 1).await.expect("down");
        let report = from.check(db).await.expect("a report");
        assert!(report.is_clean(), "{report}");
    }
    to.up(db).await.expect("up");
    assert_eq!(many::Profile::select().count(db).await.expect("a count"), 1);
    ann.delete(db).await.expect_err("the key is still there");
}

async fn a_reference_becomes_unique_and_back(bed: impl Bed) {
    let folder = folder();
    let (from, to) = (many(folder.path()), one(folder.path()));
    there_and_back_twice(from, to, &bed.other().await).await;
}

async fn a_reference_stops_being_unique_and_back(bed: impl Bed) {
    let folder = folder();
    let (from, to) = (one(folder.path()), many(folder.path()));
    there_and_back_twice(from, to, &bed.other().await).await;
}

crate::common::on_every_database![
    a_reference_becomes_unique_and_back,
    a_reference_stops_being_unique_and_back,
];

/// What is there is a migration or is none, and never a part of one.
#[test]
fn a_migration_that_cannot_be_written_leaves_nothing_behind() {
    let folder = folder();
    let models = many(folder.path());
    // Too long for MySQL's files, which are the last, and whose names have three more digits.
    let name = "n".repeat(255 - "0001_.down.sql".len());
    models.make(name.as_str()).expect_err("a name too long");
    for entry in fs::read_dir(folder.path()).expect("the folder") {
        let entry = entry.expect("an entry").path();
        let files: Vec<_> = fs::read_dir(&entry).expect("a folder").collect();
        assert!(files.is_empty(), "{files:?}");
    }
    models.make("first").expect("the same number again");
}
