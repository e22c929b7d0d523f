//! Sleeping until one of several words changes, and being woken.

use super::ChannelError;
use super::futex::wake;
use super::sync::AtomicU32;
use super::wait_list::WaitList;
use crate::graph::Wait;
use crate::message::monotonic_ns;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use rustix::io::Errno;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// How far a run is on its way to its end, for one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It goes on.
    Run,
    /// Sources stop, everything else drains.
    Stop,
    /// Everything stops now.
    Cut,
}

/// Ends the waits of a process: on a stop, and when a peer has died.
#[derive(Debug)]
pub struct Interrupt {
    word: AtomicU32,
    level: AtomicU32,
    /// Readable from [`Level::Stop`] on.
    stop_event: OwnedFd,
    /// Readable from [`Level::Cut`] on.
    cut_event: OwnedFd,
}

/// How one end of a node's edges waits for the other.
pub struct Waiter {
    interrupt: Arc<Interrupt>,
    patience: Patience,
    list: WaitList,
    /// What was listed before a sleep was announced.
    unannounced: WaitList,
}

/// What a [`Waiter`] waits for.
pub trait Awaited {
    /// What it is in the end.
    type Found;

    /// Looks for it; where it is not there yet, lists the words of which one will change when it may be.
    ///
    /// # Errors
    /// What makes the wait pointless.
    fn look(&mut self, interrupt: &Interrupt, list: &mut WaitList) -> Result<Option<Self::Found>, ChannelError>;

    /// Tells those who will change these words that somebody is about to sleep, anew each time, or is awake.
    fn announce(&mut self, sleeping: bool);

    /// When what was found came, on `CLOCK_MONOTONIC`, where that is told.
    fn came_ns(&self, _: &Self::Found) -> Option<u64> {
        None
    }
}

/// How long to look again and again before going to sleep.
struct Patience {
    wait: Wait,
    /// What a sleep costs here, as seen of late: from the change that was waited for until it was noticed.
    sleep_ns: u64,
    /// How many failures in a row are put up with before it is given up to look again before a sleep.
    credit: u32,
    /// Sleeps since it was last tried whether to look again pays.
    untried: u32,
}

/// What a sleep is taken to cost where none was seen yet, and at most.
const SLEEP_NS: u64 = 50_000;
/// Who looks for so many times what a sleep costs, and then sleeps, spends at most so many times more, and one, than who
/// knows beforehand which of the two will have been better.
const WORTH_SLEEPS: u64 = 2;
/// Most credit that looking can earn.
const MOST_CREDIT: u32 = 4;
/// Where looking did not pay, it is tried again after so many sleeps.
const TRY_EVERY: u32 = 64;
/// So often it is looked before the time is.
const ROUNDS: u32 = 64;
/// A node that never sleeps lets others run after so many rounds.
const YIELD_EVERY: u32 = 4096;

impl Interrupt {
    /// An interrupt at [`Level::Run`].
    ///
    /// # Errors
    /// Where descriptors are used up.
    pub fn new() -> std::io::Result<Self> {
        let event = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let (word, level) = (AtomicU32::new(0), AtomicU32::new(0));
        Ok(Interrupt { word, level, stop_event: event()?, cut_event: event()? })
    }

    /// The present level.
    #[must_use]
    pub fn level(&self) -> Level {
        match self.level.load(Ordering::Acquire) {
            0 => Level::Run,
            1 => Level::Stop,
            _ => Level::Cut,
        }
    }

    /// Raises the level, and ends every wait. A level never falls.
    pub fn raise(&self, level: Level) {
        self.level.fetch_max(level as u32, Ordering::AcqRel);
        // A write can only fail where the counter is full, and then the event is readable as it should be.
        if level >= Level::Stop {
            let _ = rustix::io::write(&self.stop_event, &1u64.to_ne_bytes());
        }
        if level >= Level::Cut {
            let _ = rustix::io::write(&self.cut_event, &1u64.to_ne_bytes());
        }
        self.nudge();
    }

