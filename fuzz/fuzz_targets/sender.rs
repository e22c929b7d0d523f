//! Any bytes in a consumer's segment, in front of a producer that also sends to an honest one.
#![no_main]

use ezrun::channel::*;
use ezrun::graph::{Overflow, Wait};
use ezrun::message::{Capture, Metadata};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

const STATION: StationLayout = StationLayout { edges: 1 };
/// Up to the end of the borrow table.
const WORDS_BYTES: usize = 384 + 64 * 8;

fuzz_target!(|script: &[u8]| {
    let Some((&first, script)) = script.split_first() else { return };
    let overflow = if first & 1 == 0 { Overflow::DropNewest } else { Overflow::DropOldest };
    let layout = PortLayout { edges: vec![EdgeLayout { queue: 2, holds: 2 }; 2], slot_payload_bytes: 64, prefault: false };
    let terms = |overflow| EdgeTerms { name: "a -> b".to_owned(), overflow, queue: 2, max_message: 64, holds: 2 };
    let waiter = Waiter::new(Arc::new(Interrupt::new().expect("descriptors are left")), Wait::Block);
    let mut sender = Sender::create(SegmentKind::Sealed, "fuzz", layout.clone(), waiter).expect("there is memory");
    let map = |handle: Handle, bytes| Arc::new(ReadOnly::map(&handle, bytes).expect("it is there"));
    let scribbled = Writable::create(SegmentKind::Sealed, "fuzz", STATION.bytes()).expect("there is memory");
    scribbled.back(0, STATION.bytes()).expect("there is memory");
    let seen = map(scribbled.handle().expect("a descriptor"), STATION.bytes());
    sender.attach(terms(overflow), Consumer::new(seen, 0, Arc::default()));
    let station = Station::create(SegmentKind::Sealed, "fuzz", STATION).expect("there is memory");
    let seen = map(station.handle().expect("a descriptor"), STATION.bytes());
    sender.attach(terms(Overflow::Block), Consumer::new(seen, 0, Arc::default()));
    let port = map(sender.handle().expect("a descriptor"), layout.bytes());
    let (dead, layout) = (Arc::default(), layout.clone());
    let wiring = Wiring { terms: terms(Overflow::Block), edge: 0, layout, port_edge: 1, station_edge: 0, queue: None, dead };
    let honest = station.receiver(wiring, Mapped::new(port, Arc::default()));
    let metadata = Arc::new(Metadata::bytes());
    let (mut held, mut number) = (None, 0u64);
    let mut script = script.iter().copied();
    while let Some(at) = script.next() {
        let at = at as usize * 4 % WORDS_BYTES;
        let bytes: Vec<u8> = script.by_ref().take(8.min(WORDS_BYTES - at)).collect();
        // SAFETY: no other thread is there.
        unsafe { scribbled.bytes_mut(at, bytes.len()) }.copy_from_slice(&bytes);
        sender.reserve(&metadata, 8).expect("there is always a slot");
        sender.payload_mut().copy_from_slice(&number.to_le_bytes());
        sender.commit(Some(Capture::stream_seconds(0.0)), 0).expect("nobody cuts the run");
        assert_eq!(honest.poll(), Poll::Ready);
        drop(held.take());
        let view = honest.recv_zero_copy().expect("it makes sense").expect("it is there");
        assert_eq!(view.bytes(), number.to_le_bytes());
        held = Some(view);
        number += 1;
    }
});
