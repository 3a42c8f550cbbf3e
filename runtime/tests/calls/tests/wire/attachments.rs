//! Attachments: what the runtime attaches, how it reads attachments of other peers, and how it refuses invalid ones.

use rmpv::Value;
use zsvc::{Cause, Channel, ChannelBuilder, Code, Outcome, Retry};
use zsvc_calls::shapes::v1::{Shape, ShapesClient};

use crate::raw::{Dealer, batch, call, kind, packed, record, slices};
use crate::rig::{Serving, against, assert_no_panics};

/// Size in bytes from which on values are attached.
const MIN_ATTACHMENT_BYTES: usize = 32 * 1024;

/// Returns the body of an `echo` whose bytes are attached, and the attachment.
fn long_echo() -> (Vec<u8>, Vec<u8>) {
    (vec![0x91, 0x92, 8, 0xc5, 0x80, 0], vec![7; MIN_ATTACHMENT_BYTES])
}

/// Returns the record of a call of `echo` with the id 1 and attachments at the given positions of its body.
fn echo(body: &[u8], places: &[u64]) -> Value {
    let places = Value::Array(places.iter().copied().map(Value::from).collect());
    let nil = || Value::Nil;
    record![kind::CALL, 1, "shapes.v1.Shapes/echo", Value::Binary(body.to_vec()), nil(), nil(), nil(), places]
}

/// Returns a client that has sent nothing yet, and does not retry.
fn shapes(endpoint: &str, configure: impl FnOnce(ChannelBuilder) -> ChannelBuilder) -> ShapesClient {
    let channel = configure(Channel::builder().endpoint(endpoint).retry(Retry::none()));
    ShapesClient::new(channel.connect_lazy().expect("the endpoint is valid"))
}

#[test]
fn a_server_attaches_long_bytes_and_copies_shorter_ones() {
    let server = Serving::start();
    let dealer = Dealer::connect(&server.endpoint);
    let (body, bytes) = long_echo();
    dealer.say(&[echo(&[&body[..], &bytes].concat(), &[])]);
    let expected = [&[1, 0x94, 3, 1, 0xc6, 0, 0, 0, 5], &body[1..], &[0x91, 5]].concat();
    let message = dealer.message();
    assert!(message[0] == bytes, "the bytes differ; too long to print");
    assert_eq!(message[1..], [expected]);
    let shorter = [&[0x91, 0x92, 8, 0xc5, 0x7f, 0xff], &vec![7; MIN_ATTACHMENT_BYTES - 1][..]].concat();
    dealer.say(&[echo(&shorter, &[])]);
    assert_eq!(dealer.message().len(), 1, "one frame");
    assert_no_panics();
}

#[test]
fn a_client_attaches_them_too() {
    let (body, bytes) = long_echo();
    let value = Shape::Blob(bytes.clone().into());
    against(
        |endpoint| async move {
            let shapes = shapes(&endpoint, |channel| channel);
            let answer = shapes.echo(value).no_deadline().await;
            assert_eq!(answer, Ok(Shape::Blob(b"abc"[..].into())), "which came as three attachments");
        },
        |router| {
            let mut message = router.message();
            assert_eq!(message.len(), 3);
            assert!(message[1] == bytes, "the bytes differ; too long to print");
            let expected = [
                &[1, 0x98, 1, 0xce, 0, 0, 0, 1, 0xb5],
                &b"shapes.v1.Shapes/echo"[..],
                &[0xc6, 0, 0, 0, 6],
                &body,
                &[0xc0, 0xc0, 0xc0, 0x91, 6],
            ];
            assert_eq!(message.remove(2), expected.concat());
            let reply: [&[u8]; 4] =
                [b"\x92", b"\x08\xc4\x03a", b"bc", b"\x01\x94\x03\x01\xc4\x00\x93\x00\x00\x00"];
            router.send_frames(&reply);
        },
    );
}

