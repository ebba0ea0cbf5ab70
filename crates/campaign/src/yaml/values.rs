//! Values that may be one or a list.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned};

use super::Spanned;

/// A text, or a list of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = OneOrMany;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word or a list of words")
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![word.to_owned()]))
            }
            fn visit_unit<E: serde::de::Error>(self) -> Result<OneOrMany, E> {
                Err(E::custom(
                    "expected a word or a list of words, found nothing",
                ))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = list.next_element::<String>()? {
                    words.push(word);
                }
                Ok(OneOrMany(words))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

/// A struct, or a list of them.
#[derive(Debug)]
pub struct StructOrList<T>(pub Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for StructOrList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Either<T> {
            type Value = StructOrList<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping or a list of mappings")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| StructOrList(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element::<T>()? {
                    all.push(one);
                }
                Ok(StructOrList(all))
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// `{ on, when }`.
#[derive(Deserialize, schemars::JsonSchema, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct PatternMap {
    /// Names of events.
    pub on: OneOrMany,
    /// A condition.
    #[schemars(with = "Option<String>")]
    pub when: Option<Spanned<String>>,
}

/// An event pattern: a name, a list of names, `{ on, when }`, or a list of those.
#[derive(Debug, Clone, Default)]
pub struct Patterns(pub Vec<PatternMap>);

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Patterns;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event, a list of events, or { on, when }")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Patterns, E> {
                Ok(Patterns(vec![PatternMap {
                    on: OneOrMany(vec![name.to_owned()]),
                    when: None,
                }]))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Patterns, A::Error> {
                PatternMap::deserialize(MapAccessDeserializer::new(map))
                    .map(|one| Patterns(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Patterns, A::Error> {
                let mut all = Vec::new();
                while let Some(mut inner) = list.next_element::<Patterns>()? {
                    all.append(&mut inner.0);
                }
                Ok(Patterns(all))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A share such as `5%`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn percent(text: &str) -> Result<u32, String> {
    let wrong =
        || format!("`{text}` is not a share: write a number from 0 to 100 and %, such as 5%");
    let number: f64 = text
        .trim()
        .strip_suffix('%')
        .ok_or_else(wrong)?
        .trim()
        .parse()
        .map_err(|_| wrong())?;
    if (0.0..=100.0).contains(&number) {
        Ok((number * 100.0).round() as u32)
    } else {
        Err(wrong())
    }
}
