//! Where one message ends and the next begins in a stream of bytes: the same for files, stdin and `command`.

use super::table::Tables;
use crate::message::{Metadata, Payload, Received};
use crate::node::Result;
use anyhow::bail;
use schemars::JsonSchema;
use serde::Deserialize;
use std::ops::Range;

/// The longest message that is taken from a stream, in bytes.
pub const LONGEST_BYTES: usize = 256 << 20;

/// The attribute of messages that are lines of text, without their line ends.
const LINES: (&str, &str) = ("framing", "lines");

/// Where one message ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Each message is a line; tensors and records are lines of CSV, one for each row.
    Lines,
    /// The bytes of the messages, one after the other, with nothing between.
    Raw,
    /// Before each message its length in bytes, as 32 bits, little endian.
    Length32,
}

impl Framing {
    /// How a stream of messages with this metadata is written where nothing else was asked for.
    #[must_use]
    pub fn natural(metadata: &Metadata) -> Self {
        let lines = metadata.attributes.get(LINES.0).is_some_and(|framing| framing == LINES.1);
        if lines { Framing::Lines } else { Framing::Raw }
    }

    /// The metadata of the bytes messages that are read from such a stream.
    #[must_use]
    pub fn metadata(self) -> Metadata {
        match self {
            Framing::Lines => Metadata::bytes().with(LINES.0, LINES.1),
            Framing::Raw | Framing::Length32 => Metadata::bytes(),
        }
    }

    /// Appends `message` to `stream`. `rows` makes the lines of tensors and records.
    ///
    /// # Errors
    /// Where the message is too long for its framing, or does not fit its description.
    pub fn append(self, message: &Received<'_>, rows: &mut Tables, stream: &mut Vec<u8>) -> Result<()> {
        let payload = message.bytes();
        match self {
            Framing::Raw => stream.extend_from_slice(payload),
            Framing::Length32 => {
                let Ok(len) = u32::try_from(payload.len()) else {
                    bail!("a message of {} bytes is too long for length32, which ends at 4 GiB", payload.len())
                };
                stream.extend_from_slice(&len.to_le_bytes());
                stream.extend_from_slice(payload);
            }
            Framing::Lines if message.metadata().payload == Payload::Bytes => {
                stream.extend_from_slice(payload);
                if payload.last() != Some(&b'\n') {
                    stream.push(b'\n');
                }
            }
            Framing::Lines => rows.of(message)?.0.csv_rows(message, stream)?,
        }
        Ok(())
    }
}

/// How a stream is cut into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// At each line end, which belongs to no message.
    Lines,
    /// After every so many bytes; the last message may be shorter.
    Chunks(usize),
    /// As it arrives.
    AsItComes,
    /// By the length before each message.
    Length32,
}

impl Cut {
    /// The metadata of the messages.
    #[must_use]
    pub fn metadata(self) -> Metadata {
        if self == Cut::Lines { Framing::Lines.metadata() } else { Metadata::bytes() }
    }
}

impl From<Framing> for Cut {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Lines => Cut::Lines,
            Framing::Raw => Cut::AsItComes,
            Framing::Length32 => Cut::Length32,
        }
    }
}

/// Cuts a stream into messages: bytes are pushed in as they arrive, messages taken out as they are complete.
#[derive(Debug)]
pub struct Splitter {
    cut: Cut,
    held: Vec<u8>,
    /// Where the next message begins in `held`.
    start: usize,
    /// How far `held` was searched for a line end.
    searched: usize,
    /// Where the message that was taken out last is in `held`.
    current: Range<usize>,
}

impl Splitter {
    /// Cuts as `cut` says.
    #[must_use]
    pub fn new(cut: Cut) -> Self {
        Splitter { cut, held: Vec::new(), start: 0, searched: 0, current: 0..0 }
    }

