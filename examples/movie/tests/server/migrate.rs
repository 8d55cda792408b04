//! The migrations: whole, adopted, and a change of the models from its SQL to the rows.

use std::fs;
use std::path::Path;
use std::process::Command;

use chrono::Utc;
use movie::database;
use movie::messages::{Secret, UserType};
use movie::models::{Claim, DownloadRecord, KeptSession, Movie, Notice, User};
use packetboat_orm::migrate::{Made, Models};
use packetboat_orm::test::Database;
use packetboat_orm::{DbPool, ModelExt, sql};

/// The movie as the next version of the program might have it.
mod next {
    use ::movie::models::User;
    use chrono::{DateTime, Utc};
    use packetboat_orm::Model;

    /// Its name may be longer, and the year of its making is known, by which people look for it.
    #[derive(Clone, Debug, Model)]
    #[model(table = "movie", index(is_delete, name))]
    pub(crate) struct Movie {
        pub(crate) id: i64,
        #[model(size = 400)]
        pub(crate) name: String,
        #[model(unique, size = 64)]
        pub(crate) key: String,
        #[model(check = "file_size >= 0")]
        pub(crate) file_size: i64,
        #[model(index, size = 32)]
        pub(crate) file_md5: String,
        #[model(size = 64)]
        pub(crate) digest: String,
        #[model(unique, size = 64)]
        pub(crate) live_digest: Option<String>,
        pub(crate) is_free: bool,
        #[model(default = 5)]
        pub(crate) price_vip: i32,
        #[model(default = 10)]
        pub(crate) price: i32,
        #[model(default = false)]
        pub(crate) is_delete: bool,
        #[model(references = User, index)]
        pub(crate) user_id: i64,
        pub(crate) upload_time: DateTime<Utc>,
        #[model(index, check = "year BETWEEN 1888 AND 2200")]
        pub(crate) year: Option<i32>,
    }
}

fn next_models() -> Models {
    Models::new()
        .add::<User>()
        .add::<next::Movie>()
        .add::<Notice>()
        .add::<DownloadRecord>()
        .add::<KeptSession>()
        .add::<Claim>()
}

/// Instantiates the tests on every database.
macro_rules! on_every_server {
    ($($test:ident),+ $(,)?) => {
        on_every_server!(@on sqlite Sqlite: $($test)+);
        on_every_server!(@on postgres Postgres: $($test)+);
        on_every_server!(@on mysql MySql: $($test)+);
    };
    (@on $room:ident $dialect:ident: $($test:ident)+) => {
        mod $room {
            use packetboat_orm::Dialect;
            use packetboat_orm::test::Database;

            $(
                #[tokio::test]
                async fn $test() {
                    if let Some(database) = Database::fresh(Dialect::$dialect).await {
                        super::$test(&database).await;
                    }
                }
            )+
        }
    };
}

on_every_server!(
    a_change_of_the_models_goes_up_and_down_with_movies_inside,
    a_database_of_the_first_migrations_comes_along,
    tables_made_from_the_models_are_adopted,
    the_migrations_lead_to_the_models,
);

