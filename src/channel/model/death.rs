//! One end is killed before each of its steps: the other one goes on or comes to its end, and no slot is lost.

use super::atomics::killed_before;
use super::check;
use super::ends::{By, Edge, port};
use crate::graph::Overflow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const MESSAGES: u64 = 2;

/// Checks `model`, which is told before which step to kill and says whether it did, for every step that there is.
fn before_every_step(name: &'static str, model: fn(usize) -> bool) {
    for step in 0.. {
        let killed = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&killed);
        check(&format!("{name}, step {step}"), 1, move || {
            if model(step) {
                seen.store(true, Relaxed);
            }
        });
        if !killed.load(Relaxed) {
            return;
        }
    }
}

fn consumer_dies(overflow: Overflow, by: By, step: usize) -> bool {
    let (mut producer, mut readers, runner) = port(&[Edge { overflow, queue: 1, by }], 0);
    let mut reader = readers.remove(0);
    let consumer = loom::thread::spawn(move || {
        let killed = killed_before(step, move || {
            let mut last = None;
            while let Some(number) = reader.next() {
                assert!(last.is_none_or(|last| last < number));
                last = Some(number);
            }
        });
        runner.consumer_died(0);
        killed
    });
    producer.send(0..MESSAGES);
    producer.sender.close();
    let killed = consumer.join().expect("a kill is no panic");
    assert!(producer.sender.has_all_slots(), "a slot is lost");
    killed
}

fn producer_dies(overflow: Overflow, by: By, step: usize) -> bool {
    let (mut producer, mut readers, runner) = port(&[Edge { overflow, queue: 1, by }], 0);
    let mut reader = readers.remove(0);
    let consumer = loom::thread::spawn(move || {
        let mut last = None;
        while let Some(number) = reader.next() {
            assert!(last.map_or(true, |last| last < number) && number < MESSAGES);
            assert!(overflow == Overflow::DropOldest || number == last.map_or(0, |last| last + 1), "one is missing");
            last = Some(number);
        }
    });
    let killed = killed_before(step, move || {
        producer.send(0..MESSAGES);
        producer.sender.close();
    });
    runner.producer_died();
    consumer.join().expect("the consumer comes to its end");
    killed
}

#[test]
fn a_consumer_that_copies_dies() {
    before_every_step("a copying consumer dies", |step| consumer_dies(Overflow::Block, By::Copy, step));
}

#[test]
fn a_consumer_that_looks_dies() {
    before_every_step("a looking consumer dies", |step| consumer_dies(Overflow::Block, By::View, step));
}

#[test]
fn a_consumer_dies_whose_messages_are_overwritten() {
    before_every_step("an overwritten consumer dies", |step| consumer_dies(Overflow::DropOldest, By::View, step));
}

#[test]
fn a_producer_dies() {
    before_every_step("a producer dies", |step| producer_dies(Overflow::Block, By::View, step));
}

#[test]
fn a_producer_dies_that_overwrites() {
    before_every_step("an overwriting producer dies", |step| producer_dies(Overflow::DropOldest, By::View, step));
}
