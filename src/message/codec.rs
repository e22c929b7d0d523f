//! The one place that knows bincode: standard configuration, little endian, variable-length integers.

use super::MessageError;
use bincode::{BorrowDecode, Decode, Encode, config};

/// Encodes `value`, appending to `bytes`.
///
/// # Errors
/// [`MessageError::Encode`] when the value refuses, which plain data never does.
pub fn encode_into<T: Encode>(value: &T, bytes: &mut Vec<u8>) -> Result<(), MessageError> {
    bincode::encode_into_std_write(value, bytes, config::standard())
        .map(|_| ())
        .map_err(|e| MessageError::Encode { what: type_name::<T>(), cause: e.to_string() })
}

/// The encoded length of `value` in bytes.
///
/// # Errors
/// As [`encode_into`].
pub fn encoded_len<T: Encode>(value: &T) -> Result<usize, MessageError> {
    let mut counter = bincode::enc::write::SizeWriter::default();
    bincode::encode_into_writer(value, &mut counter, config::standard())
        .map_err(|e| MessageError::Encode { what: type_name::<T>(), cause: e.to_string() })?;
    Ok(counter.bytes_written)
}

/// Encodes `value` into the front of `bytes` and returns the length used.
///
/// # Errors
/// [`MessageError::Encode`] when `bytes` is too short.
pub fn encode_to_slice<T: Encode>(value: &T, bytes: &mut [u8]) -> Result<usize, MessageError> {
    bincode::encode_into_slice(value, bytes, config::standard())
        .map_err(|e| MessageError::Encode { what: type_name::<T>(), cause: e.to_string() })
}

/// Decodes an owned value from the front of `bytes`; also says how many bytes it took.
///
/// # Errors
/// [`MessageError::Decode`] when the bytes are not such a value. Never more memory than 64 MiB is claimed for it.
pub fn decode<T: Decode<()>>(bytes: &[u8]) -> Result<(T, usize), MessageError> {
    bincode::decode_from_slice(bytes, config::standard().with_limit::<{ 64 << 20 }>())
        .map_err(|e| MessageError::Decode { what: type_name::<T>(), cause: e.to_string() })
}

/// Decodes a value that may borrow from `bytes`.
///
/// # Errors
/// As [`decode`].
pub fn borrow_decode<'a, T: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<T, MessageError> {
    bincode::borrow_decode_from_slice(bytes, config::standard().with_limit::<{ 64 << 20 }>())
        .map(|(value, _)| value)
        .map_err(|e| MessageError::Decode { what: type_name::<T>(), cause: e.to_string() })
}

fn type_name<T>() -> String {
    let full = std::any::type_name::<T>();
    let short = full.split('<').next().unwrap_or(full);
    short.rsplit("::").next().unwrap_or(short).to_owned()
}
