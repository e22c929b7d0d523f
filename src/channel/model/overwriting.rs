//! A producer that takes the oldest message back, and a consumer that is about to take it.

use super::ends::{By, Edge, port};
use super::{STARTS, check};
use crate::channel::Poll;
use crate::graph::Overflow;

fn overwrite(name: &'static str, queue: u32, by: By, messages: u64, looks: usize) {
    for start in STARTS {
        check(name, if start == 0 { 2 } else { 1 }, move || {
            let edges = [Edge { overflow: Overflow::DropOldest, queue, by }];
            let (mut producer, mut readers, _) = port(&edges, start);
            let reader = readers.remove(0);
            let consumer = loom::thread::spawn(move || {
                let mut taken = Vec::new();
                for _ in 0..looks {
                    if reader.receiver.poll() == Poll::Ready {
                        taken.extend(reader.take());
                    }
                }
                (taken, reader)
            });
            producer.send(0..messages);
            producer.sender.close();
            let (mut taken, reader) = consumer.join().expect("the consumer does not panic");
            while reader.receiver.poll() == Poll::Ready {
                taken.push(reader.take().expect("nobody overwrites it any more"));
            }
            assert!(taken.is_sorted_by(|a, b| a < b), "{taken:?}");
            assert_eq!(taken.last(), Some(&(messages - 1)), "the newest is never lost");
            assert!(producer.sender.has_all_slots(), "a slot is lost");
        });
    }
}

#[test]
fn a_view_stays_whole_while_its_message_is_overwritten() {
    overwrite("overwriting under a view", 1, By::View, 3, 2);
}

#[test]
fn a_copy_is_whole_or_none_while_its_message_is_overwritten() {
    overwrite("overwriting under a copy", 1, By::Copy, 3, 2);
}

#[test]
fn the_oldest_of_two_is_overwritten() {
    overwrite("overwriting the oldest of two", 2, By::View, 4, 1);
}
