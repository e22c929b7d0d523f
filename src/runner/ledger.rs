//! The ledger: what was sent, received and dropped on each edge, and how.

use super::exchange::Exchange;
use super::lives::EdgePast;
use crate::channel::{ConsumerCounts, Latency, ProducerCounts, expected_messages};
use crate::graph::{BackendId, EdgeId};
use crate::node::Role;
use crate::plan::Plan;

/// The account of one edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeLedger {
    /// Messages that the producer offered.
    pub sent: u64,
    /// Messages that the consumer is done with.
    pub received: u64,
    /// Messages that were lost: refused or overwritten as the edge's policy says, or left behind by an end that left
    /// early or died.
    pub dropped: u64,
    /// Messages that are in the queue or in the consumer's hand.
    pub in_flight: u64,
    /// Private copies made.
    pub copies: u64,
    /// Bytes copied for them.
    pub copied_bytes: u64,
    /// Messages received by move.
    pub moves: u64,
    /// Views given.
    pub views: u64,
    /// Time from publish to take.
    pub latency: Latency,
    /// Whether the producer found the consumer's words to be impossible.
    pub quarantined: bool,
}

/// Reads the ledger of every edge. Consumers first, then producers, so that nothing seems received before it was sent.
pub fn read(plan: &Plan<'_>, exchange: &Exchange, dead: impl Fn(BackendId) -> bool) -> Vec<EdgeLedger> {
    let edges = || (0..plan.edges.len()).map(EdgeId);
    let consumers: Vec<ConsumerCounts> = edges().map(|edge| exchange.consumer(plan, edge)).collect();
    let accounts = edges().zip(consumers).zip(&exchange.lives.edges).map(|((edge, consumer), past)| {
        let (planned, producer) = (plan.edge(edge), exchange.producer(plan, edge));
        let backend = plan.ports[planned.port.0].backend;
        account(past, &producer, &consumer, dead(backend), dead(planned.station.0))
    });
    accounts.collect()
}

fn account(
    past: &EdgePast,
    producer: &ProducerCounts,
    consumer: &ConsumerCounts,
    producer_is_dead: bool,
    consumer_is_dead: bool,
) -> EdgeLedger {
    let queued = producer.published.saturating_sub(consumer.taken);
    let unfinished = if consumer_is_dead {
        // The dead cannot say where they were between taking a message and counting it, so what they did not finish
        // is told from what they did.
        producer.published.saturating_sub(past.consumer_from + consumer.received.saturating_add(consumer.overwritten))
    } else {
        queued.saturating_add(consumer.in_hand)
    };
    let left_behind = if consumer_is_dead || consumer.left { unfinished } else { 0 };
    // A producer that died between counting a message and publishing it.
    let unpublished = if producer_is_dead {
        let published = producer.published.saturating_sub(past.producer_from);
        producer.sent.saturating_sub(published.saturating_add(producer.rejected))
    } else {
        0
    };
    let mut timings = past.timings.clone();
    timings.add(&consumer.timings);
    EdgeLedger {
        sent: past.sent.saturating_add(producer.sent),
        received: past.received.saturating_add(consumer.received),
        dropped: [past.dropped, producer.rejected, consumer.overwritten, left_behind, unpublished]
            .into_iter()
            .fold(0, u64::saturating_add),
        in_flight: unfinished - left_behind,
        copies: past.copies.saturating_add(consumer.copies),
        copied_bytes: past.copied_bytes.saturating_add(consumer.copied_bytes),
        moves: past.moves.saturating_add(consumer.moves),
        views: past.views.saturating_add(consumer.views),
        latency: timings.latency(),
        quarantined: past.quarantined || producer.quarantined,
    }
}

/// Messages that the sources have sent, each counted once, and how many they will send in all.
pub fn progress(plan: &Plan<'_>, exchange: &Exchange) -> (u64, Option<u64>) {
    let (mut sent, mut expected) = (0, Some(0));
    for (port, segment) in plan.ports.iter().zip(&exchange.ports) {
        let node = &plan.graph[port.port.node];
        let (Role::Source, Some(segment)) = (node.node_type.role, segment) else { continue };
        let sent_on = port
            .edges
            .iter()
            .map(|&edge| exchange.lives.edges[edge.0].sent.saturating_add(exchange.producer(plan, edge).sent));
        sent += sent_on.max().unwrap_or(0);
        let here = expected_messages(segment);
        expected = expected.filter(|_| here > 0).map(|sum| sum + here);
    }
    (sent, expected)
}

impl EdgeLedger {
    /// Whether every message is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.sent == self.received.saturating_add(self.dropped).saturating_add(self.in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(sent: u64, rejected: u64, published: u64) -> ProducerCounts {
        ProducerCounts { sent, rejected, published, quarantined: false }
    }

    #[test]
    fn a_live_edge_has_its_queue_and_the_message_in_hand_in_flight() {
        let consumer = ConsumerCounts { taken: 7, received: 6, in_hand: 1, ..ConsumerCounts::default() };
        let ledger = account(&EdgePast::default(), &producer(12, 2, 10), &consumer, false, false);
        assert_eq!((ledger.received, ledger.dropped, ledger.in_flight), (6, 2, 4));
        assert!(ledger.balances());
    }

    #[test]
    fn what_a_dead_consumer_had_in_hand_and_in_its_queue_is_dropped() {
        let consumer = ConsumerCounts { taken: 7, received: 6, in_hand: 1, ..ConsumerCounts::default() };
        let ledger = account(&EdgePast::default(), &producer(10, 0, 10), &consumer, false, true);
        assert_eq!((ledger.received, ledger.dropped, ledger.in_flight), (6, 4, 0));
        assert!(ledger.balances());
    }

    #[test]
    fn what_a_dead_producer_had_counted_and_not_published_is_dropped() {
        let consumer = ConsumerCounts { taken: 10, received: 10, left: true, ..ConsumerCounts::default() };
        let ledger = account(&EdgePast::default(), &producer(11, 0, 10), &consumer, true, false);
        assert_eq!((ledger.received, ledger.dropped), (10, 1));
        assert!(ledger.balances());
    }
}
