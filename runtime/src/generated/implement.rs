//! Macros for implementations that are the same for many generated types.
//!
//! Serde's traits need a macro, since no crate may implement another crate's trait for all types; declared errors need none.

/// Implements `Described` for a type, given its description and the types that this refers to.
#[doc(hidden)]
#[macro_export]
macro_rules! __describe {
    ($type:ty, $text:literal $(, $part:ty)* $(,)?) => {
        impl $crate::generated::Described for $type {
            fn description() -> &'static $crate::generated::Description {
                static DESCRIPTION: $crate::generated::Description = $crate::generated::Description::new(
                    $text,
                    &[$(<$part as $crate::generated::Described>::description),*],
                );
                &DESCRIPTION
            }
        }
    };
}

/// Implements `Serialize` and `Deserialize` for a type that is `Encode` and `Decode`, given its description. The wire needs
/// neither.
#[doc(hidden)]
#[macro_export]
macro_rules! __implement_serde {
    ($type:ty, $text:literal $(, $part:ty)* $(,)?) => {
        $crate::generated::describe!($type, $text $(, $part)*);

        impl $crate::generated::serde::Serialize for $type {
            fn serialize<S: $crate::generated::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                $crate::generated::serialize(
                    self,
                    <$type as $crate::generated::Described>::description,
                    serializer,
                )
            }
        }

        impl<'de> $crate::generated::serde::Deserialize<'de> for $type {
            fn deserialize<D: $crate::generated::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                use $crate::generated::replaced::{Checked as _, Replaced, Unchecked as _};
                $crate::generated::deserialize(deserializer, |value| (&Replaced::<$type>::NEW).check(value))
            }
        }
    };
}

/// Implements `Encode`, `Decode`, `Serialize` and `Deserialize` for an enum, whose values are their numbers on the wire.
/// The two functions convert one into the other; the text is its description.
#[doc(hidden)]
#[macro_export]
macro_rules! __implement_enum {
    ($type:ty, $number:ident, $from_number:ident, $text:literal $(,)?) => {
        impl $crate::generated::Encode for $type {
            fn encode(&self, out: &mut $crate::generated::Writer) {
                $crate::generated::Encode::encode(&self.$number(), out);
            }

            fn is_distinct(&self) -> bool {
                Self::$from_number(self.$number()) == *self
            }
        }

        impl $crate::generated::Decode for $type {
            fn decode(reader: &mut $crate::generated::Reader<'_>) -> $crate::generated::Decoded<Self> {
                <i32 as $crate::generated::Decode>::decode(reader).map(Self::$from_number)
            }
        }

        $crate::generated::implement_serde!($type, $text);
    };
}

/// Implements a form for a type of a user's in the place of a generated one, by what that type implements.
#[doc(hidden)]
#[macro_export]
macro_rules! __implement_form {
    ($form:ty, $type:ty, $shape:ident $(($names:expr))? $(,)?) => {
        impl $crate::generated::WriteForm<$type> for $form {
            fn encode(value: &$type, out: &mut $crate::generated::Writer) {
                use $crate::generated::replaced::{BySerde as _, Direct as _, Replaced, Shape};
                (&Replaced::<$type>::NEW).write(value, out, Shape::$shape $(($names))?);
            }
        }

        impl $crate::generated::Form<$type> for $form {
            fn decode(reader: &mut $crate::generated::Reader<'_>) -> $crate::generated::Decoded<$type> {
                use $crate::generated::replaced::{BySerde as _, Direct as _, Replaced, Shape};
                (&Replaced::<$type>::NEW).read(reader, Shape::$shape $(($names))?)
            }

            fn validate(value: &$type) -> ::core::result::Result<(), $crate::generated::Violation> {
                use $crate::generated::replaced::{Checked as _, Replaced, Unchecked as _};
                (&Replaced::<$type>::NEW).check(value)
            }
        }
    };
}

pub use crate::{
    __describe as describe, __implement_enum as implement_enum, __implement_form as implement_form,
    __implement_serde as implement_serde,
};
