//! What travels along an edge: a header, metadata that describes the payload, and the payload's bytes.
//!
//! A payload is never encoded: a tensor's bytes are its bytes, aligned to [`ALIGN`]. Records and metadata
//! are encoded with bincode, behind [`codec`].

mod buffer;
pub mod codec;
mod metadata;
mod received;
mod record;
mod tensor;
#[cfg(test)]
mod tests;
mod time;

pub use buffer::{ALIGN, Buffer, Pool};
pub use metadata::{Axis, DType, Dim, Metadata, Payload, TensorSpec};
pub use received::{Header, Owned, Received, Release, View};
pub use record::{DynRecord, Field, FieldKind, FieldType, FieldValue, Record, RecordSpec};
pub use tensor::{Element, Tensor, TensorMut};
pub use time::{Capture, Clock, monotonic_ns, realtime_ns};

/// What is wrong with a message's content, seen from the one that reads or makes it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The payload is of another kind than the one asked for.
    #[error("the message is {found}, not {wanted}")]
    Kind {
        /// What the message carries.
        found: String,
        /// What the caller asked for.
        wanted: String,
    },
    /// The payload's length does not fit its description.
    #[error("a payload of {payload_bytes} bytes does not fit {description}")]
    Shape {
        /// Length of the payload in bytes.
        payload_bytes: usize,
        /// The tensor that it should be.
        description: String,
    },
    /// The bytes of a record or of metadata cannot be decoded.
    #[error("the bytes are no {what}: {cause}")]
    Decode {
        /// What was to be decoded.
        what: String,
        /// The decoder's word.
        cause: String,
    },
    /// A record or metadata cannot be encoded.
    #[error("cannot encode {what}: {cause}")]
    Encode {
        /// What was to be encoded.
        what: String,
        /// The encoder's word.
        cause: String,
    },
}
