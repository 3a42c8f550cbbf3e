//! [`Admission`]: whether a client is let in that has proved its key, and whether it still is later. Asks the program where it has to,
//! and listens for changes of what it was told.

use std::fmt;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};
use zsvc_proto::keys::PublicKey;
use zsvc_proto::zmtp::curve::Rejection;

use super::Link;
use crate::auth::{Asker, Asking, Grant};
use crate::curve::{CurveServer, Decision, Refused, Subscription, Verdict};
use crate::identity::Identity;
use crate::source::Source;
use crate::status::{Cause, Status};
use crate::transport::Proof;
use crate::transport::zmtp::closed::Closed;
use crate::transport::zmtp::handshakes::Handshake;

/// The client of a connection to a server with keys, once it has proved its key.
pub(super) struct Admission {
    key: PublicKey,
    /// On whose account the program is asked.
    asker: Asker,
    /// What is to be done, if anything.
    stage: Stage,
    /// What the client was granted last.
    grant: Option<Grant>,
    /// What is to be told of it: what is so now, and not each step on the way there. A revocation stays.
    news: Option<Proof>,
    /// Who it is as was told last, and may have begun calls.
    told: Option<Identity>,
    /// Why it was refused.
    refused: Option<String>,
    changes: Option<Subscription>,
    /// Whether the last grant was that of an [`Access`](crate::curve::Access).
    is_by_access: bool,
    /// Fires when the grant ends, or may have ended.
    timer: Option<Pin<Box<Sleep>>>,
}

enum Stage {
    /// Nothing has been decided yet, or anew.
    Open,
    Asking(Asking),
    Decided,
    /// The client is not let in, or not any more, and this connection never will be.
    Over,
}

/// Maximum time between two looks at the clock on the wall, which may be set, and goes on while the machine sleeps.
const MAX_SLEEP: Duration = Duration::from_secs(60);

impl Admission {
    pub(super) fn new(key: PublicKey, place: Source) -> Box<Self> {
        Box::new(Self {
            key,
            asker: Asker::of_address(place),
            stage: Stage::Open,
            grant: None,
            news: None,
            told: None,
            refused: None,
            changes: None,
            is_by_access: false,
            timer: None,
        })
    }

    /// Returns, once, who the client is, or that it is not let in as it was any more.
    pub(super) fn take_news(&mut self) -> Option<Proof> {
        let news = self.news.take();
        if let Some(Proof::Is(identity)) = &news {
            self.told = Some(identity.clone());
        }
        news
    }

    pub(super) fn has_news(&self) -> bool {
        self.news.is_some()
    }

    /// Reports whether the program is being asked for the first time.
    fn is_asked_about(&self) -> bool {
        matches!(self.stage, Stage::Asking(_)) && self.grant.is_none()
    }

    /// Returns why the client was refused, in the words of what has refused it.
    pub(super) fn why_refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Decides for the first time, or anew where something has changed. Returns the verdict for a handshake that waits for it.
    #[inline]
    pub(super) fn poll(
        &mut self,
        server: &CurveServer,
        context: &mut Context<'_>,
    ) -> Option<Result<(), Refused>> {
        let is_due = match self.stage {
            Stage::Decided => self.has_changed() || self.is_over(),
            Stage::Open | Stage::Asking(_) => true,
            Stage::Over => false,
        };
        // Mostly nothing is: this is asked for each message.
        if is_due { self.decide(server, context) } else { None }
    }

    #[inline]
    fn has_changed(&self) -> bool {
        self.changes.as_ref().is_some_and(Subscription::has_changed)
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.timer.as_ref().is_some_and(|timer| timer.is_elapsed())
    }

    #[cold]
    fn decide(&mut self, server: &CurveServer, context: &mut Context<'_>) -> Option<Result<(), Refused>> {
        // Before anything is decided, so that no change after it is missed.
        if let Some(access) = server.changes() {
            let changes = self.changes.get_or_insert_with(|| access.subscribe());
            changes.register(context.waker());
            if changes.take_change() {
                match access.grant(&self.key) {
                    Some(_) => self.stage = Stage::Open,
                    // Not served while the program is asked about it: it may come back, as anyone may.
                    None if self.is_by_access => {
                        let out = Status::unauthenticated("it was taken out of the list of clients");
                        self.is_by_access = false;
                        return self.settle(server.conclude(&self.key, Err(out)), context);
                    }
                    // What the program was asked for is not asked again, for every connection at once, since others have changed.
                    None => {}
                }
            }
        }
        if matches!(self.stage, Stage::Decided) {
            if !self.is_over() {
                return None;
            }
            if self.grant.as_ref().is_some_and(|grant| !grant.is_over(SystemTime::now())) {
                self.set_timer(context);
                return None;
            }
            self.stage = Stage::Open;
        }
        if matches!(self.stage, Stage::Open) {
            self.is_by_access = false;
            self.stage = match server.decide(&self.key, self.asker) {
                Decision::Listed(grant) => {
                    self.is_by_access = true;
                    return self.settle(Ok(grant), context);
                }
                Decision::Now(verdict) => return self.settle(verdict, context),
                Decision::Later(asking) => Stage::Asking(asking),
            };
        }
        let Stage::Asking(asking) = &mut self.stage else { return None };
        match asking.as_mut().poll(context) {
            Poll::Pending => None,
            Poll::Ready(said) => self.settle(server.conclude(&self.key, said), context),
        }
    }

