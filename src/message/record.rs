//! Structured payloads: fields with names and types, encoded with bincode one after the other.
//!
//! A record's type is a Rust struct on both ends; its field list travels in the metadata, so a sink that
//! has never heard of the struct can still write it as a row.

use super::{MessageError, codec};
use bincode::{Decode, Encode};
use std::fmt;

/// A struct that can be sent as a record. Made by [`record!`](crate::record).
pub trait Record: Encode {
    /// Name of the record type.
    const NAME: &'static str;
    /// Its fields, in the order of their encoding.
    const FIELDS: &'static [(&'static str, FieldType)];

    /// The description that travels in the metadata.
    #[must_use]
    fn spec() -> RecordSpec {
        let fields = Self::FIELDS.iter().map(|&(name, kind)| Field { name: name.to_owned(), kind }).collect();
        RecordSpec { name: Self::NAME.to_owned(), fields }
    }
}

/// Name and fields of a record type.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct RecordSpec {
    /// Name of the record type.
    pub name: String,
    /// Its fields, in the order of their encoding.
    pub fields: Vec<Field>,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Field {
    /// Name of the field.
    pub name: String,
    /// Type of its value.
    pub kind: FieldType,
}

/// Type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[allow(missing_docs, reason = "the names say it")]
pub enum FieldType {
    Bool,
    I64,
    U64,
    F64,
    Text,
    Numbers,
}

/// A field's value, where the struct is not known.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "as in FieldType")]
pub enum FieldValue {
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Text(String),
    Numbers(Vec<f64>),
}

/// A record read by its description alone.
#[derive(Clone, Debug, PartialEq)]
pub struct DynRecord {
    /// Names and values, in the order of the description.
    pub fields: Vec<(String, FieldValue)>,
}

/// A Rust type that can be the type of a record's field.
pub trait FieldKind {
    /// The field type that it is sent as.
    const KIND: FieldType;
}

macro_rules! field_kinds {
    ($($type:ty => $kind:ident),*) => { $(impl FieldKind for $type { const KIND: FieldType = FieldType::$kind; })* };
}
field_kinds!(bool => Bool, i64 => I64, u64 => U64, f64 => F64, String => Text, &str => Text, Vec<f64> => Numbers);

impl DynRecord {
    /// Decodes `bytes` by `spec`.
    ///
    /// # Errors
    /// [`MessageError::Decode`] where the bytes are not such a record.
    pub fn decode(spec: &RecordSpec, mut bytes: &[u8]) -> Result<Self, MessageError> {
        let mut fields = Vec::with_capacity(spec.fields.len());
        for field in &spec.fields {
            fields.push((field.name.clone(), take_field(field.kind, &mut bytes)?));
        }
        Ok(DynRecord { fields })
    }
}

fn take_field(kind: FieldType, bytes: &mut &[u8]) -> Result<FieldValue, MessageError> {
    fn take<T: Decode<()>>(bytes: &mut &[u8]) -> Result<T, MessageError> {
        let (value, used) = codec::decode(bytes)?;
        *bytes = &bytes[used..];
        Ok(value)
    }
    Ok(match kind {
        FieldType::Bool => FieldValue::Bool(take(bytes)?),
        FieldType::I64 => FieldValue::I64(take(bytes)?),
        FieldType::U64 => FieldValue::U64(take(bytes)?),
        FieldType::F64 => FieldValue::F64(take(bytes)?),
        FieldType::Text => FieldValue::Text(take(bytes)?),
        FieldType::Numbers => FieldValue::Numbers(take(bytes)?),
    })
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldValue::Bool(v) => v.fmt(f),
            FieldValue::I64(v) => v.fmt(f),
            FieldValue::U64(v) => v.fmt(f),
            FieldValue::F64(v) => v.fmt(f),
            FieldValue::Text(v) => f.write_str(v),
            FieldValue::Numbers(v) => {
                for (i, x) in v.iter().enumerate() {
                    write!(f, "{}{x}", if i == 0 { "" } else { " " })?;
                }
                Ok(())
            }
        }
    }
}

/// Declares a struct that can be sent as a record.
///
/// Fields may be `bool`, `i64`, `u64`, `f64`, `String`, `Vec<f64>`.
///
/// ```
/// ezrun::record! {
///     /// One heart beat.
///     pub struct Beat {
///         /// Seconds since the recording began.
///         pub time_s: f64,
///         /// Millivolts at the peak.
///         pub height: f64,
///     }
/// }
/// use ezrun::message::Record;
/// assert_eq!(Beat::spec().fields[0].name, "time_s");
/// ```
#[macro_export]
macro_rules! record {
    ($(#[$outer:meta])* $vis:vis struct $name:ident { $($(#[$inner:meta])* $fvis:vis $field:ident : $type:ty),* $(,)? }) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name { $($(#[$inner])* $fvis $field: $type),* }

        // Written out, since what bincode derives does not compile where a visibility is left out.
        impl $crate::bincode::Encode for $name {
            fn encode<E: $crate::bincode::enc::Encoder>(
                &self,
                encoder: &mut E,
            ) -> ::core::result::Result<(), $crate::bincode::error::EncodeError> {
                $($crate::bincode::Encode::encode(&self.$field, encoder)?;)*
                Ok(())
            }
        }

        impl<__Context> $crate::bincode::Decode<__Context> for $name {
            fn decode<D: $crate::bincode::de::Decoder<Context = __Context>>(
                decoder: &mut D,
            ) -> ::core::result::Result<Self, $crate::bincode::error::DecodeError> {
                Ok(Self { $($field: $crate::bincode::Decode::decode(decoder)?),* })
            }
        }

        $crate::bincode::impl_borrow_decode!($name);

        impl $crate::message::Record for $name {
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [(&'static str, $crate::message::FieldType)] =
                &[$((stringify!($field), <$type as $crate::message::FieldKind>::KIND)),*];
        }
    };
}
