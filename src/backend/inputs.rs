//! A node's inputs: waits for the next message at any of its edges, and receives it as its edge says.

use crate::channel::{Awaited, ChannelError, Interrupt, Level, Poll, Receiver, Sleeps, WaitList, Waiter};
use crate::control::InputSetup;
use crate::graph::{Delivery, Wait};
use crate::message::{Owned, Received, View};
use crate::node::{InputId, Receive, Result, Stopped};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// All edges that end at a node.
pub struct InputSet {
    edges: Vec<BoundEdge>,
    waiter: RefCell<Waiter>,
    /// Set by the node itself, which wants no more.
    ended: Arc<AtomicBool>,
    /// Whether it leaves its edges when it goes, or they are left to another process.
    leaves: Arc<AtomicBool>,
    sleeps: RefCell<Sleeps>,
    /// The edge that the last message came from.
    last: Cell<usize>,
}

/// One edge, and how it receives.
pub struct BoundEdge {
    input: InputId,
    receiver: Receiver,
    delivery: Delivery,
    /// Its end is not waited for.
    feedback: bool,
}

impl BoundEdge {
    /// Binds an edge.
    pub fn new(receiver: Receiver, setup: &InputSetup) -> Self {
        let input = InputId(setup.input as usize);
        BoundEdge { input, receiver, delivery: setup.delivery, feedback: setup.feedback }
    }

    /// Takes the next message. The one place where an edge's delivery decides how messages are received.
    #[inline(always)]
    fn take(&self) -> Result<Option<Received<'_>>, ChannelError> {
        Ok(match self.delivery {
            Delivery::Copy => self.receiver.recv()?.map(Received::Owned),
            Delivery::ZeroCopy => self.receiver.recv_zero_copy()?.map(Received::View),
        })
    }
}

/// The next message at one of the edges that `wanted` picks.
struct Next<'s, W> {
    set: &'s InputSet,
    wanted: W,
}

impl<W: Fn(&BoundEdge) -> bool> Awaited for Next<'_, W> {
    /// The edge, of several the one whose message was published first; nothing where the stream has ended.
    type Found = Option<usize>;

    fn look(&mut self, interrupt: &Interrupt, list: &mut WaitList) -> Result<Option<Option<usize>>, ChannelError> {
        if interrupt.level() == Level::Cut || self.set.ended.load(Ordering::Acquire) {
            return Ok(Some(None));
        }
        let mut ready: Option<usize> = None;
        // An edge that nobody asked for is only looked at for whether the stream goes on.
        let (mut more_to_come, mut wanted_more) = (false, false);
        for (at, edge) in self.set.edges.iter().enumerate() {
            let asked = (self.wanted)(edge);
            match edge.receiver.poll() {
                Poll::Ready if asked => ready = Some(ready.map_or(at, |other| self.set.earlier(other, at))),
                Poll::Ready => {}
                Poll::Empty(seen) => edge.receiver.push_wait(list, seen),
                Poll::Ended => continue,
            }
            wanted_more |= asked;
            more_to_come |= !edge.feedback;
        }
        // What still goes round in a cycle would go round for ever.
        let has_ended = !more_to_come || !wanted_more;
        Ok(if has_ended { Some(None) } else { ready.map(Some) })
    }

    fn announce(&mut self, sleeping: bool) {
        let number = self.set.sleeps.borrow_mut().number(sleeping);
        self.set.edges.iter().for_each(|edge| edge.receiver.announce_sleep(number));
    }

    fn came_ns(&self, found: &Option<usize>) -> Option<u64> {
        self.set.edges[(*found)?].receiver.next_published_at()
    }
}

impl InputSet {
    pub fn new(edges: Vec<BoundEdge>, interrupt: Arc<Interrupt>, wait: Wait, leaves: bool) -> Self {
        if wait == Wait::Busy {
            edges.iter().for_each(|edge| edge.receiver.announce_never());
        }
        let waiter = RefCell::new(Waiter::new(interrupt, wait));
        let (ended, sleeps) = (Arc::default(), RefCell::default());
        let leaves = Arc::new(AtomicBool::new(leaves));
        InputSet { edges, waiter, ended, leaves, sleeps, last: Cell::new(0) }
    }

