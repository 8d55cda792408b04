//! Handlers, extractors, guards and middleware, on connections without a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use packetboat_dispatch::{
    Anyone, App, Call, Dispatcher, FromCall, FromRef, Guard, Identity, Message, Metadata, Next,
    Peer, Plain, Rejection, Reply, Route, State, async_trait, from_fn,
};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
struct World {
    greeting: String,
    calls: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Greeting(String);

impl FromRef<World> for Greeting {
    fn from_ref(world: &World) -> Self {
        Self(world.greeting.clone())
    }
}

fn world() -> World {
    World {
        greeting: "hello".to_owned(),
        calls: Arc::default(),
    }
}

#[derive(Deserialize, Message)]
#[message(type = "greet", alias = "hi", reply = Text)]
struct Greet {
    name: String,
}

#[derive(Debug, Serialize)]
struct Text {
    text: String,
}

fn text(text: impl Into<String>) -> Text {
    Text { text: text.into() }
}

#[derive(Deserialize, Message)]
#[message(type = "all", reply = Text)]
struct All {}

#[derive(Deserialize, Message)]
#[message(type = "plain", reply = Text)]
struct PlainValue {}

#[derive(Deserialize, Message)]
#[message(type = "reply", reply = Text)]
struct WithReply {}

#[derive(Deserialize, Message)]
#[message(type = "fails", reply = Text)]
struct Fails {}

/// A guard and an extractor as a user writes them: the token is the name, and a ticket of the
/// middleware is needed, too.
struct Named;

#[async_trait]
impl Guard<World> for Named {
    type Identity = String;

