//! Both ends in threads of their own that never sleep: for tools that watch what threads do to memory.

use super::{CAPTURE, Pair};
use crate::channel::*;
use crate::graph::Wait;
use crate::message::Metadata;
use std::sync::Arc;

const MESSAGES: u64 = if cfg!(miri) { 20 } else { 20_000 };

/// Sends `MESSAGES` numbers, each in a payload that has it at both ends, and takes those that come.
fn run(overflow: Overflow, queue: u32, copy: bool) {
    let mut pair = Pair::waiting("threads", SegmentKind::Sealed, Wait::Busy, overflow, queue, 1);
    let Pair { sender, receiver, .. } = &mut pair;
    receiver.announce_never();
    let metadata = Arc::new(Metadata::bytes());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..MESSAGES {
                sender.reserve(&metadata, 64).unwrap();
                let (head, tail) = sender.payload_mut().split_at_mut(32);
                head[..8].copy_from_slice(&number.to_le_bytes());
                tail[..8].copy_from_slice(&number.to_le_bytes());
                sender.commit(Some(CAPTURE), 0).unwrap();
            }
            sender.close();
        });
        let mut last = None;
        loop {
            match receiver.poll() {
                Poll::Ready if copy => {
                    let message = receiver.recv().unwrap();
                    last = message.map(|message| whole(&message.payload, message.header.sequence)).or(last);
                }
                Poll::Ready => {
                    let view = receiver.recv_zero_copy().unwrap();
                    last = view.map(|view| whole(view.bytes(), view.header().sequence)).or(last);
                }
                Poll::Empty(_) => std::thread::yield_now(),
                Poll::Ended => break,
            }
        }
        assert_eq!(last, Some(MESSAGES - 1), "the newest is never lost");
    });
}

fn whole(bytes: &[u8], sequence: u64) -> u64 {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    assert_eq!((number(0), number(32)), (sequence, sequence), "the bytes are those of another message");
    sequence
}

#[test]
fn messages_are_whole_whatever_the_threads_do() {
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        for (queue, copy) in [(1, true), (1, false), (2, false)] {
            run(overflow, queue, copy);
        }
    }
}
