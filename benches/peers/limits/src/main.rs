//! What this machine can do at best: two processes on two processors, with nothing between them but memory.
//!
//! `--case ring`: messages through 32 slots, both sides spinning; `--beside entry,header,fences,clock` adds what an edge
//! needs beside the message, so that what each of it costs can be seen. `--case ping-pong` and `--case paced`: a word that is
//! raised, waited for by spinning or by futex (`--wait busy`, `block`). `--case copy`: a memcpy of lines that the other
//! processor has just written. `--case start`: fork and exec. `--case launch COMMAND`: when a command began and ended.

#[path = "../../measure.rs"]
mod measure;

use measure::{Args, Latencies, Pace, Reader, Writer, now_ns, pin, print};
use std::hint::spin_loop;
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

const SLOTS: u64 = 32;
/// A page: what slots are aligned to, and what lies before them.
const PAGE_BYTES: usize = 4096;
/// Added to a slot's length where there is something beside it, so that slots do not share cache sets.
const STAGGER_BYTES: usize = 9 * LINE_BYTES;
/// What processors hand to each other.
const LINE_BYTES: usize = 64;
/// Round trips, copies and starts that no figure counts.
const WARM_UP: u64 = 20;

/// Memory that this process and those that it forks share, never given back.
struct Shared(*mut u8);

impl Shared {
    fn new(bytes: usize) -> Self {
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, wherever the kernel has room for it.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, flags, -1, 0) };
        assert!(start != libc::MAP_FAILED, "no shared memory of {bytes} bytes");
        Shared(start.cast())
    }

    /// A counter on a cache line of its own, within the first page.
    fn counter(&self, nth: usize) -> &'static AtomicU64 {
        // SAFETY: the first page is mapped for good, zeroed, aligned, and used for counters alone.
        unsafe { &*self.0.add(nth * 256).cast() }
    }

    fn word(&self, nth: usize) -> &'static AtomicU32 {
        // SAFETY: as for `counter`; no word and counter have the same number.
        unsafe { &*self.0.add(nth * 256).cast() }
    }

    /// Bytes behind the first page. Who may use them is for the caller's counters to say.
    #[allow(clippy::mut_from_ref)]
    fn bytes(&self, at: usize, bytes: usize) -> &mut [u8] {
        assert!(at >= PAGE_BYTES, "the first page is for counters");
        // SAFETY: the mapping was made for as many; counters hand them from one process to the other.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(at), bytes) }
    }
}

/// Runs `other` in a process on the second processor, and `own` in this one on the first.
fn on_two(args: &Args, own: impl FnOnce(), other: impl FnOnce()) {
    // SAFETY: this process has one thread, and the child leaves by `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no second process");
    if child == 0 {
        pin(args, 1);
        other();
        // SAFETY: ends the child without running what the parent has yet to run.
        unsafe { libc::_exit(0) }
    }
    pin(args, 0);
    own();
    // SAFETY: nothing is written where there is no place for it.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
}

/// A number that one side raises and the other waits for.
struct Signal {
    word: &'static AtomicU32,
    sleeps: bool,
}

impl Signal {
    fn raise(&self) {
        self.word.fetch_add(1, Ordering::Release);
        if self.sleeps {
            self.futex(libc::FUTEX_WAKE, 1);
        }
    }

    fn wait_for_more_than(&self, seen: u64) {
        while self.word.load(Ordering::Acquire) == seen as u32 {
            if self.sleeps { self.futex(libc::FUTEX_WAIT, seen as u32) } else { spin_loop() }
        }
    }

    fn futex(&self, operation: i32, value: u32) {
        let no_limit = std::ptr::null::<libc::timespec>();
        // SAFETY: the word is mapped for good; no other argument is a pointer that is followed.
        unsafe { libc::syscall(libc::SYS_futex, self.word.as_ptr(), operation, value, no_limit) };
    }
}

