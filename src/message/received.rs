//! A message as its consumer has it: its own copy, or a read-only view of the producer's memory.

use super::{Buffer, Capture, MessageError, Metadata, Payload, Record, Tensor, TensorMut, codec};
use bincode::{BorrowDecode, Decode};
use std::fmt;
use std::sync::Arc;

/// What every message carries beside its payload and its metadata.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// Number of the message on its output port, from 0.
    pub sequence: u64,
    /// How many segments of its port came before the one that it was sent in.
    pub generation: u32,
    /// When the content came to be.
    pub capture: Capture,
    /// When this hop sent it: nanoseconds on `CLOCK_MONOTONIC`.
    pub publish_ns: u64,
    /// Follows a message through the graph; 0 where nobody set it.
    pub trace: u64,
}

/// A message as it arrives: both kinds read the same way.
#[derive(Debug)]
pub enum Received<'a> {
    /// From a copying edge: private, writable, free to keep.
    Owned(Owned),
    /// From a zero-copy edge: read-only, released when dropped.
    View(View<'a>),
}

/// A private copy of a message.
#[derive(Clone, Debug)]
pub struct Owned {
    /// Sequence, times, trace.
    pub header: Header,
    /// Describes the payload.
    pub metadata: Arc<Metadata>,
    /// The payload.
    pub payload: Buffer,
}

/// A read-only view of a message in its producer's memory. Its slot is released when it is dropped.
pub struct View<'a> {
    header: Header,
    metadata: Arc<Metadata>,
    payload: &'a [u8],
    release: Option<(&'a dyn Release, u64)>,
}

/// Gets a view's slot back when the view is dropped.
pub trait Release {
    /// Releases what `token` stands for.
    fn release(&self, token: u64);
}

impl Received<'_> {
    /// Sequence, times, trace.
    #[must_use]
    pub fn header(&self) -> &Header {
        match self {
            Received::Owned(message) => &message.header,
            Received::View(message) => &message.header,
        }
    }

    /// Describes the payload.
    #[must_use]
    pub fn metadata(&self) -> &Arc<Metadata> {
        match self {
            Received::Owned(message) => &message.metadata,
            Received::View(message) => &message.metadata,
        }
    }

    /// The payload's bytes, aligned to [`ALIGN`](super::ALIGN).
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Received::Owned(message) => &message.payload,
            Received::View(message) => message.payload,
        }
    }

    /// The payload as a tensor.
    ///
    /// # Errors
    /// [`MessageError`] where it is none.
    pub fn tensor(&self) -> Result<Tensor<'_>, MessageError> {
        Tensor::new(self.metadata(), self.bytes())
    }

    /// The payload as a record, decoded into owned fields.
    ///
    /// # Errors
    /// [`MessageError`] where it is another record, or none.
    pub fn record<T: Record + Decode<()>>(&self) -> Result<T, MessageError> {
        decode_record(self.metadata(), self.bytes())
    }

    /// The payload as a record whose fields may borrow from the message.
    ///
    /// # Errors
    /// [`MessageError`] where it is another record, or none.
    pub fn borrow_record<'a, T: Record + BorrowDecode<'a, ()>>(&'a self) -> Result<T, MessageError> {
        expect_record::<T>(self.metadata())?;
        codec::borrow_decode(self.bytes())
    }

    /// Whether this is a read-only view.
    #[must_use]
    pub fn is_view(&self) -> bool {
        matches!(self, Received::View(_))
    }

    /// A message of one's own: the same one where it is owned already, a copy where it is a view.
    #[must_use]
    pub fn into_owned(self) -> Owned {
        match self {
            Received::Owned(message) => message,
            Received::View(view) => view.to_owned(),
        }
    }
}

impl Owned {
    /// A message that was not received: for tests, and for programs that make their own.
    #[must_use]
    pub fn new(metadata: Arc<Metadata>, payload: Buffer, capture: Capture) -> Self {
        let header = Header { sequence: 0, generation: 0, capture, publish_ns: 0, trace: 0 };
        Owned { header, metadata, payload }
    }

    /// The payload as a tensor.
    ///
    /// # Errors
    /// [`MessageError`] where it is none.
    pub fn tensor(&self) -> Result<Tensor<'_>, MessageError> {
        Tensor::new(&self.metadata, &self.payload)
    }

    /// The payload as a record.
    ///
    /// # Errors
    /// [`MessageError`] where it is another record, or none.
    pub fn record<T: Record + Decode<()>>(&self) -> Result<T, MessageError> {
        decode_record(&self.metadata, &self.payload)
    }

    /// The payload as a tensor to be written in place.
    ///
    /// # Errors
    /// [`MessageError`] where it is none.
    pub fn tensor_mut(&mut self) -> Result<TensorMut<'_>, MessageError> {
        TensorMut::new(&self.metadata, &mut self.payload)
    }
}

impl<'a> View<'a> {
    /// A view of `payload`; `release` is told `token` when it is dropped.
    #[must_use]
    pub fn new(
        header: Header,
        metadata: Arc<Metadata>,
        payload: &'a [u8],
        release: Option<(&'a dyn Release, u64)>,
    ) -> Self {
        View { header, metadata, payload, release }
    }

    /// Sequence, times, trace.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Describes the payload.
    #[must_use]
    pub fn metadata(&self) -> &Arc<Metadata> {
        &self.metadata
    }

    /// The payload's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.payload
    }

    /// The payload as a tensor.
    ///
    /// # Errors
    /// [`MessageError`] where it is none.
    pub fn tensor(&self) -> Result<Tensor<'_>, MessageError> {
        Tensor::new(&self.metadata, self.payload)
    }

    /// The payload as a record.
    ///
    /// # Errors
    /// [`MessageError`] where it is another record, or none.
    pub fn record<T: Record + Decode<()>>(&self) -> Result<T, MessageError> {
        decode_record(&self.metadata, self.payload)
    }

    /// A private copy. The view stays.
    #[must_use]
    pub fn to_owned(&self) -> Owned {
        Owned { header: self.header, metadata: Arc::clone(&self.metadata), payload: Buffer::from_slice(self.payload) }
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        if let Some((owner, token)) = self.release.take() {
            owner.release(token);
        }
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("header", &self.header).field("payload_bytes", &self.payload.len()).finish()
    }
}

impl<'a> From<View<'a>> for Received<'a> {
    fn from(view: View<'a>) -> Self {
        Received::View(view)
    }
}

impl From<Owned> for Received<'_> {
    fn from(message: Owned) -> Self {
        Received::Owned(message)
    }
}

fn decode_record<T: Record + Decode<()>>(metadata: &Metadata, bytes: &[u8]) -> Result<T, MessageError> {
    expect_record::<T>(metadata)?;
    codec::decode(bytes).map(|(value, _)| value)
}

fn expect_record<T: Record>(metadata: &Metadata) -> Result<(), MessageError> {
    match &metadata.payload {
        Payload::Record(spec) if *spec == T::spec() => Ok(()),
        other => Err(MessageError::Kind { found: other.to_string(), wanted: format!("a record {}", T::NAME) }),
    }
}
