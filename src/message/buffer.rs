//! Payload memory of our own: aligned like a payload in shared memory, and reused, so that no message pays for
//! malloc or page faults.

use bytemuck::{Pod, Zeroable};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Alignment of every payload, in bytes.
pub const ALIGN: usize = 64;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; ALIGN]);

/// Owned bytes, aligned to [`ALIGN`]. Goes back to its [`Pool`] when dropped.
#[derive(Default)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
    home: Option<Arc<Pool>>,
}

impl Buffer {
    /// A buffer of `len` zero bytes that belongs to no pool.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        Buffer { lines: vec![Line([0; ALIGN]); len.div_ceil(ALIGN)], len, home: None }
    }

    /// A copy of `bytes` that belongs to no pool.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Self {
        let mut buffer = Buffer::zeroed(bytes.len());
        buffer.copy_from_slice(bytes);
        buffer
    }

    /// Shortens the buffer to `len` bytes; a longer `len` changes nothing.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Sets the length. What was there stays, grown bytes hold anything that was there before, or zero.
    fn set_len(&mut self, len: usize) {
        let lines = len.div_ceil(ALIGN);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0; ALIGN]));
        }
        self.len = len;
    }
}

impl std::ops::Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl std::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        match &self.home {
            Some(pool) => pool.copy_of(self),
            None => Buffer::from_slice(self),
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.len)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pool) = self.home.take() {
            pool.take_back(std::mem::take(&mut self.lines));
        }
    }
}

/// Spare buffers. Keeps at most as many as it was told; what comes back beyond that is freed.
#[derive(Debug)]
pub struct Pool {
    spare: Mutex<Vec<Vec<Line>>>,
    keep: usize,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl Pool {
    /// A pool that keeps at most `keep` spare buffers.
    #[must_use]
    pub fn new(keep: usize) -> Arc<Self> {
        Arc::new(Pool { spare: Mutex::new(Vec::with_capacity(keep)), keep })
    }

    /// A buffer of `len` bytes with anything in it: the one that came back last, since it is warm.
    #[must_use]
    pub fn buffer(self: &Arc<Self>, len: usize) -> Buffer {
        let lines = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let mut buffer = Buffer { lines, len: 0, home: Some(Arc::clone(self)) };
        buffer.set_len(len);
        buffer
    }

    /// A buffer of this pool that holds a copy of `bytes`.
    #[must_use]
    pub fn copy_of(self: &Arc<Self>, bytes: &[u8]) -> Buffer {
        let mut buffer = self.buffer(bytes.len());
        buffer.copy_from_slice(bytes);
        buffer
    }

    fn take_back(&self, lines: Vec<Line>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < self.keep {
            spare.push(lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_and_comes_back_to_its_pool() {
        let pool = Pool::new(1);
        let first = pool.copy_of(b"hello");
        let address = first.as_ptr();
        assert_eq!(address as usize % ALIGN, 0);
        assert_eq!(&*first, b"hello");
        drop(first);
        assert_eq!(pool.buffer(3).as_ptr(), address, "the spare buffer is used again");
    }
}
