//! Who may call: every method is tried by clients with every set of roles.

use super::*;
use crate::identity::Identity;
use crate::status::Cause;

static GUARDED: [Method; 6] = [
    Method::new("t.Vault/open", MethodKind::Unary).roles(&["admin"]),
    Method::new("t.Vault/read", MethodKind::ServerStream).roles(&["trader", "admin"]),
    Method::new("t.Vault/log", MethodKind::OneWay).roles(&["robot"]),
    Method::new("t.Vault/time", MethodKind::Unary).public(),
    Method::new("t.Vault/ping", MethodKind::OneWay).public(),
    Method::new("t.Vault/plain", MethodKind::Unary),
];

fn guarded() -> Client {
    let mut client = Client::new(|_| ());
    client.methods = Methods::new(&GUARDED).expect("their names differ");
    client
}

fn known(roles: &[&str]) -> Identity {
    roles.iter().fold(Identity::new("alice"), |identity, role| identity.with_role(*role))
}

/// Returns a call of a method as its kind asks for.
fn call_of(method: &Method) -> Vec<u8> {
    let record = if method.kind() == MethodKind::OneWay { 2 } else { 1 };
    let length = u8::try_from(method.name().len()).expect("it is short");
    [&[0x94, record, 1, 0xa0 | length], method.name().as_bytes(), &[0xc4, 1, 0x90]].concat()
}

/// Makes a call. Returns who the call says that its client is, if it was taken.
fn taken(client: &mut Client, record: &[u8]) -> Vec<Option<Identity>> {
    let batch = Bytes::from([&[1], record].concat());
    let now = client.now;
    client.session.handle_message(now, batch.into());
    let mut taken = Vec::new();
    while let Some(event) = client.session.poll_event(&client.methods, || now) {
        let (Event::Call { call, .. } | Event::OneWay(call)) = event;
        taken.push(call.identity);
    }
    taken
}

fn errors(client: &mut Client) -> Vec<Status> {
    let mut errors = Vec::new();
    while let Some(message) = client.session.poll_transmit() {
        let mut reader = Reader::new(message.batch()).expect("it is a batch");
        while let Some(record) = reader.next().expect("it is well-formed") {
            match record {
                Record::Error { failure: Failure::Status(status), .. } => errors.push(status),
                other => panic!("{other:?}"),
            }
        }
    }
    errors
}

#[test]
fn each_method_takes_the_calls_of_its_roles_alone() {
    let clients: [Option<&[&str]>; 7] = [
        None,
        Some(&[]),
        Some(&["admin"]),
        Some(&["trader"]),
        Some(&["robot"]),
        Some(&["robot", "trader"]),
        Some(&["Admin", "admin ", "adm", "public", ""]),
    ];
    for method in &GUARDED {
        for roles in clients {
            let mut client = guarded();
            let identity = roles.map(known);
            client.session.set_identity(identity.clone());
            let asked = method.required_roles();
            let may =
                asked.is_empty() || roles.is_some_and(|own| own.iter().any(|role| asked.contains(role)));
            let what = format!("{} by {roles:?}", method.name());

            let call = taken(&mut client, &call_of(method));
            assert_eq!(call, Vec::from_iter(may.then_some(identity)), "{what}");
            let is_one_way = method.kind() == MethodKind::OneWay;
            let counts = client.counts();
            let expected = (u64::from(!may), u64::from(!may && is_one_way));
            assert_eq!((counts.refused, counts.dropped(DropReason::OneWay)), expected, "{what}");
            assert_eq!(client.shared.calls(), usize::from(may && !is_one_way), "{what}");
            let told = errors(&mut client);
            assert_eq!(told.len(), usize::from(!may && !is_one_way), "{what}");
            for status in told {
                let code = if roles.is_some() { Code::PermissionDenied } else { Code::Unauthenticated };
                assert_eq!((status.code(), status.outcome()), (code, Outcome::NotSent), "{what}");
                assert_eq!(status.cause(), Some(Cause::Forbidden), "{what}");
            }
        }
    }
}

