//! A pack for runs in which processes are killed: a source whose messages say of which of its lives they are, and
//! witnesses that verify them to the last byte and write down, outside of the run, how far they are.
#![allow(dead_code, reason = "as a pack it writes what the tests read")]
#![allow(missing_docs, reason = "what the tests share with it is told there")]

use anyhow::{Context as _, ensure};
use ezrun::message::{Metadata, Received};
use ezrun::node::{
    Context, Flow, InputId, Inputs, Node, NodeType, Outputs, PortType, Program, Registry, Result, Source,
};
use rustix::time::{ClockId, clock_gettime};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

fn main() -> ExitCode {
    ezrun::pack_main(registry())
}

pub fn registry() -> Registry {
    Registry::new().with(numbers()).with(witness()).with(hoarder())
}

/// A witness writes no more often than this, unless something held it up.
const PROGRESS_EVERY_NS: u64 = 1_000_000;
/// Words at the front of a message: source, life, number, when it was sent.
const FRONT: usize = 4;
const FRONT_BYTES: usize = FRONT * 8;
/// A witness that has had nothing for so long has been stopped.
const BREAK_NS: u64 = 200_000_000;
/// So many messages are noted about a break: the last before it, and those after it.
const ABOUT_A_BREAK: usize = 10;
const HELD: usize = 3;

pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// How far a witness is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// When it had its last message.
    pub now_ns: u64,
    /// When that was sent.
    pub sent_ns: u64,
    /// Messages in this life.
    pub count: u64,
    /// Which life this is: when it began.
    pub life_ns: u64,
}

impl Progress {
    fn write(self, file: &File) -> Result<()> {
        let words = [self.now_ns, self.sent_ns, self.count, self.life_ns];
        let sum = words.iter().fold(1, |sum: u64, word| sum.rotate_left(7) ^ word);
        let bytes: Vec<u8> = words.into_iter().chain([sum]).flat_map(u64::to_le_bytes).collect();
        Ok(file.write_all_at(&bytes, 0)?)
    }

    /// What the witness at `path` wrote last; nothing where it is just writing, or has not begun.
    pub fn read(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let words: Vec<u64> = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let [now_ns, sent_ns, count, life_ns, sum] = words.try_into().ok()?;
        let expected = [now_ns, sent_ns, count, life_ns].iter().fold(1, |sum: u64, word| sum.rotate_left(7) ^ word);
        (sum == expected).then_some(Progress { now_ns, sent_ns, count, life_ns })
    }
}

/// splitmix64.
fn mixed(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What fills a message behind its front follows from the front and the length.
fn seed(front: &[u64; FRONT], bytes: usize) -> u64 {
    front.iter().fold(bytes as u64, |seed, word| mixed(seed ^ word))
}

fn filler(seed: u64, at: usize) -> [u8; 8] {
    seed.wrapping_mul(at as u64 | 1).rotate_left(at as u32).to_le_bytes()
}

fn fill(front: [u64; FRONT], payload: &mut [u8]) {
    let seed = seed(&front, payload.len());
    let (head, rest) = payload.split_at_mut(FRONT_BYTES);
    front.iter().zip(head.as_chunks_mut().0).for_each(|(word, bytes)| *bytes = word.to_le_bytes());
    for (at, bytes) in rest.chunks_mut(8).enumerate() {
        bytes.copy_from_slice(&filler(seed, at)[..bytes.len()]);
    }
}

/// The front of a message, all bytes of which are as they should be.
fn verify(payload: &[u8]) -> Result<[u64; FRONT]> {
    ensure!(payload.len() >= FRONT_BYTES, "a message of {} bytes", payload.len());
    let (head, rest) = payload.split_at(FRONT_BYTES);
    let mut front = [0; FRONT];
    front.iter_mut().zip(head.as_chunks().0).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
    let seed = seed(&front, payload.len());
    let wrong = rest.chunks(8).enumerate().position(|(at, bytes)| bytes != &filler(seed, at)[..bytes.len()]);
    ensure!(wrong.is_none(), "message {} of source {} has a wrong byte in word {wrong:?}", front[2], front[0]);
    Ok(front)
}

/// A source.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Numbers {
    /// Which source this is.
    source: u64,
    /// Lengths, which are gone through again and again.
    bytes: Vec<usize>,
    /// How many messages; endless where it is not given.
    count: Option<u64>,
    /// Where it writes how far it is.
    progress: Option<PathBuf>,
    #[serde(skip)]
    record: Record,
    #[serde(skip)]
    life: u64,
    #[serde(skip)]
    next: u64,
    #[serde(skip)]
    metadata: Arc<Metadata>,
}

fn numbers() -> NodeType {
    NodeType::source("numbers", "Messages that say of which life of which source they are.")
        .output("out", PortType::Bytes)
        .source_node(|settings: Numbers| Ok(settings))
}

impl Source for Numbers {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.life = now_ns();
        self.metadata = Arc::new(Metadata::bytes().with("life", &self.life.to_string()));
        self.progress.as_ref().map_or(Ok(()), |path| self.record.begin(&context.path(path)))
    }

    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        if self.count == Some(self.next) {
            return Ok(Flow::Complete);
        }
        let bytes = self.bytes[self.next as usize % self.bytes.len()];
        let mut loan = out.loan(&self.metadata, bytes)?;
        let sent_ns = now_ns();
        fill([self.source, self.life, self.next, sent_ns], &mut loan);
        loan.publish()?;
        self.next += 1;
        self.record.is_at(sent_ns, sent_ns)?;
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        self.record.write()
    }
}