/// The body may be cut at any place, and into any number of pieces.
#[test]
fn a_body_may_be_attached_anywhere() {
    let server = Serving::start();
    let dealer = Dealer::connect(&server.endpoint);
    let body = [&[0x91, 0x92, 8, 0xc4, 9][..], b"some more"].concat();
    for begin in 0..=body.len() {
        for end in begin..=body.len() {
            let middle = begin.midpoint(end);
            let inline = [&body[..begin], &body[end..]].concat();
            let place = begin as u64;
            let record = batch(&[echo(&inline, &[place, place])]);
            dealer.send_frames(&[&body[begin..middle], &body[middle..end], &record]);
            let message = dealer.message();
            assert_eq!(message.concat(), [&[1, 0x93, 3, 1, 0xc4, 13], &body[1..]].concat(), "{begin}..{end}");
        }
    }
    assert_eq!(server.counters.unreadable_batches(), 0);
    assert_no_panics();
}

#[test]
fn only_the_first_record_has_attachments() {
    let server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    let (inline, bytes) = ([0x91, 0x92, 8, 0xc4, 1], [7]);
    let first = |second| batch(&[echo(&inline, &[5]), second]);
    dealer.send_frames(&[&bytes[..], &first(call(2, "last", &record!["ACME"]))]);
    assert_eq!([dealer.next().id(), dealer.next().id()], [1, 2], "other records may follow");
    dealer.send_frames(&[&bytes[..], &first(echo(&inline, &[5]))]);
    assert_eq!(dealer.next().id(), 1);
    assert_eq!(dealer.next().error(), (0, 3, 1));
    // Here the frame belongs to the route, since the first record does not mention it.
    let second = batch(&[call(2, "last", &record!["ACME"]), echo(&inline, &[5])]);
    dealer.send_frames(&[&bytes[..], &second]);
    assert_eq!(dealer.next().id(), 2);
    assert_eq!(dealer.next().error(), (0, 3, 1));
    dealer.good_call();
    assert_no_panics();
}

#[test]
fn positions_must_fit_the_body_and_the_frames() {
    let server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    let inline = [0x91, 0x92, 8, 0xc4, 2];
    let broken = [
        (1, vec![6]),
        (1, vec![u64::MAX]),
        (2, vec![5, 4]),
        (0, vec![5]),
        (1, vec![5, 5]),
        (65, vec![5; 65]),
    ];
    let number = broken.len();
    for (frames, places) in broken {
        let mut message = vec![vec![7]; frames];
        message.push(batch(&[echo(&inline, &places)]));
        dealer.send_frames(&slices(&message));
        assert_eq!(dealer.next().error(), (0, 3, 1), "{frames} frames at {places:?}");
    }
    let Value::Array(mut no_array) = echo(&inline, &[]) else { panic!("a record is an array") };
    no_array[7] = 5.into();
    dealer.say(&[Value::Array(no_array)]);
    assert_eq!(dealer.next().error(), (0, 3, 1));
    assert_eq!(server.counters.unreadable_batches(), number as u64 + 1);
    dealer.good_call();
    // However long the frames are, they are not taken for attachments.
    let mut message = vec![vec![7; MIN_ATTACHMENT_BYTES]; 65];
    message.push(batch(&[echo(&inline, &[5; 65])]));
    dealer.send_frames(&slices(&message));
    assert_eq!(dealer.next().error(), (0, 3, 1));
    // The maximum number of frames.
    let mut message = vec![vec![7]; 64];
    message.push(batch(&[echo(&[0x91, 0x92, 8, 0xc4, 64], &[5; 64])]));
    dealer.send_frames(&slices(&message));
    assert_eq!(dealer.next().bin(2), [&[0x92, 8, 0xc4, 64][..], &[7; 64]].concat());
    assert_no_panics();
}

