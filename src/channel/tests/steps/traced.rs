//! A child that does one operation, one instruction after the other, until it is killed.

use super::world::World;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

const PAGE: usize = 4096;
/// What a child says of where it is.
const WITHIN: u32 = 1;
const BEHIND: u32 = 2;
/// An operation that takes more does not end.
const MOST: usize = 2_000_000;

/// The instructions of an operation.
pub struct Span {
    /// Where each one lies, and what comes behind the last.
    addresses: Vec<usize>,
    /// After how many of them shared memory is another.
    pub changes: Vec<usize>,
}

impl Span {
    /// Goes through all of `act`.
    pub fn of(world: &mut World, act: impl Fn(&mut World)) -> Self {
        let child = Child::before(world, act);
        let (mut addresses, mut changes, mut seen) = (vec![child.address()], Vec::new(), world.shared_bytes());
        while child.place() == WITHIN {
            child.step();
            assert!(addresses.len() < MOST, "the operation does not end");
            let now = world.shared_bytes();
            if now != seen {
                changes.push(addresses.len());
                seen = now;
            }
            addresses.push(child.address());
        }
        Span { addresses, changes }
    }

    /// How many there are.
    pub fn instructions(&self) -> usize {
        self.addresses.len() - 1
    }

    /// A child that does `act` and stands still after so many of them; nothing where it did not come by.
    pub fn stop_after(&self, world: &mut World, act: impl Fn(&mut World), instructions: usize) -> Option<Child> {
        let child = Child::before(world, act);
        let there = self.addresses[instructions];
        // It may come by several times; where it stands at first does not count.
        let times = self.addresses[1..=instructions].iter().filter(|&&address| address == there).count();
        child.break_at(there, true);
        for _ in 0..times {
            child.step();
            while child.address() != there {
                if !child.go_on() {
                    return None;
                }
            }
        }
        child.break_at(there, false);
        Some(child)
    }
}

/// A child that stands still. Dropping it kills it.
pub struct Child {
    pid: libc::pid_t,
    has_ended: Cell<bool>,
    /// A page that is shared with it.
    page: *mut AtomicU32,
}