#[test]
fn a_client_is_told_which_roles_a_method_takes() {
    let mut client = guarded();
    taken(&mut client, &call_of(&GUARDED[0]));
    client.session.set_identity(Some(Identity::new("x".repeat(5_000)).with_role("trader")));
    taken(&mut client, &call_of(&GUARDED[0]));
    client.session.set_identity(Some(known(&["robot"])));
    taken(&mut client, &call_of(&GUARDED[1]));
    let told: Vec<String> = errors(&mut client).iter().map(|status| status.message().to_owned()).collect();
    let unknown =
        "a call of `t.Vault/open` takes the role `admin`, and the server does not know who this client is";
    let long =
        format!("a call of `t.Vault/open` takes the role `admin`, and `{}` has not got it", "x".repeat(200));
    let other =
        "a call of `t.Vault/read` takes one of the roles `trader`, `admin`, and `alice` has none of them";
    assert_eq!(told, [unknown, &long, other]);
}

#[test]
fn roles_that_change_hold_for_later_calls() {
    let mut client = guarded();
    client.session.set_identity(Some(known(&["admin"])));
    let key = client.receive(&[call_of(&GUARDED[0])])[0];
    client.session.set_identity(None);
    assert!(client.session.is_in_flight(key), "what is in flight goes on");
    assert!(
        client.receive(&[[&[0x94, 1, 2, 0xac], &b"t.Vault/open"[..], &[0xc4, 1, 0x90]].concat()]).is_empty()
    );
    assert_eq!(client.told(), [error(2, Code::Unauthenticated, Outcome::NotSent)]);
}

#[test]
fn a_refusal_comes_before_all_that_the_call_says() {
    let mut client = guarded();
    client.shared.drain();
    // Going away, with no time left, and with parameters that can't be read.
    let late = [&[0x95, 1, 1, 0xac], &b"t.Vault/open"[..], &[0xc4, 1, 0xc1, 0]].concat();
    assert!(taken(&mut client, &late).is_empty());
    assert_eq!(client.told(), [error(1, Code::Unauthenticated, Outcome::NotSent)]);
    // An unknown method, and one by the wrong kind of record, are told first: neither says more than the schema.
    assert!(taken(&mut client, &call(1, "t.Vault/none")).is_empty());
    let wrong_kind = [&[0x94, 1, 1, 0xab], &b"t.Vault/log"[..], &[0xc4, 1, 0x90]].concat();
    assert!(taken(&mut client, &wrong_kind).is_empty());
    let refused = |code| error(1, code, Outcome::NotSent);
    assert_eq!(client.told(), [refused(Code::Unimplemented), refused(Code::InvalidArgument)]);
}

#[test]
fn roles_are_left_to_later_of_calls_with_an_entry_and_of_no_others() {
    let mut client = guarded();
    client.methods = std::mem::take(&mut client.methods).ignoring_roles_with("authorization");
    let with = |name: &str| {
        let name = [&[0xa0 | u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
        [&[0x96, 1, 1, 0xac], &b"t.Vault/open"[..], &[0xc4, 1, 0x90, 0xc0, 0x81], &name[..], &[0xa1, b'x']]
            .concat()
    };
    for (name, is_taken) in [("authorization", true), ("Authorization", true), ("author", false)] {
        assert_eq!(!taken(&mut client, &with(name)).is_empty(), is_taken, "{name}");
        client.session.close(&Status::cancelled("over"), DropReason::ServerEnded);
        client.told();
    }
    let mut client = guarded();
    client.methods = std::mem::take(&mut client.methods).ignoring_roles_with("authorization");
    assert!(taken(&mut client, &call_of(&GUARDED[0])).is_empty());
    assert_eq!(client.told(), [error(1, Code::Unauthenticated, Outcome::NotSent)]);
}

#[test]
fn a_server_may_be_told_to_ignore_roles() {
    let mut client = guarded();
    client.methods = std::mem::take(&mut client.methods).ignoring_roles();
    for method in &GUARDED {
        assert_eq!(taken(&mut client, &call_of(method)), [None], "{}", method.name());
        client.session.close(&Status::cancelled("over"), DropReason::ServerEnded);
    }
}
