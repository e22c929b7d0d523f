//! Segments on the heap, for the model checker and the interpreter, which know no shared memory, and for the thread
//! sanitizer, which takes two mappings for two places. One writer; readers find it by its name. What the others ask of the
//! kernel is not asked here.
#![allow(missing_docs, reason = "as in the real ones")]

use super::layout::Shared;
use super::{ChannelError, Handle, SegmentKind};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError, Weak};

const ALIGN: usize = 4096;

/// A segment that one end writes.
pub struct Writable {
    heap: Arc<Heap>,
    name: String,
}

/// A segment that the other end reads.
pub struct ReadOnly {
    heap: Arc<Heap>,
    len: usize,
}

struct Heap {
    base: NonNull<u8>,
    layout: Layout,
    /// The model checker's words and cells do not lie in the bytes: each is made when it is first asked for.
    #[cfg(ezrun_loom)]
    checked: super::model::Checked,
}

// SAFETY: as for the mapping of a real segment: it is only reached through atomics, or by the contracts of `bytes` and
// `bytes_mut`.
unsafe impl Send for Heap {}
// SAFETY: as above.
unsafe impl Sync for Heap {}

/// The living segments by name.
static NAMES: Mutex<BTreeMap<String, Weak<Heap>>> = Mutex::new(BTreeMap::new());

impl Heap {
    fn new(bytes: usize) -> Self {
        let layout = Layout::from_size_align(bytes.max(1), ALIGN).expect("a segment of a sensible size");
        // SAFETY: the size is not 0.
        let base = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(base) else { handle_alloc_error(layout) };
        Heap {
            base,
            layout,
            #[cfg(ezrun_loom)]
            checked: Default::default(),
        }
    }

    fn check(&self, offset: usize, bytes: usize) {
        assert!(offset.checked_add(bytes).is_some_and(|end| end <= self.layout.size()), "within the segment");
    }

    #[cfg(not(ezrun_loom))]
    fn at<T: Shared>(&self, offset: usize) -> &T {
        assert!(offset.is_multiple_of(align_of::<T>()), "aligned by the layout");
        self.check(offset, size_of::<T>());
        // SAFETY: in bounds and aligned by the checks; `Shared` makes any content valid.
        unsafe { self.base.add(offset).cast().as_ref() }
    }

    #[cfg(ezrun_loom)]
    fn at<T: Shared>(&self, offset: usize) -> &T {
        self.check(offset, size_of::<T>());
        self.checked.words(offset)
    }

    /// # Safety
    /// As for [`ReadOnly::bytes`].
    unsafe fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        self.check(offset, len);
        #[cfg(ezrun_loom)]
        self.checked.read(offset);
        // SAFETY: in bounds; the caller promises that nobody writes.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(offset), len) }
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}

impl Writable {
    pub fn create(_: SegmentKind, label: &str, bytes: usize) -> Result<Self, ChannelError> {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let name = format!("{label} {}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let heap = Arc::new(Heap::new(bytes));
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, heap| heap.strong_count() > 0);
        names.insert(name.clone(), Arc::downgrade(&heap));
        Ok(Writable { heap, name })
    }

    pub fn handle(&self) -> Result<Handle, ChannelError> {
        Ok(Handle::Named(self.name.clone()))
    }

    pub fn give_back(&self, _: usize, _: usize) -> Result<(), ChannelError> {
        Ok(())
    }

    pub fn back(&self, _: usize, _: usize) -> Result<(), ChannelError> {
        Ok(())
    }

    pub fn populate(&self, _: usize, _: usize) {}

    pub fn prefetch(&self, _: usize) {}

    pub(super) fn address(&self) -> usize {
        self.heap.base.as_ptr() as usize
    }

    pub fn at<T: Shared>(&self, offset: usize) -> &T {
        self.heap.at(offset)
    }

    /// # Safety
    /// As for the real one.
    pub unsafe fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        // SAFETY: the caller's promise.
        unsafe { self.heap.bytes(offset, len) }
    }

    /// # Safety
    /// As for the real one.
    #[allow(clippy::mut_from_ref, reason = "the caller promises that the range is its own")]
    pub unsafe fn bytes_mut(&self, offset: usize, len: usize) -> &mut [u8] {
        self.heap.check(offset, len);
        #[cfg(ezrun_loom)]
        self.heap.checked.write(offset);
        // SAFETY: in bounds; the caller promises that the range is its own.
        unsafe { std::slice::from_raw_parts_mut(self.heap.base.as_ptr().add(offset), len) }
    }
}

impl ReadOnly {
    pub fn map(handle: &Handle, bytes: usize) -> Result<Self, ChannelError> {
        let Handle::Named(name) = handle else { unreachable!("every segment here has a name") };
        let heap = NAMES.lock().unwrap_or_else(PoisonError::into_inner).get(name).and_then(Weak::upgrade);
        let heap = heap.filter(|heap| heap.layout.size() >= bytes).ok_or_else(|| ChannelError::Memory {
            action: "map",
            bytes: bytes as u64,
            cause: "it is shorter, or gone".to_owned(),
        })?;
        Ok(ReadOnly { heap, len: bytes })
    }

    /// Nothing is restarted here.
    pub fn replace(&self, _: &Handle) -> Result<(), ChannelError> {
        let cause = "memory on the heap stays where it is".to_owned();
        Err(ChannelError::Memory { action: "map", bytes: self.len as u64, cause })
    }

    pub fn at<T: Shared>(&self, offset: usize) -> &T {
        self.heap.at(offset)
    }

    /// # Safety
    /// As for the real one.
    pub unsafe fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        let end = offset.checked_add(len)?;
        // SAFETY: the caller's promise.
        (end <= self.len).then(|| unsafe { self.heap.bytes(offset, len) })
    }

    /// A view's bytes are read once more: now, as the model checker sees it, and not only when the view was made.
    #[cfg(ezrun_loom)]
    pub fn read_again(&self, view: &[u8]) {
        self.heap.checked.read(view.as_ptr() as usize - self.heap.base.as_ptr() as usize);
    }

    pub fn populate(&self, _: usize, _: usize) {}

    pub fn prefetch(&self, _: usize) {}

    pub fn range(&self) -> (usize, usize) {
        (self.heap.base.as_ptr() as usize, self.len)
    }
}
