//! The document's tables of the errors that a server makes: a real server is made to say each of them, and says it with the numbers of
//! its row. A row is never skipped, on neither engine.

mod after;
mod before;

use rmpv::Value;
use zsvc::{Cause, Outcome, ServerBuilder, Status};

use crate::listings::DOCUMENT;
use crate::raw::{Dealer, Numbers, Record, call, kind, packed, record, tape};
use crate::rig::{Serving, assert_no_panics};

/// Returns the rows of the document's tables of errors: what is wrong, and the numbers.
fn rows() -> Vec<(String, Numbers)> {
    let chapter = DOCUMENT.split("\n### Errors of a server\n").nth(1).expect("the chapter is there");
    let chapter = chapter.split("\n## ").next().unwrap_or(chapter);
    let rows = chapter.lines().filter(|line| line.starts_with('|') && !line.contains("---"));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    let rows = cells.filter(|cells| cells.get(1).is_some_and(|cell| *cell != "code"));
    rows.map(|cells| {
        let [what, code, outcome, cause] = cells[..] else { panic!("{cells:?}") };
        (what.to_owned(), [code, outcome, cause].map(|number| number.parse().ok()))
    })
    .collect()
}

/// The rows that no server has said yet.
struct Told {
    rows: Vec<(String, Numbers)>,
}

impl Told {
    /// Checks an error against its row: its numbers, and whether it is about one call.
    fn check(&mut self, what: &str, error: &Record) {
        let at = self.rows.iter().position(|(row, _)| row == what);
        let (_, expected) = self.rows.remove(at.unwrap_or_else(|| panic!("the document has `{what}` once")));
        assert_eq!(error.numbers(), expected, "{what}: {error:?}");
        assert_eq!(error.id() == 0, what.ends_with("; id 0"), "{what}: {error:?}");
    }

    /// Checks how a call has failed against its row.
    fn check_status(&mut self, what: &str, status: &Status) {
        let at = self.rows.iter().position(|(row, _)| row == what);
        let (_, expected) = self.rows.remove(at.unwrap_or_else(|| panic!("the document has `{what}` once")));
        let outcomes = [Outcome::NotSent, Outcome::MaybeExecuted, Outcome::Executed];
        let outcome = outcomes.iter().position(|outcome| *outcome == status.outcome());
        let cause = status.cause().map(|cause| match cause {
            Cause::Forbidden => 11,
            other => panic!("{what}: {other:?}"),
        });
        let numbers = [Some(status.code().number().into()), outcome.map(|number| number as u64), cause];
        assert_eq!(numbers, expected, "{what}: {status}");
    }

    /// Starts a server, has a client do something, and checks the next error. Returns its message.
    fn by(
        &mut self,
        what: &str,
        set: impl FnOnce(ServerBuilder) -> ServerBuilder,
        ask: impl FnOnce(&mut Dealer),
    ) -> String {
        let server = Serving::with(set).lossy();
        let mut dealer = Dealer::connect(&server.endpoint);
        ask(&mut dealer);
        let error = dealer.error();
        self.check(what, &error);
        error.message().to_owned()
    }
}

fn same(server: ServerBuilder) -> ServerBuilder {
    server
}

/// Returns a call that is never answered.
pub(crate) fn slow(id: u64) -> Value {
    call(id, "last", &record!["SLOW"])
}

/// Returns a call of `last` with more elements: a deadline in microseconds, and metadata.
pub(crate) fn last_with(deadline: Value, metadata: Value) -> Value {
    let body = Value::Binary(packed(&record!["ACME"]));
    record![kind::CALL, 1, tape("last"), body, deadline, metadata]
}

/// Returns a call of `echo`, with an encoded shape.
fn echo(shape: &Value) -> Value {
    record![kind::CALL, 1, "shapes.v1.Shapes/echo", Value::Binary(packed(&record![shape.clone()]))]
}

#[test]
fn every_error_that_a_server_makes_is_as_the_document_says() {
    let mut told = Told { rows: rows() };
    before::messages(&mut told);
    before::batches(&mut told);
    before::admission(&mut told);
    before::roles(&mut told);
    before::tokens(&mut told);
    before::turns(&mut told);
    before::middleware(&mut told);
    before::parameters(&mut told);
    after::calls(&mut told);
    after::clients(&mut told);
    after::answers(&mut told);
    assert_eq!(told.rows, [], "the document says more than was provoked");
    assert_no_panics();
}
