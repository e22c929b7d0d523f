//! What the runner and its backends say to each other, over an inherited socket.
//!
//! A frame is its length, the version, how many descriptors travel with it, and a bincode body. A frame of another
//! version, or of a kind that is not known, is refused.

mod frames;
mod socket;

pub use frames::{
    FromBackend, InputSetup, LogLevel, NodeSetup, OutEdgeSetup, OutputSetup, PortSetup, SegmentOwner, Setup, ToBackend,
    Verdict, handle_of, handle_parts,
};
pub use socket::{ControlError, FrameReader, FrameSender, encode, encode_to_slice, send_part};

/// Version of the frames, and of what lies in segments. A pack that was built with another one is refused.
pub const VERSION: u16 = 6;