/// What must hold of the messages that come to a witness.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Witness {
    /// Where it writes how far it is.
    progress: PathBuf,
    /// Whether messages may be missing within a life of their source.
    #[serde(default)]
    gaps: bool,
    /// It stops for a moment after so many messages.
    pause_every: Option<u64>,
    /// How long that moment is.
    #[serde(default)]
    pause_us: u64,
    /// Where it writes the numbers of the messages about its last break: [`about_a_break`].
    breaks: Option<PathBuf>,
    #[serde(skip)]
    record: Record,
}

/// What a witness has seen.
#[derive(Default)]
struct Record {
    /// For each source, the life and the number of its last message.
    seen: BTreeMap<u64, (u64, u64)>,
    file: Option<File>,
    now: Progress,
    written_ns: u64,
    breaks: Option<PathBuf>,
    about_a_break: Vec<u64>,
}

/// The numbers of the last message before the last break of a witness, and of those after it.
pub fn about_a_break(path: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

fn witness() -> NodeType {
    NodeType::sink("witness", "Verifies what `numbers` sent, to the last byte.")
        .input("in", PortType::Bytes)
        .many()
        .node(|settings: Witness| Ok(settings))
}

impl Node for Witness {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.record.breaks = self.breaks.as_ref().map(|path| context.path(path));
        self.record.begin(&context.path(&self.progress))
    }

    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        let front = verify(message.bytes())?;
        let life = message.metadata().attributes.get("life");
        ensure!(life == Some(&front[1].to_string()), "metadata {life:?} came with a message of life {}", front[1]);
        self.record.one_more(front, self.gaps)?;
        if self.pause_every.is_some_and(|every| self.record.now.count.is_multiple_of(every)) {
            std::thread::sleep(Duration::from_micros(self.pause_us));
        }
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        self.record.write()
    }
}

impl Record {
    fn begin(&mut self, path: &Path) -> Result<()> {
        let file = File::options().create(true).truncate(false).write(true).open(path);
        self.file = Some(file.with_context(|| format!("cannot write {}", path.display()))?);
        self.now.life_ns = now_ns();
        Ok(())
    }

    fn one_more(&mut self, [source, life, number, sent_ns]: [u64; FRONT], gaps: bool) -> Result<()> {
        if let Some(&(last_life, last)) = self.seen.get(&source) {
            ensure!(life >= last_life, "source {source}: life {life} after {last_life}");
            ensure!(life > last_life || number > last, "source {source}: message {number} after {last}");
            let next = life > last_life || number == last + 1;
            ensure!(gaps || next, "source {source}: message {number} after {last}: some are missing");
            self.note_break(last, number)?;
        }
        self.seen.insert(source, (life, number));
        self.is_at(now_ns(), sent_ns)
    }

    /// One more message was sent or had at this moment.
    fn is_at(&mut self, now_ns: u64, sent_ns: u64) -> Result<()> {
        self.now = Progress { now_ns, sent_ns, count: self.now.count + 1, ..self.now };
        if now_ns - self.written_ns >= PROGRESS_EVERY_NS { self.write() } else { Ok(()) }
    }

    fn note_break(&mut self, last: u64, number: u64) -> Result<()> {
        let Some(path) = &self.breaks else { return Ok(()) };
        if now_ns() - self.now.now_ns > BREAK_NS {
            self.about_a_break = vec![last];
        }
        if (1..ABOUT_A_BREAK).contains(&self.about_a_break.len()) {
            self.about_a_break.push(number);
            let numbers: Vec<String> = self.about_a_break.iter().map(u64::to_string).collect();
            std::fs::write(path, numbers.join(" "))?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        self.written_ns = self.now.now_ns;
        self.file.as_ref().map_or(Ok(()), |file| self.now.write(file))
    }
}

/// A witness that always holds as many views as it may.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Hoarder {
    /// Where it writes how far it is.
    progress: PathBuf,
    #[serde(skip)]
    record: Record,
}

fn hoarder() -> NodeType {
    NodeType::sink("hoarder", "Holds several views, and verifies each one when it comes and when it goes.")
        .input("in", PortType::Bytes)
        .needs_views()
        .holds(HELD as u32)
        .program(|settings: Hoarder| Ok(settings))
}

impl Program for Hoarder {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.record.begin(&context.path(&self.progress))
    }

    fn run(&mut self, inputs: &mut Inputs, _: &mut Outputs) -> Result<Flow> {
        let mut held = std::collections::VecDeque::with_capacity(HELD);
        while let Some(view) = inputs.recv_zero_copy(InputId(0))? {
            self.record.one_more(verify(view.bytes())?, false)?;
            held.push_back(view);
            if held.len() == HELD
                && let Some(oldest) = held.pop_front()
            {
                verify(oldest.bytes()).context("while it was held")?;
            }
        }
        self.record.write()?;
        Ok(Flow::Complete)
    }
}