    async fn check(&self, call: &Call, world: &World) -> Result<String, Rejection> {
        world.calls.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        call.session_token()
            .map(str::to_owned)
            .ok_or_else(Rejection::not_logged_in)
    }
}

struct Ticket(u32);

impl<S: Sync, I: Sync> FromCall<S, I> for Ticket {
    async fn from_call(call: &mut Call, _: &S, _: &I) -> Result<Self, Rejection> {
        let number = call.extensions.remove::<u32>();
        number
            .map(Self)
            .ok_or_else(|| Rejection::new("no_ticket", "no ticket"))
    }
}

async fn greet(
    State(Greeting(greeting)): State<Greeting>,
    request: Greet,
) -> Result<Text, Rejection> {
    if request.name.is_empty() {
        return Err(Rejection::new("no_name", "nobody to greet"));
    }
    Ok(text(format!("{greeting}, {}", request.name)))
}

async fn all(
    State(world): State<World>,
    Identity(name): Identity<String>,
    Ticket(number): Ticket,
    peer: Peer,
    metadata: Metadata,
    _: All,
) -> (Text, Option<packetboat_dispatch::File>) {
    let said = format!(
        "{} {name} {number} {:?} {}",
        world.greeting,
        peer.addr(),
        metadata.message_type
    );
    (text(said), None)
}

async fn plain(_: PlainValue) -> Text {
    text("plain")
}

async fn with_reply(_: WithReply) -> Result<Reply<Text>, std::io::Error> {
    Ok(Reply::new(text("reply")))
}

async fn fails(_: Fails) -> Result<Text, std::io::Error> {
    Err(std::io::Error::other("/secret/path"))
}

fn dispatcher() -> Dispatcher<World> {
    let tickets = from_fn(async |mut call: Call, next: Next| {
        if call.session_token() == Some("banned") {
            return Err(Rejection::new("banned", "go away"));
        }
        call.extensions.insert(7u32);
        next.run(call).await
    });
    Dispatcher::new(world())
        .allow(Anyone, |group| {
            group.on(greet).on(plain).on(with_reply).on(fails)
        })
        .allow(Named, |group| group.layer(tickets).on(all))
}

async fn ask(app: &App, message: &str) -> String {
    app.connect()
        .request(message.as_bytes())
        .await
        .text()
        .to_owned()
}

#[tokio::test]
async fn handlers_answer_in_every_form_that_they_may_return() {
    let app = App::from(dispatcher());
    for (message, answer) in [
        (
            r#"{"type": "greet", "name": "ann"}"#,
            r#"{"flag":true,"text":"hello, ann"}"#,
        ),
        (
            r#"{"type": "hi", "name": "bob"}"#,
            r#"{"flag":true,"text":"hello, bob"}"#,
        ),
        (
            r#"{"type": "greet", "name": ""}"#,
            r#"{"flag":false,"msg":"nobody to greet","code":"no_name"}"#,
        ),
        (r#"{"type": "plain"}"#, r#"{"flag":true,"text":"plain"}"#),
        (r#"{"type": "reply"}"#, r#"{"flag":true,"text":"reply"}"#),
        (
            r#"{"type": "fails"}"#,
            r#"{"flag":false,"msg":"something went wrong on the server","code":"internal"}"#,
        ),
        (
            r#"{"type": "all", "session": "ann"}"#,
            r#"{"flag":true,"text":"hello ann 7 None all"}"#,
        ),
    ] {
        assert_eq!(ask(&app, message).await, answer);
    }
}

#[tokio::test]
async fn middleware_answers_instead_and_the_guard_comes_after_it() {
    let dispatcher = dispatcher();
    let app = App::from(dispatcher);
    let answer = ask(&app, r#"{"type": "all", "session": "banned"}"#).await;
    assert!(answer.contains("banned"), "{answer}");
    let answer = ask(&app, r#"{"type": "all"}"#).await;
    assert!(answer.contains("not_logged_in"), "{answer}");
}

#[tokio::test]
async fn middleware_of_the_dispatcher_is_outside_that_of_a_group_and_sees_every_outcome() {
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noting = |name: &'static str| {
        let order = Arc::clone(&order);
        from_fn(move |call: Call, next: Next| {
            let order = Arc::clone(&order);
            async move {
                order.lock().expect("no panic").push(format!("> {name}"));
                let result = next.run(call).await;
                let how = if result.is_ok() { "ok" } else { "refused" };
                order
                    .lock()
                    .expect("no panic")
                    .push(format!("< {name} {how}"));
                result
            }
        })
    };
    let app = App::from(
        Dispatcher::new(world())
            .layer(noting("outer"))
            .allow(Anyone, |group| group.layer(noting("inner")).on(greet)),
    );
    ask(&app, r#"{"type": "greet", "name": ""}"#).await;
    let order = order.lock().expect("no panic").join(" ");
    assert_eq!(order, "> outer > inner < inner refused < outer refused");
}

#[tokio::test]
async fn the_guard_comes_before_extractors_and_these_before_the_message() {
    let app = App::from(Dispatcher::new(world()).allow(Named, |group| group.on(all)));
    for (message, code) in [
        (r#"{"type": "all"}"#, "not_logged_in"),
        (r#"{"type": "all", "session": "ann"}"#, "no_ticket"),
    ] {
        let answer = ask(&app, message).await;
        assert!(answer.contains(code), "{answer}");
    }
}

#[tokio::test]
async fn another_shape_and_other_words_are_the_applications_choice() {
    let app = App::from(
        Dispatcher::new(world())
            .shape(Plain)
            .allow(Anyone, |g| g.on(plain)),
    );
    assert_eq!(
        ask(&app, r#"{"type": "plain"}"#).await,
        r#"{"text":"plain"}"#
    );
    let answer = ask(&app, r#"{"type": "fly"}"#).await;
    assert!(
        answer.starts_with(r#"{"error":{"code":"unknown_type""#),
        "{answer}"
    );
    let shape = packetboat_dispatch::Flagged::new().text("unknown_type", "请求不存在");
    let app = App::from(Dispatcher::new(world()).shape(shape));
    let answer = ask(&app, r#"{"type": "fly"}"#).await;
    assert_eq!(
        answer,
        r#"{"flag":false,"msg":"请求不存在","code":"unknown_type"}"#
    );
}

#[test]
fn the_routes_are_listed_for_decision_tables() {
    let dispatcher = dispatcher();
    let rows: Vec<_> = dispatcher
        .routes()
        .map(
            |Route {
                 message_type,
                 aliases,
                 guard,
                 attachment,
                 ..
             }| { format!("{message_type} {aliases:?} {guard} {attachment:?}") },
        )
        .collect();
    assert_eq!(
        rows,
        [
            r#"greet ["hi"] Anyone None"#,
            "plain [] Anyone None",
            "reply [] Anyone None",
            "fails [] Anyone None",
            "all [] Named None",
        ]
    );
}

#[test]
#[should_panic(expected = "two handlers take messages of type `greet`")]
fn two_handlers_of_one_type_are_refused_at_the_start() {
    let _ = dispatcher().allow(Named, |group| group.on(greet));
}

#[test]
#[should_panic(expected = "middleware is added before `greet` is registered")]
fn middleware_after_a_route_is_refused_at_the_start() {
    let _ = dispatcher().layer(from_fn(|call, next: Next| next.run(call)));
}

#[test]
#[should_panic(expected = "takes an upload, and the message states no attachment")]
fn an_upload_without_an_attachment_is_refused_at_the_start() {
    async fn upload(_: packetboat_dispatch::Upload, _: PlainValue) -> Text {
        text("never")
    }
    let _ = Dispatcher::new(world()).allow(Anyone, |group| group.on(upload));
}

#[cfg(feature = "tower")]
#[tokio::test(start_paused = true)]
async fn tower_layers_stand_around_routes_that_ask_for_them() {
    use std::time::Duration;

    use packetboat_dispatch::tower_layer;
    use tower::limit::ConcurrencyLimitLayer;
    use tower::timeout::TimeoutLayer;

    #[derive(Deserialize, Message)]
    #[message(type = "sleep", reply = Text)]
    struct Sleep {
        seconds: u64,
    }

    async fn sleep(request: Sleep) -> Result<Text, Rejection> {
        tokio::time::sleep(Duration::from_secs(request.seconds)).await;
        if request.seconds == 2 {
            return Err(Rejection::new("two", "not two"));
        }
        Ok(text("slept"))
    }

    let timeout = tower_layer(&TimeoutLayer::new(Duration::from_secs(5)))
        .map_err(|_| Rejection::new("too_slow", "too slow"));
    let limit = tower_layer(&ConcurrencyLimitLayer::new(1));
    let app = App::from(
        Dispatcher::new(world()).allow(Anyone, |group| group.layer(timeout).layer(limit).on(sleep)),
    );
    let slept = |seconds: u64| {
        let local = app.connect();
        async move {
            let message = format!(r#"{{"type": "sleep", "seconds": {seconds}}}"#);
            local.request(message.as_bytes()).await.text().to_owned()
        }
    };
    assert!(slept(9).await.contains("too_slow"));
    assert!(
        slept(2).await.contains(r#""code":"two""#),
        "a rejection passes unchanged"
    );
    let start = tokio::time::Instant::now();
    let (first, second) = tokio::join!(slept(1), slept(1));
    assert!(first.contains("slept") && second.contains("slept"));
    assert_eq!(start.elapsed(), Duration::from_secs(2), "one at a time");
}
