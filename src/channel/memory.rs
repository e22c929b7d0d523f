//! Segments: shared memory with exactly one writer. Two kinds behind one seam.
//!
//! A *sealed* segment is a memfd whose writer maps it and then seals it, so that the kernel refuses everybody, the
//! writer included, another writable mapping, `write`, and a change of size. A *named* segment lies under /dev/shm;
//! readers map it read-only, but nothing stops a process of the same user that means harm.

use super::layout::Shared;
use super::{ChannelError, Handle, SegmentKind, named};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use shared_memory::{Shmem, ShmemConf};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

/// A memfd's name has at most 249 bytes.
const MAX_LABEL_CHARS: usize = 60;

/// A segment that this process writes.
pub struct Writable {
    base: NonNull<u8>,
    len: usize,
    file: OwnedFd,
    /// Owns the mapping of a named segment; a sealed one is unmapped by [`Drop`].
    shmem: Option<Shmem>,
}

/// A segment, or the front of one, that another process (or another part of this one) writes.
pub struct ReadOnly {
    base: NonNull<u8>,
    len: usize,
    shmem: Option<Shmem>,
}

// SAFETY: the mapping belongs to the value, is shared by design, and is only reached through atomics or through
// `bytes`/`bytes_mut`, whose contracts say who may call them; the thread makes no difference.
unsafe impl Send for Writable {}
// SAFETY: as above.
unsafe impl Sync for Writable {}
// SAFETY: as above.
unsafe impl Send for ReadOnly {}
// SAFETY: as above.
unsafe impl Sync for ReadOnly {}

impl Writable {
    /// A segment of `bytes` bytes, all of it reserved and nothing backed yet.
    ///
    /// # Errors
    /// [`ChannelError::Memory`] with the system's word.
    pub fn create(kind: SegmentKind, label: &str, bytes: usize) -> Result<Self, ChannelError> {
        let result = match kind {
            SegmentKind::Sealed => Self::create_sealed(label, bytes).map_err(|e| e.to_string()),
            SegmentKind::Named => Self::create_named(bytes),
        };
        result.map_err(|cause| ChannelError::Memory { action: "reserve", bytes: bytes as u64, cause })
    }

