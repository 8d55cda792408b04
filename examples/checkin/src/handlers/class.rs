//! A class by message: opened, closed, corrected, and watched.

use packetboat_dispatch::push::{Join, SlowReader};
use packetboat_dispatch::{ConnectionId, Hub, Identity, Peer, Pusher, Rejection, SessionId, State};

use crate::app::App;
use crate::cadence::Cadence;
use crate::classes::{self, Change};
use crate::guards::{self, Teacher};
use crate::messages::{
    ClassOpened, ClassView, CloseClass, Code, Correct, Line, OpenClass, Taken, WatchClass,
};
use crate::models::Class;
use crate::refusals::Fault;

/// Opens a class.
pub(super) async fn open(
    State(app): State<App>,
    Identity(Teacher(teacher)): Identity<Teacher>,
    message: OpenClass,
) -> Result<ClassOpened, Rejection> {
    let class = classes::open(&app, &teacher.account, message.course, message.late_after).await?;
    Ok(ClassOpened {
        class: class.id,
        opened: class.opened,
    })
}

/// Closes a class.
pub(super) async fn close(
    State(app): State<App>,
    Identity(Teacher(teacher)): Identity<Teacher>,
    message: CloseClass,
) -> Result<(), Rejection> {
    Ok(classes::close(&app, &teacher.account, message.class).await?)
}

/// Corrects a line.
pub(super) async fn correct(
    State(app): State<App>,
    Identity(Teacher(teacher)): Identity<Teacher>,
    message: Correct,
) -> Result<Line, Rejection> {
    let change = Change {
        class_id: message.class,
        student_id: message.student,
        standing: message.standing,
        reason: &message.reason,
    };
    Ok(classes::correct(&app, &teacher.account, change).await?)
}

/// Shows a class, its codes as they change, and its arrivals, for as long as the connection lives.
///
/// Joined first and read then: who arrives in between comes twice and not never. The task that
/// follows the class belongs to this connection alone: it ends with it, and no other one notices.
pub(super) async fn watch(
    State(app): State<App>,
    Identity(Teacher(teacher)): Identity<Teacher>,
    hub: Hub,
    peer: Peer,
    pusher: Pusher,
    message: WatchClass,
) -> Result<ClassView, Rejection> {
    let (class, course) = classes::run_by(&app.db, &teacher.account, message.class).await?;
    hub.join(&peer, &classes::room(class.id), Join::default())
        .await?;
    let lines = classes::lines(&app.db, &class).await?;
    let Taken { here, total } = classes::taken(&app.db, &class).await?;
    let view = ClassView {
        class: class.id,
        course: course.name,
        opened: class.opened,
        closed: class.closed,
        every_ms: class.every_ms,
        grace_ms: class.grace_ms,
        lines,
        here,
        total,
    };
    let (connection, id) = (peer.id(), class.id);
    let watching = app.watching.clone();
    let task = pusher
        .clone()
        .spawn(follow(app, teacher.session, class, connection, pusher))?;
    watching.replace(connection, id, task);
    Ok(view)
}

/// Pushes the code, now and whenever it changes, while the class is open. Open or closed, it looks
/// as often whether the session by which it was asked may still see the class, and takes the
/// connection out of its room when it may not.
async fn follow(
    app: App,
    session: SessionId,
    class: Class,
    connection: ConnectionId,
    pusher: Pusher,
) {
    let (id, mut is_open) = (class.id, class.closed.is_none());
    let mut cadence = Cadence::new(app.clock, class);
    loop {
        let code = Code(cadence.next().await.as_str().to_owned());
        match seen_by(&app, &session, id).await {
            Ok(class) => is_open = class.closed.is_none(),
            Err(Fault::Refused(_)) => {
                app.hub.leave(connection, &classes::room(id)).await;
                return;
            }
            // A database that is away for a moment takes no code off the wall.
            Err(Fault::Broken(error)) => tracing::warn!(
                error = &*error as &dyn std::error::Error,
                "a class could not be looked at"
            ),
        }
        // A page that takes nothing for a while wants the newest code, and no older one.
        let slow = SlowReader::KeepLatest(format!("code:{id}"));
        if is_open && pusher.send(&code, slow).await.is_err() {
            return;
        }
    }
}

async fn seen_by(app: &App, session: &SessionId, class_id: i64) -> Result<Class, Fault> {
    let teacher = guards::who(app, session).await?;
    let (class, _) = classes::run_by(&app.db, &teacher, class_id).await?;
    Ok(class)
}
