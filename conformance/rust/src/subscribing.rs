//! Subscriptions to the events of the suite.

use serde::Serialize;
use zsvc::{Channel, Delivery, Event, Position, Subscribe, Value};

use crate::Wrong;
use crate::calls::Calling;
use crate::conformance::v1::{Beat, Side, Tick};
use crate::order::Call;
use crate::told::{self, Failure};

/// What an order asks for: the values of key fields by their numbers, and where an earlier subscription was.
struct Asked {
    keys: Vec<(u64, Value)>,
    since: Option<Position>,
}

fn asked(order: &Call) -> Result<Asked, Wrong> {
    let Value::Array(parameters) = rmp_serde::from_slice(&order.parameters()?)? else {
        return Err("the parameters of a subscription are an array".into());
    };
    let mut keys = Vec::new();
    for (number, values) in parameters.first().and_then(Value::as_map).into_iter().flatten() {
        let number = number.as_u64().ok_or("a key field has a number")?;
        let values = values.as_array().ok_or("a key field has a list of values")?;
        keys.extend(values.iter().map(|value| (number, value.clone())));
    }
    let since = parameters.get(1).and_then(Value::as_array).map(|since| {
        let number = |place: usize| since.get(place).and_then(Value::as_u64).unwrap_or_default();
        Position::new(number(0), number(1))
    });
    Ok(Asked { keys, since })
}

fn text(value: &Value) -> Result<String, Wrong> {
    Ok(value.as_str().ok_or("this key is a string")?.to_owned())
}

fn number(value: &Value) -> Result<i64, Wrong> {
    Ok(value.as_i64().ok_or("this key is a number")?)
}

fn side(number: i64) -> Result<Side, Wrong> {
    Ok(match i32::try_from(number)? {
        1 => Side::Buy,
        2 => Side::Sell,
        -1 => Side::Short,
        other => return Err(format!("there is no side {other}").into()),
    })
}

/// Subscribes to ticks.
pub(crate) fn ticks(channel: &Channel, order: &Call) -> Result<Calling, Wrong> {
    let asked = asked(order)?;
    let mut subscribe = channel.subscribe::<Tick>();
    for (key, value) in &asked.keys {
        subscribe = match key {
            1 => subscribe.name(text(value)?),
            other => return Err(format!("a tick has no key {other}").into()),
        };
    }
    Ok(run(subscribe.options(), asked.since, order))
}

/// Subscribes to beats.
pub(crate) fn beats(channel: &Channel, order: &Call) -> Result<Calling, Wrong> {
    let asked = asked(order)?;
    let mut subscribe = channel.subscribe::<Beat>();
    for (key, value) in &asked.keys {
        subscribe = match key {
            1 => subscribe.name(text(value)?),
            2 => subscribe.side(side(number(value)?)?),
            3 => subscribe.level(number(value)?),
            other => return Err(format!("a beat has no key {other}").into()),
        };
    }
    Ok(run(subscribe.options(), asked.since, order))
}

/// Subscribes, and tells what comes as far as lines allow it.
fn run<E: Event + Serialize + Send + 'static>(
    mut subscribe: Subscribe<E>,
    since: Option<Position>,
    order: &Call,
) -> Calling {
    if let Some(since) = since {
        subscribe = subscribe.since(since);
    }
    let (of, reads) = (order.of.clone(), order.reads());
    let permits = reads.clone();
    let task = tokio::spawn(async move {
        let mut events = match subscribe.await {
            Ok(events) => events,
            Err(status) => return status.tell(&of),
        };
        while let Ok(permit) = permits.acquire().await {
            permit.forget();
            match events.next().await {
                Some(Ok(Delivery::Event(event))) => told::value(&of, "item", &(1, event)),
                Some(Ok(Delivery::Missed(count))) => told::value(&of, "item", &(2, count)),
                Some(Ok(Delivery::Live)) => told::value(&of, "item", &(3, ())),
                Some(Ok(_)) => {}
                Some(Err(status)) => return status.tell(&of),
                None => return,
            }
        }
    });
    Calling { items: None, reads, task: task.abort_handle() }
}