    fn create_sealed(label: &str, bytes: usize) -> rustix::io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // The label only shows in /proc, and only so much of it; newer kernels want to be told that nothing here is a
        // program.
        let label: String = label.chars().filter(|&c| c != '\0').take(MAX_LABEL_CHARS).collect();
        let label = label.as_str();
        let file = match rustix::fs::memfd_create(label, flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => rustix::fs::memfd_create(label, flags)?,
            other => other?,
        };
        rustix::fs::ftruncate(&file, bytes as u64)?;
        let base = map(file.as_fd(), bytes, ProtFlags::READ | ProtFlags::WRITE)?;
        let segment = Writable { base, len: bytes, file, shmem: None };
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&segment.file, seals)?;
        segment.keep_from_children()?;
        Ok(segment)
    }

    fn create_named(bytes: usize) -> Result<Self, String> {
        let name = named::fresh_name().map_err(|e| e.to_string())?;
        let mut shmem = ShmemConf::new().os_id(&name).size(bytes).create().map_err(|e| named::explain(&e))?;
        // The name goes when everybody has mapped the segment, which the runner knows; not when this process is done.
        shmem.set_owner(false);
        let file = named::open(&name).map_err(|e| e.to_string())?;
        let base = NonNull::new(shmem.as_ptr()).ok_or("the system mapped nothing")?;
        let segment = Writable { base, len: bytes, file, shmem: Some(shmem) };
        segment.keep_from_children().map_err(|e| e.to_string())?;
        Ok(segment)
    }

    /// A child that is forked off would inherit the writable mapping.
    fn keep_from_children(&self) -> rustix::io::Result<()> {
        // SAFETY: the range is this segment's own mapping, and the advice changes no byte of it.
        unsafe { rustix::mm::madvise(self.base.as_ptr().cast(), self.len, Advice::LinuxDontFork) }
    }

    /// What another process needs to map this segment.
    ///
    /// # Errors
    /// [`ChannelError::Memory`] where descriptors are used up.
    pub fn handle(&self) -> Result<Handle, ChannelError> {
        match &self.shmem {
            Some(shmem) => Ok(Handle::Named(shmem.get_os_id().to_owned())),
            None => self.file.try_clone().map(Handle::Sealed).map_err(|e| ChannelError::Memory {
                action: "share",
                bytes: self.len as u64,
                cause: e.to_string(),
            }),
        }
    }

    /// Gives the memory behind `len` bytes from `offset` back. They read as zeros from now on.
    ///
    /// # Errors
    /// [`ChannelError::Memory`] where the segment is sealed: the kernel takes that for a write.
    pub fn give_back(&self, offset: usize, len: usize) -> Result<(), ChannelError> {
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&self.file, punch, offset as u64, len as u64).map_err(|e| ChannelError::Memory {
            action: "give back",
            bytes: len as u64,
            cause: e.to_string(),
        })
    }

    /// Gives memory to `len` bytes from `offset`, so that touching them later cannot fail.
    ///
    /// # Errors
    /// [`ChannelError::Memory`] where there is none.
    pub fn back(&self, offset: usize, len: usize) -> Result<(), ChannelError> {
        let end = (offset + len).min(self.len);
        let bytes = end.saturating_sub(offset) as u64;
        if bytes == 0 {
            return Ok(());
        }
        loop {
            match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), offset as u64, bytes) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(e) => return Err(ChannelError::Memory { action: "back", bytes, cause: e.to_string() }),
            }
        }
    }

    /// Has the pages of `len` bytes from `offset`, which are backed, mapped to be written. Where the kernel does not know how,
    /// each is mapped when it is first touched.
    pub fn populate(&self, offset: usize, len: usize) {
        populate(self.base, self.len, (offset, len), Advice::LinuxPopulateWrite);
    }

    /// Where it is mapped.
    pub(super) fn address(&self) -> usize {
        self.base.as_ptr() as usize
    }

    /// The words at `offset`.
    #[must_use]
    pub fn at<T: Shared>(&self, offset: usize) -> &T {
        check_range::<T>(offset, self.len);
        // SAFETY: in bounds and aligned by the check; `Shared` makes any content valid; the mapping lives as long as
        // `self`.
        unsafe { self.base.add(offset).cast().as_ref() }
    }

    /// Has the cache line at `offset` brought near to be written, if there is one; it is not waited for.
    pub fn prefetch(&self, offset: usize) {
        if offset < self.len {
            prefetch(self.base.as_ptr().wrapping_add(offset), For::Writing);
        }
    }

    /// `len` bytes at `offset`.
    ///
    /// # Safety
    /// Nobody may write them meanwhile.
    #[must_use]
    pub unsafe fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        check_bytes(offset, len, self.len);
        // SAFETY: in bounds by the check; the caller promises that nobody writes.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(offset), len) }
    }

    /// `len` bytes at `offset`, to be written.
    ///
    /// # Safety
    /// Nobody, in this process or in another, may read or write them meanwhile.
    #[must_use]
    #[allow(clippy::mut_from_ref, reason = "the caller promises that the range is its own")]
    pub unsafe fn bytes_mut(&self, offset: usize, len: usize) -> &mut [u8] {
        check_bytes(offset, len, self.len);
        // SAFETY: in bounds by the check; the caller promises that the range is its own.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(offset), len) }
    }
}

