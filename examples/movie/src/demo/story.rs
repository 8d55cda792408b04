//! The story: an admin, a user who waits, a user who pays less, and a movie that goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::client::failure::Failure;
use crate::client::lang::Lang;
use crate::client::remote::Remote;
use crate::client::transfer::{self, Show};
use crate::demo::teller::{Broken, Tally, Teller, hold, refused};
use crate::messages::{
    BuyVip, DeleteMovie, DownloadMovie, ListMovies, ListNotices, ListRecords, MovieList, MovieType,
    ReleaseNotice, UserType,
};

/// Two real films, so that what comes back can be played.
const FREE: Clip = Clip {
    name: "test-card.mp4",
    bytes: include_bytes!("../../clips/test-card.mp4"),
};
const CHARGED: Clip = Clip {
    name: "mandelbrot.webm",
    bytes: include_bytes!("../../clips/mandelbrot.webm"),
};

/// How many steps the story has.
pub const STEPS: usize = 31;

/// More than enough for a small file on one machine, and less than any wait that is told.
const AT_ONCE: Duration = Duration::from_millis(900);

const PASSWORD: &str = "correct horse battery staple";
const SHOW: Show = Show {
    lang: Lang::En,
    quiet: true,
};

struct Clip {
    name: &'static str,
    bytes: &'static [u8],
}

/// Tells it all, with clients over TCP.
pub(super) async fn tell(server: &str, folder: &Path, wait: Duration) -> Tally {
    let mut teller = Teller::new(STEPS);
    // A part that ends early leaves the steps after it untold, which counts as not held.
    let told = async {
        let mut cast = opening(&mut teller, server).await?;
        uploads(&mut teller, &mut cast, folder).await?;
        let ids = lists(&mut teller, &mut cast).await?;
        downloads(&mut teller, &mut cast, server, folder, wait, ids).await?;
        ending(&mut teller, &mut cast, folder, ids).await
    };
    if let Err(failure) = told.await {
        println!(
            "{:>6}     the story ends here: {}",
            "FAILED",
            failure.text(Lang::En)
        );
    }
    teller.tally()
}

/// Who is on stage: each on a connection of their own.
struct Cast {
    admin: Remote,
    ann: Remote,
}

/// The ids of the two movies.
#[derive(Clone, Copy)]
struct Ids {
    free: i64,
    charged: i64,
}

/// Nobody may do anything; then there are accounts.
async fn opening(teller: &mut Teller, server: &str) -> Result<Cast, Failure> {
    let mut admin = Remote::connect(server).await?;
    let mut ann = Remote::connect(server).await?;
    let list = list(&mut ann, MovieType::All).await.map(drop);
    teller
        .step("A stranger asks for the movies", async {
            refused(list, "not_logged_in")
        })
        .await;

    let registered = admin.register("alice", PASSWORD, UserType::Admin).await;
    teller
        .step("Alice registers as the first admin", async {
            done(registered)
        })
        .await;
    let second = ann.register("mallory", PASSWORD, UserType::Admin).await;
    let what = "Mallory registers as another admin";
    teller
        .step(what, async { refused(second, "admin_registration_closed") })
        .await;
    let registered = ann.register("ann", PASSWORD, UserType::User).await;
    teller
        .step("Ann registers as a user", async { done(registered) })
        .await;
    let wrong = ann.login("ann", "guessed", UserType::User, false).await;
    teller
        .step("Ann mistypes her password", async {
            refused(wrong, "wrong_password")
        })
        .await;

    let login = admin.login("alice", PASSWORD, UserType::Admin, false).await;
    teller
        .step("Alice logs in", async {
            login.map(|_| "welcome".into()).map_err(Broken::from)
        })
        .await;
    let login = ann.login("ann", PASSWORD, UserType::User, false).await;
    teller
        .step("Ann logs in", async {
            hold(!login?.is_vip, "welcome, no VIP yet")
        })
        .await;
    let delete = ann.call(DeleteMovie { delete_movie_id: 1 }).await;
    teller
        .step("Ann tries to delete a movie", async {
            refused(delete, "forbidden")
        })
        .await;
    Ok(Cast { admin, ann })
}