impl Child {
    /// One that is about to do `act`.
    fn before(world: &mut World, act: impl Fn(&mut World)) -> Self {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let page = unsafe { mmap_anonymous(null_mut(), PAGE, protection, MapFlags::SHARED) }.unwrap();
        inherit(world.label());
        let place = page.cast::<AtomicU32>();
        // SAFETY: the child has the memory of this thread as it is, uses no lock that another thread may have had, and
        // ends without going on behind this block.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "no child");
        if pid == 0 {
            // SAFETY: the page is mapped and zero; these calls only concern this process.
            unsafe {
                libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<u8>(), null_mut::<u8>());
                (*place).store(WITHIN, SeqCst);
                libc::raise(libc::SIGSTOP);
                // A panic must not reach what the parent has on this stack.
                let is_sound = catch_unwind(AssertUnwindSafe(|| {
                    act(world);
                    (*place).store(BEHIND, SeqCst);
                    world.is_sound()
                }));
                libc::_exit(i32::from(!is_sound.unwrap_or(false)));
            }
        }
        world.child = pid as u32;
        let child = Child { pid, has_ended: Cell::new(false), page: place };
        child.wait();
        child
    }

    fn place(&self) -> u32 {
        // SAFETY: the page is mapped as long as this value is there.
        unsafe { (*self.page).load(SeqCst) }
    }

    fn step(&self) {
        // SAFETY: the child is this thread's own and stands still.
        let result = unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.pid, null_mut::<u8>(), null_mut::<u8>()) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        self.wait();
    }

    fn wait(&self) {
        let status = self.status();
        assert!(libc::WIFSTOPPED(status), "the child ended by itself: {status:#x}");
        let signal = libc::WSTOPSIG(status);
        assert!([libc::SIGSTOP, libc::SIGTRAP].contains(&signal), "the child got signal {signal}");
    }

    /// Where the processor has a register for that: lets the child run up to this instruction, whenever it goes on.
    fn break_at(&self, address: usize, stops: bool) {
        #[cfg(target_arch = "x86_64")]
        for (register, value) in [(0, address), (7, usize::from(stops))] {
            let at = std::mem::offset_of!(libc::user, u_debugreg) + register * size_of::<u64>();
            // SAFETY: the child is this thread's own and stands still.
            let result = unsafe { libc::ptrace(libc::PTRACE_POKEUSER, self.pid, at, value) };
            assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        }
        let _ = (address, stops);
    }

    /// Up to where it is to stop, or by one instruction; false where it has ended.
    fn go_on(&self) -> bool {
        if cfg!(not(target_arch = "x86_64")) {
            self.step();
            return self.place() == WITHIN;
        }
        // SAFETY: the child is this thread's own and stands still.
        let result = unsafe { libc::ptrace(libc::PTRACE_CONT, self.pid, null_mut::<u8>(), null_mut::<u8>()) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        libc::WIFSTOPPED(self.status())
    }

    /// Lets it do the rest; whether what it has is as it should be.
    pub fn finish(self) -> bool {
        // SAFETY: the child is this thread's own and stands still.
        let result = unsafe { libc::ptrace(libc::PTRACE_CONT, self.pid, null_mut::<u8>(), null_mut::<u8>()) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        let status = self.status();
        assert!(libc::WIFEXITED(status), "the child did not end: {status:#x}");
        libc::WEXITSTATUS(status) == 0
    }

    /// Of the instruction that comes next.
    #[cfg(target_arch = "x86_64")]
    fn address(&self) -> usize {
        let at = std::mem::offset_of!(libc::user, regs) + std::mem::offset_of!(libc::user_regs_struct, rip);
        // SAFETY: the child is this thread's own and stands still.
        unsafe { libc::ptrace(libc::PTRACE_PEEKUSER, self.pid, at, null_mut::<u8>()) as usize }
    }

    /// Of the instruction that comes next.
    #[cfg(target_arch = "aarch64")]
    fn address(&self) -> usize {
        // SAFETY: any bits are registers.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        let len = size_of::<libc::user_regs_struct>();
        let mut room = libc::iovec { iov_base: (&raw mut registers).cast(), iov_len: len };
        // SAFETY: the child is this thread's own and stands still; there is room for its registers.
        let result =
            unsafe { libc::ptrace(libc::PTRACE_GETREGSET, self.pid, libc::NT_PRSTATUS as usize, &raw mut room) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        registers.pc as usize
    }

    fn status(&self) -> libc::c_int {
        let mut status = 0;
        // SAFETY: the status is written into a local variable.
        let pid = unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
        assert_eq!(pid, self.pid, "{}", std::io::Error::last_os_error());
        self.has_ended.set(!libc::WIFSTOPPED(status));
        status
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: the child is this thread's own and has not been waited for.
        unsafe {
            if !self.has_ended.get() {
                libc::kill(self.pid, libc::SIGKILL);
                libc::waitpid(self.pid, null_mut(), 0);
            }
        }
        // SAFETY: nobody uses the page any more.
        unsafe { munmap(self.page.cast(), PAGE) }.unwrap();
    }
}

/// Segments are kept from children; those with this label are not.
fn inherit(label: &str) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let name = format!("/memfd:{label} ");
    for line in maps.lines().filter(|line| line.contains(&name) && line.contains(" rw-s ")) {
        let (start, rest) = line.split_once('-').unwrap();
        let [start, end] = [start, rest.split(' ').next().unwrap()].map(|at| usize::from_str_radix(at, 16).unwrap());
        // SAFETY: the range is a mapping of this test's own, and the advice changes no byte of it.
        unsafe { madvise(start as *mut _, end - start, Advice::LinuxDoFork) }.unwrap();
    }
}
