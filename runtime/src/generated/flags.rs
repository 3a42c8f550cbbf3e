//! What all sets of flags can do: the macro that generated code calls for each.

/// Implements everything for a struct whose one field, `bits`, is a set of flags: its methods and operators, how it is shown, and
/// its form on the wire and elsewhere. Given are its name, the names and numbers of its flags, and its description.
#[doc(hidden)]
#[macro_export]
macro_rules! __implement_flags {
    ($type:ty, $shown:literal, [$(($name:literal, $number:literal)),* $(,)?], $text:literal $(,)?) => {
        $crate::__flags_methods!($type, [$($number),*]);
        $crate::__flags_operators!($type, BitOr bitor BitOrAssign bitor_assign union);
        $crate::__flags_operators!($type, BitAnd bitand BitAndAssign bitand_assign intersection);
        $crate::__flags_operators!($type, Sub sub SubAssign sub_assign difference);

        impl ::core::fmt::Debug for $type {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::write!(formatter, "{}({})", $shown, self)
            }
        }

        impl ::core::fmt::Display for $type {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                $crate::generated::show_flags(formatter, &[$(($name, $number)),*], self.bits)
            }
        }

        impl ::core::iter::Extend<$type> for $type {
            fn extend<I: ::core::iter::IntoIterator<Item = $type>>(&mut self, flags: I) {
                for flag in flags {
                    self.insert(flag);
                }
            }
        }

        impl ::core::iter::FromIterator<$type> for $type {
            fn from_iter<I: ::core::iter::IntoIterator<Item = $type>>(flags: I) -> Self {
                let mut all = Self::empty();
                ::core::iter::Extend::extend(&mut all, flags);
                all
            }
        }

        impl $crate::generated::Encode for $type {
            fn encode(&self, out: &mut $crate::generated::Writer) {
                $crate::generated::Encode::encode(&self.bits, out);
            }
        }

        impl $crate::generated::Decode for $type {
            fn decode(reader: &mut $crate::generated::Reader<'_>) -> $crate::generated::Decoded<Self> {
                <u64 as $crate::generated::Decode>::decode(reader).map(Self::from_bits)
            }
        }

        $crate::generated::implement_serde!($type, $text);
    };
}

/// Implements the methods of a set of flags.
#[doc(hidden)]
#[macro_export]
macro_rules! __flags_methods {
    ($type:ty, [$($number:literal),*]) => {
        // A schema may call a set of flags `Empty` or `All`.
        #[allow(clippy::self_named_constructors)]
        impl $type {
            /// Returns the set of no flags.
            #[must_use]
            pub const fn empty() -> Self {
                Self { bits: 0 }
            }

            /// Returns the set of all flags that the schema names.
            #[must_use]
            pub const fn all() -> Self {
                Self { bits: 0 $(| 1 << $number)* }
            }

            /// Returns the bits as they are on the wire: flag 0 is the least significant.
            #[must_use]
            pub const fn bits(self) -> u64 {
                self.bits
            }

            /// Returns the flags of some bits. Those that the schema does not name are kept.
            #[must_use]
            pub const fn from_bits(bits: u64) -> Self {
                Self { bits }
            }

            /// Returns the flags that the schema does not name: those of a newer one.
            #[must_use]
            pub const fn unknown(self) -> Self {
                self.difference(Self::all())
            }

            /// Reports whether no flag is set.
            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.bits == 0
            }

            /// Reports whether all of some flags are set.
            #[must_use]
            pub const fn contains(self, flags: Self) -> bool {
                self.bits & flags.bits == flags.bits
            }

            /// Reports whether any of some flags is set.
            #[must_use]
            pub const fn intersects(self, flags: Self) -> bool {
                self.bits & flags.bits != 0
            }

            /// Returns the flags that are in either set; also written `|`.
            #[must_use]
            pub const fn union(self, flags: Self) -> Self {
                Self { bits: self.bits | flags.bits }
            }

            /// Returns the flags that are in both sets; also written `&`.
            #[must_use]
            pub const fn intersection(self, flags: Self) -> Self {
                Self { bits: self.bits & flags.bits }
            }

            /// Returns the flags without some others; also written `-`.
            #[must_use]
            pub const fn difference(self, flags: Self) -> Self {
                Self { bits: self.bits & !flags.bits }
            }

            /// Sets some flags.
            pub const fn insert(&mut self, flags: Self) {
                self.bits |= flags.bits;
            }

            /// Clears some flags.
            pub const fn remove(&mut self, flags: Self) {
                self.bits &= !flags.bits;
            }

            /// Sets or clears some flags.
            pub const fn set(&mut self, flags: Self, are_set: bool) {
                if are_set { self.insert(flags) } else { self.remove(flags) }
            }

            /// Returns each flag that is set, the least significant first, also those that the schema does not name.
            pub fn iter(self) -> impl ::core::iter::Iterator<Item = Self> + ::core::clone::Clone {
                (0..u64::BITS).map(|number| Self { bits: 1 << number }).filter(move |flag| self.contains(*flag))
            }
        }
    };
}

/// Implements an operator and its assignment by a method.
#[doc(hidden)]
#[macro_export]
macro_rules! __flags_operators {
    ($type:ty, $operator:ident $operate:ident $assign:ident $operate_assign:ident $method:ident) => {
        impl ::core::ops::$operator for $type {
            type Output = Self;

            fn $operate(self, flags: Self) -> Self {
                self.$method(flags)
            }
        }

        impl ::core::ops::$assign for $type {
            fn $operate_assign(&mut self, flags: Self) {
                *self = self.$method(flags);
            }
        }
    };
}

pub use crate::__implement_flags as implement_flags;

/// Writes the names of the flags that are set, and what is left of the bits as a number: `Read | Write | 0x40`. No flags are `0`.
///
/// # Errors
/// The formatter's.
pub fn show_flags(
    formatter: &mut std::fmt::Formatter<'_>,
    names: &[(&str, u32)],
    bits: u64,
) -> std::fmt::Result {
    let (mut rest, mut separator) = (bits, "");
    for (name, number) in names.iter().filter(|(_, number)| bits >> number & 1 == 1) {
        write!(formatter, "{separator}{name}")?;
        rest &= !(1 << number);
        separator = " | ";
    }
    match (rest, bits) {
        (0, 0) => formatter.write_str("0"),
        (0, _) => Ok(()),
        _ => write!(formatter, "{separator}{rest:#x}"),
    }
}