/// Two films go up, one free and one charged; a notice is published.
async fn uploads(teller: &mut Teller, cast: &mut Cast, folder: &Path) -> Result<(), Failure> {
    let write = |clip: &Clip| -> Result<PathBuf, Failure> {
        let path = folder.join(clip.name);
        fs::write(&path, clip.bytes).map_err(|source| Failure::local(&path, source))?;
        Ok(path)
    };
    let (free, charged) = (write(&FREE)?, write(&CHARGED)?);
    let admin = &mut cast.admin;
    teller
        .step(
            "Alice uploads test-card.mp4, free",
            upload(admin, &free, true),
        )
        .await;
    let again = transfer::check(admin, &free).await;
    teller
        .step("Alice asks whether it is still new", async {
            refused(again, "movie_exists")
        })
        .await;
    let again = transfer::upload(admin, &free, true, SHOW).await;
    teller
        .step("Alice uploads it once more", async {
            refused(again, "movie_exists")
        })
        .await;
    teller
        .step(
            "Alice uploads mandelbrot.webm, charged",
            upload(admin, &charged, false),
        )
        .await;
    let notice = ReleaseNotice {
        title: "Tonight".into(),
        content: "Two films are in.".into(),
    };
    let published = admin.call(notice).await.map(drop);
    teller
        .step("Alice publishes a notice", async { done(published) })
        .await;
    Ok(())
}

/// The three lists, newest first.
async fn lists(teller: &mut Teller, cast: &mut Cast) -> Result<Ids, Failure> {
    let all = list(&mut cast.ann, MovieType::All).await?;
    let free = list(&mut cast.ann, MovieType::Free).await?;
    let charged = list(&mut cast.ann, MovieType::Charge).await?;
    for (what, list, expected) in [
        ("Ann lists all movies", &all, &[CHARGED.name, FREE.name][..]),
        ("Ann lists the free ones", &free, &[FREE.name]),
        ("Ann lists the charged ones", &charged, &[CHARGED.name]),
    ] {
        let names = names(list);
        teller
            .step(what, async { hold(names == expected, names.join(", ")) })
            .await;
    }
    let id = |list: &MovieList| list.movie_list.first().map_or(0, |row| row.2);
    Ok(Ids {
        free: id(&free),
        charged: id(&charged),
    })
}

/// The wait, both prices, VIP; every byte compared.
async fn downloads(
    teller: &mut Teller,
    cast: &mut Cast,
    server: &str,
    folder: &Path,
    wait: Duration,
    ids: Ids,
) -> Result<(), Failure> {
    let to = folder.join("downloads");
    let ann = &mut cast.ann;
    let free = |waits, price| Expected {
        clip: &FREE,
        waits,
        price,
    };
    let charged = |price| Expected {
        clip: &CHARGED,
        waits: Duration::ZERO,
        price,
    };

    let what = "Ann downloads the free movie and has to wait";
    teller
        .step(what, download(ann, ids.free, &to, free(wait, 0)))
        .await;
    let what = "Ann downloads the charged movie for 10";
    teller
        .step(what, download(ann, ids.charged, &to, charged(10)))
        .await;
    let what = "Ann downloads it again and has paid already";
    teller
        .step(what, download(ann, ids.charged, &to, charged(0)))
        .await;
    let bought = ann.call(BuyVip {}).await.map(drop);
    teller
        .step("Ann becomes a VIP", async { done(bought) })
        .await;
    let what = "Ann downloads the free movie and waits no more";
    teller
        .step(what, download(ann, ids.free, &to, free(Duration::ZERO, 0)))
        .await;

    let mut bob = Remote::connect(server).await?;
    bob.register("bob", PASSWORD, UserType::User).await?;
    let login = bob.login("bob", PASSWORD, UserType::User, false).await;
    let what = "Bob registers, logs in and is shown the notice";
    teller
        .step(what, async {
            let notices = login?.notices;
            let titles: Vec<&str> = notices.iter().map(|notice| notice.title.as_str()).collect();
            hold(titles == ["Tonight"], titles.join(", "))
        })
        .await;
    bob.call(BuyVip {}).await?;
    let what = "Bob, a VIP, downloads the charged movie for 5";
    teller
        .step(what, download(&mut bob, ids.charged, &to, charged(5)))
        .await;
    Ok(())
}