    fn settle(&mut self, verdict: Verdict, context: &mut Context<'_>) -> Option<Result<(), Refused>> {
        (self.stage, self.timer) = (Stage::Decided, None);
        let is_first = self.grant.is_none();
        match verdict {
            Ok(grant) => {
                self.news = match &self.told {
                    Some(told) => change(told, grant.identity()),
                    None => Some(Proof::Is(grant.identity().clone())),
                };
                if matches!(self.news, Some(Proof::Revoked(_))) {
                    self.stage = Stage::Over;
                    return None;
                }
                self.grant = Some(grant);
                self.set_timer(context);
                is_first.then_some(Ok(()))
            }
            Err(refused) => {
                self.stage = Stage::Over;
                if is_first {
                    self.refused = Some(refused.why.clone());
                    return Some(Err(refused));
                }
                self.news = Some(Proof::Revoked(Box::new(revoked(&refused))));
                None
            }
        }
    }

    /// Has the task woken when the grant ends.
    fn set_timer(&mut self, context: &mut Context<'_>) {
        self.timer = None;
        let Some(end) = self.grant.as_ref().and_then(Grant::end) else { return };
        let left = end.duration_since(SystemTime::now()).unwrap_or_default().min(MAX_SLEEP);
        let mut timer = Box::pin(sleep_until(Instant::now() + left));
        // Outside of the task's budget, past which the timer would not keep its waker.
        let polled = pin!(unconstrained(timer.as_mut())).poll(context);
        self.timer = Some(timer);
        if polled.is_ready() {
            context.waker().wake_by_ref();
        }
    }
}

impl Link {
    /// Returns, once, who the peer is by the key that it has proved to have, after the handshake; and later whenever that has changed.
    pub(in super::super) fn take_proof(&mut self) -> Option<Proof> {
        if !self.was_ready {
            return None;
        }
        self.admission.as_mut()?.take_news()
    }

    /// Takes the key that a client has proved to have.
    pub(super) fn take_key(&mut self, key: PublicKey) {
        let place = self.handshake.as_ref().and_then(Handshake::source).unwrap_or(Source::Local);
        (self.key, self.admission) = (Some(key), Some(Admission::new(key, place)));
    }

    /// Sees to it that the handshake of a client goes on once it is decided whether the client is let in, and that changes are noticed.
    #[inline]
    pub(super) fn poll_admission(&mut self, context: &mut Context<'_>) {
        let Some((admission, server)) = self.admission.as_mut().zip(self.role.curve_server()) else { return };
        match admission.poll(server, context) {
            None => return self.be_asked_about(context),
            Some(Ok(())) => self.machine.accept_key(),
            Some(Err(refused)) => self.machine.reject(refused.rejection),
        }
        self.take_events();
    }

    /// Has a client that the program is asked about leave its place among the handshakes, once.
    #[inline]
    fn be_asked_about(&mut self, context: &Context<'_>) {
        let is_asked = self.admission.as_ref().is_some_and(|admission| admission.is_asked_about());
        let Some(place) = self.handshake.as_mut().filter(|place| is_asked && place.may_be_asked()) else {
            return;
        };
        let left = place
            .ask(Instant::now())
            .map_or_else(|cut| Poll::Ready((cut, place.limits())), |()| place.poll_cut(context));
        if let Poll::Ready((cut, limits)) = left {
            self.close(Closed::Cut(cut, limits));
        }
    }

    pub(super) fn has_news(&self) -> bool {
        self.was_ready && self.admission.as_ref().is_some_and(|admission| admission.has_news())
    }
}

/// Returns what is to be told where a client has another identity than before. What it was let in for and is no more must not go on.
fn change(before: &Identity, now: &Identity) -> Option<Proof> {
    if before == now {
        return None;
    }
    let is_more = before.name() == now.name() && before.roles().all(|role| now.has_role(role));
    Some(if is_more {
        Proof::Is(now.clone())
    } else {
        let what =
            "the name or the roles of this client have changed on the server, and its connection was closed";
        Proof::Revoked(Box::new(Status::unavailable(what).caused_by(Cause::Forbidden).maybe_executed()))
    })
}

/// Returns what the calls of a client end with that is not let in any more.
fn revoked(refused: &Refused) -> Status {
    let status = match refused.rejection {
        Rejection::Denied => {
            Status::unauthenticated("this client is not let in any more, and its connection was closed")
        }
        _ => Status::unavailable(
            "the server can't tell any more whether this client is let in, and has closed its connection",
        ),
    };
    status.caused_by(Cause::Forbidden).maybe_executed()
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("key", &self.key)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
