//! Any bytes as what the runner and a backend say to each other, in both directions.
#![no_main]

use ezrun::bincode::Decode;
use ezrun::control::{FrameReader, FromBackend, ToBackend, encode};
use ezrun::message::codec;
use libfuzzer_sys::fuzz_target;
use std::fmt::Debug;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

fuzz_target!(|bytes: &[u8]| {
    body::<ToBackend>(bytes);
    body::<FromBackend>(bytes);
    stream::<ToBackend>(bytes);
    stream::<FromBackend>(bytes);
});

/// As the body of a frame. What can be read can be written, and read again as the same.
fn body<F: Decode<()> + ezrun::bincode::Encode + Debug>(bytes: &[u8]) {
    if let Ok((frame, _)) = codec::decode::<F>(bytes) {
        let mut again = Vec::new();
        codec::encode_into(&frame, &mut again).expect("it was read");
        let (read, used) = codec::decode::<F>(&again).expect("it was written");
        assert_eq!((format!("{read:?}"), used), (format!("{frame:?}"), again.len()));
        let whole = encode(&frame, 0).expect("it was written");
        stream::<F>(&whole);
    }
}

/// As what comes in on the socket.
fn stream<F: Decode<()>>(bytes: &[u8]) {
    let (mut ours, theirs) = UnixStream::pair().expect("descriptors are left");
    let mut reader = FrameReader::<F>::default();
    for part in bytes.chunks(32 << 10) {
        ours.write_all(part).expect("a socket has room for that");
        reader.fill(theirs.as_fd()).expect("something was written");
        while let Ok(Some(_)) = reader.take() {}
    }
}
