//! Runs a node without a graph: settings in, messages in, messages out.
//!
//! ```
//! use ezrun::message::{Buffer, Capture, Metadata, Owned};
//! use ezrun::node::{InputId, testing::Harness};
//! use std::sync::Arc;
//!
//! let merge = ezrun::nodes::registry();
//! let mut node = Harness::new(merge.get("merge").unwrap(), serde_json::json!({})).unwrap();
//! let message = Owned::new(Arc::new(Metadata::bytes()), Buffer::from_slice(b"hello"), Capture::stream_seconds(0.5));
//! node.send(InputId(0), message).unwrap();
//! assert_eq!(&*node.sent(0)[0].payload, b"hello");
//! ```

use super::{
    Context, Flow, InputId, Inputs, Instance, NeverStops, NodeType, Outputs, Receive, Result, SettingError, Transmit,
};
use crate::message::{Buffer, Capture, Metadata, Owned, Received, View, monotonic_ns};
use serde_json::Value;
use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A node under test, and what it has sent.
pub struct Harness {
    instance: Instance,
    outputs: Outputs,
    sent: Vec<Sent>,
}

type Sent = Arc<Mutex<Vec<Owned>>>;

impl Harness {
    /// Makes a node of `node_type`.
    ///
    /// # Errors
    /// Where the settings are not right.
    pub fn new(node_type: &NodeType, settings: Value) -> Result<Self, SettingError> {
        let instance = node_type.make(settings)?;
        let sent: Vec<Sent> = node_type.description().outputs.iter().map(|_| Sent::default()).collect();
        let ports = sent.iter().map(|s| Box::new(Collector::new(Arc::clone(s))) as Box<dyn Transmit>).collect();
        Ok(Harness { instance, outputs: Outputs::new(ports, Arc::new(NeverStops)), sent })
    }

    /// Calls `start`, with paths relative to `graph_dir`.
    ///
    /// # Errors
    /// The node's.
    pub fn start(&mut self, graph_dir: &Path) -> Result<()> {
        self.start_with(graph_dir, None, None)
    }

    /// As [`Harness::start`], with streams that stand for ezrun's own.
    ///
    /// # Errors
    /// The node's.
    pub fn start_with(&mut self, graph_dir: &Path, stdin: Option<OwnedFd>, stdout: Option<OwnedFd>) -> Result<()> {
        let mut context = Context::new("node", graph_dir).with_streams(stdin, stdout);
        match &mut self.instance {
            Instance::Node(node) => node.start(&mut context),
            Instance::Source(source) => source.start(&mut context),
            Instance::Program(program) => program.start(&mut context),
        }
    }

    /// Hands the node a message of its own.
    ///
    /// # Errors
    /// The node's; also where it is a source or a program.
    pub fn send(&mut self, input: InputId, message: Owned) -> Result<Flow> {
        self.receive(input, Received::Owned(message))
    }

    /// Hands the node a read-only view.
    ///
    /// # Errors
    /// As [`Harness::send`].
    pub fn show(&mut self, input: InputId, message: &Owned) -> Result<Flow> {
        self.receive(input, Received::View(view(message)))
    }

    fn receive(&mut self, input: InputId, message: Received<'_>) -> Result<Flow> {
        let Instance::Node(node) = &mut self.instance else { anyhow::bail!("only a Node is called with messages") };
        self.outputs.inherit(message.header());
        node.process(input, message, &mut self.outputs)
    }

    /// Asks a source to produce, `times` times or until it has completed.
    ///
    /// # Errors
    /// The node's; also where it is no source.
    pub fn produce(&mut self, times: usize) -> Result<Flow> {
        let Instance::Source(source) = &mut self.instance else { anyhow::bail!("only a Source produces") };
        for _ in 0..times {
            let flow = source.produce(&mut self.outputs)?;
            if flow != Flow::Continue {
                return Ok(flow);
            }
        }
        Ok(Flow::Continue)
    }

    /// Runs a program on `messages`, in this order: `next` and `recv` give copies, `recv_zero_copy` gives views.
    ///
    /// # Errors
    /// The node's; also where it is no program.
    pub fn run(&mut self, messages: Vec<(InputId, Owned)>) -> Result<Flow> {
        let Instance::Program(program) = &mut self.instance else { anyhow::bail!("only a Program runs") };
        program.run(&mut Inputs::new(Box::new(Queue::new(messages))), &mut self.outputs)
    }

    /// Calls `stop`: no more messages will come.
    ///
    /// # Errors
    /// The node's.
    pub fn stop(&mut self) -> Result<()> {
        match &mut self.instance {
            Instance::Node(node) => node.stop(&mut self.outputs),
            Instance::Source(source) => source.stop(&mut self.outputs),
            Instance::Program(_) => Ok(()),
        }
    }

    /// Takes what the node has sent on output `port` since the last call.
    ///
    /// # Panics
    /// Where there is no such output.
    pub fn sent(&mut self, port: usize) -> Vec<Owned> {
        std::mem::take(&mut self.sent[port].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Keeps what is sent.
struct Collector {
    sent: Sent,
    sequence: u64,
    metadata: Arc<Metadata>,
    payload: Buffer,
}

impl Collector {
    fn new(sent: Sent) -> Self {
        Collector { sent, sequence: 0, metadata: Arc::default(), payload: Buffer::default() }
    }
}

impl Transmit for Collector {
    fn reserve(&mut self, metadata: &Arc<Metadata>, payload_bytes: usize) -> Result<()> {
        self.metadata = Arc::clone(metadata);
        self.payload = Buffer::zeroed(payload_bytes);
        Ok(())
    }

    fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.payload
    }

    fn commit(&mut self, capture: Option<Capture>, trace: u64) -> Result<()> {
        let payload = std::mem::take(&mut self.payload);
        let mut message = Owned::new(Arc::clone(&self.metadata), payload, capture.unwrap_or_else(Capture::now));
        message.header.trace = trace;
        self.send(message)
    }

    fn send(&mut self, mut message: Owned) -> Result<()> {
        message.header.sequence = self.sequence;
        message.header.publish_ns = monotonic_ns();
        self.sequence += 1;
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        Ok(())
    }

    fn has_readers(&self) -> bool {
        true
    }
}

/// Messages that are there already.
struct Queue {
    messages: Vec<(InputId, Owned)>,
    taken: RefCell<Vec<bool>>,
}

impl Queue {
    fn new(messages: Vec<(InputId, Owned)>) -> Self {
        Queue { taken: RefCell::new(vec![false; messages.len()]), messages }
    }

    /// The first message that is wanted and was not taken.
    fn take(&self, wanted: impl Fn(InputId) -> bool) -> Option<&(InputId, Owned)> {
        let mut taken = self.taken.borrow_mut();
        let at = self.messages.iter().zip(&*taken).position(|((input, _), taken)| !taken && wanted(*input))?;
        taken[at] = true;
        Some(&self.messages[at])
    }
}

impl Receive for Queue {
    fn next(&mut self) -> Result<Option<(InputId, Received<'_>)>> {
        Ok(self.take(|_| true).map(|(input, message)| (*input, message.clone().into())))
    }

    fn recv(&self, input: InputId) -> Result<Option<Owned>> {
        Ok(self.take(|i| i == input).map(|(_, message)| message.clone()))
    }

    fn recv_zero_copy(&self, input: InputId) -> Result<Option<View<'_>>> {
        Ok(self.take(|i| i == input).map(|(_, message)| view(message)))
    }
}

fn view(message: &Owned) -> View<'_> {
    View::new(message.header, Arc::clone(&message.metadata), &message.payload, None)
}
