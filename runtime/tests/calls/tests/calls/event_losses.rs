//! Subscriptions over lost connections and servers that end: what goes on, and what is said to be missing.

use zsvc::{Bytes, Channel, Position, Publisher};

use crate::by_hand::{Price, Tick};
use crate::events::{Serving, send, subscribers, until};
use crate::support::{free_endpoint, on_threads};

#[test]
fn after_a_restart_of_the_server_nothing_is_missing_while_the_publisher_lives() {
    on_threads(async {
        let ticks = Publisher::builder().max_recent(3, 1024 * 1024).build();
        let endpoint = free_endpoint();
        let server = Serving::again(&endpoint, |server| server.events(&ticks)).await;
        let channel = server.channel().await;
        let mut subscription = channel.subscribe::<Tick>().await.expect("there is a publisher");
        send(&ticks, &Tick::new("A", 1));
        assert_eq!(until(&mut subscription, "1").await, "live 1");
        server.kill().await;
        subscribers(&ticks, 0).await;
        (2..=3).for_each(|number| send(&ticks, &Tick::new("A", number)));
        let server = Serving::again(&endpoint, |server| server.events(&ticks)).await;
        assert_eq!(until(&mut subscription, "live").await, "2 3 live");
        server.stop().await;
        subscribers(&ticks, 0).await;
        (4..=8).for_each(|number| send(&ticks, &Tick::new("A", number)));
        let server = Serving::again(&endpoint, |server| server.events(&ticks)).await;
        assert_eq!(until(&mut subscription, "live").await, "-2 6 7 8 live");
        let position = subscription.position().expect("it has come somewhere");
        assert_eq!(position.sequence(), 8);
        drop(subscription);
        (9..=10).for_each(|number| send(&ticks, &Tick::new("A", number)));
        let later = server.channel().await;
        let mut later = later.subscribe::<Tick>().since(position).await.expect("there is a publisher");
        assert_eq!(until(&mut later, "live").await, "9 10 live");
    });
}

#[test]
fn after_a_restart_of_the_publisher_it_is_said_that_events_may_be_missing() {
    on_threads(async {
        let prices = Publisher::new();
        let endpoint = free_endpoint();
        let server = Serving::again(&endpoint, |server| server.events(&prices)).await;
        let channel = server.channel().await;
        let mut subscription = channel.subscribe::<Price>().await.expect("there is a publisher");
        send(&prices, &Price::new("A", 1));
        assert_eq!(until(&mut subscription, "1").await, "live 1");
        server.kill().await;
        let anew = Publisher::new();
        send(&anew, &Price::new("B", 2));
        let _server = Serving::again(&endpoint, |server| server.events(&anew)).await;
        assert_eq!(until(&mut subscription, "live").await, "-? 2 live");
        send(&anew, &Price::new("A", 3));
        assert_eq!(until(&mut subscription, "3").await, "3");
    });
}

#[test]
fn a_position_past_the_end_is_one_of_which_nothing_is_known() {
    on_threads(async {
        let (prices, endpoint) = (Publisher::new(), free_endpoint());
        (1..=3).for_each(|number| send(&prices, &Price::new(&number.to_string(), number)));
        let server = Serving::again(&endpoint, |server| server.events(&prices)).await;
        let channel = server.channel().await;
        let mut first = channel.subscribe::<Price>().await.expect("there is a publisher");
        until(&mut first, "live").await;
        let epoch = first.position().expect("it has come somewhere").epoch();
        for past in [4, 1_000, u64::MAX] {
            let later = channel.subscribe::<Price>().since(Position::new(epoch, past));
            let mut later = later.await.expect("there is a publisher");
            assert_eq!(later.position(), None, "the position was of no use");
            assert_eq!(until(&mut later, "live").await, "-? 1 2 3 live");
            assert_eq!(later.position(), first.position());
        }
        let mut later =
            channel.subscribe::<Price>().since(Position::new(epoch, 9)).await.expect("there is a publisher");
        send(&prices, &Price::new("4", 4));
        assert_eq!(until(&mut later, "4").await, "-? 1 2 3 live 4");
    });
}

#[test]
fn a_loss_while_kept_events_come_is_told() {
    on_threads(async {
        let prices = Publisher::new();
        // More than is on its way at a time, so that the last ones are not.
        let large = |number: u64| Price {
            bytes: Bytes::from(vec![0; 100_000]),
            ..Price::new(&number.to_string(), number)
        };
        (1..=80).for_each(|number| send(&prices, &large(number)));
        let endpoint = free_endpoint();
        let server = Serving::again(&endpoint, |server| server.events(&prices)).await;
        let channel = server.channel().await;
        let mut subscription = channel.subscribe::<Price>().await.expect("there is a publisher");
        assert_eq!(until(&mut subscription, "1").await, "1");
        server.kill().await;
        subscribers(&prices, 0).await;
        for number in [81, 82] {
            send(&prices, &Price::new("A", number));
        }
        let _server = Serving::again(&endpoint, |server| server.events(&prices)).await;
        let read = until(&mut subscription, "live").await;
        let expected: Vec<_> = (2..=80).chain([82]).map(|number| number.to_string()).collect();
        let (told, events): (Vec<_>, Vec<_>) =
            read.split(' ').filter(|item| *item != "live").partition(|item| item.starts_with('-'));
        assert_eq!((told, events.join(" ")), (vec!["-?"], expected.join(" ")));
    });
}

#[test]
fn an_event_that_no_message_holds_is_missing_and_the_subscription_goes_on() {
    on_threads(async {
        let ticks = Publisher::new();
        let endpoint = free_endpoint();
        let server =
            Serving::again(&endpoint, |server| server.events(&ticks).max_message_size(16 * 1024)).await;
        let mut subscription =
            server.channel().await.subscribe::<Tick>().await.expect("there is a publisher");
        assert_eq!(until(&mut subscription, "live").await, "live");
        for (number, bytes) in [(1, 16 * 1024 - 1024), (2, 16 * 1024), (3, 0)] {
            send(&ticks, &Tick { bytes: Bytes::from(vec![0; bytes]), ..Tick::new("A", number) });
        }
        assert_eq!(until(&mut subscription, "3").await, "1 -1 3");
    });
}

#[test]
fn what_waits_is_sent_before_a_server_is_out_and_another_goes_on() {
    on_threads(async {
        let ticks = Publisher::new();
        let endpoints = [free_endpoint(), free_endpoint()];
        let start = |endpoint: String| {
            let ticks = ticks.clone();
            async move { Serving::again(&endpoint, |server| server.events(&ticks)).await }
        };
        let first = start(endpoints[0].clone()).await;
        let channel = Channel::builder().endpoint(&endpoints[0]).endpoint(&endpoints[1]).connect().await;
        let mut subscription =
            channel.expect("the first is up").subscribe::<Tick>().await.expect("there is a publisher");
        let _second = start(endpoints[1].clone()).await;
        (1..=100).for_each(|number| send(&ticks, &Tick::new("A", number)));
        let read = tokio::spawn(async move {
            let read = until(&mut subscription, "150").await;
            (read, subscription)
        });
        first.stop().await;
        (101..=150).for_each(|number| send(&ticks, &Tick::new("A", number)));
        let (read, _subscription) = read.await.expect("it is read");
        let numbers: Vec<u64> = read.split(' ').filter_map(|item| item.parse().ok()).collect();
        assert_eq!(numbers, (1..=150).collect::<Vec<_>>(), "{read}");
        assert!(!read.contains('-'), "{read}");
    });
}
