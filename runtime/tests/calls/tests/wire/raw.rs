//! Bare sockets, and just enough of the protocol to parse records, for peers that a test plays by hand.

use std::collections::VecDeque;
use std::sync::OnceLock;

use rmpv::Value;

use crate::rig::TIMEOUT;

/// Code, outcome and cause of an error, as numbers; `None` for nil.
pub(crate) type Numbers = [Option<u64>; 3];

/// A received record: its elements, and its bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) elements: Vec<Value>,
    pub(crate) bytes: Vec<u8>,
}

/// The kinds of records, with the names in the document.
pub(crate) mod kind {
    pub(crate) const CALL: u64 = 1;
    pub(crate) const ONE_WAY: u64 = 2;
    pub(crate) const REPLY: u64 = 3;
    pub(crate) const ERROR: u64 = 4;
    pub(crate) const ITEMS: u64 = 5;
    pub(crate) const END: u64 = 6;
    pub(crate) const CREDIT: u64 = 7;
    pub(crate) const CANCEL: u64 = 8;
    pub(crate) const PING: u64 = 9;
    pub(crate) const PONG: u64 = 10;
    pub(crate) const GOING_AWAY: u64 = 11;
    pub(crate) const QUERY: u64 = 65;
}

impl Record {
    pub(crate) fn kind(&self) -> u64 {
        self.number(0)
    }

    pub(crate) fn id(&self) -> u64 {
        self.number(1)
    }

    /// Returns an element that is a number.
    pub(crate) fn number(&self, index: usize) -> u64 {
        self.elements[index].as_u64().unwrap_or_else(|| panic!("a number at {index} of {self:?}"))
    }

    /// Returns an element that is a `bin`.
    pub(crate) fn bin(&self, index: usize) -> &[u8] {
        self.elements[index].as_slice().unwrap_or_else(|| panic!("a bin at {index} of {self:?}"))
    }

    /// Returns the message of an error record.
    pub(crate) fn message(&self) -> &str {
        self.elements[3].as_str().unwrap_or_else(|| panic!("a message in {self:?}"))
    }

    /// Returns the code, the outcome and the cause of an error record; `None` for nil.
    pub(crate) fn numbers(&self) -> Numbers {
        assert_eq!(self.kind(), kind::ERROR, "{self:?}");
        // A cause stands last; what is nil at the end is left off.
        [2, 4, 7].map(|index| self.elements.get(index).and_then(Value::as_u64))
    }

    /// Returns the call, the code and the outcome of an error record.
    pub(crate) fn error(&self) -> (u64, u64, u64) {
        assert_eq!(self.kind(), kind::ERROR, "{self:?}");
        (self.id(), self.number(2), self.number(4))
    }
}

/// Returns the records of a valid batch.
pub(crate) fn records(batch: &[u8]) -> Vec<Record> {
    assert_eq!(batch.first(), Some(&1), "the version of {batch:02x?}");
    let mut rest = &batch[1..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let before = rest;
        let value = rmpv::decode::read_value(&mut rest).expect("a record");
        let bytes = before[..before.len() - rest.len()].to_vec();
        let Value::Array(elements) = value else { panic!("a record is an array, not {value}") };
        records.push(Record { elements, bytes });
    }
    records
}

/// Returns a batch of records.
pub(crate) fn batch(records: &[Value]) -> Vec<u8> {
    let mut batch = vec![1];
    for record in records {
        batch.extend(packed(record));
    }
    batch
}

/// Returns the encoding of a value.
pub(crate) fn packed(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).expect("writing to a `Vec` can't fail");
    bytes
}

/// Builds a record of elements that are numbers, strings, or values.
macro_rules! record {
    ($($element:expr),* $(,)?) => { ::rmpv::Value::Array(vec![$(::rmpv::Value::from($element)),*]) };
}
pub(crate) use record;

