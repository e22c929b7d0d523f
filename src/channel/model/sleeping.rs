//! Whoever sleeps is woken: where a wake-up is lost, everybody waits, and the model checker says so.

use super::ends::{By, Edge, port};
use super::{STARTS, check};
use crate::graph::Overflow;

fn sleep(name: &'static str, queue: u32, messages: u64) {
    for start in STARTS {
        check(name, 2, move || {
            let edges = [Edge { overflow: Overflow::Block, queue, by: By::Copy }];
            let (mut producer, mut readers, _) = port(&edges, start);
            let mut reader = readers.remove(0);
            let consumer = loom::thread::spawn(move || {
                for expected in 0..messages {
                    assert_eq!(reader.next(), Some(expected));
                }
            });
            producer.send(0..messages);
            consumer.join().expect("the consumer does not panic");
        });
    }
}

#[test]
fn a_consumer_is_woken_by_a_producer_that_does_not_wait() {
    sleep("a consumer sleeps", 4, 3);
}

#[test]
fn a_consumer_is_woken_that_found_only_messages_that_were_taken_back() {
    for start in STARTS {
        check("an overwritten consumer sleeps", 2, move || {
            let edges = [Edge { overflow: Overflow::DropOldest, queue: 1, by: By::View }];
            let (mut producer, mut readers, _) = port(&edges, start);
            let mut reader = readers.remove(0);
            let consumer = loom::thread::spawn(move || while reader.next() != Some(2) {});
            producer.send(0..3);
            consumer.join().expect("the consumer does not panic");
        });
    }
}

#[test]
fn a_producer_is_woken_by_its_consumer() {
    sleep("a producer sleeps", 1, 3);
}