#[test]
fn attachments_count_against_the_size_limit() {
    let server = Serving::with(|server| server.max_message_size(1_000));
    let mut dealer = Dealer::connect(&server.endpoint);
    let attached = |bytes: usize| {
        let [.., high, low] = bytes.to_be_bytes();
        let batch = batch(&[echo(&[0x91, 0x92, 8, 0xc5, high, low], &[6])]);
        dealer.send_frames(&[&vec![7; bytes][..], &batch]);
    };
    attached(995);
    assert_eq!(dealer.next().error(), (1, 8, 0), "of the body");
    // Far more bytes than a message may have, in frames none of which is too large.
    let mut message = vec![vec![7; 200_000]; 4];
    message.push(batch(&[echo(&[0x91, 0x92, 8, 0xc6, 0, 0x0c, 0x35, 0], &[8; 4])]));
    dealer.send_frames(&slices(&message));
    assert_eq!(dealer.next().error(), (1, 8, 0), "of all frames, and of no other call");
    dealer.good_call();
    assert_no_panics();
}

/// Frames that the batch does not mention belong to the route, be they long or many.
#[test]
fn other_frames_belong_to_the_route() {
    let server = Serving::start().lossy();
    let mut dealer = Dealer::connect(&server.endpoint);
    let call = batch(&[echo(&[0x91, 0x92, 8, 0xc4, 1], &[5])]);
    dealer.send_frames(&[b"device", &[7], &call]);
    let reply = [&[1, 0x93, 3, 1, 0xc4, 5], &[0x92, 8, 0xc4, 1, 7][..]].concat();
    assert_eq!(dealer.message(), [b"device".to_vec(), reply]);
    dealer.send_frames(&[&[7; 3_000], &[7], &call]);
    assert!(dealer.sync().is_empty(), "an answer can't be addressed");
    assert_eq!(server.counters.dropped(zsvc::Dropped::RouteTooLong), 1);
    assert_no_panics();
}

/// A client can't continue if it does not know what the server sent.
#[test]
fn undeclared_attachments_of_a_server_fail_the_calls() {
    let broken: [&[&[u8]]; 2] =
        [&[b"a", b"\x01\x94\x03\x01\xc4\x00\x92\x00\x00"], &[b"a", b"\x01\x94\x03\x01\xc4\x00\x91\x01"]];
    for message in broken {
        against(
            |endpoint| async move {
                let shapes = shapes(&endpoint, |channel| channel.max_message_size(1_000));
                let error = shapes.echo(Shape::Bool(true)).no_deadline().await.expect_err("it is no answer");
                assert_eq!((error.code(), error.outcome()), (Code::Unknown, Outcome::MaybeExecuted));
            },
            |router| {
                router.next_call();
                router.send_frames(message);
                assert_eq!(router.next().kind(), kind::CANCEL);
            },
        );
    }
}

/// The kind and the id of the first record tell whose they are.
#[test]
fn attachments_that_are_too_large_together_fail_the_call_that_they_belong_to() {
    let too_much = vec![7; 150_000];
    against(
        |endpoint| async move {
            let shapes = shapes(&endpoint, |channel| channel.max_message_size(1_000));
            let (one, other) =
                tokio::join!(shapes.echo(Shape::Bool(true)).no_deadline(), shapes.echo(Shape::Bool(true)));
            let error = one.expect_err("it is too large");
            assert_eq!((error.code(), error.outcome()), (Code::ResourceExhausted, Outcome::Executed));
            assert_eq!(error.cause(), Some(Cause::TooLarge));
            assert_eq!(other, Ok(Shape::Bool(true)), "the other is answered");
        },
        |router| {
            assert_eq!((router.next_call(), router.next_call()), (1, 2));
            router.send_frames(&[&too_much, &too_much, b"\x01\x94\x03\x01\xc4\x00\x92\x00\x00"]);
            let body = packed(&record![1, true]);
            router.say(&[record![kind::REPLY, 2, Value::Binary(body)]]);
        },
    );
}
