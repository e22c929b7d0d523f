//! Words of a segment, found once: what changes with every message is read and written without working out again where it
//! lies.

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

/// Words, and the segment that they lie in, which stays as long as they do.
pub struct Words<S, T> {
    segment: Arc<S>,
    at: NonNull<T>,
}

// SAFETY: an owner of the segment and a shared reference to the words: it may go wherever both may.
unsafe impl<S: Send + Sync, T: Sync> Send for Words<S, T> {}
// SAFETY: as above.
unsafe impl<S: Send + Sync, T: Sync> Sync for Words<S, T> {}

impl<S: 'static, T: 'static> Words<S, T> {
    /// The words that `find` finds in `segment`.
    pub fn find(segment: Arc<S>, find: impl FnOnce(&S) -> &T) -> Self {
        let at = NonNull::from(find(&segment));
        Words { segment, at }
    }

    /// The segment that they lie in.
    pub fn segment(&self) -> &Arc<S> {
        &self.segment
    }
}

impl<S, T> Deref for Words<S, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `find` returned a reference that lives as long as the segment is borrowed. An `Arc` neither moves what it
        // owns nor lends it to be changed, and this one is held as long as `self` is. What a segment has given stays where it
        // is, also where it is mapped anew.
        unsafe { self.at.as_ref() }
    }
}
