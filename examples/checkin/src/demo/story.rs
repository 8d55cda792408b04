//! The story: a class opens, students come, some of them cheat, teachers come and go, one server
//! after another, and in the end there is a table.

use std::collections::HashSet;
use std::time::Duration;

use packetboat_orm::ModelExt;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Answer, Browser, ClientError, Socket};
use crate::config::ServerConfig;
use crate::demo::cast::{self, Cast, STUDENTS};
use crate::demo::teller::{Broken, Tally, Teller, hold, refused};
use crate::server::{self, RunningServer};

/// How many steps the story has.
pub const STEPS: usize = 19;

/// Longer than any wait for a push but that for the next code.
const SOON: Duration = Duration::from_secs(5);

/// The wall: a page of the class, over its WebSocket.
struct Wall {
    socket: Socket,
    view: Value,
    code: String,
}

/// Tells it all, and gives back the server that is left.
pub(super) async fn tell(
    server: RunningServer,
    config: ServerConfig,
    every: Duration,
) -> (Tally, Option<RunningServer>) {
    let mut teller = Teller::new(STEPS);
    let mut server = Some(server);
    // A part that ends early leaves the steps after it untold, which counts as not held.
    if let Err(broken) = play(&mut teller, &mut server, config, every).await {
        println!("{:>6}     the story ends here: {}", "FAILED", broken.why());
    }
    (teller.tally(), server)
}

async fn play(
    teller: &mut Teller,
    server: &mut Option<RunningServer>,
    config: ServerConfig,
    every: Duration,
) -> Result<(), Broken> {
    let running = server
        .as_ref()
        .ok_or_else(|| Broken::new("there is no server"))?;
    let app = running.app().clone();
    let addr = running.local_addr();
    let mut cast = cast::assemble(&app, addr).await?;
    let cast = &mut cast;
    teller
        .step("A roster of sixty, and everybody logs in", async {
            hold(
                cast.students.len() == STUDENTS,
                format!("{STUDENTS} students, 3 teachers"),
            )
        })
        .await;

    let class = opening(teller, cast).await?;
    let mut wall = doors(teller, cast, class).await?;
    cheats(teller, cast, class, &mut wall, every).await?;
    crowd(teller, cast, class, &mut wall).await?;
    let second = teachers(teller, cast, class, wall, every).await?;

    // The server goes and comes again, on the same port, with what is in the database.
    drop(second);
    if let Some(old) = server.take() {
        old.shutdown().await;
    }
    let config = ServerConfig {
        listen: addr,
        ..config
    };
    *server = Some(again(config).await?);
    let app = server
        .as_ref()
        .ok_or_else(|| Broken::new("no server"))?
        .app()
        .clone();
    // In fast motion: the ten minutes after which one is late are over.
    use crate::models::{Class, class as column};
    let own = Class::select().filter(column::id.eq(class));
    let passed = own.update([column::late_after.set(0)], &app.db).await;
    passed.map_err(|error| Broken::new(error.to_string()))?;
    ending(teller, cast, class, &app).await
}

