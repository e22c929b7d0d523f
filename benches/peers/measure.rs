//! What the programs here share: their arguments, the clock, what a message holds, and the line of figures that is
//! printed. Each program includes this file as a module.
#![allow(dead_code)] // each program uses a part of it

use std::io::Write as _;

/// Messages at the start that no figure counts, where there are several times as many.
const WARM_UP: u64 = 50;
/// What is touched at each end of a message where only the ends are.
const LINE_BYTES: usize = 64;

/// The command line: `--key value`, any number of times.
#[derive(Clone)]
pub struct Args(Vec<String>);

impl Args {
    pub fn of_this_process() -> Self {
        Args(std::env::args().skip(1).collect())
    }

    pub fn text(&self, key: &str, default: &str) -> String {
        let at = self.0.iter().position(|arg| arg.strip_prefix("--") == Some(key));
        at.and_then(|at| self.0.get(at + 1)).map_or_else(|| default.to_owned(), Clone::clone)
    }

    pub fn number(&self, key: &str, default: u64) -> u64 {
        self.text(key, &default.to_string()).parse().unwrap_or_else(|_| panic!("--{key} is a whole number"))
    }

    pub fn reach(&self, key: &str) -> Reach {
        if self.text(key, "ends") == "full" { Reach::Full } else { Reach::Ends }
    }

    /// This program again, with the same arguments and these before them.
    pub fn again(&self, first: &[(&str, &str)]) -> std::process::Command {
        let mut command = std::process::Command::new(std::env::current_exe().expect("a program knows where it is"));
        for (key, value) in first {
            command.args([format!("--{key}"), (*value).to_owned()]);
        }
        command.args(&self.0);
        command
    }
}

/// `CLOCK_MONOTONIC`, which all processes of a machine share.
pub fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is there to be written.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Says when each message of a paced source is due; at once where there is no rate.
pub struct Pace {
    step_ns: u64,
    next_ns: u64,
}

impl Pace {
    pub fn new(rate_hz: u64) -> Self {
        Pace { step_ns: 1_000_000_000u64.checked_div(rate_hz).unwrap_or(0), next_ns: now_ns() }
    }

    pub fn wait(&mut self) {
        if self.step_ns == 0 {
            return;
        }
        self.next_ns += self.step_ns;
        let (tv_sec, tv_nsec) = ((self.next_ns / 1_000_000_000) as _, (self.next_ns % 1_000_000_000) as _);
        let until = libc::timespec { tv_sec, tv_nsec };
        // SAFETY: `until` is there to be read, and nothing is written where there is no place for it.
        unsafe {
            libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &raw const until, std::ptr::null_mut())
        };
    }
}

/// Binds this thread to the `nth` of the processors `--cpus`, such as `0,1`, where they are named.
pub fn pin(args: &Args, nth: usize) {
    let cpus = args.text("cpus", "");
    let Some(cpu) = cpus.split(',').nth(nth).and_then(|cpu| cpu.parse().ok()) else { return };
    // SAFETY: a set of processors is plain bits, and the call is told its length.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

/// How much of a message is written or read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All of it: copied out of, or into, memory of the process's own.
    Full,
    /// Its first and its last 64 bytes.
    Ends,
}

/// Writes messages: when it was sent, its number, and its number again at the end.
pub struct Writer {
    own: Vec<u8>,
    /// The number of the next message.
    pub next: u64,
}

impl Writer {
    pub fn new(bytes: usize, reach: Reach) -> Self {
        Writer { own: vec![7; if reach == Reach::Full { bytes } else { 0 }], next: 0 }
    }

    /// Writes the next message; the time comes last.
    pub fn fill(&mut self, message: &mut [u8]) {
        let (line, last) = (LINE_BYTES.min(message.len()), message.len().saturating_sub(LINE_BYTES));
        if self.own.is_empty() {
            message[..line].fill(self.next as u8);
            message[last..].fill(self.next as u8);
        } else {
            message.copy_from_slice(&self.own);
        }
        let end = message.len() - 8;
        message[end..].copy_from_slice(&self.next.to_le_bytes());
        message[8..16].copy_from_slice(&self.next.to_le_bytes());
        message[..8].copy_from_slice(&now_ns().to_le_bytes());
        self.next += 1;
    }
}