/// Records and notices; then the free movie is deleted, and what is gone after it.
async fn ending(
    teller: &mut Teller,
    cast: &mut Cast,
    folder: &Path,
    ids: Ids,
) -> Result<(), Failure> {
    let Cast { admin, ann } = cast;
    let four = [FREE.name, CHARGED.name, CHARGED.name, FREE.name];
    let found = records(ann).await?;
    teller
        .step("Ann's records", async {
            hold(found == four, found.join(", "))
        })
        .await;
    let notices = ann.call(ListNotices::default()).await?.notices;
    let is_there = notices.len() == 1 && notices[0].content == "Two films are in.";
    teller
        .step("Ann reads the notices", async {
            hold(is_there, "Two films are in.")
        })
        .await;

    let delete = DeleteMovie {
        delete_movie_id: ids.free,
    };
    let deleted = admin.call(delete).await.map(drop);
    teller
        .step("Alice deletes the free movie", async { done(deleted) })
        .await;
    let left = list(ann, MovieType::All).await?;
    let names = names(&left);
    let what = "It is no longer listed";
    teller
        .step(what, async {
            hold(names == [CHARGED.name], names.join(", "))
        })
        .await;
    let gone = ann
        .call_for_file(DownloadMovie { movie_id: ids.free })
        .await
        .map(drop);
    teller
        .step("It cannot be downloaded", async {
            refused(gone, "movie_not_found")
        })
        .await;
    let found = records(ann).await?;
    let what = "Ann's records still have its name";
    teller
        .step(what, async { hold(found == four, found.join(", ")) })
        .await;
    let new = transfer::check(admin, &folder.join(FREE.name)).await;
    teller
        .step("It is new again to the server", async { done(new) })
        .await;

    ann.logout().await?;
    let after = list(ann, MovieType::All).await.map(drop);
    teller
        .step("Ann logs out and asks once more", async {
            refused(after, "not_logged_in")
        })
        .await;
    Ok(())
}

/// What a download has to be.
struct Expected {
    clip: &'static Clip,
    waits: Duration,
    price: i32,
}

/// Downloads a movie, measures the wait and compares every byte.
async fn download(
    remote: &mut Remote,
    id: i64,
    to: &Path,
    expected: Expected,
) -> Result<String, Broken> {
    let Expected { clip, waits, price } = expected;
    let asked = Instant::now();
    let downloaded = transfer::download(remote, id, to, SHOW).await?;
    let took = asked.elapsed();
    if fs::read(&downloaded.path)? != clip.bytes {
        return Err(Broken::new("its bytes are not those that were uploaded"));
    }
    if downloaded.price != price {
        return Err(Broken::new(format!("it cost {}", downloaded.price)));
    }
    // The wire tells whole seconds, never too few.
    let (told, kept) = (downloaded.wait, waits.as_millis().div_ceil(1_000));
    if u128::from(told) != kept {
        return Err(Broken::new(format!(
            "told to wait {told} s, and not {kept}"
        )));
    }
    let found = format!(
        "all {} bytes are equal after {:.1} s",
        clip.bytes.len(),
        took.as_secs_f64()
    );
    hold(took >= waits && took < waits + AT_ONCE, found)
}

async fn upload(remote: &mut Remote, path: &Path, is_free: bool) -> Result<String, Broken> {
    transfer::check(remote, path).await?;
    let bytes = transfer::upload(remote, path, is_free, SHOW).await?;
    Ok(format!("new to the server, {bytes} bytes"))
}

async fn list(remote: &mut Remote, movie_type: MovieType) -> Result<MovieList, Failure> {
    let list = ListMovies {
        movie_type,
        offset: 0,
        limit: None,
    };
    remote.call(list).await
}

fn names(list: &MovieList) -> Vec<&str> {
    list.movie_list.iter().map(|row| row.0.as_str()).collect()
}

/// The names of the user's downloads, newest first.
async fn records(remote: &mut Remote) -> Result<Vec<String>, Failure> {
    let list = remote.call(ListRecords::default()).await?;
    Ok(list.record_list.into_iter().map(|row| row.movie).collect())
}

fn done(result: Result<(), Failure>) -> Result<String, Broken> {
    result.map(|()| "done".to_owned()).map_err(Broken::from)
}
