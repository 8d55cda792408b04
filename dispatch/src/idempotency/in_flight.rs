//! Two requests with one key that are at work at once: the second waits for the first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::idempotency::IdempotencyKey;
use crate::middleware::Response;
use crate::rejection::{Rejection, code};
use crate::wire::Wire;

/// The requests of one type that are at work and have a key. It is no larger than what is in
/// flight, since each leaves when it ends.
#[derive(Clone, Default)]
pub(crate) struct InFlight {
    // A std lock: held for a look or a change, never across an await.
    first: Arc<Mutex<HashMap<Name, watch::Receiver<Shared>>>>,
}

/// Whose key, and as which wire's answer.
type Name = (String, IdempotencyKey, Wire);

/// What the first one has answered; nothing while it is at work.
type Shared = Option<Result<Arc<[u8]>, Arc<Rejection>>>;

/// Which of several a request is.
pub(crate) enum Joined {
    /// It does the work.
    First(First),
    /// Another has done it, and this was its answer.
    Answered(Result<Response, Rejection>),
}

/// The one that does the work. Those that wait are told when it answers; when it is dropped without
/// an answer, one of them takes its place.
pub(crate) struct First {
    in_flight: InFlight,
    name: Name,
    answer: watch::Sender<Shared>,
}

impl InFlight {
    /// Waits for the request of this subject that has this key and is at work, if there is one.
    ///
    /// An answer with a file is not shared, since there is one file: then this one is the first.
    pub(crate) async fn join(&self, subject: String, key: IdempotencyKey, wire: Wire) -> Joined {
        let name = (subject, key, wire);
        loop {
            let mut other = match self.enter(&name) {
                Ok(first) => return Joined::First(first),
                Err(other) => other,
            };
            // An error: it is gone, and has answered nothing.
            let answer = other.wait_for(Option::is_some).await;
            if let Ok(answer) = answer
                && let Some(answer) = &*answer
            {
                return Joined::Answered(match answer {
                    Ok(message) => Ok(Response::value(message.to_vec())),
                    Err(rejection) => Err(rejection.repeated()),
                });
            }
        }
    }

    fn enter(&self, name: &Name) -> Result<First, watch::Receiver<Shared>> {
        let mut first = self.lock();
        if let Some(other) = first.get(name) {
            return Err(other.clone());
        }
        let (answer, receiver) = watch::channel(None);
        first.insert(name.clone(), receiver);
        Ok(First {
            in_flight: self.clone(),
            name: name.clone(),
            answer,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, watch::Receiver<Shared>>> {
        // Every change is one insert or remove, so a panic leaves nothing in half.
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl First {
    /// Gives its answer to those that wait.
    ///
    /// That its own attachment was cut or damaged says nothing of theirs: then one of them takes its
    /// place, most of all the retry of an upload whose connection was lost a moment ago.
    pub(crate) fn answered(self, outcome: &Result<Response, Rejection>) {
        let shared = match outcome {
            Ok(response) if response.file.is_some() => return,
            Err(rejection) if is_of_its_attachment(rejection) => return,
            Ok(response) => Ok(Arc::from(&*response.message)),
            Err(rejection) => Err(Arc::new(rejection.repeated())),
        };
        self.answer.send_replace(Some(shared));
    }
}

fn is_of_its_attachment(rejection: &Rejection) -> bool {
    let codes = [code::ATTACHMENT_CUT, code::DIGEST_MISMATCH];
    rejection.is_ours() && codes.contains(&rejection.code())
}

impl Drop for First {
    fn drop(&mut self) {
        self.in_flight.lock().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    const KEY: [u8; 16] = [7; 16];

    async fn first(in_flight: &InFlight, subject: &str) -> First {
        let joined = in_flight.join(subject.to_owned(), KEY.into(), Wire::Native);
        match joined.await {
            Joined::First(first) => first,
            Joined::Answered(_) => panic!("nobody was there"),
        }
    }

    fn said(joined: Joined) -> String {
        match joined {
            Joined::First(_) => "first".to_owned(),
            Joined::Answered(Ok(response)) => String::from_utf8(response.message).expect("text"),
            Joined::Answered(Err(rejection)) => rejection.to_string(),
        }
    }

    #[tokio::test]
    async fn the_second_gets_what_the_first_answers() {
        let in_flight = InFlight::default();
        let rejection = || Rejection::new("no_money", "it costs too much");
        let answers = [
            (Ok(Response::value(b"done".to_vec())), "done"),
            (Err(rejection()), "no_money: it costs too much"),
        ];
        for (answer, expected) in answers {
            let one = first(&in_flight, "ann").await;
            let mut second = pin!(in_flight.join("ann".to_owned(), KEY.into(), Wire::Native));
            assert!(second.as_mut().now_or_never().is_none());
            // Others do not wait: another's request, and one that is answered in another shape.
            drop(first(&in_flight, "bob").await);
            let classic = in_flight.join("ann".to_owned(), KEY.into(), Wire::Classic);
            assert_eq!(said(classic.await), "first");
            one.answered(&answer);
            assert_eq!(said(second.await), expected);
            assert!(in_flight.lock().is_empty());
        }
    }

    #[tokio::test]
    async fn an_attachment_that_was_cut_is_the_firsts_own() {
        let in_flight = InFlight::default();
        let cut = |code| Rejection::ours(code, "the attachment did not arrive whole");
        for code in [code::ATTACHMENT_CUT, code::DIGEST_MISMATCH] {
            let one = first(&in_flight, "ann").await;
            let mut second = pin!(in_flight.join("ann".to_owned(), KEY.into(), Wire::Native));
            assert!(second.as_mut().now_or_never().is_none());
            one.answered(&Err(cut(code)));
            assert_eq!(said(second.await), "first", "{code}");
        }
    }

    #[tokio::test]
    async fn one_that_waits_takes_the_place_of_a_first_that_is_dropped() {
        let in_flight = InFlight::default();
        let one = first(&in_flight, "ann").await;
        let join = || in_flight.join("ann".to_owned(), KEY.into(), Wire::Native);
        let (mut second, mut third) = (pin!(join()), pin!(join()));
        assert!(
            second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none()
        );
        drop(one);
        let Joined::First(second) = second.await else {
            panic!("nobody has answered");
        };
        assert!(third.as_mut().now_or_never().is_none());
        second.answered(&Ok(Response::value(b"at last".to_vec())));
        assert_eq!(said(third.await), "at last");
        assert!(in_flight.lock().is_empty());
    }
}