fn ping_pong(args: &Args, messages: u64) {
    let shared = Shared::new(PAGE_BYTES);
    let sleeps = args.text("wait", "busy") == "block";
    let [there, back] = [0, 1].map(|nth| Signal { word: shared.word(nth), sleeps });
    let ping = || {
        let mut latencies = Latencies::default();
        for number in 0..messages {
            let before = now_ns();
            there.raise();
            back.wait_for_more_than(number);
            if number >= WARM_UP {
                latencies.add((now_ns() - before) / 2);
            }
        }
        print(args, &format!("\"messages\":{messages}{}", latencies.json()));
    };
    let pong = || {
        for number in 0..messages {
            there.wait_for_more_than(number);
            back.raise();
        }
    };
    on_two(args, ping, pong);
}

fn paced(args: &Args, messages: u64) {
    let shared = Shared::new(PAGE_BYTES);
    let signal = Signal { word: shared.word(0), sleeps: args.text("wait", "busy") == "block" };
    let sent_ns = shared.counter(1);
    let source = || {
        let mut pace = Pace::new(args.number("rate", 500));
        for _ in 0..messages {
            pace.wait();
            sent_ns.store(now_ns(), Ordering::Release);
            signal.raise();
        }
    };
    let sink = || {
        let mut latencies = Latencies::default();
        for number in 0..messages {
            signal.wait_for_more_than(number);
            let latency = now_ns() - sent_ns.load(Ordering::Acquire);
            if number >= WARM_UP {
                latencies.add(latency);
            }
        }
        print(args, &format!("\"messages\":{messages}{}", latencies.json()));
    };
    on_two(args, source, sink);
}

/// What an edge has beside a message.
struct Beside {
    shared: Shared,
    slot_bytes: usize,
    has_entry: bool,
    has_header: bool,
    has_fences: bool,
    has_clock: bool,
}

impl Beside {
    fn new(args: &Args, bytes: usize) -> Self {
        let names = args.text("beside", "");
        let has = |name: &str| names.split(',').any(|named| named == name);
        let slot_bytes = match names.is_empty() {
            true => bytes.next_multiple_of(PAGE_BYTES),
            false => (bytes + LINE_BYTES).next_multiple_of(PAGE_BYTES) + STAGGER_BYTES,
        };
        Beside {
            shared: Shared::new(PAGE_BYTES + SLOTS as usize * slot_bytes),
            slot_bytes,
            has_entry: has("entry"),
            has_header: has("header"),
            has_fences: has("fences"),
            has_clock: has("clock"),
        }
    }

    /// What lies in front of a message, on a line of its own, and half a line of a ring: what names it.
    fn words(&self, number: u64) -> impl Iterator<Item = &'static AtomicU64> {
        let entry = PAGE_BYTES / 2 + (number % SLOTS) as usize * LINE_BYTES / 2;
        let places = [self.has_header.then_some(self.slot(number)), self.has_entry.then_some(entry)];
        // SAFETY: within the mapping, which is for good, aligned, and nothing but counters.
        let word = |at: usize| unsafe { &*self.shared.0.add(at).cast::<AtomicU64>() };
        places.into_iter().flatten().flat_map(move |at| [word(at), word(at + 8), word(at + 16)])
    }

    #[allow(clippy::mut_from_ref)]
    fn message(&self, number: u64, bytes: usize) -> &mut [u8] {
        self.shared.bytes(self.slot(number) + usize::from(self.has_header) * LINE_BYTES, bytes)
    }

    fn slot(&self, number: u64) -> usize {
        PAGE_BYTES + (number % SLOTS) as usize * self.slot_bytes
    }

    /// Looks whether the other side sleeps, which it does not.
    fn look_for_a_sleeper(&self) {
        if self.has_fences {
            fence(Ordering::SeqCst);
            assert!(self.shared.word(2).load(Ordering::Relaxed) == 0, "nobody sleeps");
        }
    }
}

