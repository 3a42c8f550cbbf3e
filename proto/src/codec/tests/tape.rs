//! The types of `tape.svc`, written as generated code has them.

use std::collections::BTreeMap;

use crate::codec::{
    Decode, DecodeError, Encode, Fields, List, Optional, Payload, Plain, Reader, Timestamp, UnknownVariant,
    Writer, length,
};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Amount {
    pub units: i64,
    pub scale: u8,
    pub currency: Option<String>,
}

impl Encode for Amount {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.fields(length(2, &[(3, self.currency.is_some())]));
        fields.write::<Plain, _>(1, &self.units);
        fields.write::<Plain, _>(2, &self.scale);
        fields.write::<Optional<Plain>, _>(3, &self.currency);
        fields.end();
    }
}

impl Decode for Amount {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(reader, &["units", "scale", "currency"])?;
        let value = Self {
            units: fields.required::<Plain, _>(1)?,
            scale: fields.required::<Plain, _>(2)?,
            currency: fields.optional::<Plain, _>(3)?,
        };
        fields.end()?;
        Ok(value)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trade {
    pub symbol: String,
    pub price: Amount,
    pub size: u32,
    pub at: Timestamp,
    pub venue: Option<String>,
    pub flags: Vec<Flag>,
    pub attributes: BTreeMap<String, String>,
    pub lot: u32,
}

impl Encode for Trade {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.fields(10);
        fields.write::<Plain, _>(1, &self.symbol);
        fields.write::<Plain, _>(2, &self.price);
        fields.write::<Plain, _>(3, &self.size);
        fields.write::<Plain, _>(4, &self.at);
        fields.write::<Optional<Plain>, _>(5, &self.venue);
        fields.write::<List<Plain>, _>(6, &self.flags);
        fields.write::<Plain, _>(7, &self.attributes);
        fields.write::<Plain, _>(10, &self.lot);
        fields.end();
    }
}

impl Decode for Trade {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(
            reader,
            &["symbol", "price", "size", "at", "venue", "flags", "attributes", "", "", "lot"],
        )?;
        let value = Self {
            symbol: fields.required::<Plain, _>(1)?,
            price: fields.required::<Plain, _>(2)?,
            size: fields.required::<Plain, _>(3)?,
            at: fields.required::<Plain, _>(4)?,
            venue: fields.optional::<Plain, _>(5)?,
            flags: fields.required::<List<Plain>, _>(6)?,
            attributes: fields.required::<Plain, _>(7)?,
            lot: fields.or_else::<Plain, _>(10, || 1)?,
        };
        fields.end()?;
        Ok(value)
    }
}

macro_rules! enumeration {
    ($name:ident { $($variant:ident = $number:literal),* }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(super) enum $name {
            $($variant,)*
            Unknown(u32),
        }

        impl Encode for $name {
            fn encode(&self, out: &mut Writer) {
                let number: u32 = match self {
                    $(Self::$variant => $number,)*
                    Self::Unknown(number) => *number,
                };
                number.encode(out);
            }

            fn is_distinct(&self) -> bool {
                !matches!(self, Self::Unknown($($number)|*))
            }
        }

        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(match u32::decode(reader)? {
                    $($number => Self::$variant,)*
                    number => Self::Unknown(number),
                })
            }
        }
    };
}

enumeration!(Side { Buy = 1, Sell = 2 });
enumeration!(Flag { Block = 1, Odd = 2 });

#[derive(Debug, Clone, PartialEq)]
pub(super) struct MarketOrder {
    pub symbol: String,
    pub side: Side,
    pub size: u32,
}

impl Encode for MarketOrder {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.fields(3);
        fields.write::<Plain, _>(1, &self.symbol);
        fields.write::<Plain, _>(2, &self.side);
        fields.write::<Plain, _>(3, &self.size);
        fields.end();
    }
}

impl Decode for MarketOrder {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(reader, &["symbol", "side", "size"])?;
        let value = Self {
            symbol: fields.required::<Plain, _>(1)?,
            side: fields.required::<Plain, _>(2)?,
            size: fields.required::<Plain, _>(3)?,
        };
        fields.end()?;
        Ok(value)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Order {
    Limit { symbol: String, side: Side, limit: Amount },
    Market(MarketOrder),
    CancelAll,
    Unknown(UnknownVariant),
}

impl Encode for Order {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Limit { symbol, side, limit } => {
                let mut fields = out.variant_fields(1, 3);
                fields.write::<Plain, _>(1, symbol);
                fields.write::<Plain, _>(2, side);
                fields.write::<Plain, _>(3, limit);
                fields.end();
            }
            Self::Market(value) => out.variant::<Plain, _>(2, value),
            Self::CancelAll => out.bare_variant(3),
            Self::Unknown(variant) => out.unknown_variant(variant),
        }
    }
}

impl Decode for Order {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (number, mut payload) = Payload::new(reader)?;
        match number {
            1 => {
                let mut fields = payload.fields(&["symbol", "side", "limit"])?;
                let value = Self::Limit {
                    symbol: fields.required::<Plain, _>(1)?,
                    side: fields.required::<Plain, _>(2)?,
                    limit: fields.required::<Plain, _>(3)?,
                };
                fields.end()?;
                payload.end()?;
                Ok(value)
            }
            2 => payload.value::<Plain, _>("Market").map(Self::Market),
            3 => payload.nothing().map(|()| Self::CancelAll),
            _ => payload.unknown(number).map(Self::Unknown),
        }
    }
}

pub(super) fn trade() -> Trade {
    Trade {
        symbol: "ACME".to_owned(),
        price: Amount { units: 12_345, scale: 2, currency: Some("EUR".to_owned()) },
        size: 300,
        at: Timestamp::new(1_772_366_400, 250_000_000).expect("fewer nanoseconds than a second has"),
        venue: None,
        flags: vec![Flag::Odd],
        attributes: BTreeMap::from([("desk".to_owned(), "7".to_owned())]),
        lot: 1,
    }
}