    /// What ends the inputs once it is set; the interrupt is to be nudged then.
    pub fn end_switch(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ended)
    }

    /// What says whether the edges are left at the end.
    pub fn leave_switch(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.leaves)
    }

    /// Whether no edge ends here at all.
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Waits for the next message; of those that are there, takes the one that was published first. Nothing when every
    /// edge has ended, or the run is cut short.
    #[inline(always)]
    pub fn next(&self) -> Result<Option<(InputId, Received<'_>)>, ChannelError> {
        self.next_at(|_| true)
    }

    /// Says that the node is done with the message that [`InputSet::next`] gave last.
    pub fn done(&self) {
        if let Some(edge) = self.edges.get(self.last.get()) {
            edge.receiver.done();
        }
    }

    /// Says that the node is done with everything that it has taken: it has asked for more, or has ended well.
    pub fn done_with_all(&self) {
        for edge in &self.edges {
            edge.receiver.done();
        }
    }

    /// As [`InputSet::next`], of those edges that `wanted` picks.
    #[inline(always)]
    fn next_at(&self, wanted: impl Fn(&BoundEdge) -> bool) -> Result<Option<(InputId, Received<'_>)>, ChannelError> {
        loop {
            let Some(at) = self.waiter.borrow_mut().wait_for(&mut Next { set: self, wanted: &wanted })? else {
                return Ok(None);
            };
            let edge = &self.edges[at];
            // Nothing, where a producer has just overwritten the message: look again.
            if let Some(message) = edge.take()? {
                self.last.set(at);
                return Ok(Some((edge.input, message)));
            }
        }
    }

    /// Of two edges that have a message, the one whose message was published first.
    fn earlier(&self, one: usize, other: usize) -> usize {
        let published_at = |edge: usize| self.edges[edge].receiver.next_published_at();
        if published_at(other) < published_at(one) { other } else { one }
    }

    /// Whether every edge that is waited for has ended.
    pub fn have_ended(&self) -> bool {
        let mut awaited = self.edges.iter().filter(|edge| !edge.feedback);
        awaited.all(|edge| edge.receiver.poll() == Poll::Ended)
    }

    /// Waits at one input whose edges must all be received as `delivery` says: a program asked for just that.
    fn next_of(&self, input: InputId, delivery: Delivery, asked: &str) -> Result<Option<Received<'_>>> {
        if let Some(edge) = self.edges.iter().find(|edge| edge.input == input && edge.delivery != delivery) {
            let is = if edge.delivery == Delivery::ZeroCopy { "zero_copy: true" } else { "zero_copy: false" };
            anyhow::bail!("{asked} does not fit the edge {}, which says `{is}`", edge.receiver.name());
        }
        self.edges.iter().filter(|edge| edge.input == input).for_each(|edge| edge.receiver.done());
        let message = self.next_at(|edge| edge.input == input)?;
        self.cut_or(message.map(|(_, message)| message))
    }

    /// The end of a stream that is none: the run was cut short.
    fn cut_or<T>(&self, message: Option<T>) -> Result<Option<T>> {
        match message {
            None if self.waiter.borrow().interrupt().level() == Level::Cut => Err(Stopped.into()),
            message => Ok(message),
        }
    }
}

/// However a node's life ends, by return or by panic, it leaves its edges, unless another process is to take its place.
impl Drop for InputSet {
    fn drop(&mut self) {
        if self.leaves.load(Ordering::Acquire) {
            self.edges.iter().for_each(|edge| edge.receiver.leave());
        }
    }
}

impl Receive for InputSet {
    fn next(&mut self) -> Result<Option<(InputId, Received<'_>)>> {
        self.done_with_all();
        let message = InputSet::next(self)?;
        self.cut_or(message)
    }

    fn recv(&self, input: InputId) -> Result<Option<Owned>> {
        let message = self.next_of(input, Delivery::Copy, "`recv`")?;
        Ok(message.map(Received::into_owned))
    }

    fn recv_zero_copy(&self, input: InputId) -> Result<Option<View<'_>>> {
        match self.next_of(input, Delivery::ZeroCopy, "`recv_zero_copy`")? {
            Some(Received::View(view)) => Ok(Some(view)),
            Some(Received::Owned(_)) => unreachable!("every edge of the input gives views"),
            None => Ok(None),
        }
    }

    fn done(&mut self) {
        self.done_with_all();
    }

    fn have_ended(&self) -> bool {
        InputSet::have_ended(self)
    }
}