fn ring(args: &Args, messages: u64, bytes: usize) {
    let beside = Beside::new(args, bytes);
    let (sent, taken) = (beside.shared.counter(0), beside.shared.counter(1));
    let source = || {
        let mut writer = Writer::new(bytes, args.reach("sent"));
        for number in 0..messages {
            while number - taken.load(Ordering::Acquire) >= SLOTS {
                spin_loop();
            }
            writer.fill(beside.message(number, bytes));
            let said = if beside.has_clock { now_ns() } else { number };
            beside.words(number).for_each(|word| word.store(said, Ordering::Relaxed));
            sent.store(number + 1, Ordering::Release);
            beside.look_for_a_sleeper();
        }
    };
    let sink = || {
        let mut reader = Reader::new(args);
        for number in 0..messages {
            while sent.load(Ordering::Acquire) == number {
                spin_loop();
            }
            let said: u64 = beside.words(number).map(|word| word.load(Ordering::Relaxed)).fold(0, u64::wrapping_add);
            std::hint::black_box(said);
            reader.take(beside.message(number, bytes));
            taken.store(number + 1, Ordering::Release);
            beside.look_for_a_sleeper();
        }
        reader.print(args);
    };
    on_two(args, source, sink);
}

/// One buffer, written on one processor and copied on the other, in turn.
fn copy(args: &Args, messages: u64, bytes: usize) {
    let shared = Shared::new(PAGE_BYTES + bytes.next_multiple_of(PAGE_BYTES));
    let [written, copied] = [0, 1].map(|nth| Signal { word: shared.word(nth), sleeps: false });
    let write = || {
        for number in 0..messages {
            shared.bytes(PAGE_BYTES, bytes).fill(number as u8);
            written.raise();
            copied.wait_for_more_than(number);
        }
    };
    let copy = || {
        let (mut own, mut latencies) = (vec![1; bytes], Latencies::default());
        for number in 0..messages {
            written.wait_for_more_than(number);
            let before = now_ns();
            own.copy_from_slice(shared.bytes(PAGE_BYTES, bytes));
            std::hint::black_box(&own);
            if number >= WARM_UP {
                latencies.add(now_ns() - before);
            }
            copied.raise();
        }
        print(args, &format!("\"messages\":{messages}{}", latencies.json()));
    };
    on_two(args, write, copy);
}

/// Fork and exec of this program: to its `main`, and to its end.
fn start(args: &Args, messages: u64) {
    let (mut to_main, mut to_exit) = (Vec::new(), Vec::new());
    for _ in 0..messages {
        let before = now_ns();
        let output = args.again(&[("case", "now")]).output().expect("this program can be started");
        to_exit.push(now_ns() - before);
        let main: u64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("it prints its time");
        to_main.push(main - before);
    }
    let median_ms = |times: &mut Vec<u64>| {
        times.sort_unstable();
        times[times.len() / 2] as f64 / 1e6
    };
    let (main, exit) = (median_ms(&mut to_main), median_ms(&mut to_exit));
    print(args, &format!("\"messages\":{messages},\"first_message_ms\":{main:.3},\"exit_ms\":{exit:.3}"));
}

/// Runs what follows `launch`, and says on standard error, in the end, when it began and ended.
fn launch() -> ! {
    let mut command = std::env::args_os().skip(3);
    let program = command.next().expect("a command follows");
    let launched = now_ns();
    let status = Command::new(program).args(command).status().expect("the command can be started");
    eprintln!("launched_ns={launched} ended_ns={}", now_ns());
    std::process::exit(status.code().unwrap_or(1))
}

fn main() {
    let args = Args::of_this_process();
    let (messages, bytes) = (args.number("messages", 1000), args.number("size", 64) as usize);
    match args.text("case", "").as_str() {
        "ring" => ring(&args, messages, bytes),
        "ping-pong" => ping_pong(&args, messages),
        "paced" => paced(&args, messages),
        "copy" => copy(&args, messages, bytes),
        "start" => start(&args, messages),
        "launch" => launch(),
        "now" => println!("{}", now_ns()),
        other => panic!("no case `{other}`"),
    }
}
