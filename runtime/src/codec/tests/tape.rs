//! The types of `tape.svc`, written as the generator writes them: what it emits is thin, and this is all of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::{
    Fields, List, Optional, Payload, Plain, ReadFields, ReadVariant, StructWriter, Timestamp, UnknownVariant,
    length, read_number, read_struct, read_union, write_variant,
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Amount {
    pub(crate) units: i64,
    pub(crate) scale: u8,
    pub(crate) currency: Option<String>,
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = StructWriter::new(serializer, length(2, &[(3, self.currency.is_some())]))?;
        fields.write::<Plain, _>(1, &self.units)?;
        fields.write::<Plain, _>(2, &self.scale)?;
        fields.write::<Optional<Plain>, _>(3, &self.currency)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_struct::<Self, D>(deserializer)
    }
}

impl ReadFields for Amount {
    type Output = Self;
    const NAMES: &'static [&'static str] = &["units", "scale", "currency"];
    #[inline]
    fn read<'de, F: Fields<'de>>(fields: &mut F) -> Result<Self, F::Error> {
        Ok(Self {
            units: fields.required::<Plain, _>(1)?,
            scale: fields.required::<Plain, _>(2)?,
            currency: fields.optional::<Plain, _>(3)?,
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trade {
    pub(crate) symbol: String,
    pub(crate) price: Amount,
    pub(crate) size: u32,
    pub(crate) at: Timestamp,
    pub(crate) venue: Option<String>,
    pub(crate) flags: Vec<Flag>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) lot: u32,
}

impl Serialize for Trade {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = StructWriter::new(serializer, length(10, &[]))?;
        fields.write::<Plain, _>(1, &self.symbol)?;
        fields.write::<Plain, _>(2, &self.price)?;
        fields.write::<Plain, _>(3, &self.size)?;
        fields.write::<Plain, _>(4, &self.at)?;
        fields.write::<Optional<Plain>, _>(5, &self.venue)?;
        fields.write::<List<Plain>, _>(6, &self.flags)?;
        fields.write::<Plain, _>(7, &self.attributes)?;
        fields.write::<Plain, _>(10, &self.lot)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Trade {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_struct::<Self, D>(deserializer)
    }
}

impl ReadFields for Trade {
    type Output = Self;
    const NAMES: &'static [&'static str] =
        &["symbol", "price", "size", "at", "venue", "flags", "attributes", "", "", "lot"];
    #[inline]
    fn read<'de, F: Fields<'de>>(fields: &mut F) -> Result<Self, F::Error> {
        Ok(Self {
            symbol: fields.required::<Plain, _>(1)?,
            price: fields.required::<Plain, _>(2)?,
            size: fields.required::<Plain, _>(3)?,
            at: fields.required::<Plain, _>(4)?,
            venue: fields.optional::<Plain, _>(5)?,
            flags: fields.required::<List<Plain>, _>(6)?,
            attributes: fields.required::<Plain, _>(7)?,
            lot: fields.or_else::<Plain, _>(10, || 1)?,
        })
    }
}

macro_rules! enumeration {
    ($name:ident { $($variant:ident = $number:literal),* }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum $name {
            $($variant,)*
            Unknown(u32),
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u32(match self {
                    $(Self::$variant => $number,)*
                    Self::Unknown(number) => *number,
                })
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(match read_number(deserializer)? {
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
pub(crate) struct MarketOrder {
    pub(crate) symbol: String,
    pub(crate) side: Side,
    pub(crate) size: u32,
}

impl Serialize for MarketOrder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = StructWriter::new(serializer, length(3, &[]))?;
        fields.write::<Plain, _>(1, &self.symbol)?;
        fields.write::<Plain, _>(2, &self.side)?;
        fields.write::<Plain, _>(3, &self.size)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for MarketOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_struct::<Self, D>(deserializer)
    }
}

impl ReadFields for MarketOrder {
    type Output = Self;
    const NAMES: &'static [&'static str] = &["symbol", "side", "size"];
    #[inline]
    fn read<'de, F: Fields<'de>>(fields: &mut F) -> Result<Self, F::Error> {
        Ok(Self {
            symbol: fields.required::<Plain, _>(1)?,
            side: fields.required::<Plain, _>(2)?,
            size: fields.required::<Plain, _>(3)?,
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Order {
    Limit { symbol: String, side: Side, limit: Amount },
    Market(MarketOrder),
    CancelAll,
    Unknown(UnknownVariant),
}

struct LimitFields<'a> {
    symbol: &'a String,
    side: &'a Side,
    limit: &'a Amount,
}

impl Serialize for LimitFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = StructWriter::new(serializer, length(3, &[]))?;
        fields.write::<Plain, _>(1, self.symbol)?;
        fields.write::<Plain, _>(2, self.side)?;
        fields.write::<Plain, _>(3, self.limit)?;
        fields.end()
    }
}

enum LimitRead {}

impl ReadFields for LimitRead {
    type Output = Order;
    const NAMES: &'static [&'static str] = &["symbol", "side", "limit"];
    #[inline]
    fn read<'de, F: Fields<'de>>(fields: &mut F) -> Result<Order, F::Error> {
        Ok(Order::Limit {
            symbol: fields.required::<Plain, _>(1)?,
            side: fields.required::<Plain, _>(2)?,
            limit: fields.required::<Plain, _>(3)?,
        })
    }
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Limit { symbol, side, limit } => {
                write_variant::<Plain, _, _>(serializer, 1, &LimitFields { symbol, side, limit })
            }
            Self::Market(value) => write_variant::<Plain, _, _>(serializer, 2, value),
            Self::CancelAll => write_variant::<crate::codec::Nothing, _, _>(serializer, 3, &()),
            Self::Unknown(variant) => {
                write_variant::<Plain, _, _>(serializer, variant.number, &variant.value)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_union::<Self, D>(deserializer)
    }
}

impl ReadVariant for Order {
    const NAMES: &'static [(u32, &'static str)] = &[(1, "Limit"), (2, "Market"), (3, "CancelAll")];
    fn read<'de, P: Payload<'de>>(number: u32, payload: P) -> Result<Self, P::Error> {
        match number {
            1 => payload.fields::<LimitRead>(),
            2 => payload.value::<Plain, _>().map(Self::Market),
            3 => payload.nothing().map(|()| Self::CancelAll),
            _ => payload.unknown(number).map(Self::Unknown),
        }
    }
}

pub(crate) fn trade() -> Trade {
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
