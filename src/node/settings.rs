//! Kinds of settings that several node types share, each with its schema and its own clear refusal.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, Expected, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// A duration above zero: text with a unit, such as `10 ms`, `2 s` or `1 min 30 s`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span(Duration);

/// A finite number above zero.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Positive(f64);

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub enum OneOrMany<T> {
    /// Written as a plain value.
    One(T),
    /// Written as a list.
    Many(Vec<T>),
}

impl Span {
    /// The duration in seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0.as_secs_f64()
    }

    fn from_seconds(seconds: f64) -> Result<Self, String> {
        Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|d| !d.is_zero())
            .map(Span)
            .ok_or_else(|| format!("a duration must be above zero, and {seconds} seconds is not"))
    }
}

impl Positive {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl<T: Clone> OneOrMany<T> {
    /// All values: one, or those of the list.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            OneOrMany::One(value) => std::slice::from_ref(value),
            OneOrMany::Many(values) => values,
        }
    }
}

impl TryFrom<f64> for Positive {
    type Error = String;
    fn try_from(value: f64) -> Result<Self, String> {
        if value.is_finite() && value > 0.0 { Ok(Positive(value)) } else { Err(format!("{value} is not above 0")) }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

/// That `value` is not what was expected, in plain words.
pub(crate) fn is_not<E: Error>(value: impl fmt::Display, expected: &dyn Expected) -> E {
    E::custom(format!("`{value}` is not {expected}"))
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"10 ms\" or \"2 s\", or a number of seconds")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Span, E> {
        Span::from_seconds(value).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Span, E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Span, E> {
        self.visit_f64(value as f64)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Span, E> {
        let span = humantime::parse_duration(value).map_err(|_| is_not(value, &self))?;
        if span.is_zero() {
            return Err(E::custom(format!("a duration must be above zero, and \"{value}\" is not")));
        }
        Ok(Span(span))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "exclusiveMinimum": 0,
            "pattern": r"^\s*([0-9]+(\.[0-9]+)?\s*[a-zA-Zµ]+\s*)+$",
        })
    }
}

impl JsonSchema for Positive {
    fn schema_name() -> Cow<'static, str> {
        "Positive".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "exclusiveMinimum": 0 })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a list of numbers")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        T::deserialize(value.into_deserializer()).map(OneOrMany::One)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        T::deserialize(value.into_deserializer()).map(OneOrMany::One)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        T::deserialize(value.into_deserializer()).map(OneOrMany::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany::Many)
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        // What holds for one value is said of it directly, and not as one of several alternatives: so it can be told
        // which limit was broken.
        let mut schema = item.clone();
        if let Some(kind) = item.get("type").cloned() {
            schema.insert("type".to_owned(), serde_json::json!([kind, "array"]));
        }
        schema.insert("items".to_owned(), item.into());
        schema.insert("minItems".to_owned(), 1.into());
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn span(value: Value) -> Result<f64, String> {
        from_value::<Span>(value).map(Span::seconds).map_err(|e| e.to_string())
    }

    #[test]
    fn a_duration_is_text_with_a_unit_or_a_number_of_seconds() {
        assert_eq!(span(json!("10 ms")), Ok(0.01));
        assert_eq!(span(json!("2s")), Ok(2.0));
        assert_eq!(span(json!("1 min 30 s")), Ok(90.0));
        assert_eq!(span(json!(0.25)), Ok(0.25));
        assert_eq!(span(json!(3)), Ok(3.0));
    }

    #[test]
    fn a_duration_that_is_none_says_what_would_be() {
        assert!(span(json!("soon")).unwrap_err().contains("such as \"10 ms\""));
        assert!(span(json!("0 s")).unwrap_err().contains("above zero"));
        assert!(span(json!(-1)).unwrap_err().contains("above zero"));
        assert!(span(json!(true)).unwrap_err().contains("a duration such as"));
    }

    #[test]
    fn one_value_or_a_list_of_them() {
        let read =
            |value| from_value::<OneOrMany<f64>>(value).map(|v| v.as_slice().to_vec()).map_err(|e| e.to_string());
        assert_eq!(read(json!(10)), Ok(vec![10.0]));
        assert_eq!(read(json!([10, 12.5])), Ok(vec![10.0, 12.5]));
        assert!(read(json!("ten")).unwrap_err().contains("a number or a list of numbers"));
    }
}