    /// Ends every wait, so that what is waited for is looked at again.
    pub fn nudge(&self) {
        self.word.fetch_add(1, Ordering::AcqRel);
        wake(&self.word);
    }

    /// To be drawn before looking at what is waited for: a wait with it ends at any nudge since.
    #[must_use]
    pub fn ticket(&self) -> u32 {
        self.word.load(Ordering::Acquire)
    }

    /// Waits until a word of `list` changes, the interrupt is nudged after `ticket` was drawn, or `until` has come.
    ///
    /// # Errors
    /// [`ChannelError::Wait`] with the system's word.
    pub fn wait(&self, list: &mut WaitList, ticket: u32, until: Option<Instant>) -> Result<(), ChannelError> {
        list.push(&self.word, ticket);
        let result = list.wait(until);
        list.pop();
        result
    }

    /// Waits until one of `watched` can be read, the level is `level` or more, or `until` has come. Returns the index of
    /// the first one that can be read, if one can.
    ///
    /// # Errors
    /// [`ChannelError::Wait`] with the system's word.
    pub fn poll(
        &self,
        level: Level,
        watched: &[BorrowedFd<'_>],
        until: Option<Instant>,
    ) -> Result<Option<usize>, ChannelError> {
        let event = if level >= Level::Cut { &self.cut_event } else { &self.stop_event };
        loop {
            let mut polled: Vec<PollFd<'_>> = watched.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
            polled.push(PollFd::new(event, PollFlags::IN));
            let timeout = until.map(|t| timespec(t.saturating_duration_since(Instant::now())));
            match rustix::event::poll(&mut polled, timeout.as_ref()) {
                Err(Errno::INTR) => {}
                Err(e) => return Err(ChannelError::Wait(e.into())),
                Ok(_) => return Ok(polled[..watched.len()].iter().position(|fd| !fd.revents().is_empty())),
            }
        }
    }
}

impl Waiter {
    /// Waits as `wait` says, until `interrupt` cuts it short.
    #[must_use]
    pub fn new(interrupt: Arc<Interrupt>, wait: Wait) -> Self {
        let (list, unannounced) = Default::default();
        Waiter { interrupt, patience: Patience::new(wait), list, unannounced }
    }

    /// What cuts its waits short.
    #[must_use]
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Whether it looks again and again, however long that takes.
    #[must_use]
    pub fn never_sleeps(&self) -> bool {
        self.patience.wait == Wait::Busy
    }

    /// Waits for so long.
    pub fn pause(&self, time: Duration) {
        if !self.never_sleeps() {
            return std::thread::sleep(time);
        }
        let until_ns = monotonic_ns() + time.as_nanos() as u64;
        spin_until(ROUNDS, || monotonic_ns() >= until_ns);
    }

    /// Waits until `awaited` is there.
    ///
    /// # Errors
    /// Those of looking for it; [`ChannelError::Wait`] with the system's word.
    pub fn wait_for<A: Awaited>(&mut self, awaited: &mut A) -> Result<A::Found, ChannelError> {
        let ticket = self.interrupt.ticket();
        self.list.clear();
        match awaited.look(&self.interrupt, &mut self.list)? {
            Some(found) => Ok(found),
            None => self.wait_longer(awaited, ticket),
        }
    }

    #[cold]
    fn wait_longer<A: Awaited>(&mut self, awaited: &mut A, mut ticket: u32) -> Result<A::Found, ChannelError> {
        let mut slept_ns = None;
        let found = loop {
            let has_changed = || self.list.has_changed() || self.interrupt.ticket() != ticket;
            if !self.patience.outlasts(has_changed) {
                slept_ns = Some(monotonic_ns());
                if let Some(found) = self.announce(awaited, &mut ticket) {
                    break found;
                }
                if let Err(error) = self.interrupt.wait(&mut self.list, ticket, None) {
                    break Err(error);
                }
            }
            if let Some(found) = self.look_anew(awaited, &mut ticket) {
                break found;
            }
        };
        if let Some(began_ns) = slept_ns {
            awaited.announce(false);
            if let Some(came_ns) = found.as_ref().ok().and_then(|found| awaited.came_ns(found)) {
                self.patience.slept(began_ns, came_ns);
            }
        }
        found
    }