async fn the_migrations_lead_to_the_models(database: &Database) {
    let db = database::open_url(database.url()).await.unwrap();
    let report = database::models().check(&db).await.unwrap();
    assert!(report.is_clean(), "{report}");
    let undone = database::migrations().down(&db, 1).await.unwrap();
    assert_eq!(undone, ["0008_claim_content"]);
    assert_eq!(database::migrations().up(&db).await.unwrap(), undone);
    let report = database::models().check(&db).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

async fn tables_made_from_the_models_are_adopted(database: &Database) {
    let db = database.pool().await.unwrap();
    database::models().create(&db).await.unwrap();
    let ann = admin(&db).await;
    drop(db);
    let db = database::open_url(database.url()).await.unwrap();
    assert!(User::find(ann.id, &db).await.unwrap().is_some());
    let status = database::migrations().status(&db).await.unwrap();
    assert_eq!(status.pending().count(), 0, "{status}");
}

/// Those that the server applied before it had models to compare with.
async fn a_database_of_the_first_migrations_comes_along(database: &Database) {
    let folder = tempfile::tempdir().unwrap();
    copy(&migrations(), folder.path(), |name| name < "0007");
    let db = database.pool().await.unwrap();
    let applied = Models::new().folder(folder.path()).up(&db).await.unwrap();
    assert_eq!(applied.len(), 6);
    let ann = admin(&db).await;
    drop(db);
    let db = database::open_url(database.url()).await.unwrap();
    assert!(User::find(ann.id, &db).await.unwrap().is_some());
    let report = database::models().check(&db).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

async fn a_change_of_the_models_goes_up_and_down_with_movies_inside(database: &Database) {
    let folder = tempfile::tempdir().unwrap();
    copy(&migrations(), folder.path(), |_| true);
    let db = database::open_url(database.url()).await.unwrap();
    let ann = admin(&db).await;
    let mut movie = movie(&ann);
    movie.insert(&db).await.unwrap();
    let mut record = DownloadRecord {
        id: 0,
        user_id: ann.id,
        movie_id: movie.id,
        movie_name: movie.name.clone(),
        price: 0,
        download_time: Utc::now(),
        completed: true,
    };
    record.insert(&db).await.unwrap();

    let next = next_models().folder(folder.path());
    let made = next.make("add_year").unwrap();
    assert!(
        matches!(&made, Made::Files { losses, .. } if losses.is_empty()),
        "{made}"
    );
    assert_eq!(next.up(&db).await.unwrap(), ["0009_add_year"]);
    let report = next.check(&db).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(next.make("again").unwrap(), Made::Nothing);

    let mut found = next::Movie::find(movie.id, &db).await.unwrap().unwrap();
    assert_eq!(
        (found.name.as_str(), found.year),
        (movie.name.as_str(), None)
    );
    found.name = "x".repeat(400);
    found.year = Some(1927);
    found.update(&db).await.unwrap();
    found.year = Some(1500);
    let refused = found.update(&db).await.unwrap_err();
    assert!(
        refused.to_string().contains("movie_year_check"),
        "{refused}"
    );
    found.name = "Metropolis".to_owned();
    found.year = Some(1927);
    found.update(&db).await.unwrap();

    assert_eq!(next.down(&db, 1).await.unwrap(), ["0009_add_year"]);
    let report = database::models().check(&db).await.unwrap();
    assert!(report.is_clean(), "{report}");
    let found = Movie::find(movie.id, &db).await.unwrap().unwrap();
    assert_eq!(found.name, "Metropolis");
    // It refers to a movie whose table was built anew on the way.
    assert_eq!(DownloadRecord::select().count(&db).await.unwrap(), 1);

    assert_eq!(next.up(&db).await.unwrap(), ["0009_add_year"]);
    let years = sql("SELECT year FROM movie").all::<Option<i32>>(&db).await;
    assert_eq!(years.unwrap(), [None]);
}

/// The SQL to review, as it is made.
#[test]
fn the_sql_of_a_change_is_as_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    copy(&migrations(), folder.path(), |_| true);
    let made = next_models()
        .folder(folder.path())
        .make("add_year")
        .unwrap();
    let Made::Files { files, .. } = made else {
        panic!("{made}");
    };
    let mut text = String::new();
    for file in files {
        let name = file.strip_prefix(folder.path()).unwrap();
        text += &format!(
            "==> {}\n{}",
            name.display(),
            fs::read_to_string(&file).unwrap()
        );
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_snapshot_is_of_these_models() {
    let folder = tempfile::tempdir().unwrap();
    copy(&migrations(), folder.path(), |_| true);
    let made = database::models()
        .folder(folder.path())
        .make("nothing")
        .unwrap();
    assert_eq!(made, Made::Nothing, "make a migration of what has changed");
}

#[test]
fn the_program_migrates_by_hand() {
    let data = tempfile::tempdir().unwrap();
    let movie = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_movie"))
            .args(["migrate", "--data"])
            .arg(data.path())
            .args(args)
            .env_remove("MOVIE_DATABASE")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let (done, said) = movie(&["check"]);
    assert!(!done && said.contains("there is no table user"), "{said}");
    let (done, said) = movie(&["up"]);
    assert!(done && said.contains("0008_claim_content"), "{said}");
    let (done, said) = movie(&["check"]);
    assert!(
        done && said.contains("as the models declare them"),
        "{said}"
    );
    let (done, said) = movie(&["down"]);
    assert!(done && said == "undone 0008_claim_content\n", "{said}");
    let (done, said) = movie(&["status"]);
    assert!(
        done && said.contains("0008_claim_content: pending"),
        "{said}"
    );
    let (done, said) = movie(&["down"]);
    assert!(done && said == "undone 0007_names\n", "{said}");
    let (done, said) = movie(&["down"]);
    assert!(
        !done && said.contains("0006_claim has no down file"),
        "{said}"
    );
}

fn migrations() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")
}

fn copy(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool + Copy) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            fs::create_dir(to.join(&name)).unwrap();
            copy(&path, &to.join(&name), wanted);
        } else if name.to_str().is_some_and(wanted) {
            fs::copy(&path, to.join(&name)).unwrap();
        }
    }
}

async fn admin(db: &DbPool) -> User {
    let mut ann = User {
        id: 0,
        name: "ann".to_owned(),
        password: Secret("$argon2id$".to_owned()),
        user_type: UserType::Admin,
        is_locked: false,
        is_vip: false,
        register_time: Utc::now(),
    };
    ann.insert(db).await.unwrap();
    ann
}

fn movie(owner: &User) -> Movie {
    Movie {
        id: 0,
        name: "Metropolis".to_owned(),
        key: "k".to_owned(),
        file_size: 1,
        file_md5: "m".to_owned(),
        digest: "d".to_owned(),
        live_digest: Some("d".to_owned()),
        is_free: true,
        price_vip: Movie::PRICE_VIP,
        price: Movie::PRICE,
        is_delete: false,
        user_id: owner.id,
        upload_time: Utc::now(),
    }
}
