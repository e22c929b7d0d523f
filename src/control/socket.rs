//! Frames on a stream socket, descriptors beside them.

use super::VERSION;
use crate::message::{MessageError, codec};
use bincode::{Decode, Encode};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// Length of a frame's header: length of the body, version, number of descriptors.
const HEADER_BYTES: usize = 8;
/// No frame is longer: a graph file is at most 1 MiB, and so is what one node needs of it, give or take.
const MAX_BODY_BYTES: usize = 16 << 20;
/// Descriptors that may travel with one frame.
const MAX_FDS: usize = 2;
/// How much is read at a time: more than most frames have. A longer one takes several reads.
const READ_BYTES: usize = 8 << 10;

/// Why a frame cannot be sent or read.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The other side is gone.
    #[error("the other side of the control socket is gone")]
    Closed,
    /// The other side was built with another version.
    #[error(
        "it speaks version {theirs} of the control protocol, and this is version {VERSION}: build both from the same version of ezrun"
    )]
    Version {
        /// Its version.
        theirs: u16,
    },
    /// A frame makes no sense.
    #[error("a control frame makes no sense: {0}")]
    Malformed(String),
    /// The socket fails.
    #[error("the control socket failed: {0}")]
    Socket(#[from] std::io::Error),
}

/// Sends frames from any thread of a backend.
#[derive(Debug)]
pub struct FrameSender {
    socket: OwnedFd,
    turn: Mutex<()>,
}

/// Collects what comes in and cuts it into frames.
#[derive(Debug)]
pub struct FrameReader<F> {
    bytes: Vec<u8>,
    fds: VecDeque<OwnedFd>,
    frame: PhantomData<F>,
}

/// The bytes of a frame that `fds` descriptors travel with.
///
/// # Errors
/// Where it cannot be encoded.
pub fn encode<F: Encode>(frame: &F, fds: usize) -> Result<Vec<u8>, MessageError> {
    let mut bytes = vec![0; HEADER_BYTES];
    codec::encode_into(frame, &mut bytes)?;
    write_header(&mut bytes, fds);
    Ok(bytes)
}

/// As [`encode`], without descriptors and without asking for memory: into the front of `bytes`, whose used length is
/// returned.
///
/// # Errors
/// Where `bytes` is too short.
pub fn encode_to_slice<F: Encode>(frame: &F, bytes: &mut [u8]) -> Result<usize, MessageError> {
    let len = HEADER_BYTES + codec::encode_to_slice(frame, &mut bytes[HEADER_BYTES..])?;
    write_header(&mut bytes[..len], 0);
    Ok(len)
}

fn write_header(bytes: &mut [u8], fds: usize) {
    let body = (bytes.len() - HEADER_BYTES) as u32;
    bytes[..4].copy_from_slice(&body.to_le_bytes());
    bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
    bytes[6..8].copy_from_slice(&(fds as u16).to_le_bytes());
}

