//! The name of an event and its key as a topic of ZeroMQ's own, by which plain subscribers filter.

use std::fmt::Write;

use rmpv::ValueRef;
use uuid::Uuid;

use super::key::Key;

/// Returns the topic of an event: its full name, and each value of its key, all followed by `/`. So a prefix that ends with `/` names
/// whole values: `market.v1.Price/ACME/` is not the beginning of `market.v1.Price/ACMEX/`.
pub(super) fn topic_name(event: &str, key: &Key) -> String {
    // A text is followed by as many bytes as its length is written in; other values may need more.
    let mut topic = String::with_capacity(event.len() + 1 + key.bytes().len());
    topic.push_str(event);
    topic.push('/');
    for value in key.value_refs() {
        push(&mut topic, &value);
        topic.push('/');
    }
    topic
}

fn push(topic: &mut String, value: &ValueRef<'_>) {
    // Writing to a `String` does not fail.
    let _ = match value {
        ValueRef::String(text) => {
            escape(topic, text.as_str().unwrap_or_default());
            Ok(())
        }
        ValueRef::Binary(bytes) => match Uuid::from_slice(bytes) {
            Ok(uuid) => write!(topic, "{uuid}"),
            Err(_) => Ok(()),
        },
        other => write!(topic, "{other}"),
    };
}

/// Appends a text in which `/` and `%`, and what no terminal shows, are escaped as in addresses of the web: `%2F`.
fn escape(topic: &mut String, text: &str) {
    if !text.bytes().any(|byte| matches!(byte, b'/' | b'%') || byte.is_ascii_control()) {
        topic.push_str(text);
        return;
    }
    for character in text.chars() {
        if matches!(character, '/' | '%') || character.is_ascii_control() {
            let _ = write!(topic, "%{:02X}", u32::from(character));
        } else {
            topic.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Plain;
    use crate::events::KeyWriter;

    #[test]
    fn a_topic_has_every_value_of_the_key() {
        let mut writer = KeyWriter::default();
        writer.write::<Plain, str>("A/B% é\n");
        writer.write::<Plain, i64>(&-7);
        writer.write::<Plain, bool>(&true);
        writer.write::<Plain, Uuid>(&Uuid::from_bytes([1; 16]));
        let key = writer.finish().unwrap();
        let expected = "x.v1.E/A%2FB%25 é%0A/-7/true/01010101-0101-0101-0101-010101010101/";
        assert_eq!(topic_name("x.v1.E", &key), expected);
        assert_eq!(topic_name("x.v1.E", &Key::default()), "x.v1.E/");
    }
}