    /// Adds bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.held.drain(..self.start);
            self.searched = self.searched.saturating_sub(self.start);
            self.start = 0;
            self.current = 0..0;
        }
        self.held.extend_from_slice(bytes);
    }

    /// The next complete message.
    ///
    /// # Errors
    /// Where a message would be longer than [`LONGEST_BYTES`].
    pub fn next_message(&mut self) -> Result<Option<&[u8]>> {
        let rest = &self.held[self.start..];
        let (skip, len, after) = match self.cut {
            Cut::AsItComes if rest.is_empty() => return Ok(None),
            Cut::AsItComes => (0, rest.len(), 0),
            Cut::Chunks(chunk) if rest.len() < chunk => return Ok(None),
            Cut::Chunks(chunk) => (0, chunk, 0),
            Cut::Lines => match self.held[self.searched..].iter().position(|&b| b == b'\n') {
                Some(at) => (0, self.searched + at - self.start, 1),
                None => {
                    self.searched = self.held.len();
                    self.check_length("a line", rest.len())?;
                    return Ok(None);
                }
            },
            Cut::Length32 => {
                let Some(length) = rest.first_chunk() else { return Ok(None) };
                let len = u32::from_le_bytes(*length) as usize;
                self.check_length("a message", len)?;
                if rest.len() < 4 + len {
                    return Ok(None);
                }
                (4, len, 0)
            }
        };
        let first = self.start + skip;
        self.start = first + len + after;
        self.searched = self.start;
        self.current = first..first + len;
        Ok(Some(self.message()))
    }

    /// The message that [`Splitter::next_message`] returned last.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.held[self.current.clone()]
    }

    /// The last message, at the end of the stream: what was not complete.
    ///
    /// # Errors
    /// Where the stream ended in the middle of a message.
    pub fn last_message(&mut self) -> Result<Option<&[u8]>> {
        let rest = &self.held[std::mem::replace(&mut self.start, self.held.len())..];
        match self.cut {
            _ if rest.is_empty() => Ok(None),
            Cut::Length32 => bail!(
                "the stream ends in the middle of a message: {} bytes are there of its length and content",
                rest.len()
            ),
            Cut::Lines | Cut::Chunks(_) | Cut::AsItComes => Ok(Some(rest)),
        }
    }

    fn check_length(&self, what: &str, len: usize) -> Result<()> {
        let hint = if self.cut == Cut::Length32 { "; is this stream really framed by length32?" } else { "" };
        anyhow::ensure!(len <= LONGEST_BYTES, "{what} of {len} bytes is over the limit of {LONGEST_BYTES} bytes{hint}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_into(cut: Cut, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        let mut splitter = Splitter::new(cut);
        let mut messages = Vec::new();
        for piece in pieces {
            splitter.push(piece);
            while let Some(message) = splitter.next_message()? {
                messages.push(message.to_vec());
            }
        }
        messages.extend(splitter.last_message()?.map(<[u8]>::to_vec));
        Ok(messages)
    }

    fn as_bytes(messages: &[&[u8]]) -> Vec<Vec<u8>> {
        messages.iter().map(|m| m.to_vec()).collect()
    }

    #[test]
    fn lines_are_cut_wherever_the_pieces_end() {
        let found = cut_into(Cut::Lines, &[b"on", b"e\ntwo\n\nthr", b"ee"]).unwrap();
        assert_eq!(found, as_bytes(&[b"one", b"two", b"", b"three"]));
    }

    #[test]
    fn chunks_have_their_length_but_for_the_last() {
        let found = cut_into(Cut::Chunks(3), &[b"abcd", b"efgh"]).unwrap();
        assert_eq!(found, as_bytes(&[b"abc", b"def", b"gh"]));
    }

    #[test]
    fn raw_messages_are_what_arrives() {
        let found = cut_into(Cut::AsItComes, &[b"abcd", b"", b"ef"]).unwrap();
        assert_eq!(found, as_bytes(&[b"abcd", b"ef"]));
    }

    #[test]
    fn length32_may_be_cut_anywhere_even_in_the_length() {
        let found = cut_into(Cut::Length32, &[b"\x02\0", b"\0\0a", b"b\0\0\0\0\x01\0\0\0c"]).unwrap();
        assert_eq!(found, as_bytes(&[b"ab", b"", b"c"]));
    }

    #[test]
    fn a_stream_that_ends_in_the_middle_of_a_message_is_refused() {
        let error = cut_into(Cut::Length32, &[b"\x05\0\0\0ab"]).unwrap_err().to_string();
        assert!(error.contains("in the middle of a message"), "{error}");
    }

    #[test]
    fn text_taken_for_length32_is_refused() {
        let error = cut_into(Cut::Length32, &[b"hello"]).unwrap_err().to_string();
        assert!(error.contains("is this stream really framed by length32?"), "{error}");
    }
}
