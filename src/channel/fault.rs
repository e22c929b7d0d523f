//! Tells what was done when somebody stores into a view: which edge, which message, which byte.
//!
//! The kernel has refused the store already; all that is left is to say so before the process dies of it.

use super::layout::{PortLayout, SlotHeader, payload_offset};
use super::memory::ReadOnly;
use std::cell::Cell;
use std::ffi::c_int;
use std::sync::Once;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicUsize};

/// A store into a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewFault {
    /// Node whose thread did it, as told by [`set_current_node`].
    pub node: u32,
    /// Edge that the view came from.
    pub edge: u32,
    /// Number of the message on its port.
    pub sequence: u64,
    /// Offset in the payload; negative in front of it.
    pub offset: i64,
}

/// The mappings that hold views of one edge. Made once per receiver and never freed: the handler may run at any time.
pub struct Watched {
    node: u32,
    layout: PortLayout,
    edge: u32,
    /// Where the present segment is mapped, and where the one before it is; 0 where there is none.
    bases: [AtomicUsize; 2],
    next: *mut Watched,
}

// SAFETY: `next` is written before the value is shared, and never again; the rest is atomics and plain data.
unsafe impl Sync for Watched {}

static WATCHED: AtomicPtr<Watched> = AtomicPtr::new(std::ptr::null_mut());
static REPORT: AtomicUsize = AtomicUsize::new(0);
static INSTALL: Once = Once::new();

thread_local! {
    static NODE: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Says which node this thread runs.
pub fn set_current_node(node: u32) {
    NODE.set(Some(node));
}

/// The node that this thread runs.
#[must_use]
pub fn current_node() -> Option<u32> {
    NODE.get()
}

/// Installs the handler. `report` is called on the faulting thread, from a signal handler: it may make system calls and
/// nothing else, no memory, no locks.
pub fn install_fault_handler(report: fn(&ViewFault)) {
    REPORT.store(report as usize, Release);
    INSTALL.call_once(|| {
        // SAFETY: a zeroed sigaction is a valid one; the handler has the signature that SA_SIGINFO asks for.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigaction(libc::SIGSEGV, &action, PREVIOUS.0.get());
        }
    });
}

/// Remembers where the views lie that `node` receives on `edge`. Nowhere yet: see [`Watched::now_at`].
pub fn watch_views(node: u32, edge: u32, layout: &PortLayout) -> &'static Watched {
    let layout = layout.clone();
    let watched = Box::new(Watched { node, layout, edge, bases: Default::default(), next: std::ptr::null_mut() });
    let watched = Box::into_raw(watched);
    let mut head = WATCHED.load(Acquire);
    loop {
        // SAFETY: nobody else has the pointer before the exchange succeeds.
        unsafe { (*watched).next = head };
        match WATCHED.compare_exchange_weak(head, watched, Release, Acquire) {
            // SAFETY: it is never freed, and from now on only read.
            Ok(_) => return unsafe { &*watched },
            Err(now) => head = now,
        }
    }
}

impl Watched {
    /// Views lie in `present` from now on, and in `before` while some are held there. A mapping must be told to be gone
    /// before it is.
    pub fn now_at(&self, present: Option<&ReadOnly>, before: Option<&ReadOnly>) {
        for (base, segment) in self.bases.iter().zip([present, before]) {
            base.store(segment.map_or(0, |segment| segment.range().0), Release);
        }
    }

    /// How far into one of its mappings `address` lies, and where that one begins.
    fn offset_of(&self, address: usize) -> Option<(usize, usize)> {
        let bases = self.bases.iter().map(|base| base.load(Acquire)).filter(|&base| base != 0);
        let mut offsets = bases.filter_map(|base| Some((base, address.checked_sub(base)?)));
        offsets.find(|&(_, offset)| offset < self.layout.bytes())
    }
}

struct Previous(std::cell::UnsafeCell<libc::sigaction>);

// SAFETY: written once, under `INSTALL`, before the handler that reads it can run.
unsafe impl Sync for Previous {}

// SAFETY: a zeroed sigaction is the default action.
static PREVIOUS: Previous = Previous(std::cell::UnsafeCell::new(unsafe { std::mem::zeroed() }));

extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel hands a valid siginfo to a handler with SA_SIGINFO.
    let sent_by_kill = unsafe { (*info).si_code } <= 0;
    if sent_by_kill {
        // No store is tried again when this returns, so the signal has to be.
        // SAFETY: a zeroed sigaction is the default action; raise has no precondition.
        unsafe {
            libc::sigaction(signal, &std::mem::zeroed(), std::ptr::null_mut());
            libc::raise(signal);
        }
        return;
    }
    // SAFETY: as above; a SIGSEGV that the kernel raised carries an address.
    let address = unsafe { (*info).si_addr() } as usize;
    if let Some(fault) = find(address) {
        let report = REPORT.load(Acquire);
        if report != 0 {
            // SAFETY: only `install_fault_handler` stores here, and it stores such a function.
            let report: fn(&ViewFault) = unsafe { std::mem::transmute(report) };
            report(&fault);
        }
    }
    // Back to what was there before (the runtime's report of a stack overflow, or the default): the store is tried
    // again when this returns, and now ends the process.
    // SAFETY: `PREVIOUS` was written before this handler was installed.
    unsafe { libc::sigaction(signal, PREVIOUS.0.get(), std::ptr::null_mut()) };
}

/// What lies at `address`, if it is in a view. Walks a list that only grows, and reads atomics.
fn find(address: usize) -> Option<ViewFault> {
    let mut found = None;
    let mut at = WATCHED.load(Acquire);
    // SAFETY: entries are leaked, so every pointer in the list stays valid.
    while let Some(watched) = unsafe { at.as_ref() } {
        if let Some((base, offset)) = watched.offset_of(address) {
            found = Some(describe(watched, base, offset));
            // Several nodes of a process may read the same port: the edge is that of the node which did it.
            if NODE.get() == Some(watched.node) {
                break;
            }
        }
        at = watched.next;
    }
    found
}

fn describe(watched: &Watched, base: usize, offset: usize) -> ViewFault {
    let mut fault = ViewFault { node: NODE.get().unwrap_or(u32::MAX), edge: watched.edge, sequence: 0, offset: -1 };
    let layout = &watched.layout;
    if let Some(in_slots) = offset.checked_sub(layout.slots_offset())
        && in_slots / layout.slot_stride() < layout.slots() as usize
    {
        let slot_at = layout.slot((in_slots / layout.slot_stride()) as u32);
        // SAFETY: within the mapping by the layout, aligned by it, and mapped while a view of it is held, as whoever
        // faulted there does.
        let header = unsafe { &*((base + slot_at) as *const SlotHeader) };
        fault.sequence = header.sequence.load(Relaxed);
        let payload_at = slot_at + payload_offset(header.metadata_bytes.load(Relaxed) as usize);
        fault.offset = offset as i64 - payload_at as i64;
    }
    fault
}