/// A server on a port that another one has just left.
async fn again(config: ServerConfig) -> Result<RunningServer, Broken> {
    let begun = Instant::now();
    loop {
        match server::serve(config.clone()).await {
            Ok(server) => return Ok(server),
            Err(error) if begun.elapsed() > SOON => {
                return Err(Broken::new(server::with_causes(&error)));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn opening(teller: &mut Teller, cast: &mut Cast) -> Result<i64, Broken> {
    let page = format!("/courses/{}", cast.course);
    let action = format!("{page}/classes");
    let opened = cast.alice.submit(&page, &action, &[("late", "10")]).await?;
    let class = number_in(&opened)?;
    let twice = cast.bob.submit(&page, &action, &[("late", "10")]).await?;
    teller
        .step(
            "Alice opens a class; Bob opens it in the same moment",
            async {
                let same = number_in(&twice)? == class;
                hold(same, format!("one class, number {class}"))
            },
        )
        .await;
    let stranger = Browser::new(cast.alice.addr);
    let path = format!("/classes/{class}/socket");
    let mut refusals = Vec::new();
    for browser in [&stranger, &cast.students[0], &cast.mallory] {
        refusals.push(match browser.socket(&path).await {
            Err(ClientError::Refused(status)) => status,
            Ok(_) => 101,
            Err(error) => return Err(error.into()),
        });
    }
    let foreign = cast.alice.socket_from(&path, "https://evil.example").await;
    refusals.push(match foreign {
        Err(ClientError::Refused(status)) => status,
        _ => 101,
    });
    teller
        .step(
            "A stranger, a student, another teacher and a foreign page ask for the codes",
            async {
                hold(
                    refusals == [401, 403, 403, 403],
                    format!("{refusals:?}, before a WebSocket"),
                )
            },
        )
        .await;
    Ok(class)
}

fn number_in(answer: &Answer) -> Result<i64, Broken> {
    let last = answer.location().and_then(|to| to.rsplit('/').next());
    let number = last.and_then(|number| number.parse().ok());
    number.ok_or_else(|| Broken::new(format!("{} and no class", answer.status)))
}

async fn look(browser: &Browser, class: i64) -> Result<Wall, Broken> {
    let mut socket = browser.socket(&format!("/classes/{class}/socket")).await?;
    let view = socket
        .call(json!({"type": "watch_class", "class": class}))
        .await?;
    let view = view.map_err(Broken::new)?;
    let code = next(&mut socket, SOON).await?;
    Ok(Wall { socket, view, code })
}

async fn next(socket: &mut Socket, within: Duration) -> Result<String, Broken> {
    let code = socket.push_of("code", within).await?;
    code.as_str()
        .map(str::to_owned)
        .ok_or_else(|| Broken::new("a code is a text"))
}

/// The code that comes next, so that there is all of its time to use it. What was pushed while
/// nobody read is old.
async fn fresh(wall: &mut Wall) -> Result<(), Broken> {
    let mut old = true;
    while old {
        old = match wall.socket.push_of("code", Duration::from_millis(1)).await {
            Ok(_) => true,
            Err(ClientError::Silence) => false,
            Err(error) => return Err(error.into()),
        };
    }
    wall.code = next(&mut wall.socket, Duration::from_secs(60)).await?;
    Ok(())
}

async fn sign_in(student: &mut Browser, class: i64, code: &str) -> Result<Answer, Broken> {
    let page = format!("/c/{class}");
    Ok(student.submit(&page, &page, &[("code", code)]).await?)
}

fn standing(answer: &Answer) -> Option<String> {
    answer.attribute("data-standing=\"")
}

async fn doors(teller: &mut Teller, cast: &mut Cast, class: i64) -> Result<Wall, Broken> {
    let mut wall = look(&cast.alice, class).await?;
    let picture = format!("/classes/{class}/qr.svg?code={}", wall.code);
    let picture = cast.alice.get(&picture).await?;
    let code = wall.code.clone();
    teller
        .step("The wall shows a code and its picture", async {
            let is_svg = picture.status == 200 && picture.text().contains("<svg");
            hold(
                is_svg && code.len() == 6,
                format!("{code}, {} bytes of SVG", picture.body.len()),
            )
        })
        .await;
    fresh(&mut wall).await?;
    let first = sign_in(&mut cast.students[0], class, &wall.code.to_lowercase()).await?;
    let arrival = wall.socket.push_of("arrival", SOON).await?;
    teller
        .step("The first student types it, in small letters", async {
            let name = arrival["line"]["name"].as_str().unwrap_or_default();
            let here = (arrival["here"].as_u64(), arrival["total"].as_u64());
            let holds = standing(&first).is_some() && here == (Some(1), Some(STUDENTS as u64));
            hold(
                holds,
                format!("{name} is on the teacher's page, 1/{STUDENTS}"),
            )
        })
        .await;
    let mut answers = HashSet::new();
    for _ in 0..10 {
        let again = sign_in(&mut cast.students[0], class, "ZZZZZZ").await?;
        answers.insert((again.status, standing(&again)));
    }
    teller
        .step("The same student signs in ten times more", async {
            hold(answers.len() == 1, "signed in already, each time")
        })
        .await;
    Ok(wall)
}

async fn cheats(
    teller: &mut Teller,
    cast: &mut Cast,
    class: i64,
    wall: &mut Wall,
    every: Duration,
) -> Result<(), Broken> {
    // A friend's browser: the cookies of one phone with the session of another student.
    let mut borrowed = cast.students[1].clone();
    let device = cast.students[0]
        .cookies
        .get("device")
        .cloned()
        .unwrap_or_default();
    borrowed.cookies.insert("device".to_owned(), device);
    fresh(wall).await?;
    let shared = sign_in(&mut borrowed, class, &wall.code).await?;
    teller
        .step("A second student on the first one's phone", async {
            refused(&shared, "device_used")
        })
        .await;
    let stale = wall.code.clone();
    let begun = Instant::now();
    wall.code = next(&mut wall.socket, every + SOON).await?;
    let waited = begun.elapsed();
    let next_code = wall.code.clone();
    teller
        .step("The code changes", async {
            let in_time = waited <= every + Duration::from_millis(500);
            hold(
                in_time && next_code != stale,
                format!("{next_code} after {:.1} s", waited.as_secs_f64()),
            )
        })
        .await;
    wall.code = next(&mut wall.socket, every + SOON).await?;
    let (old, guessed) = (
        sign_in(&mut cast.students[2], class, &stale).await?,
        sign_in(&mut cast.students[2], class, "ABCDEF").await?,
    );
    teller
        .step(
            "A student with a photograph of the code before last",
            async { refused(&old, "code_expired") },
        )
        .await;
    teller
        .step("The same one guesses", async {
            refused(&guessed, "code_wrong")
        })
        .await;
    for _ in 0..3 {
        sign_in(&mut cast.students[2], class, "ABCDEF").await?;
    }
    let code = wall.code.clone();
    let sixth = sign_in(&mut cast.students[2], class, &code).await?;
    teller
        .step(
            "And a sixth time within a minute, with the right code now",
            async { refused(&sixth, "too_many_attempts") },
        )
        .await;
    let mut forged = cast.students[3].clone();
    let page = format!("/c/{class}");
    let csrf = forged
        .post(&page, "0123456789abcdef", &[("code", &wall.code)])
        .await?;
    teller
        .step("A page of another site sends the form", async {
            refused(&csrf, "form_expired")
        })
        .await;
    Ok(())
}

/// All but the one who guessed, at once, as when the bell rings; the last ten by program.
async fn crowd(
    teller: &mut Teller,
    cast: &mut Cast,
    class: i64,
    wall: &mut Wall,
) -> Result<(), Broken> {
    let mut phones = tokio::task::JoinSet::new();
    fresh(wall).await?;
    let begun = Instant::now();
    for (at, student) in cast.students.iter().enumerate().skip(3) {
        let (mut student, code) = (student.clone(), wall.code.clone());
        let by_message = at >= 50;
        phones.spawn(async move {
            if by_message {
                let mut socket = student.socket("/socket").await?;
                let message = json!({"type": "check_in", "class": class, "code": code});
                let reply = socket.call(message).await?;
                return Ok::<_, Broken>(reply.is_ok_and(|reply| reply["already"] == json!(false)));
            }
            Ok(standing(&sign_in(&mut student, class, &code).await?).is_some())
        });
    }
    let mut signed_in = 0;
    while let Some(phone) = phones.join_next().await {
        signed_in += usize::from(phone??);
    }
    let mut names = HashSet::new();
    while names.len() < STUDENTS - 3 {
        let arrival = wall.socket.push_of("arrival", SOON).await?;
        names.insert(
            arrival["line"]["number"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        );
    }
    let took = begun.elapsed();
    teller
        .step(
            "Fifty-seven students at once, ten of them by message",
            async {
                let holds = signed_in == STUDENTS - 3 && names.len() == STUDENTS - 3;
                hold(
                    holds,
                    format!(
                        "{signed_in} signed in and pushed, {:.1} s",
                        took.as_secs_f64()
                    ),
                )
            },
        )
        .await;
    Ok(())
}

async fn teachers(
    teller: &mut Teller,
    cast: &mut Cast,
    class: i64,
    first: Wall,
    every: Duration,
) -> Result<Wall, Broken> {
    let mut second = look(&cast.bob, class).await?;
    // The next code that comes to Alice's page comes to Bob's, which has read none since it was opened.
    let mut alice = first;
    fresh(&mut alice).await?;
    let shown = alice.code.clone();
    let mut same = second.code == shown;
    for _ in 0..20 {
        if same {
            break;
        }
        same = next(&mut second.socket, every + SOON).await? == shown;
    }
    let here = second.view["here"].as_u64();
    teller
        .step(
            "Bob opens the wall, too: the same code and the same list",
            async {
                hold(
                    same && here == Some(STUDENTS as u64 - 2),
                    format!("{shown}, {} are there", here.unwrap_or_default()),
                )
            },
        )
        .await;
    alice.socket.close().await?;
    let (mut codes, begun) = (Vec::new(), Instant::now());
    for _ in 0..2 {
        codes.push(next(&mut second.socket, every + SOON).await?);
    }
    let most = 2 * every + Duration::from_secs(1);
    teller
        .step("Alice's page is closed: Bob's goes on", async {
            hold(begun.elapsed() <= most, format!("{codes:?}"))
        })
        .await;
    let reloaded = look(&cast.alice, class).await?;
    teller
        .step("Alice reloads: her page has everybody again", async {
            let here = reloaded.view["here"].as_u64();
            hold(
                here == Some(STUDENTS as u64 - 2),
                format!("{} of {STUDENTS}", here.unwrap_or_default()),
            )
        })
        .await;
    Ok(second)
}

async fn ending(
    teller: &mut Teller,
    cast: &mut Cast,
    class: i64,
    app: &crate::app::App,
) -> Result<(), Broken> {
    let mut wall = look(&cast.alice, class).await?;
    fresh(&mut wall).await?;
    let late = sign_in(&mut cast.students[1], class, &wall.code).await?;
    teller
        .step(
            "The server is started again: the class goes on, and a student comes late",
            async {
                hold(
                    standing(&late).as_deref() == Some("late"),
                    standing(&late).unwrap_or_default(),
                )
            },
        )
        .await;
    let list = format!("/classes/{class}");
    let absent = wall.view["lines"][2]["student"].to_string();
    let fields = [
        ("student", absent.as_str()),
        ("standing", "excused"),
        ("reason", "a doctor's note"),
    ];
    let corrected = cast
        .alice
        .submit(&list, &format!("{list}/correct"), &fields)
        .await?;
    let closed = cast
        .bob
        .submit(&list, &format!("{list}/close"), &[])
        .await?;
    let after = cast.students[2].get(&format!("/c/{class}")).await?;
    teller
        .step(
            "Alice excuses who guessed, with a reason; Bob closes the class",
            async {
                let holds = corrected.status == 303 && closed.status == 303;
                hold(
                    holds && standing(&after).as_deref() == Some("excused"),
                    "kept, with who and why",
                )
            },
        )
        .await;
    let sheet = cast
        .alice
        .get(&format!("{list}/attendance.csv"))
        .await?
        .text();
    let rows = cast::rows(app, class).await?;
    teller
        .step("The attendance is a table", async {
            let lines = sheet.lines().count();
            hold(
                lines == STUDENTS + 1 && rows == STUDENTS as u64,
                format!("{lines} lines, {rows} rows"),
            )
        })
        .await;
    println!();
    for line in sheet.lines().take(8) {
        println!("        {}", line.trim_start_matches('\u{feff}'));
    }
    println!("        …");
    Ok(())
}
