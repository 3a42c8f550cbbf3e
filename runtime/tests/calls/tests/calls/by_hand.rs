//! Events as generated code has them, but for their module: one for each kind of `@slow`, and one with roles.

use zsvc::generated::{
    Blob, Decode, Encode, EventType, Fields, KeyField, KeyKind, KeyWriter, Plain, Reader, Slow, Writer,
};
use zsvc::{Bytes, Event, Method, MethodKind, Subscribe};

const KEYS: &[KeyField] =
    &[KeyField::new(1, "symbol", KeyKind::String), KeyField::new(2, "board", KeyKind::Integer)];

/// Declares an event with a symbol and a board as keys, a number, and bytes.
macro_rules! event {
    ($name:ident, $full:literal, $set:expr) => {
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct $name {
            pub(crate) symbol: String,
            pub(crate) board: u32,
            pub(crate) number: u64,
            pub(crate) bytes: Bytes,
        }

        impl $name {
            /// Returns an event of board 1 without bytes.
            pub(crate) fn new(symbol: &str, number: u64) -> Self {
                Self { symbol: symbol.to_owned(), board: 1, number, bytes: Bytes::new() }
            }
        }

        impl Encode for $name {
            fn encode(&self, out: &mut Writer) {
                let mut fields = out.fields(4);
                fields.write::<Plain, _>(1, &self.symbol);
                fields.write::<Plain, _>(2, &self.board);
                fields.write::<Plain, _>(3, &self.number);
                fields.write::<Blob, _>(4, &self.bytes);
                fields.end();
            }
        }

        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> zsvc::generated::Decoded<Self> {
                let mut fields = Fields::new(reader, &["symbol", "board", "number", "bytes"])?;
                let value = Self {
                    symbol: fields.required::<Plain, _>(1)?,
                    board: fields.required::<Plain, _>(2)?,
                    number: fields.required::<Plain, _>(3)?,
                    bytes: fields.required::<Blob, _>(4)?,
                };
                fields.end()?;
                Ok(value)
            }
        }

        impl Event for $name {
            const EVENT: &'static EventType = {
                static EVENT: EventType = {
                    let method = Method::new(concat!($full, "/subscribe"), MethodKind::ServerStream);
                    $set(method, $full)
                };
                &EVENT
            };
            type Form = Plain;
            type Subscribe = Subscribe<Self>;

            fn write_key(&self, key: &mut KeyWriter) {
                key.write::<Plain, _>(&self.symbol);
                key.write::<Plain, _>(&self.board);
            }
        }
    };
}

/// The methods by which generated code asks for keys.
pub(crate) trait Keys: Sized {
    /// Asks for a symbol.
    fn symbol(self, symbol: &str) -> Self;
    /// Asks for a board.
    fn board(self, board: u32) -> Self;
}

impl<E: Event> Keys for Subscribe<E> {
    fn symbol(self, symbol: &str) -> Self {
        self.key::<Plain, str>(1, symbol)
    }

    fn board(self, board: u32) -> Self {
        self.key::<Plain, u32>(2, &board)
    }
}

const fn tick(method: Method, name: &'static str) -> EventType {
    EventType::new(name, method).keys(KEYS)
}

const fn price(method: Method, name: &'static str) -> EventType {
    tick(method, name).kept(1).slow(Slow::Conflate)
}

const fn strict(method: Method, name: &'static str) -> EventType {
    tick(method, name).slow(Slow::Disconnect)
}

const fn secret(method: Method, name: &'static str) -> EventType {
    tick(method.roles(&["desk"]), name)
}

event!(Tick, "hand.v1.Tick", tick);
event!(Price, "hand.v1.Price", price);
event!(Strict, "hand.v1.Strict", strict);
event!(Secret, "hand.v1.Secret", secret);