impl ReadOnly {
    /// Maps the first `bytes` bytes of the segment behind `handle`, readable and nothing else.
    ///
    /// # Errors
    /// [`ChannelError::Memory`] where it is shorter, may still shrink, or cannot be mapped.
    pub fn map(handle: &Handle, bytes: usize) -> Result<Self, ChannelError> {
        let result = match handle {
            Handle::Sealed(file) => Self::map_sealed(file.as_fd(), bytes),
            Handle::Named(name) => Self::map_named(name, bytes),
        };
        result.map_err(|cause| ChannelError::Memory { action: "map", bytes: bytes as u64, cause })
    }

    fn map_sealed(file: BorrowedFd<'_>, bytes: usize) -> Result<Self, String> {
        let seals = rustix::fs::fcntl_get_seals(file).map_err(|e| e.to_string())?;
        if !seals.contains(SealFlags::SHRINK | SealFlags::FUTURE_WRITE) {
            return Err("its writer has not sealed it".to_owned());
        }
        let size = rustix::fs::fstat(file).map_err(|e| e.to_string())?.st_size as usize;
        if size < bytes {
            return Err(format!("it has only {size} bytes"));
        }
        let base = map(file, bytes, ProtFlags::READ).map_err(|e| e.to_string())?;
        Ok(ReadOnly { base, len: bytes, shmem: None })
    }

    fn map_named(name: &str, bytes: usize) -> Result<Self, String> {
        let shmem = ShmemConf::new().os_id(name).open().map_err(|e| named::explain(&e))?;
        if shmem.len() < bytes {
            return Err(format!("it has only {} bytes", shmem.len()));
        }
        let base = NonNull::new(shmem.as_ptr()).ok_or("the system mapped nothing")?;
        // SAFETY: the range is this mapping, whole, and nothing refers into it yet.
        unsafe { rustix::mm::mprotect(base.as_ptr().cast(), shmem.len(), MprotectFlags::READ) }
            .map_err(|e| e.to_string())?;
        Ok(ReadOnly { base, len: bytes, shmem: Some(shmem) })
    }

    /// Maps the segment behind `handle` in the place of this one, at the same address, for everybody who has it: for a
    /// segment whose writer has died and another one has taken its place. What was read as [`ReadOnly::bytes`] must not be
    /// in use; a segment of which only words are read has none of that.
    ///
    /// # Errors
    /// As [`ReadOnly::map`]; then this one stays.
    pub fn replace(&self, handle: &Handle) -> Result<(), ChannelError> {
        // Checked, as any other, by mapping it.
        drop(Self::map(handle, self.len)?);
        let opened;
        let file = match handle {
            Handle::Sealed(file) => file.as_fd(),
            Handle::Named(name) => {
                opened = named::open(name).map_err(|e| self.cannot_map(&e))?;
                opened.as_fd()
            }
        };
        let flags = MapFlags::SHARED | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: the range is this mapping, whole, and a mapping of the same length and protection takes its place. Whoever
        // has references into it reads atomics, whose content may change at any time.
        unsafe { rustix::mm::mmap(self.base.as_ptr().cast(), self.len, ProtFlags::READ, flags, file, 0) }
            .map_err(|e| self.cannot_map(&e.into()))?;
        Ok(())
    }

    fn cannot_map(&self, cause: &std::io::Error) -> ChannelError {
        ChannelError::Memory { action: "map", bytes: self.len as u64, cause: cause.to_string() }
    }

    /// The words at `offset`.
    #[must_use]
    pub fn at<T: Shared>(&self, offset: usize) -> &T {
        check_range::<T>(offset, self.len);
        // SAFETY: in bounds and aligned by the check; `Shared` makes any content valid and allows a writer elsewhere;
        // only loads are made through a read-only mapping, by everyone in this module.
        unsafe { self.base.add(offset).cast().as_ref() }
    }