    /// Announces a sleep and looks once more: what is awaited may have come before anybody could know that somebody sleeps.
    /// Where something else has come meanwhile, such as a message that was taken back at once, the wake-ups for it are
    /// spent on this sleep, and another one is announced.
    fn announce<A: Awaited>(&mut self, awaited: &mut A, ticket: &mut u32) -> Option<Result<A::Found, ChannelError>> {
        loop {
            awaited.announce(true);
            std::mem::swap(&mut self.list, &mut self.unannounced);
            let found = self.look_anew(awaited, ticket);
            if found.is_some() || self.list.says_the_same_as(&self.unannounced) {
                return found;
            }
        }
    }

    fn look_anew<A: Awaited>(&mut self, awaited: &mut A, ticket: &mut u32) -> Option<Result<A::Found, ChannelError>> {
        *ticket = self.interrupt.ticket();
        self.list.clear();
        awaited.look(&self.interrupt, &mut self.list).transpose()
    }
}

impl Patience {
    fn new(wait: Wait) -> Self {
        // With one processor, whoever looks again and again keeps from running whom it waits for.
        let wait = if wait == Wait::Adaptive && processors() == 1 { Wait::Block } else { wait };
        Patience { wait, sleep_ns: SLEEP_NS, credit: MOST_CREDIT, untried: 0 }
    }

    /// Looks again and again; whether something has changed before it was time to sleep.
    fn outlasts(&mut self, has_changed: impl Fn() -> bool) -> bool {
        match self.wait {
            Wait::Block => false,
            Wait::Busy => {
                spin_until(YIELD_EVERY, has_changed);
                true
            }
            Wait::Adaptive => self.adapts(has_changed),
        }
    }

    /// As long as that has paid of late; where it has not, not at all but for a try now and then.
    fn adapts(&mut self, has_changed: impl Fn() -> bool) -> bool {
        if self.credit == 0 {
            self.untried += 1;
            if self.untried < TRY_EVERY {
                return false;
            }
            self.untried = 0;
        }
        let until_ns = monotonic_ns() + WORTH_SLEEPS * self.sleep_ns;
        let pays = loop {
            if spin(ROUNDS, &has_changed) {
                break true;
            }
            if monotonic_ns() >= until_ns {
                break false;
            }
            // Whoever else could run here does; it may be the one that is waited for.
            std::thread::yield_now();
        };
        self.credit = if pays { (self.credit + 1).min(MOST_CREDIT) } else { self.credit.saturating_sub(1) };
        pays
    }

    /// A sleep that began at `began_ns` was ended by what came at `came_ns`, and is over now.
    fn slept(&mut self, began_ns: u64, came_ns: u64) {
        if came_ns > began_ns {
            let cost_ns = monotonic_ns().saturating_sub(came_ns).min(SLEEP_NS);
            self.sleep_ns = (3 * self.sleep_ns + cost_ns) / 4;
        }
    }
}

/// How many processors there were for this process when it was first asked: before it binds itself to one of them.
#[must_use]
pub fn processors() -> usize {
    static PROCESSORS: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));
    *PROCESSORS
}

/// Looks so many times; whether something has changed.
fn spin(rounds: u32, has_changed: impl Fn() -> bool) -> bool {
    for _ in 0..rounds {
        if has_changed() {
            return true;
        }
        std::hint::spin_loop();
    }
    false
}

/// Looks until something has changed; others may run after so many looks.
fn spin_until(rounds: u32, has_changed: impl Fn() -> bool) {
    while !spin(rounds, &has_changed) {
        std::thread::yield_now();
    }
}

pub fn timespec(duration: std::time::Duration) -> rustix::time::Timespec {
    rustix::time::Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: i64::from(duration.subsec_nanos()) }
}
