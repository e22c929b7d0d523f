//! Any bytes in a producer's segment, in front of a consumer.
#![no_main]

use ezrun::channel::*;
use ezrun::graph::Overflow;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

const STATION: StationLayout = StationLayout { edges: 1 };
const MAX_MESSAGE: u64 = 512;
/// Lines of a slot that are written: its header, and what may be metadata and payload.
const SLOT_BYTES: usize = 1024;

fuzz_target!(|script: &[u8]| {
    let Some((&first, script)) = script.split_first() else { return };
    let overflow = if first & 1 == 0 { Overflow::Block } else { Overflow::DropOldest };
    let layout = PortLayout { edges: vec![EdgeLayout { queue: 2, holds: 2 }], slot_payload_bytes: MAX_MESSAGE, prefault: false };
    let port = Writable::create(SegmentKind::Sealed, "fuzz", layout.bytes()).expect("there is memory");
    let mapped = Arc::new(ReadOnly::map(&port.handle().expect("a descriptor"), layout.bytes()).expect("it is there"));
    let (base, len) = mapped.range();
    let station = Station::create(SegmentKind::Sealed, "fuzz", STATION).expect("there is memory");
    let terms = EdgeTerms { name: "a -> b".to_owned(), overflow, queue: 2, max_message: MAX_MESSAGE, holds: 2 };
    let wiring = Wiring {
        terms,
        edge: 0,
        layout: layout.clone(),
        port_edge: 0,
        station_edge: 0,
        queue: None,
        dead: Arc::default(),
    };
    let receiver = station.receiver(wiring, Mapped::new(mapped, Arc::default()));
    make_sense(&port, &layout);
    let mut views = Vec::new();
    let mut script = script.iter().copied();
    while let Some(step) = script.next() {
        match step % 8 {
            0 => write(&port, layout.out_words(0), 256, &mut script),
            1 => write(&port, layout.ring(0), 128, &mut script),
            2 => write(&port, layout.slot(0), SLOT_BYTES, &mut script),
            3 => write(&port, layout.slot(1), SLOT_BYTES, &mut script),
            4 => publish(&port, &layout, &mut script),
            5 if receiver.poll() == Poll::Ready => drop(receiver.recv()),
            6 if receiver.poll() == Poll::Ready => views.extend(receiver.recv_zero_copy().ok().flatten()),
            7 => drop(views.pop()),
            _ => drop(receiver.next_published_at()),
        }
        for view in &views {
            let at = view.bytes().as_ptr() as usize;
            assert!(at >= base && at + view.bytes().len() <= base + len, "a view reaches beyond its segment");
            std::hint::black_box(view.bytes().iter().fold(0, |all, byte| all ^ byte));
        }
    }
});

/// Writes what the script says into the `room` bytes from `start`.
fn write(port: &Writable, start: usize, room: usize, script: &mut impl Iterator<Item = u8>) {
    let (at, len) = (script.next().unwrap_or(0) as usize * 4 % room, script.next().unwrap_or(0) as usize % 32);
    let len = len.min(room - at);
    put(port, start + at, &script.take(len).collect::<Vec<_>>());
}

fn put(port: &Writable, at: usize, bytes: &[u8]) {
    port.back(at, bytes.len()).expect("there is memory");
    // SAFETY: no other thread is there, and the views of this range are of plain bytes that are read between the steps.
    unsafe { port.bytes_mut(at, bytes.len()) }.copy_from_slice(bytes);
}

/// Headers as a producer writes them.
fn make_sense(port: &Writable, layout: &PortLayout) {
    for slot in 0..layout.slots() {
        let at = layout.slot(slot);
        port.back(at, layout.slot_stride()).expect("there is memory");
        put(port, at, b"ezm1\x04\0\0\0");
        put(port, at + 16, &2u32.to_le_bytes());
    }
}

/// An entry for the next position, of a slot and a length and a version that the script chooses.
fn publish(port: &Writable, layout: &PortLayout, script: &mut impl Iterator<Item = u8>) {
    // SAFETY: no other thread is there.
    let word = unsafe { port.bytes(layout.out_words(0), 8) };
    let position = u64::from_le_bytes(word.try_into().expect("8 bytes")) >> 2;
    let mut entry = position.wrapping_add(1).to_le_bytes().to_vec();
    entry.extend(u32::from(script.next().unwrap_or(0) % 3).to_le_bytes());
    entry.extend(u32::from(script.next().unwrap_or(0)).to_le_bytes());
    entry.extend((u64::from(script.next().unwrap_or(0)) * 3).to_le_bytes());
    let entry_at = layout.ring(0) + (position as usize & 1) * 64;
    put(port, entry_at, &entry);
    put(port, entry_at + 56, &1u32.to_le_bytes());
    put(port, layout.out_words(0), &(position.wrapping_add(1) << 2).to_le_bytes());
}
