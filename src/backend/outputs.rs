//! A node's outputs: the channel's senders, as a node sees them.

use crate::channel::{ChannelError, LocalSender, Sender};
use crate::message::{Buffer, Capture, Metadata, Owned};
use crate::node::{Result, Stopped, Transmit};
use std::sync::Arc;

/// A port whose messages lie in slots.
pub fn slots(sender: Sender) -> Box<dyn Transmit> {
    Box::new(Slots(sender))
}

/// A port whose messages travel as private memory.
pub fn moves(sender: LocalSender) -> Box<dyn Transmit> {
    Box::new(Moves(sender))
}

/// A port that no edge leaves: what is sent there is lost, as the graph says.
pub fn nobody() -> Box<dyn Transmit> {
    Box::new(Nobody(Buffer::default()))
}

struct Slots(Sender);
struct Moves(LocalSender);
struct Nobody(Buffer);

impl Transmit for Slots {
    fn reserve(&mut self, metadata: &Arc<Metadata>, payload_bytes: usize) -> Result<()> {
        self.0.reserve(metadata, payload_bytes).map_err(for_nodes)
    }

    fn payload(&self) -> &[u8] {
        self.0.payload()
    }

    fn payload_mut(&mut self) -> &mut [u8] {
        self.0.payload_mut()
    }

    fn commit(&mut self, capture: Option<Capture>, trace: u64) -> Result<()> {
        self.0.commit(capture, trace).map_err(for_nodes)
    }

    fn has_readers(&self) -> bool {
        self.0.has_readers()
    }

    fn expect(&mut self, messages: u64) {
        self.0.expect(messages);
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Transmit for Moves {
    fn reserve(&mut self, metadata: &Arc<Metadata>, payload_bytes: usize) -> Result<()> {
        self.0.reserve(metadata, payload_bytes).map_err(for_nodes)
    }

    fn payload(&self) -> &[u8] {
        self.0.payload()
    }

    fn payload_mut(&mut self) -> &mut [u8] {
        self.0.payload_mut()
    }

    fn commit(&mut self, capture: Option<Capture>, trace: u64) -> Result<()> {
        self.0.commit(capture, trace).map_err(for_nodes)
    }

    fn send(&mut self, message: Owned) -> Result<()> {
        self.0.send(message).map_err(for_nodes)
    }

    fn has_readers(&self) -> bool {
        self.0.has_readers()
    }

    fn expect(&mut self, messages: u64) {
        self.0.expect(messages);
    }
}

impl Drop for Moves {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Transmit for Nobody {
    fn reserve(&mut self, _: &Arc<Metadata>, payload_bytes: usize) -> Result<()> {
        self.0 = Buffer::zeroed(payload_bytes);
        Ok(())
    }

    fn payload(&self) -> &[u8] {
        &self.0
    }

    fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn commit(&mut self, _: Option<Capture>, _: u64) -> Result<()> {
        Ok(())
    }

    fn has_readers(&self) -> bool {
        false
    }
}

/// A cut run is no failure of the node that notices it.
fn for_nodes(error: ChannelError) -> anyhow::Error {
    match error {
        ChannelError::Interrupted => Stopped.into(),
        other => other.into(),
    }
}
