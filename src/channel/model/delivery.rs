//! Every message arrives, once, in order and whole; and every slot comes back.

use super::ends::{By, Edge, port};
use super::{STARTS, check};
use crate::graph::Overflow;

/// Sends `messages` over these edges. The producer runs where the model began, each consumer in a thread of its own.
fn deliver<const EDGES: usize>(name: &'static str, edges: [Edge; EDGES], messages: u64) {
    for start in STARTS {
        check(name, if start == 0 && EDGES == 1 { 2 } else { 1 }, move || {
            let (mut producer, readers, _) = port(&edges, start);
            let threads: Vec<_> = readers
                .into_iter()
                .map(|mut reader| {
                    loom::thread::spawn(move || {
                        for expected in 0..messages {
                            assert_eq!(reader.next(), Some(expected));
                        }
                        assert_eq!(reader.next(), None);
                    })
                })
                .collect();
            producer.send(0..messages);
            producer.sender.close();
            threads.into_iter().for_each(|thread| thread.join().expect("a consumer does not panic"));
            assert!(producer.sender.has_all_slots(), "a slot is lost");
        });
    }
}

fn blocking(queue: u32, by: By) -> Edge {
    Edge { overflow: Overflow::Block, queue, by }
}

#[test]
fn by_copy_through_a_queue_of_one() {
    deliver("by copy", [blocking(1, By::Copy)], 3);
}

#[test]
fn by_view_through_a_queue_of_one() {
    deliver("by view", [blocking(1, By::View)], 3);
}

#[test]
fn by_view_through_a_queue_of_two() {
    deliver("by view, two", [blocking(2, By::View)], 3);
}

#[test]
fn to_one_that_copies_and_one_that_looks() {
    deliver("to two", [blocking(1, By::Copy), blocking(1, By::View)], 2);
}
