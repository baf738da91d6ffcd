//! Decodes a JSON value as a type and remembers, for every place in it, which fields the type has
//! there: that is how a misspelled one finds the one that was meant, and how an error finds its path.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Error, Value};

use crate::policy::nearest;

/// The fields that a type has, by path of the object.
#[derive(Debug, Default)]
pub(super) struct Fields(HashMap<String, &'static [&'static str]>);

impl Fields {
    /// What was probably meant by `key` at `path`, as the end of a sentence.
    pub(super) fn hint(&self, path: &str, key: &str) -> String {
        let object = path
            .strip_suffix(key)
            .and_then(|path| path.strip_suffix('.'))
            .unwrap_or_default();
        let valid = self.0.get(object).copied().unwrap_or_default();
        nearest(key, valid.iter().copied())
            .map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
    }
}

#[derive(Default)]
struct Seen {
    fields: RefCell<Fields>,
    /// Path of the innermost value whose decoding failed.
    failed: RefCell<Option<String>>,
}

/// Decodes the value. An error is one sentence with the path of what is wrong.
pub(super) fn decode<T: DeserializeOwned>(value: &Value) -> Result<(T, Fields), String> {
    let seen = Rc::new(Seen::default());
    let result = T::deserialize(Traced {
        value,
        path: String::new(),
        seen: Rc::clone(&seen),
    });
    match result {
        Ok(typed) => Ok((typed, seen.fields.take())),
        Err(error) => {
            let path = seen.failed.take().unwrap_or_default();
            Err(format!("{path}: {error}"))
        }
    }
}

struct Traced<'a> {
    value: &'a Value,
    path: String,
    seen: Rc<Seen>,
}

impl Traced<'_> {
    fn at<T>(path: String, seen: &Seen, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            seen.failed.borrow_mut().get_or_insert(path);
        }
        result
    }
}

/// Everything but structs, maps, lists and options reads as serde_json does.
macro_rules! plainly {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let result = self.value.$method(visitor);
            Self::at(self.path, &self.seen, result)
        }
    )*};
}

impl<'de, 'a: 'de> Deserializer<'de> for Traced<'a> {
    type Error = Error;

    plainly! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_unit deserialize_identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Object(_) => self.deserialize_map(visitor),
            Value::Array(_) => self.deserialize_seq(visitor),
            scalar => Self::at(self.path, &self.seen, scalar.deserialize_any(visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.value.deserialize_ignored_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match self.value {
            Value::Array(items) => visitor.visit_seq(Items {
                items: items.iter(),
                index: 0,
                path: &self.path,
                seen: &self.seen,
            }),
            other => other.deserialize_seq(visitor),
        };
        Self::at(self.path, &self.seen, result)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match self.value {
            Value::Object(map) => visitor.visit_map(Entries {
                entries: map.iter(),
                next: None,
                path: &self.path,
                seen: &self.seen,
            }),
            other => other.deserialize_map(visitor),
        };
        Self::at(self.path, &self.seen, result)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.seen
            .fields
            .borrow_mut()
            .0
            .insert(self.path.clone(), fields);
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let result = match self.value {
            Value::String(text) => visitor.visit_enum(Variant(text)),
            _ => Err(Error::custom("expected text")),
        };
        Self::at(self.path, &self.seen, result)
    }
}

struct Items<'a, 's> {
    items: std::slice::Iter<'a, Value>,
    index: usize,
    path: &'s str,
    seen: &'s Rc<Seen>,
}

impl<'de, 'a: 'de> SeqAccess<'de> for Items<'a, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(value) = self.items.next() else {
            return Ok(None);
        };
        let path = format!("{}[{}]", self.path, self.index);
        self.index += 1;
        seed.deserialize(Traced {
            value,
            path,
            seen: Rc::clone(self.seen),
        })
        .map(Some)
    }
}

struct Entries<'a, 's> {
    entries: serde_json::map::Iter<'a>,
    next: Option<(&'a String, &'a Value)>,
    path: &'s str,
    seen: &'s Rc<Seen>,
}

impl<'de, 'a: 'de> MapAccess<'de> for Entries<'a, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.next = self.entries.next();
        let Some((key, _)) = self.next else {
            return Ok(None);
        };
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((key, value)) = self.next.take() else {
            return Err(Error::custom("a value without its key"));
        };
        seed.deserialize(Traced {
            value,
            path: format!("{}.{key}", self.path),
            seen: Rc::clone(self.seen),
        })
    }
}

struct Variant<'a>(&'a str);

impl<'de, 'a: 'de> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = seed.deserialize(serde::de::value::BorrowedStrDeserializer::<Error>::new(
            self.0,
        ))?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        Err(Error::custom("a plain name was expected"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a plain name was expected"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(Error::custom("a plain name was expected"))
    }
}
