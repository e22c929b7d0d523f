//! How a node sends: borrow room for a payload, fill it, publish it.

use super::{NeverStops, Result, Signals, Stopped, Wake};
use crate::message::{Capture, Element, Header, Metadata, Owned, Received, Record, codec};
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

/// All outputs of a node. Sends on the first port unless told otherwise with [`Outputs::port`].
pub struct Outputs {
    ports: Vec<Box<dyn Transmit>>,
    inherited: Inherited,
    signals: Arc<dyn Signals>,
    /// Whether anybody was there to read at the start.
    had_readers: bool,
}

/// What a message takes from the one that it was made from, unless it is told otherwise.
#[derive(Clone, Copy, Debug, Default)]
struct Inherited {
    capture: Option<Capture>,
    trace: u64,
}

/// One output port, with all edges that leave it.
pub struct Output<'a> {
    port: &'a mut dyn Transmit,
    inherited: Inherited,
}

/// Room for one payload. [`publish`](Loan::publish) sends it; dropped before that, nothing happens.
pub struct Loan<'a> {
    port: &'a mut dyn Transmit,
    capture: Option<Capture>,
    trace: u64,
}

/// The other side of an output port: what a backend, or a test of a node, provides.
pub trait Transmit: Send {
    /// Makes room for a payload of `payload_bytes` with anything in it; the next [`Transmit::commit`] sends it.
    ///
    /// # Errors
    /// Where the message is over the limit of an edge, or memory is short.
    fn reserve(&mut self, metadata: &Arc<Metadata>, payload_bytes: usize) -> Result<()>;

    /// The room that was made last.
    fn payload(&self) -> &[u8];

    /// The room that was made last, to be filled.
    fn payload_mut(&mut self) -> &mut [u8];

    /// Sends what is in that room on every edge, waiting where an edge that blocks is full. Without a capture time, it is
    /// the present.
    ///
    /// # Errors
    /// [`Stopped`] where the run was stopped meanwhile; where an edge with `overflow: fail` is full.
    fn commit(&mut self, capture: Option<Capture>, trace: u64) -> Result<()>;

    /// Sends a message that the node owns: moved where that is possible, else copied.
    ///
    /// # Errors
    /// As [`Transmit::reserve`] and [`Transmit::commit`].
    fn send(&mut self, message: Owned) -> Result<()> {
        self.reserve(&message.metadata, message.payload.len())?;
        self.payload_mut().copy_from_slice(&message.payload);
        self.commit(Some(message.header.capture), message.header.trace)
    }

    /// Whether anybody reads here.
    fn has_readers(&self) -> bool;

    /// Says how many messages will come in all: what a progress bar needs.
    fn expect(&mut self, _messages: u64) {}
}

impl Outputs {
    /// Outputs that send through `ports`, in the order in which the type declares them.
    #[must_use]
    pub fn new(ports: Vec<Box<dyn Transmit>>, signals: Arc<dyn Signals>) -> Self {
        let had_readers = ports.iter().any(|port| port.has_readers());
        Outputs { ports, inherited: Inherited::default(), signals, had_readers }
    }

    /// No outputs, and no stop: for tests of sinks.
    #[must_use]
    pub fn none() -> Self {
        Outputs::new(Vec::new(), Arc::new(NeverStops))
    }

    /// Messages sent from now on take their capture time and trace from the message that has this `header`. A backend
    /// calls this before each `process`; a [`Program`](super::Program) calls it itself.
    pub fn inherit(&mut self, header: &Header) {
        self.inherited = Inherited { capture: Some(header.capture), trace: header.trace };
    }