/// Returns the full name of a method of the tape.
pub(crate) fn tape(method: &str) -> String {
    format!("market.v1.Tape/{method}")
}

/// Returns the record of a call of the tape.
pub(crate) fn call(id: u64, method: &str, params: &Value) -> Value {
    record![kind::CALL, id, tape(method), Value::Binary(packed(params))]
}

/// Returns the record of a call of the tape that is answered with a stream.
pub(crate) fn call_with_credit(id: u64, method: &str, params: &Value, credit: u64) -> Value {
    let body = Value::Binary(packed(params));
    record![kind::CALL, id, tape(method), body, Value::Nil, Value::Nil, credit]
}

/// Returns frames as slices, as sockets take them.
pub(crate) fn slices(frames: &[Vec<u8>]) -> Vec<&[u8]> {
    frames.iter().map(Vec::as_slice).collect()
}

fn context() -> &'static zmq::Context {
    static CONTEXT: OnceLock<zmq::Context> = OnceLock::new();
    CONTEXT.get_or_init(zmq::Context::new)
}

/// Returns a socket that waits no longer than [`TIMEOUT`], and queues any number of messages.
pub(crate) fn socket(kind: zmq::SocketType) -> zmq::Socket {
    let socket = context().socket(kind).expect("the process has free descriptors");
    let patience = i32::try_from(TIMEOUT.as_millis()).expect("the timeout is less than 24 days");
    socket.set_rcvtimeo(patience).expect("libzmq has this option");
    socket.set_sndtimeo(patience).expect("libzmq has this option");
    socket.set_linger(0).expect("libzmq has this option");
    socket.set_sndhwm(0).expect("libzmq has this option");
    socket.set_rcvhwm(0).expect("libzmq has this option");
    socket
}

/// Binds to any free port, and returns the endpoint.
pub(crate) fn bind(socket: &zmq::Socket) -> String {
    socket.bind("tcp://127.0.0.1:*").expect("there is a free port");
    socket.get_last_endpoint().expect("the socket is bound").expect("the endpoint is UTF-8")
}

/// A client's socket.
pub(crate) struct Dealer {
    socket: zmq::Socket,
    /// Records that were received and not returned yet.
    came: VecDeque<Record>,
    last_ping: u64,
}

impl Dealer {
    pub(crate) fn connect(endpoint: &str) -> Self {
        Self::over(socket(zmq::DEALER), endpoint)
    }

    /// Connects as a peer that announces a routing id.
    pub(crate) fn connect_named(endpoint: &str, name: &[u8]) -> Self {
        let socket = socket(zmq::DEALER);
        socket.set_identity(name).expect("libzmq has this option");
        Self::over(socket, endpoint)
    }

    /// Connects with very small receive buffers.
    pub(crate) fn connect_narrow(endpoint: &str) -> Self {
        let socket = socket(zmq::DEALER);
        socket.set_rcvhwm(1).expect("libzmq has this option");
        socket.set_rcvbuf(4096).expect("libzmq has this option");
        Self::over(socket, endpoint)
    }

    fn over(socket: zmq::Socket, endpoint: &str) -> Self {
        socket.connect(endpoint).expect("the endpoint is valid");
        // Far from the ids that tests use for their calls.
        Self { socket, came: VecDeque::new(), last_ping: 1_000_000 }
    }

    /// Sends bytes unchanged.
    pub(crate) fn send(&self, batch: impl AsRef<[u8]>) {
        self.socket.send(batch.as_ref(), 0).expect("the queue has no bound");
    }

    /// Sends records.
    pub(crate) fn say(&self, records: &[Value]) {
        self.send(batch(records));
    }

    /// Sends a message of several frames.
    pub(crate) fn send_frames(&self, frames: &[&[u8]]) {
        self.socket.send_multipart(frames, 0).expect("the queue has no bound");
    }

