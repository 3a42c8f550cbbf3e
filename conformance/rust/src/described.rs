//! Values as the suite's texts, made from what a program sees of them.

use std::fmt::Display;

use zsvc::Timestamp;

use crate::conformance::v1::{Far, Order, Shape, Side, Trade, Tree};
use crate::told::hex;

/// Returns the text of a value.
pub(crate) fn described(shape: &Shape) -> String {
    match shape {
        Shape::Bool(value) => format!("Bool {value}"),
        Shape::U8(value) => format!("U8 {value}"),
        Shape::U16(value) => format!("U16 {value}"),
        Shape::U32(value) => format!("U32 {value}"),
        Shape::U64(value) => format!("U64 {value}"),
        Shape::I8(value) => format!("I8 {value}"),
        Shape::I16(value) => format!("I16 {value}"),
        Shape::I32(value) => format!("I32 {value}"),
        Shape::I64(value) => format!("I64 {value}"),
        Shape::F32(value) => format!("F32 {value:.3}"),
        Shape::F64(value) => format!("F64 {value:.3}"),
        Shape::Text(value) => format!("Text {value}"),
        Shape::Blob(value) => format!("Blob {} {}", value.len(), digits(value)),
        Shape::Time(value) => format!("Time {}", nanoseconds(*value)),
        Shape::Span(value) => format!("Span {}", value.as_nanos()),
        Shape::Id(value) => format!("Id {value}"),
        Shape::Any(value) => format!("Any {value}"),
        Shape::Trade(value) => format!("Trade {}", trade(value)),
        Shape::Far(value) => format!("Far {}", far(value)),
        Shape::Order(value) => format!("Order {}", order(value)),
        Shape::Tree(value) => format!("Tree {}", trees(value)),
        Shape::Side(value) => format!("Side {}", side(*value)),
        Shape::Nothing => "Nothing".to_owned(),
        Shape::Unknown(unknown) => format!("unknown {}", unknown.number),
        container => contained(container),
    }
}

/// Returns the text of a list, a set or a map.
fn contained(shape: &Shape) -> String {
    match shape {
        Shape::Numbers(value) => format!("Numbers {}", joined(value)),
        Shape::Maybes(value) => format!("Maybes {}", joined(value.iter().map(|item| absent(item.as_ref())))),
        Shape::Marks(value) => format!("Marks {}", joined(value)),
        Shape::Words(value) => format!("Words {}", joined(value)),
        Shape::ByName(value) => format!("ByName {}", pairs(value)),
        Shape::ByNumber(value) => format!("ByNumber {}", pairs(value)),
        Shape::ByFlag(value) => format!("ByFlag {}", pairs(value)),
        Shape::ById(value) => format!("ById {}", pairs(value)),
        Shape::BySide(value) => {
            let mut sides: Vec<_> =
                value.iter().map(|(key, value)| (key.number(), side(*key), value)).collect();
            sides.sort_unstable();
            format!("BySide {}", pairs(sides.iter().map(|(_, key, value)| (key, value))))
        }
        Shape::Sides(value) => {
            let mut sides: Vec<_> = value.iter().map(|value| (value.number(), side(*value))).collect();
            sides.sort_unstable();
            format!("Sides {}", joined(sides.iter().map(|(_, side)| side)))
        }
        other => format!("what is {other:?}"),
    }
}

fn digits(bytes: &[u8]) -> String {
    hex(&bytes[..bytes.len().min(8)])
}

fn nanoseconds(time: Timestamp) -> i128 {
    i128::from(time.seconds()) * 1_000_000_000 + i128::from(time.nanoseconds())
}

fn absent(value: Option<&impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

fn joined(items: impl IntoIterator<Item = impl Display>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

fn pairs(items: impl IntoIterator<Item = (impl Display, impl Display)>) -> String {
    joined(items.into_iter().map(|(key, value)| format!("{key}={value}")))
}

fn side(side: Side) -> String {
    match side {
        Side::Unknown(number) => number.to_string(),
        known => format!("{known:?}"),
    }
}

fn trade(trade: &Trade) -> String {
    format!("{} {} {} {}", trade.symbol, trade.size, absent(trade.venue.as_ref()), trade.lot)
}

fn far(far: &Far) -> String {
    format!("{} {} {} {}", far.name, absent(far.size.as_ref()), far.lot, absent(far.note.as_ref()))
}

fn order(order: &Order) -> String {
    match order {
        Order::Limit { symbol, side: taken, note } => {
            format!("Limit {symbol} {} {}", side(*taken), absent(note.as_ref()))
        }
        Order::Market(market) => format!("Market {}", trade(market)),
        Order::CancelAll => "CancelAll".to_owned(),
        Order::Loose { first, second } => {
            format!("Loose {} {}", absent(first.as_ref()), absent(second.as_ref()))
        }
        Order::Spread { near, far } => format!("Spread {near} {}", absent(far.as_ref())),
        Order::Unknown(unknown) => format!("unknown {}", unknown.number),
    }
}

fn trees(tree: &Tree) -> usize {
    1 + tree.branches.iter().map(trees).sum::<usize>()
}