    /// The port at `index`, counted from 0 in the order in which the type declares them.
    ///
    /// # Panics
    /// Where the type declares no such output.
    pub fn port(&mut self, index: usize) -> Output<'_> {
        let declared = self.ports.len();
        let port = self.ports.get_mut(index).unwrap_or_else(|| panic!("output {index} of {declared} declared outputs"));
        Output { port: port.as_mut(), inherited: self.inherited }
    }

    /// As [`Output::loan`] on the first port.
    ///
    /// # Errors
    /// As there.
    pub fn loan(&mut self, metadata: &Arc<Metadata>, payload_bytes: usize) -> Result<Loan<'_>> {
        self.port(0).loan(metadata, payload_bytes)
    }

    /// As [`Output::loan_of`] on the first port.
    ///
    /// # Errors
    /// As there.
    pub fn loan_of<T: Element>(&mut self, metadata: &Arc<Metadata>, elements: usize) -> Result<Loan<'_>> {
        self.port(0).loan_of::<T>(metadata, elements)
    }

    /// As [`Output::bytes`] on the first port.
    ///
    /// # Errors
    /// As there.
    pub fn bytes(&mut self, metadata: &Arc<Metadata>, payload: &[u8]) -> Result<()> {
        self.port(0).bytes(metadata, payload)
    }

    /// As [`Output::record`] on the first port.
    ///
    /// # Errors
    /// As there.
    pub fn record<T: Record>(&mut self, metadata: &Arc<Metadata>, record: &T) -> Result<()> {
        self.port(0).record(metadata, record)
    }

    /// As [`Output::forward`] on the first port.
    ///
    /// # Errors
    /// As there.
    pub fn forward(&mut self, message: Received<'_>) -> Result<()> {
        self.port(0).forward(message)
    }

    /// Says how many messages the first port will send in all, so that progress can be shown.
    pub fn expect(&mut self, messages: u64) {
        if let Some(port) = self.ports.first_mut() {
            port.expect(messages);
        }
    }

    /// Whether this node should come to an end: it is a source and the run is being stopped, or the run is cut short.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.signals.stopping()
    }

    /// Whether anybody still reads what this node sends.
    #[must_use]
    pub fn has_readers(&self) -> bool {
        self.ports.iter().any(|port| port.has_readers())
    }

    /// Whether somebody was there to read, and nobody is any more.
    #[must_use]
    pub fn lost_readers(&self) -> bool {
        self.had_readers && !self.has_readers()
    }

    /// How this node learns of the stop: for a thread of its own.
    #[must_use]
    pub fn signals(&self) -> Arc<dyn Signals> {
        Arc::clone(&self.signals)
    }

    /// Waits until `time`.
    ///
    /// # Errors
    /// [`Stopped`] where the run is being stopped, or nobody reads any more; hand it on with `?`.
    pub fn wait_until(&self, time: Instant) -> Result<()> {
        self.wait(Some(time), None)
    }

    /// Waits until `fd` can be read or has ended.
    ///
    /// # Errors
    /// [`Stopped`] where the run is being stopped, or nobody reads any more; hand it on with `?`.
    pub fn wait_readable(&self, fd: BorrowedFd<'_>) -> Result<()> {
        self.wait(None, Some(fd))
    }

    fn wait(&self, until: Option<Instant>, readable: Option<BorrowedFd<'_>>) -> Result<()> {
        loop {
            match self.signals.wait(until, readable)? {
                Wake::Time | Wake::Readable => return Ok(()),
                Wake::Stopped => return Err(Stopped.into()),
                Wake::Look if self.lost_readers() => return Err(Stopped.into()),
                Wake::Look => {}
            }
        }
    }
}

impl<'a> Output<'a> {
    /// Room for a payload of `payload_bytes`, with anything in it.
    ///
    /// # Errors
    /// Where the message is over the limit of an edge, or memory is short.
    pub fn loan(self, metadata: &Arc<Metadata>, payload_bytes: usize) -> Result<Loan<'a>> {
        self.port.reserve(metadata, payload_bytes)?;
        Ok(Loan { port: self.port, capture: self.inherited.capture, trace: self.inherited.trace })
    }

    /// Room for a payload of `elements` elements of type `T`, with anything in it.
    ///
    /// # Errors
    /// As [`Output::loan`].
    pub fn loan_of<T: Element>(self, metadata: &Arc<Metadata>, elements: usize) -> Result<Loan<'a>> {
        self.loan(metadata, elements * size_of::<T>())
    }

    /// Sends a copy of `payload`.
    ///
    /// # Errors
    /// As [`Output::loan`] and [`Loan::publish`].
    pub fn bytes(self, metadata: &Arc<Metadata>, payload: &[u8]) -> Result<()> {
        let mut loan = self.loan(metadata, payload.len())?;
        loan.copy_from_slice(payload);
        loan.publish()
    }

    /// Sends a record; `metadata` is that of `T::spec()`.
    ///
    /// # Errors
    /// As [`Output::loan`] and [`Loan::publish`].
    pub fn record<T: Record>(self, metadata: &Arc<Metadata>, record: &T) -> Result<()> {
        let mut loan = self.loan(metadata, codec::encoded_len(record)?)?;
        codec::encode_to_slice(record, &mut loan)?;
        loan.publish()
    }

    /// Sends on what was received: moved where that is possible, else copied. Never lends a view on.
    ///
    /// # Errors
    /// As [`Output::loan`] and [`Loan::publish`].
    pub fn forward(self, message: Received<'_>) -> Result<()> {
        match message {
            Received::Owned(message) => self.port.send(message),
            Received::View(view) => {
                self.port.reserve(view.metadata(), view.bytes().len())?;
                self.port.payload_mut().copy_from_slice(view.bytes());
                self.port.commit(Some(view.header().capture), view.header().trace)
            }
        }
    }
}

impl Loan<'_> {
    /// The payload as elements to be written.
    ///
    /// # Panics
    /// Where the payload's length is no multiple of the element's.
    pub fn elements<T: Element>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(self.port.payload_mut())
    }

    /// Sets the capture time. Without, it is that of the message that is being processed, or else the present.
    #[must_use]
    pub fn captured(mut self, capture: Capture) -> Self {
        self.capture = Some(capture);
        self
    }

    /// Sends it on every edge of the port, waiting where an edge that blocks is full.
    ///
    /// # Errors
    /// [`Stopped`] where the run was stopped meanwhile; where an edge with `overflow: fail` is full.
    pub fn publish(self) -> Result<()> {
        self.port.commit(self.capture, self.trace)
    }
}

impl std::ops::Deref for Loan<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.port.payload()
    }
}

impl std::ops::DerefMut for Loan<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.port.payload_mut()
    }
}

impl fmt::Debug for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outputs({} ports)", self.ports.len())
    }
}
