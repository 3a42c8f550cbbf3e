//! What several clients of one server may have of what belongs to all of them.

use super::*;

impl Client {
    /// Returns another client of the same server.
    fn another(&self) -> Self {
        Self {
            session: Session::new(Arc::clone(&self.shared)),
            methods: Methods::new(&METHODS).expect("their names differ"),
            now: self.now,
            clock: ListeningClock::new(self.shared.config()),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Makes calls that are not answered until one is refused. Returns how many were taken.
    fn take_all(&mut self) -> usize {
        let before = self.session.in_flight();
        while self.try_open() {}
        self.session.in_flight() - before
    }

    fn try_open(&mut self) -> bool {
        let id = u32::try_from(self.session.in_flight() + 1).expect("they are few").to_be_bytes();
        let head = [&[0x94, 1, 0xce][..], &id, &[0xab]].concat();
        !self.receive(&[[&head[..], b"t.Odd/unary", &[0xc4, 1, 0x90]].concat()]).is_empty()
    }
}

/// Returns a server with 1,000 places, of which greedy clients have taken what they can.
fn taken_by(greedy: usize) -> Vec<Client> {
    let mut clients =
        vec![Client::new(|config| (config.max_calls, config.max_calls_per_peer) = (1_000, 200))];
    for _ in 1..greedy {
        clients.push(clients[0].another());
    }
    for client in &mut clients {
        client.take_all();
    }
    clients
}

#[test]
fn every_client_that_comes_finds_room_however_many_came_before() {
    let mut clients = taken_by(6);
    let taken = clients[0].shared.calls();
    assert!((750..800).contains(&taken), "{taken}");
    // All of them are as greedy, and let nothing go.
    let shares: Vec<usize> = (0..100)
        .map(|_| {
            let mut client = clients[0].another();
            let taken = client.take_all();
            clients.push(client);
            taken
        })
        .collect();
    assert!(shares[0] >= 8 && shares.iter().all(|share| *share >= 1), "{shares:?}");
    assert!(shares.is_sorted_by(|one, next| one >= next), "{shares:?}");
    assert!(clients[0].shared.calls() < 1_000);
    // Only those that ask for more than their share are turned away.
    assert!(!clients[0].try_open() && clients[0].another().try_open());
}

#[test]
fn a_client_past_its_share_is_told_both_numbers_and_when_to_call_again() {
    let mut clients = taken_by(6);
    // The three before it have as many as one client may.
    let client = &mut clients[3];
    client.told();
    assert!(!client.try_open());
    let message = client.session.poll_transmit().expect("it is told");
    let mut reader = Reader::new(message.batch()).unwrap();
    let Some(Record::Error { failure: Failure::Status(status), .. }) = reader.next().unwrap() else {
        panic!("it is no error")
    };
    assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::NotSent));
    assert_eq!(status.retry_after(), Some(RETRY_AFTER));
    let all = client.shared.calls();
    let expected = format!(
        "this client has 150 calls in flight, past its share: the server has {all} and may have 1000, and keeps the rest for \
         clients with fewer"
    );
    assert_eq!(status.message(), expected);
}

#[test]
fn who_lets_go_of_calls_is_not_counted_and_leaves_its_room_to_others() {
    let mut clients = taken_by(6);
    let why = Status::unavailable("it is gone");
    for client in &mut clients[1..] {
        client.session.close(&why, DropReason::Unreachable);
    }
    assert_eq!(clients[0].shared.calls(), 200);
    let mut alone = clients[0].another();
    clients[0].session.fail_all(&why);
    assert_eq!(alone.shared.calls(), 0);
    // By every way that calls end: none of them leaves a client counted, whose share would be missing.
    for _ in 0..3 {
        let key = alone.open(1);
        alone.reply(key, 10);
        alone.open(2);
        alone.cancel(2);
        alone.session.begin_one_way();
        let _ = alone.open(3);
        alone.session.end_one_way();
        alone.cancel(3);
    }
    assert_eq!((alone.shared.calls(), alone.shared.clients()), (0, 0));
}

#[test]
fn one_way_calls_take_of_the_same_share() {
    let mut clients = taken_by(6);
    let unheard = |client: &mut Client| {
        client.receive(&[call(0, "t.Odd/unheard")]);
        client.counts().dropped(DropReason::OneWay)
    };
    assert_eq!(unheard(&mut clients[5]), 1, "it has had its share");
    let mut newcomer = clients[0].another();
    assert_eq!(unheard(&mut newcomer), 0);
    for _ in 0..50 {
        newcomer.session.begin_one_way();
    }
    assert_eq!(unheard(&mut newcomer), 1);
}

#[test]
fn few_places_are_not_shared_out() {
    for max in 0..4 {
        let mut client = Client::new(|config| config.max_calls = max);
        assert_eq!(client.take_all(), max);
    }
}
