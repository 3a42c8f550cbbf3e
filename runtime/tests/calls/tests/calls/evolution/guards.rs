//! Changes to who may call: calls of clients of every role from an old client to a new server, and vice versa. The service is
//! `Guard` of `svc/*/guard.svc`.

use zsvc::{Channel, Code, Context, Identity, Status};
use zsvc_calls::new::guard::v1 as new;
use zsvc_calls::old::guard::v1 as old;

use crate::support::on_one_thread;

/// Answers with the age of its schema.
struct Answers(u32);

macro_rules! answers {
    ($($age:ident),*) => {
        $(impl $age::Guard for Answers {
            async fn ask_for_roles(&self, _: &Context) -> Result<u32, Status> {
                Ok(self.0)
            }
            async fn take_a_role_away(&self, _: &Context) -> Result<u32, Status> {
                Ok(self.0)
            }
            async fn add_a_role(&self, _: &Context) -> Result<u32, Status> {
                Ok(self.0)
            }
            async fn ask_for_none(&self, _: &Context) -> Result<u32, Status> {
                Ok(self.0)
            }
        })*
    };
}

answers!(old, new);

const OLD: Result<u32, Code> = Ok(1);
const NEW: Result<u32, Code> = Ok(2);
const DENIED: Result<u32, Code> = Err(Code::PermissionDenied);
const UNKNOWN: Result<u32, Code> = Err(Code::Unauthenticated);

fn channel(role: Option<&str>) -> zsvc::ChannelBuilder {
    match role {
        Some(role) => Channel::builder().identity(Identity::new("caller").with_role(role)),
        None => Channel::builder(),
    }
}

fn newer(role: Option<&str>) -> new::GuardClient {
    new::GuardClient::new(channel(role).local(old::GuardServer::new(Answers(1))))
}

fn older(role: Option<&str>) -> old::GuardClient {
    old::GuardClient::new(channel(role).local(new::GuardServer::new(Answers(2))))
}

#[track_caller]
fn told(answer: Result<u32, Status>, expected: Result<u32, Code>) {
    assert_eq!(answer.map_err(|status| status.code()), expected);
}

#[test]
pub(super) fn ask_for_roles_or_take_one_away() {
    on_one_thread(async {
        for (role, asked, taken) in
            [(Some("clerk"), NEW, NEW), (Some("robot"), DENIED, DENIED), (None, UNKNOWN, UNKNOWN)]
        {
            told(older(role).ask_for_roles().await, asked);
            told(older(role).take_a_role_away().await, taken);
        }
        for (role, taken) in [(Some("clerk"), OLD), (Some("robot"), OLD), (None, UNKNOWN)] {
            told(newer(role).ask_for_roles().await, OLD);
            told(newer(role).take_a_role_away().await, taken);
        }
    });
}

#[test]
pub(super) fn add_a_role_or_ask_for_none() {
    on_one_thread(async {
        for (role, added, none) in
            [(Some("clerk"), OLD, OLD), (Some("robot"), DENIED, DENIED), (None, UNKNOWN, UNKNOWN)]
        {
            told(newer(role).add_a_role().await, added);
            told(newer(role).ask_for_none().await, none);
        }
        for (role, added) in [(Some("clerk"), NEW), (Some("robot"), NEW), (None, UNKNOWN)] {
            told(older(role).add_a_role().await, added);
            told(older(role).ask_for_none().await, NEW);
        }
    });
}