    /// `len` bytes at `offset`, or nothing where that is out of bounds.
    ///
    /// # Safety
    /// Their writer must have published them and must not write them while the result lives: the caller holds them
    /// back by its place in the ring, or by its borrow table.
    #[must_use]
    pub unsafe fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        let end = offset.checked_add(len)?;
        // SAFETY: in bounds; the caller promises that nobody writes.
        (end <= self.len).then(|| unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(offset), len) })
    }

    /// As [`Writable::populate`], to be read.
    pub fn populate(&self, offset: usize, len: usize) {
        populate(self.base, self.len, (offset, len), Advice::LinuxPopulateRead);
    }

    /// Has the cache line at `offset` brought near, if there is one; it is not waited for.
    pub fn prefetch(&self, offset: usize) {
        if offset < self.len {
            prefetch(self.base.as_ptr().wrapping_add(offset), For::Reading);
        }
    }

    /// First address and length of the mapping.
    #[must_use]
    pub fn range(&self) -> (usize, usize) {
        (self.base.as_ptr() as usize, self.len)
    }
}

/// What is done with a cache line that is to be brought near.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Reading,
    Writing,
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn prefetch(at: *const u8, what_for: For) {
    use std::arch::asm;
    // SAFETY: a hint, which no address makes fault, and which changes no register. The compiler's own hint for writing
    // asks for a line to be read, unless it is told of processors too new for some; those that do not know this one pass
    // it over.
    unsafe {
        match what_for {
            For::Reading => asm!("prefetcht0 [{}]", in(reg) at, options(nostack, preserves_flags, readonly)),
            For::Writing => asm!("prefetchw [{}]", in(reg) at, options(nostack, preserves_flags, readonly)),
        }
    }
}

#[cfg(target_arch = "aarch64")]
#[inline]
fn prefetch(at: *const u8, what_for: For) {
    use std::arch::asm;
    // SAFETY: a hint, which no address makes fault, and which changes no register.
    unsafe {
        match what_for {
            For::Reading => asm!("prfm pldl1keep, [{}]", in(reg) at, options(nostack, preserves_flags, readonly)),
            For::Writing => asm!("prfm pstl1keep, [{}]", in(reg) at, options(nostack, preserves_flags, readonly)),
        }
    }
}

impl Drop for Writable {
    fn drop(&mut self) {
        if self.shmem.is_none() {
            unmap(self.base, self.len);
        }
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        if self.shmem.is_none() {
            unmap(self.base, self.len);
        }
    }
}

fn map(file: BorrowedFd<'_>, bytes: usize, protection: ProtFlags) -> rustix::io::Result<NonNull<u8>> {
    let flags = MapFlags::SHARED | MapFlags::NORESERVE;
    // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
    let base = unsafe { rustix::mm::mmap(std::ptr::null_mut(), bytes, protection, flags, file, 0) }?;
    NonNull::new(base.cast()).ok_or(Errno::NOMEM)
}

/// Maps the pages of a part of a mapping, as far as the kernel can.
fn populate(base: NonNull<u8>, mapped: usize, (offset, len): (usize, usize), how: Advice) {
    let page = rustix::param::page_size();
    let (start, end) = (offset - offset % page, offset.saturating_add(len).min(mapped));
    if start < end {
        // SAFETY: within the mapping, whose bytes the advice does not change.
        let _ = unsafe { rustix::mm::madvise(base.as_ptr().wrapping_add(start).cast(), end - start, how) };
    }
}

fn unmap(base: NonNull<u8>, len: usize) {
    // SAFETY: the mapping was made by `map` with this length, and its owner is going away.
    let result = unsafe { rustix::mm::munmap(base.as_ptr().cast(), len) };
    debug_assert!(result.is_ok(), "a mapping of our own can be unmapped");
}

fn check_range<T>(offset: usize, len: usize) {
    assert!(offset.is_multiple_of(align_of::<T>()), "aligned by the layout");
    check_bytes(offset, size_of::<T>(), len);
}

fn check_bytes(offset: usize, bytes: usize, len: usize) {
    assert!(offset.checked_add(bytes).is_some_and(|end| end <= len), "within the segment by the layout");
}
