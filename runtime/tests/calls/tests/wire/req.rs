//! A REQ socket as the client of methods that are answered once: it puts an empty frame before its message, and expects one
//! before the answer.

use crate::raw::{batch, call, kind, record, records, socket};
use crate::rig::{Serving, assert_no_panics};

#[test]
fn a_request_is_a_call_and_its_reply_the_answer() {
    let server = Serving::start();
    let request = socket(zmq::REQ);
    request.connect(&server.endpoint).expect("the endpoint is valid");
    for id in 1..=3 {
        request.send(batch(&[call(id, "last", &record!["ACME"])]), 0).expect("the last was answered");
        let reply = request.recv_bytes(0).expect("the server sends a message");
        let [reply] = &records(&reply)[..] else { panic!("one record answers") };
        assert_eq!((reply.kind(), reply.id()), (kind::REPLY, id));
    }
    request.send(batch(&[call(4, "missing", &record![])]), 0).expect("the last was answered");
    let reply = request.recv_bytes(0).expect("the server sends a message");
    assert_eq!(records(&reply)[0].error(), (4, 12, 0));
    assert_no_panics();
}

#[test]
fn two_of_them_are_two_clients() {
    let server = Serving::start();
    let requests = [(); 2].map(|()| socket(zmq::REQ));
    for request in &requests {
        request.connect(&server.endpoint).expect("the endpoint is valid");
        request.send(batch(&[call(1, "last", &record!["ACME"])]), 0).expect("it is the first");
    }
    for request in &requests {
        let reply = request.recv_bytes(0).expect("the server sends a message");
        assert_eq!(records(&reply)[0].kind(), kind::REPLY);
    }
    assert_no_panics();
}
