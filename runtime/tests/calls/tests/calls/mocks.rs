//! Generated mocks: they answer as a test configures, count calls, and report calls that were not configured.

use zsvc::testing::TestServer;
use zsvc::{Code, Outcome, Status};
use zsvc_calls::probe::v1::{ClockClient, ClockMock, ClockServer, ProbeClient, ProbeMock, ProbeServer};

use crate::support::on_one_thread;

#[test]
fn a_method_is_handled_by_its_closure_and_counted() {
    on_one_thread(async {
        let mock = ClockMock::new().on_tick(|_, number| async move {
            if number > 1 { Err(Status::out_of_range("too late")) } else { Ok(number + 1) }
        });
        let server = TestServer::of(ClockServer::new(mock.clone())).unwrap();
        let clock = ClockClient::connect(server.endpoint()).await.unwrap();
        assert_eq!(clock.tick(1).await.unwrap(), 2);
        assert_eq!(clock.tick(2).await.unwrap_err().code(), Code::OutOfRange);
        assert_eq!(mock.tick_calls(), 2);
    });
}

#[test]
fn a_stream_is_handled_by_its_closure() {
    on_one_thread(async {
        let mock = ProbeMock::new().on_count(|_, to, out| async move { out.send(to).await }).on_sum(
            |_, _, mut items| async move {
                let mut count = 0;
                while let Some(item) = items.next().await {
                    item?;
                    count += 1;
                }
                Ok(count)
            },
        );
        let probe = ProbeClient::local(mock);
        let mut numbers = probe.count(7).await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(7)));
        assert_eq!(numbers.next().await, None);
        assert_eq!(probe.sum("a", futures_util::stream::iter([5, 6])).await.unwrap(), 2);
    });
}

#[test]
fn a_method_without_a_closure_fails_with_a_clear_message() {
    on_one_thread(async {
        let mock = ProbeMock::new();
        let server = TestServer::of(ProbeServer::new(mock.clone())).unwrap();
        let probe = ProbeClient::connect(server.endpoint()).await.unwrap();
        let status = probe.echo(vec![1]).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unimplemented, Outcome::Executed));
        assert!(status.message().contains("`ProbeMock::on_echo`"), "{status}");
        probe.note("ignored").await.unwrap();
        // Calls made after it are handled after it.
        probe.look().await.unwrap_err();
        assert_eq!((mock.echo_calls(), mock.note_calls(), mock.look_calls()), (1, 1, 1));
    });
}