/// Reads messages, and takes the figures.
pub struct Reader {
    own: Vec<u8>,
    warm_up: u64,
    received: u64,
    /// The number that should come next.
    expected: u64,
    torn: u64,
    first_ns: u64,
    warm_ns: u64,
    last_ns: u64,
    latencies: Option<Latencies>,
}

impl Reader {
    /// Latencies are kept where messages are paced: else they are the time in the queue.
    pub fn new(args: &Args) -> Self {
        let bytes = if args.reach("read") == Reach::Full { args.number("size", 64) as usize } else { 0 };
        let messages = args.number("messages", 1);
        Reader {
            own: vec![0; bytes],
            warm_up: WARM_UP.min(messages / 4).max(1),
            received: 0,
            expected: 0,
            torn: 0,
            first_ns: 0,
            warm_ns: 0,
            last_ns: 0,
            latencies: (args.number("rate", 0) > 0).then(Latencies::default),
        }
    }

    /// Takes a message, and returns its number. The clock is read before any of the message is.
    pub fn take(&mut self, message: &[u8]) -> u64 {
        let now = now_ns();
        let word = |at: usize| message[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        let (sent_ns, number) = (word(0), word(8));
        if !self.own.is_empty() {
            self.own.copy_from_slice(message);
            std::hint::black_box(&self.own);
        }
        self.torn += u64::from(word(message.len() - 8) != number);
        self.expected = self.expected.max(number + 1);
        self.received += 1;
        self.last_ns = now;
        if self.received == 1 {
            self.first_ns = now;
        }
        if self.received == self.warm_up {
            self.warm_ns = now;
        }
        if let Some(latencies) = self.latencies.as_mut().filter(|_| self.received > self.warm_up) {
            latencies.add(now.saturating_sub(sent_ns));
        }
        number
    }

    /// Prints the figures.
    pub fn print(self, args: &Args) {
        let counted = self.received.saturating_sub(self.warm_up);
        let seconds = (self.last_ns - self.warm_ns) as f64 / 1e9;
        let rate = if counted > 0 { counted as f64 / seconds } else { 0.0 };
        let line = format!(
            "\"messages\":{},\"lost\":{},\"torn\":{},\"first_ns\":{},\"messages_per_s\":{rate:.1},\"receiver_peak_rss_bytes\":{}{}",
            self.received,
            self.expected - self.received,
            self.torn,
            self.first_ns,
            peak_rss_bytes(),
            self.latencies.map(Latencies::json).unwrap_or_default(),
        );
        print(args, &line);
    }
}

/// Times that something took.
#[derive(Default)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    pub fn add(&mut self, ns: u64) {
        self.0.push(ns);
    }

    /// Further fields of a line of figures.
    pub fn json(mut self) -> String {
        self.0.sort_unstable();
        let at = |percent: usize| self.0.get(self.0.len() * percent / 100).copied().unwrap_or(0);
        format!(",\"latency_p50_ns\":{},\"latency_p99_ns\":{}", at(50), at(99))
    }
}

/// Prints one line of figures, or adds it to the file `--out` where one is named.
pub fn print(args: &Args, fields: &str) {
    let (path, line) = (args.text("out", ""), format!("{{{fields}}}\n"));
    let written = if path.is_empty() {
        std::io::stdout().write_all(line.as_bytes())
    } else {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
    };
    written.expect("the figures can be written");
}

/// The most memory that this process has had, shared memory that it has touched among it.
fn peak_rss_bytes() -> u64 {
    // SAFETY: the structure is plain numbers, and there to be written.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    usage.ru_maxrss as u64 * 1024
}
