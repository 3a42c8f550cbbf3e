//! Records of kinds that the server does not know.

use super::*;

/// Answers are ten times as long as such records, so a client could have a server write for it without end.
#[test]
fn few_records_of_an_unknown_kind_are_answered_unless_they_belong_to_a_call() {
    let mut client = Client::new(|_| ());
    client.open(9);
    let unknown = |id| vec![0x92, 12, id];
    let records = [vec![unknown(5); 1_000], vec![unknown(9)], vec![unknown(5)]].concat();
    client.receive(&records);
    let told = client.told();
    let of = |id| error(id, Code::Unimplemented, Outcome::MaybeExecuted);
    assert_eq!(told.iter().filter(|line| **line == of(5)).count(), 64);
    assert_eq!((told.len(), told.last()), (65, Some(&of(9))), "the call has ended, whatever came before");
    assert_eq!(client.counts().unreadable, 1_002);
    client.receive(&[unknown(5)]);
    assert_eq!(client.told(), [of(5)], "another message");
}