/// Sends part of `bytes`, and with its first byte the descriptors. Returns how many bytes went.
///
/// # Errors
/// As sendmsg; a socket that does not block says so.
pub fn send_part(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> std::io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(std::io::Error::other(format!("more than {MAX_FDS} descriptors in one frame")));
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

impl FrameSender {
    /// Sends on `socket`, which blocks.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        FrameSender { socket, turn: Mutex::new(()) }
    }

    /// Sends a frame, and descriptors with it.
    ///
    /// # Errors
    /// Where the other side is gone.
    pub fn send<F: Encode>(&self, frame: &F, fds: &[BorrowedFd<'_>]) -> Result<(), ControlError> {
        let bytes = encode(frame, fds.len()).map_err(|e| ControlError::Malformed(e.to_string()))?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sent = send_part(self.socket.as_fd(), &bytes, fds)?;
        while sent < bytes.len() {
            sent += send_part(self.socket.as_fd(), &bytes[sent..], &[])?;
        }
        Ok(())
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<F> Default for FrameReader<F> {
    fn default() -> Self {
        FrameReader { bytes: Vec::new(), fds: VecDeque::new(), frame: PhantomData }
    }
}

impl<F: Decode<()>> FrameReader<F> {
    /// Waits for the next frame on a socket that blocks.
    ///
    /// # Errors
    /// [`ControlError::Closed`] at the end.
    pub fn next(&mut self, socket: BorrowedFd<'_>) -> Result<(F, Vec<OwnedFd>), ControlError> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(frame);
            }
            if self.fill(socket)? == 0 {
                return Err(ControlError::Closed);
            }
        }
    }

    /// Reads what there is; 0 at the end.
    ///
    /// # Errors
    /// As recvmsg; a socket that does not block says so.
    pub fn fill(&mut self, socket: BorrowedFd<'_>) -> std::io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let old = self.bytes.len();
        self.bytes.resize(old + READ_BYTES, 0);
        let mut room = [IoSliceMut::new(&mut self.bytes[old..])];
        let received = loop {
            match recvmsg(socket, &mut room, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                other => break other,
            }
        };
        self.bytes.truncate(old + received.as_ref().map_or(0, |r| r.bytes));
        let received = received?.bytes;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                self.fds.extend(fds);
            }
        }
        Ok(received)
    }

    /// The next frame, if all of it has come.
    ///
    /// # Errors
    /// [`ControlError::Version`], [`ControlError::Malformed`].
    pub fn take(&mut self) -> Result<Option<(F, Vec<OwnedFd>)>, ControlError> {
        let Some((header, rest)) = self.bytes.split_at_checked(HEADER_BYTES) else {
            // They come with a frame's first byte.
            let expected = if self.bytes.is_empty() { 0 } else { MAX_FDS };
            return self.refuse_more_fds_than(expected);
        };
        let body = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let version = u16::from_le_bytes([header[4], header[5]]);
        let fds = u16::from_le_bytes([header[6], header[7]]) as usize;
        if version != VERSION {
            return Err(ControlError::Version { theirs: version });
        }
        if body > MAX_BODY_BYTES || fds > MAX_FDS {
            return Err(ControlError::Malformed(format!("{body} bytes and {fds} descriptors announced")));
        }
        let Some(encoded) = rest.get(..body) else { return self.refuse_more_fds_than(fds) };
        let (frame, used) = codec::decode(encoded).map_err(|e| ControlError::Malformed(e.to_string()))?;
        if used != body {
            return Err(ControlError::Malformed("its length does not fit".to_owned()));
        }
        if self.fds.len() < fds {
            return Err(ControlError::Malformed(
                "its descriptors are missing, as where too many files are open".to_owned(),
            ));
        }
        self.bytes.drain(..HEADER_BYTES + body);
        Ok(Some((frame, self.fds.drain(..fds).collect())))
    }

    /// Nothing can be taken yet; what has come beside the descriptors of the next frame belongs to none, and is closed.
    fn refuse_more_fds_than<T>(&mut self, expected: usize) -> Result<Option<T>, ControlError> {
        let came = self.fds.len();
        if came <= expected {
            return Ok(None);
        }
        self.fds.clear();
        Err(ControlError::Malformed(format!("{came} descriptors came, and {expected} at most were announced")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ToBackend;
    #[cfg(not(miri))]
    use std::os::unix::net::UnixStream;

    #[cfg(not(miri))]
    #[test]
    fn frames_and_descriptors_arrive_together_and_in_order() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let sender = FrameSender::new(ours.into());
        let name = Some("x".repeat(200_000));
        let segment = ToBackend::Segment { owner: super::super::SegmentOwner::Port(3), name, anew: false };
        let file = std::fs::File::open("/dev/null").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                sender.send(&ToBackend::Go, &[]).unwrap();
                sender.send(&segment, &[file.as_fd()]).unwrap();
                sender.send(&ToBackend::Stop, &[]).unwrap();
            });
            let mut reader = FrameReader::<ToBackend>::default();
            assert_eq!(reader.next(theirs.as_fd()).unwrap().0, ToBackend::Go);
            let (frame, fds) = reader.next(theirs.as_fd()).unwrap();
            assert_eq!((frame, fds.len()), (segment.clone(), 1));
            assert_eq!(reader.next(theirs.as_fd()).unwrap().0, ToBackend::Stop);
        });
        drop(sender);
    }

    #[cfg(not(miri))]
    #[test]
    fn descriptors_that_no_frame_announces_are_refused_and_closed() {
        let (whole, file) = (encode(&ToBackend::Go, 0).unwrap(), std::fs::File::open("/dev/null").unwrap());
        let announces_one = encode(&ToBackend::Go, 1).unwrap();
        let fds = [file.as_fd(), file.as_fd()];
        for (bytes, sent) in [(&whole[..], 1), (&announces_one[..], 2), (&announces_one[..HEADER_BYTES], 2)] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            send_part(ours.as_fd(), bytes, &fds[..sent]).unwrap();
            drop(ours);
            let mut reader = FrameReader::<ToBackend>::default();
            let refused = std::iter::repeat_with(|| reader.next(theirs.as_fd())).find_map(Result::err).unwrap();
            assert!(matches!(refused, ControlError::Malformed(_)), "{refused}");
            assert!(reader.fds.is_empty());
        }
    }

    #[cfg(not(miri))]
    #[test]
    fn no_more_descriptors_are_kept_than_a_frame_may_have_while_its_header_comes() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let mut reader = FrameReader::<ToBackend>::default();
        for _ in 0..2 {
            assert!(reader.take().unwrap().is_none());
            send_part(ours.as_fd(), &[0], &[file.as_fd(); MAX_FDS]).unwrap();
            reader.fill(theirs.as_fd()).unwrap();
        }
        assert!(matches!(reader.take(), Err(ControlError::Malformed(_))));
        assert!(reader.fds.is_empty());
    }

    #[test]
    fn another_version_and_an_unknown_kind_are_refused() {
        let frame = encode(&ToBackend::Go, 0).unwrap();
        let read = |bytes: &[u8]| {
            FrameReader::<ToBackend> { bytes: bytes.to_vec(), fds: VecDeque::new(), frame: PhantomData }.take()
        };
        let mut other_version = frame.clone();
        other_version[4] = 99;
        assert!(matches!(read(&other_version), Err(ControlError::Version { theirs: 99 })));
        let mut other_kind = frame.clone();
        other_kind[HEADER_BYTES] = 200;
        assert!(matches!(read(&other_kind), Err(ControlError::Malformed(_))));
        assert!(read(&frame[..frame.len() - 1]).unwrap().is_none(), "not all of it has come");
    }
}
