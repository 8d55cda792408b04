//! A class by message: opened, closed, corrected, and watched.

use packetboat_dispatch::push::{Join, SlowReader};
use packetboat_dispatch::{Hub, Identity, Peer, Pusher, Rejection, State};
use packetboat_orm::ModelExt;

use crate::app::App;
use crate::cadence::Cadence;
use crate::classes::{self, Change};
use crate::guards::Teacher;
use crate::messages::{
    ClassOpened, ClassView, CloseClass, Code, Correct, Line, OpenClass, Taken, WatchClass,
};
use crate::models::{Account, Class};
use crate::refusals::Fault;

/// Opens a class.
pub(super) async fn open(
    State(app): State<App>,
    Identity(Teacher(teacher)): Identity<Teacher>,
    message: OpenClass,
) -> Result<ClassOpened, Rejection> {
    let class = classes::open(&app, &teacher, message.course, message.late_after).await?;
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
    Ok(classes::close(&app, &teacher, message.class).await?)
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
    Ok(classes::correct(&app, &teacher, change).await?)
}

/// Shows a class, its codes as they change, and its arrivals, for as long as the connection lives.
///
/// Joined first and read then: who arrives in between comes twice and not never. The task with the
/// codes belongs to this connection alone: it ends with it, and no other one notices.
pub(super) async fn watch(
    State(app): State<App>,
    Identity(Teacher(teacher)): Identity<Teacher>,
    hub: Hub,
    peer: Peer,
    pusher: Pusher,
    message: WatchClass,
) -> Result<ClassView, Rejection> {
    let (class, course) = classes::run_by(&app.db, &teacher, message.class).await?;
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
    if class.closed.is_none() {
        let (connection, id) = (peer.id(), class.id);
        let watching = app.watching.clone();
        let task = pusher
            .clone()
            .spawn(push_codes(app, teacher, class, pusher))?;
        watching.replace(connection, id, task);
    }
    Ok(view)
}

/// Pushes the code, now and whenever it changes, until the class is closed or its teacher may not
/// run it any more.
async fn push_codes(app: App, teacher: Account, class: Class, pusher: Pusher) {
    let id = class.id;
    let mut cadence = Cadence::new(app.clock, class);
    loop {
        let code = Code(cadence.next().await.as_str().to_owned());
        if !may_go_on(&app, &teacher, id).await {
            return;
        }
        // A page that takes nothing for a while wants the newest code, and no older one.
        let slow = SlowReader::KeepLatest(format!("code:{id}"));
        if pusher.send(&code, slow).await.is_err() {
            return;
        }
    }
}

async fn may_go_on(app: &App, teacher: &Account, class_id: i64) -> bool {
    let look = async {
        let teacher = Account::find(teacher.id, &app.db)
            .await?
            .filter(|account| !account.is_locked);
        let Some(teacher) = teacher else {
            return Ok(false);
        };
        let (class, _) = classes::run_by(&app.db, &teacher, class_id).await?;
        Ok::<_, Fault>(class.closed.is_none())
    };
    match look.await {
        Ok(may) => may,
        Err(Fault::Refused(_)) => false,
        Err(Fault::Broken(error)) => {
            // A database that is away for a moment takes no code off the wall.
            tracing::warn!(
                error = &*error as &dyn std::error::Error,
                "a class could not be looked at"
            );
            true
        }
    }
}
