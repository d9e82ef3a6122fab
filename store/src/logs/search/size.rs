//! About how much memory a value takes, as its serde implementation tells: the one look that a foreign type gives into itself.

use serde::Serialize;
use serde::de::value::Error;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
    SerializeTupleVariant, Serializer,
};

/// For a text or a list beside its content, and for an entry of a map.
const OVERHEAD: usize = 24;

/// Bytes of a value with all that belongs to it; `None` when it cannot be serialized.
pub(super) fn of(value: &impl Serialize) -> Option<usize> {
    let mut size = Size(0);
    value.serialize(&mut size).ok()?;
    Some(size.0)
}

struct Size(usize);

type Done = Result<(), Error>;

impl Size {
    fn add(&mut self, bytes: usize) -> Done {
        self.0 += bytes;
        Ok(())
    }
}

macro_rules! leaves {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, _: $type) -> Done {
            self.add(size_of::<$type>())
        })*
    };
}

macro_rules! containers {
    ($($method:ident($($argument:ident: $type:ty),*) -> $kind:ident),* $(,)?) => {
        $(
            type $kind = Self;
            fn $method(self, $(_: $type),*) -> Result<Self, Error> {
                self.add(OVERHEAD)?;
                Ok(self)
            }
        )*
    };
}

impl Serializer for &mut Size {
    type Ok = ();
    type Error = Error;

    leaves!(
        serialize_bool: bool, serialize_char: char, serialize_f32: f32, serialize_f64: f64,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
    );

    containers!(
        serialize_seq(len: Option<usize>) -> SerializeSeq,
        serialize_tuple(len: usize) -> SerializeTuple,
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct,
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeTupleVariant,
        serialize_map(len: Option<usize>) -> SerializeMap,
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct,
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeStructVariant,
    );

    fn serialize_str(self, text: &str) -> Done {
        self.add(OVERHEAD + text.len())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        self.add(OVERHEAD + bytes.len())
    }

    fn serialize_none(self) -> Done {
        self.add(1)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Done {
        self.add(1)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Done {
        value.serialize(self)
    }
}

macro_rules! elements {
    ($($kind:ident: $method:ident($($name:ident: $type:ty)?)),* $(,)?) => {
        $(impl $kind for &mut Size {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, $(_: $type,)? value: &T) -> Done {
                value.serialize(&mut **self)
            }

            fn end(self) -> Done {
                Ok(())
            }
        })*
    };
}

elements!(
    SerializeSeq: serialize_element(),
    SerializeTuple: serialize_element(),
    SerializeTupleStruct: serialize_field(),
    SerializeTupleVariant: serialize_field(),
    SerializeStruct: serialize_field(name: &'static str),
    SerializeStructVariant: serialize_field(name: &'static str),
);

impl SerializeMap for &mut Size {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.add(OVERHEAD)?;
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut **self)
    }

    fn end(self) -> Done {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    #[test]
    fn keys_of_a_map_may_be_anything_and_long_lists_count_by_their_elements() {
        let map = BTreeMap::from([((1_u64, Some(true)), vec![0_u64; 2_048])]);
        let size = super::of(&map).expect("can be serialized");
        assert!((2_048 * 8..2_048 * 8 + 200).contains(&size), "{size}");
    }
}
