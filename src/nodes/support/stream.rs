//! Reads a stream of bytes and sends its messages: what `file_source`, `stdin_source` and `command` have in common.

use super::framing::{Cut, Splitter};
use crate::message::{Capture, Metadata};
use crate::node::{Outputs, Result, SettingError};
use anyhow::{Context as _, anyhow};
use std::io::{ErrorKind, Read};
use std::num::NonZeroU32;
use std::sync::Arc;

/// How much is read at a time, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// A stream, and what was read of it but not yet sent.
#[derive(Debug)]
pub struct MessageReader<R> {
    /// What is read.
    pub from: R,
    name: String,
    splitter: Splitter,
    metadata: Arc<Metadata>,
    piece: Vec<u8>,
}

impl<R: Read> MessageReader<R> {
    /// Reads from `from`, which error messages call `name`, and cuts it as `cut` says.
    #[must_use]
    pub fn new(from: R, name: &str, cut: Cut) -> Self {
        let (splitter, metadata) = (Splitter::new(cut), Arc::new(cut.metadata()));
        MessageReader { from, name: name.to_owned(), splitter, metadata, piece: vec![0; PIECE_BYTES] }
    }

    /// Sends the next message, calling `wait` before each read. False at the end of the stream.
    ///
    /// # Errors
    /// Where the stream cannot be read or cut; those of `wait` and of sending.
    pub fn send_next(
        &mut self,
        out: &mut Outputs,
        capture: impl FnOnce() -> Capture,
        mut wait: impl FnMut(&R, &Outputs) -> Result<()>,
    ) -> Result<bool> {
        // Not held across the loop: what the splitter lends ends with each turn.
        while self.splitter.next_message().map(|m| m.is_none()).with_context(|| self.name.clone())? {
            wait(&self.from, out)?;
            let read = match self.from.read(&mut self.piece) {
                Ok(read) => read,
                Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => continue,
                Err(e) => return Err(anyhow!("cannot read {}: {e}", self.name)),
            };
            if read == 0 {
                let last = self.splitter.last_message().with_context(|| self.name.clone())?;
                return last.map_or(Ok(false), |last| send(last, &self.metadata, capture(), out).map(|()| true));
            }
            self.splitter.push(&self.piece[..read]);
        }
        send(self.splitter.message(), &self.metadata, capture(), out)?;
        Ok(true)
    }
}

fn send(message: &[u8], metadata: &Arc<Metadata>, capture: Capture, out: &mut Outputs) -> Result<()> {
    let mut loan = out.loan(metadata, message.len())?.captured(capture);
    loan.copy_from_slice(message);
    loan.publish()
}

/// How a source cuts, as its settings say; `otherwise` where they say nothing.
///
/// # Errors
/// Where they say more than one thing.
pub fn cut_from(chunk: Option<NonZeroU32>, lines: bool, length32: bool, otherwise: Cut) -> Result<Cut, SettingError> {
    match (chunk, lines, length32) {
        (None, false, false) => Ok(otherwise),
        (Some(chunk), false, false) => Ok(Cut::Chunks(chunk.get() as usize)),
        (None, true, false) => Ok(Cut::Lines),
        (None, false, true) => Ok(Cut::Length32),
        _ => {
            let setting = if lines { "lines" } else { "length32" };
            let message = "`chunk`, `lines` and `length32` exclude each other: a message is as many bytes, or a line, \
                           or what its length says";
            Err(SettingError::at(setting, message))
        }
    }
}