    /// Returns the frames of the next message.
    pub(crate) fn message(&self) -> Vec<Vec<u8>> {
        self.socket.recv_multipart(0).expect("the server sends a message")
    }

    /// Returns the next record of any kind.
    pub(crate) fn next(&mut self) -> Record {
        while self.came.is_empty() {
            let frames = self.message();
            let batch = frames.last().expect("a message has a frame");
            self.came.extend(records(batch));
        }
        self.came.pop_front().expect("a record was received")
    }

    /// Returns the next record that is not a grant of credit.
    pub(crate) fn answer(&mut self) -> Record {
        loop {
            let record = self.next();
            if record.kind() != kind::CREDIT {
                return record;
            }
        }
    }

    /// Returns the next error.
    pub(crate) fn error(&mut self) -> Record {
        loop {
            let record = self.next();
            if record.kind() == kind::ERROR {
                return record;
            }
        }
    }

    /// Sends a ping, and returns all records before the pong. Everything sent earlier was read by then.
    pub(crate) fn sync(&mut self) -> Vec<Record> {
        self.last_ping += 1;
        let ping = self.last_ping;
        self.say(&[record![kind::PING, ping]]);
        let mut before = Vec::new();
        loop {
            let record = self.next();
            if (record.kind(), record.id()) == (kind::PONG, ping) {
                return before;
            }
            before.push(record);
        }
    }

    /// Makes a call that can't fail, and ignores other records.
    pub(crate) fn good_call(&mut self) {
        self.last_ping += 1;
        let id = self.last_ping;
        self.say(&[call(id, "last", &record!["ACME"])]);
        let reply = loop {
            let record = self.next();
            if record.id() == id {
                break record;
            }
        };
        assert_eq!(reply.kind(), kind::REPLY, "{reply:?}");
    }
}

/// A server's socket, for one client.
pub(crate) struct Router {
    socket: zmq::Socket,
    endpoint: String,
    /// Route of the last message.
    route: Vec<Vec<u8>>,
    came: VecDeque<Record>,
}

impl Router {
    pub(crate) fn bind() -> Self {
        let socket = socket(zmq::ROUTER);
        let endpoint = bind(&socket);
        Self { socket, endpoint, route: Vec::new(), came: VecDeque::new() }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the frames of the next message, the first of which is its route.
    pub(crate) fn message(&mut self) -> Vec<Vec<u8>> {
        let frames = self.socket.recv_multipart(0).expect("the client sends a message");
        self.route = frames[..1].to_vec();
        frames
    }

    /// Returns the next record of any kind.
    pub(crate) fn next(&mut self) -> Record {
        while self.came.is_empty() {
            let mut frames = self.socket.recv_multipart(0).expect("the client sends a message");
            let batch = frames.pop().expect("a message has a frame");
            self.route = frames;
            self.came.extend(records(&batch));
        }
        self.came.pop_front().expect("a record was received")
    }

    /// Returns the next record of the given kind, ignoring others.
    pub(crate) fn next_of(&mut self, kind: u64) -> Record {
        loop {
            let record = self.next();
            if record.kind() == kind {
                return record;
            }
        }
    }

    /// Returns the id of the next call.
    pub(crate) fn next_call(&mut self) -> u64 {
        self.next_of(kind::CALL).id()
    }

    /// Sends bytes unchanged to the sender of the last message.
    pub(crate) fn send(&self, batch: impl AsRef<[u8]>) {
        self.send_frames(&[batch.as_ref()]);
    }

    /// Sends records.
    pub(crate) fn say(&self, records: &[Value]) {
        self.send(batch(records));
    }

    /// Sends a message of several frames.
    pub(crate) fn send_frames(&self, frames: &[&[u8]]) {
        let route = self.route.iter().map(Vec::as_slice);
        let frames: Vec<&[u8]> = route.chain(frames.iter().copied()).collect();
        self.socket.send_multipart(frames, 0).expect("the queue has no bound");
    }
}
