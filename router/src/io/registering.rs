//! Whether a worker that registers is taken.

use zsvc::Identity;
use zsvc_proto::status::{Cause, Code, Failure, Status};
use zsvc_proto::wire::{self, Malformed, Message, REGISTRATION_ID, Registration};

use crate::config::{DEFAULT_CAPACITY, OWN_NAME};
use crate::forwarder::{Beyond, NewWorker};
use crate::rights::{Rights, is_name};

/// Maximum length of a name in bytes: it stands in messages and in the log.
const MAX_NAME_BYTES: usize = 200;

/// Returns the worker that registers, or why it is refused. `address` is where it comes from.
pub(super) fn admit(
    registration: Result<Registration, Malformed>,
    rights: &Rights,
    identity: Option<&Identity>,
    address: &str,
) -> Result<NewWorker, Status> {
    let registration = registration.map_err(|malformed| {
        Status::invalid_argument(format!("the registration can't be read: {malformed}"))
            .caused_by(Cause::BadValue)
    })?;
    for service in &registration.services {
        check_service(service, rights)?;
    }
    let mut services = registration.services;
    services.sort();
    services.dedup();
    let capacity = if registration.capacity == 0 { DEFAULT_CAPACITY } else { registration.capacity };
    let name = match registration.name.as_str() {
        "" => identity.map_or_else(|| address.to_owned(), |identity| identity.name().to_owned()),
        name if name.len() > MAX_NAME_BYTES || name.contains(char::is_control) => {
            let why = format!("a worker's name has up to {MAX_NAME_BYTES} bytes, and no control characters");
            return Err(Status::invalid_argument(why).caused_by(Cause::BadValue));
        }
        name if name == OWN_NAME => {
            let why =
                format!("`{OWN_NAME}` is what the router calls itself; give the worker a name of its own");
            return Err(Status::invalid_argument(why).caused_by(Cause::BadValue));
        }
        name => name.to_owned(),
    };
    let realm = rights.realm().to_owned();
    Ok(NewWorker { name, services, capacity, standby: registration.standby, realm })
}

fn check_service(service: &str, rights: &Rights) -> Result<(), Status> {
    if !service.contains('.') || !service.split('.').all(is_name) || service.len() > MAX_NAME_BYTES {
        // The peer has written it, and it goes to the log.
        let shown: String = service.chars().take(100).flat_map(char::escape_debug).collect();
        let why = format!("`{shown}` is no name of a service");
        return Err(Status::invalid_argument(why).caused_by(Cause::BadValue));
    }
    if rights.may_serve(service) {
        return Ok(());
    }
    Err(not_granted(service, rights))
}

/// Returns why a worker may not answer a service.
fn not_granted(service: &str, rights: &Rights) -> Status {
    let (code, why) = if rights.is_known() {
        (Code::PermissionDenied, "none of the worker's roles is granted to serve it")
    } else {
        (
            Code::Unauthenticated,
            "the router does not know who the worker is, and does not grant everybody to serve it",
        )
    };
    Status::new(code, format!("`{service}`: {why}")).caused_by(Cause::Forbidden)
}

/// Returns why the registration of a worker ends whose rights are others now.
pub(super) fn ended(beyond: Beyond, rights: &Rights) -> Status {
    match beyond {
        Beyond::Realm => {
            Status::permission_denied("the worker is in another realm now; it may register again")
                .caused_by(Cause::Forbidden)
        }
        Beyond::Service(service) => not_granted(&service, rights),
    }
}

/// Returns why a worker is refused for which there is no room.
pub(super) fn too_many() -> Status {
    Status::resource_exhausted("the router has as many workers, or services, as it may")
        .caused_by(Cause::Overloaded)
}

/// Returns the message that refuses a registration, or ends it.
pub(super) fn refusal(why: &Status) -> Message {
    let mut batch = vec![wire::VERSION];
    let failure = Failure::Status(why.clone().not_sent());
    wire::error(&mut batch, REGISTRATION_ID, &failure);
    Message::from(batch)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rights::{Grant, Rules, Scope};

    fn rights_of(grant: Grant, identity: Option<&Identity>) -> Arc<Rights> {
        Rights::of(&Rules { grants: vec![grant], ..Rules::default() }, identity, None)
    }

    fn admitted(registration: Registration, serve: &str) -> Result<NewWorker, Code> {
        let grant = Grant { serve: vec![Scope::read(serve).unwrap()], ..Grant::default() };
        let rights = rights_of(grant, None);
        admit(Ok(registration), &rights, None, "10.0.0.7:5").map_err(|status| status.code())
    }

    fn of(services: &[&str]) -> Registration {
        Registration {
            services: services.iter().map(|name| (*name).to_owned()).collect(),
            ..Registration::default()
        }
    }

    #[test]
    fn a_worker_is_taken_with_what_it_may_serve() {
        let worker = admitted(of(&["a.C", "a.B", "a.B"]), "a.*").unwrap();
        assert_eq!((worker.name.as_str(), worker.capacity), ("10.0.0.7:5", DEFAULT_CAPACITY));
        assert_eq!(worker.services, ["a.B", "a.C"]);
        let named = Registration { name: "w".to_owned(), capacity: 3, standby: 2, ..of(&["a.B"]) };
        let worker = admitted(named, "*").unwrap();
        assert_eq!((worker.name.as_str(), worker.capacity, worker.standby), ("w", 3, 2));
    }

    #[test]
    fn others_are_refused() {
        assert_eq!(admitted(of(&["a.B", "b.B"]), "a.*"), Err(Code::Unauthenticated));
        for service in ["", "a", "a.", "a.B/m", "a.B C", "a.\u{e9}"] {
            assert_eq!(admitted(of(&[service]), "*"), Err(Code::InvalidArgument), "{service}");
        }
        for name in [&*"x".repeat(201), "x\nzsvc router: drains", "\u{1b}[2J", "\u{9b}2J", OWN_NAME] {
            let named = Registration { name: name.to_owned(), ..of(&["a.B"]) };
            assert_eq!(admitted(named, "*"), Err(Code::InvalidArgument), "{name:?}");
        }
        let grant = Grant { call: vec![Scope::All], ..Grant::default() };
        let known = rights_of(grant, Some(&Identity::new("x")));
        let refused = admit(Ok(of(&["a.B"])), &known, None, "").unwrap_err();
        assert_eq!((refused.code(), refused.cause()), (Code::PermissionDenied, Some(Cause::Forbidden)));
        let forged = admit(Ok(of(&["a.B\n\u{1b}[2Jup"])), &known, None, "").unwrap_err();
        assert_eq!(forged.message(), "`a.B\\n\\u{1b}[2Jup` is no name of a service");
    }
}
