//! A pack of node types that misbehave in every way that a graph must survive, and of witnesses that look closely.
#![allow(unsafe_code, reason = "one of them writes where nobody may write")]

use anyhow::{Context as _, bail, ensure};
use ezrun::message::{Metadata, Received};
use ezrun::node::{
    Context, Flow, InputId, Inputs, KnownSignal, NoSettings, Node, NodeType, Outputs, PortType, Program, Registry,
    Result, SettingError, Source,
};
use schemars::JsonSchema;
use serde::Deserialize;
use signal_hook::consts::{SIGCONT, SIGUSR1};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn main() -> ExitCode {
    ezrun::pack_main(
        Registry::new()
            .with(faulty())
            .with(scribbler())
            .with(garbler())
            .with(inverter())
            .with(finisher())
            .with(deaf())
            .with(latecomer())
            .with(keeper())
            .with(reuser())
            .with(sizes())
            .with(asks_wrongly())
            .with(talker())
            .with(picky())
            .with(witness())
            .with(mortal())
            .with(phoenix())
            .with(kin())
            .with(loses())
            .with(sluggard())
            .with(quiet())
            .with(held())
            .with(spout()),
    )
}

const IN: InputId = InputId(0);

/// Fails at the place and in the way that it is told, and sends on everything before that.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Faulty {
    at: At,
    how: How,
    /// Messages that pass before the fault.
    #[serde(default)]
    after: u64,
    #[serde(skip)]
    seen: u64,
}

#[derive(Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum At {
    Start,
    Process,
    Stop,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum How {
    Error,
    Panic,
    Exit,
    Kill,
}

fn faulty() -> NodeType {
    NodeType::transform("faulty", "Fails where and how it is told.")
        .input("in", PortType::Any)
        .output("out", PortType::same_as("in"))
        .node(|settings: Faulty| Ok(settings))
}

impl Faulty {
    fn fault(&self) -> Result<()> {
        eprintln!("about to fail after {} messages", self.seen);
        match self.how {
            How::Error => bail!("it was told to fail"),
            How::Panic => panic!("it was told to panic"),
            How::Exit => std::process::exit(7),
            How::Kill => rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?,
        }
        Ok(())
    }
}

impl Node for Faulty {
    fn start(&mut self, _: &mut Context) -> Result<()> {
        if self.at == At::Start { self.fault() } else { Ok(()) }
    }

    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        if self.at == At::Process && self.seen == self.after {
            self.fault()?;
        }
        self.seen += 1;
        out.forward(message)?;
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        if self.at == At::Stop { self.fault() } else { Ok(()) }
    }
}

/// Sends some messages, and dies in all of its lives but the last. How often it has lived is told by a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Phoenix {
    count: u64,
    lives: usize,
    #[serde(skip)]
    life: usize,
    #[serde(skip)]
    sent: u64,
}

fn phoenix() -> NodeType {
    NodeType::source("phoenix", "Dies in all of its lives but the last.")
        .output("out", PortType::Bytes)
        .source_node(|settings: Phoenix| Ok(settings))
}

impl Source for Phoenix {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.life = count_life(context, "phoenix.lives")?;
        Ok(())
    }

    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        if self.sent == self.count {
            if self.life < self.lives {
                rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
            }
            return Ok(Flow::Complete);
        }
        let number = [self.life as u8; 16];
        out.bytes(&Arc::new(Metadata::bytes().with("life", &self.life.to_string())), &number)?;
        self.sent += 1;
        Ok(Flow::Continue)
    }
}

/// Sends on what it receives. In some lives it is never ready, in some it is stuck from its third message on, and in its
/// first it fails there. How often it has lived is told by a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sluggard {
    #[serde(default)]
    never_ready: Vec<usize>,
    #[serde(default)]
    stuck: Vec<usize>,
    #[serde(skip)]
    life: usize,
    #[serde(skip)]
    seen: u64,
}

fn sluggard() -> NodeType {
    NodeType::transform("sluggard", "Is never ready, or stuck, in some of its lives.")
        .input("in", PortType::Any)
        .output("out", PortType::same_as("in"))
        .node(|settings: Sluggard| Ok(settings))
}

impl Node for Sluggard {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.life = count_life(context, "sluggard.lives")?;
        if self.never_ready.contains(&self.life) {
            park_for_ever();
        }
        Ok(())
    }

    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        if self.seen == 2 {
            if self.stuck.contains(&self.life) {
                park_for_ever();
            }
            ensure!(self.life > 1, "it was told to fail");
        }
        self.seen += 1;
        out.forward(message)?;
        Ok(Flow::Continue)
    }
}

/// Sends some messages and, in its first life, nothing more from then on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Quiet {
    count: u64,
    #[serde(skip)]
    life: usize,
    #[serde(skip)]
    sent: u64,
}

fn quiet() -> NodeType {
    NodeType::source("quiet", "Falls silent in its first life.")
        .output("out", PortType::Bytes)
        .source_node(|settings: Quiet| Ok(settings))
}

impl Source for Quiet {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.life = count_life(context, "quiet.lives")?;
        Ok(())
    }

    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        if self.sent == self.count {
            if self.life == 1 {
                park_for_ever();
            }
            return Ok(Flow::Complete);
        }
        out.bytes(&Arc::new(Metadata::bytes()), &self.sent.to_le_bytes())?;
        self.sent += 1;
        Ok(Flow::Continue)
    }
}

/// Holds its first message until the process is continued, and its second until it gets a SIGUSR1; then takes the others.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Held {
    #[serde(skip)]
    seen: usize,
    #[serde(skip)]
    signals: [Arc<AtomicBool>; 2],
}

fn held() -> NodeType {
    NodeType::sink("held", "Holds its first two messages until it is told to go on.")
        .input("in", PortType::Any)
        .node(|settings: Held| Ok(settings))
}

impl Node for Held {
    fn start(&mut self, _: &mut Context) -> Result<()> {
        for (signal, came) in [SIGCONT, SIGUSR1].into_iter().zip(&self.signals) {
            signal_hook::flag::register(signal, Arc::clone(came))?;
        }
        Ok(())
    }

    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        if let Some(came) = self.signals.get(self.seen) {
            let before = blake3::hash(message.bytes());
            println!("pid {}", std::process::id());
            while !came.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            ensure!(blake3::hash(message.bytes()) == before, "what it had in hand has changed");
        }
        self.seen += 1;
        println!("took {}", message.header().sequence);
        Ok(Flow::Continue)
    }
}

/// Sends without an end in all of its lives but the last, and some messages in that one. Before each it writes into a file
/// which of its lives it is in, its process, and how many it has sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Spout {
    lives: usize,
    count: u64,
    #[serde(skip)]
    progress: PathBuf,
    #[serde(skip)]
    life: usize,
    #[serde(skip)]
    sent: u64,
}

fn spout() -> NodeType {
    NodeType::source("spout", "Sends until it is killed, in all of its lives but the last.")
        .output("out", PortType::Bytes)
        .source_node(|settings: Spout| Ok(settings))
}

impl Source for Spout {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        self.life = count_life(context, "spout.lives")?;
        self.progress = context.path(Path::new("spout.progress"));
        Ok(())
    }

    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        if self.life == self.lives && self.sent == self.count {
            return Ok(Flow::Complete);
        }
        // A name for the whole of it: nobody reads half of what is written.
        let whole = self.progress.with_extension("whole");
        std::fs::write(&whole, format!("{} {} {}", self.life, std::process::id(), self.sent))?;
        std::fs::rename(&whole, &self.progress)?;
        out.bytes(&Arc::new(Metadata::bytes()), &self.sent.to_le_bytes())?;
        self.sent += 1;
        Ok(Flow::Continue)
    }
}

fn park_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

/// Which of its lives a node is in, from 1, as told by the length of a file.
fn count_life(context: &Context, file: &str) -> Result<usize> {
    let path = context.path(Path::new(file));
    let life = std::fs::read(&path).unwrap_or_default().len() + 1;
    std::fs::write(&path, vec![b'.'; life])?;
    Ok(life)
}

/// Checks that messages of `phoenix` come with the metadata of the life that sent them.
struct Kin;

fn kin() -> NodeType {
    NodeType::sink("kin", "Checks what `phoenix` says of its lives.")
        .input("in", PortType::Any)
        .node(|_: NoSettings| Ok(Kin))
}

impl Node for Kin {
    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        let life = message.bytes()[0].to_string();
        ensure!(message.metadata().attributes.get("life") == Some(&life), "metadata of another life than {life}");
        Ok(Flow::Continue)
    }
}

/// A loop of its own that fails after some messages, with one in hand, or returns as if it were done.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Loses {
    after: u64,
    #[serde(default)]
    returns: bool,
}

fn loses() -> NodeType {
    NodeType::sink("loses", "A program that fails after some messages.")
        .input("in", PortType::Any)
        .program(|settings: Loses| Ok(settings))
}

impl Program for Loses {
    fn run(&mut self, inputs: &mut Inputs, _: &mut Outputs) -> Result<Flow> {
        let mut seen = 0;
        while inputs.next()?.is_some() {
            ensure!(seen < self.after, "it was told to fail");
            seen += 1;
            if self.returns && seen == self.after {
                break;
            }
        }
        Ok(Flow::Complete)
    }
}

/// Sends on what it receives, and waits to be killed with every so many messages in hand, told by their numbers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mortal {
    every: u64,
}

fn mortal() -> NodeType {
    NodeType::transform("mortal", "Waits to be killed with every so many messages in hand.")
        .input("in", PortType::Any)
        .output("out", PortType::same_as("in"))
        .node(|settings: Mortal| Ok(settings))
}

impl Node for Mortal {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        if (message.header().sequence + 1).is_multiple_of(self.every) {
            println!("pid {}", std::process::id());
            loop {
                std::thread::park();
            }
        }
        out.forward(message)?;
        Ok(Flow::Continue)
    }
}

/// Stores into what it received, past the compiler: into its own copy that is allowed, into a view it is not.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Scribbler {
    /// Which message it writes into.
    message: u64,
    /// Which byte of the payload.
    offset: usize,
}

fn scribbler() -> NodeType {
    NodeType::sink("scribbler", "Stores into what it received through a raw pointer.")
        .input("in", PortType::Any)
        .node(|settings: Scribbler| Ok(settings))
}

impl Node for Scribbler {
    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        if message.header().sequence == self.message {
            let byte = message.bytes()[self.offset..].as_ptr().cast_mut();
            // SAFETY: none. That is the point: the kernel has to refuse it.
            unsafe { byte.write_volatile(!byte.read_volatile()) };
        }
        Ok(Flow::Continue)
    }
}

/// Writes random words where only its own process may write, and others read: into its station, or to the runner; or sends
/// the runner descriptors that nobody has asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Garbler {
    into: Garbled,
    /// Messages that pass before.
    after: u64,
    #[serde(skip)]
    seen: u64,
}

#[derive(Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Garbled {
    Station,
    Control,
    Descriptors,
}

fn garbler() -> NodeType {
    NodeType::sink("garbler", "Writes random words into its station, or to the runner.")
        .input("in", PortType::Any)
        .node(|settings: Garbler| Ok(settings))
}

impl Node for Garbler {
    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        self.seen += 1;
        if self.seen > self.after {
            let random = blake3::hash(&message.header().sequence.to_le_bytes());
            match self.into {
                Garbled::Station => overwrite_station(random.as_bytes())?,
                Garbled::Control => drop(rustix::io::write(control_socket()?, random.as_bytes())?),
                Garbled::Descriptors => send_descriptors()?,
            }
        }
        Ok(Flow::Continue)
    }
}

/// The socket to the runner: the one that there is.
fn control_socket() -> Result<BorrowedFd<'static>> {
    let is_socket = |fd: &i32| {
        let target = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
        target.to_string_lossy().starts_with("socket:")
    };
    let fds = std::fs::read_dir("/proc/self/fd")?.flatten();
    let socket = fds.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_socket);
    // SAFETY: it stays open for as long as the process has nodes.
    Ok(unsafe { BorrowedFd::borrow_raw(socket.context("it has no socket")?) })
}

/// Sends two, beside a single byte.
fn send_descriptors() -> Result<()> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let socket = control_socket()?;
    let descriptors = [socket, socket];
    ensure!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)), "no room for descriptors");
    sendmsg(socket, &[std::io::IoSlice::new(&[0])], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Writes over the words by which producers tell what this process has taken: the one segment that it may write.
fn overwrite_station(random: &[u8; 32]) -> Result<()> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let is_own =
        |line: &&str| line.contains(" rw-s ") && (line.contains("/memfd:") || line.contains("/dev/shm/ezrun-"));
    let line = maps.lines().find(is_own).context("it has no segment")?;
    let at = usize::from_str_radix(line.split('-').next().unwrap_or_default(), 16)?;
    for (word, bytes) in random.as_chunks::<8>().0.iter().enumerate() {
        // SAFETY: none. What a producer does with that is the point.
        unsafe { (at as *mut u64).add(word).write_volatile(u64::from_le_bytes(*bytes)) };
    }
    Ok(())
}

/// Writes over every byte of its own copy, for a long time, then sends it on.
struct Inverter;

fn inverter() -> NodeType {
    NodeType::transform("inverter", "Inverts every byte in place.")
        .input("in", PortType::Any)
        .writes_in_place()
        .output("out", PortType::Bytes)
        .node(|_: NoSettings| Ok(Inverter))
}

impl Node for Inverter {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        ensure!(!message.is_view(), "a node that writes in place was given a view");
        let mut message = message.into_owned();
        message.payload.iter_mut().for_each(|byte| *byte = !*byte);
        out.forward(message.into())?;
        Ok(Flow::Continue)
    }
}

/// Ends its part, or the whole run, after some messages.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Finisher {
    after: u64,
    whole_run: bool,
    #[serde(skip)]
    seen: u64,
}

fn finisher() -> NodeType {
    NodeType::sink("finisher", "Ends early.").input("in", PortType::Any).node(|settings: Finisher| Ok(settings))
}

impl Node for Finisher {
    fn process(&mut self, _: InputId, _: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        self.seen += 1;
        Ok(match (self.seen == self.after, self.whole_run) {
            (false, _) => Flow::Continue,
            (true, false) => Flow::Complete,
            (true, true) => Flow::NormalTermination,
        })
    }
}

/// Does not listen: loops in its first message until it is killed.
struct Deaf;

fn deaf() -> NodeType {
    NodeType::sink("deaf", "Never comes back from its first message.")
        .input("in", PortType::Any)
        .node(|_: NoSettings| Ok(Deaf))
}

impl Node for Deaf {
    fn process(&mut self, _: InputId, _: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        println!("deaf from now on");
        loop {
            std::thread::park();
        }
    }
}

/// Takes nothing from `in` before the stream at `gate` has ended; then reports the sequence numbers that are left.
struct Latecomer;

fn latecomer() -> NodeType {
    NodeType::sink("latecomer", "Takes nothing before another stream has ended.")
        .input("in", PortType::Any)
        .input("gate", PortType::Any)
        .program(|_: NoSettings| Ok(Latecomer))
}

impl Program for Latecomer {
    fn run(&mut self, inputs: &mut Inputs, _: &mut Outputs) -> Result<Flow> {
        while inputs.recv(InputId(1))?.is_some() {}
        let mut left = Vec::new();
        while let Some(message) = inputs.recv(IN)? {
            left.push(message.header.sequence.to_string());
        }
        println!("left: {}", left.join(" "));
        Ok(Flow::Complete)
    }
}

/// Keeps several views, checks that they stay what they were, and that one more than declared is refused.
struct Keeper;

fn keeper() -> NodeType {
    NodeType::sink("keeper", "Keeps several views at a time.")
        .input("in", PortType::Any)
        .needs_views()
        .holds(3)
        .program(|_: NoSettings| Ok(Keeper))
}

impl Program for Keeper {
    fn run(&mut self, inputs: &mut Inputs, _: &mut Outputs) -> Result<Flow> {
        loop {
            let mut kept = Vec::new();
            while kept.len() < 3 {
                match inputs.recv_zero_copy(IN)? {
                    Some(view) => kept.push((blake3::hash(view.bytes()), view)),
                    None => {
                        println!("kept to the end");
                        return Ok(Flow::Complete);
                    }
                }
            }
            let refused = match inputs.recv_zero_copy(IN) {
                Ok(None) => None,
                Ok(Some(_)) => bail!("a fourth view was given, three are declared"),
                Err(e) => Some(e.to_string()),
            };
            if let Some(refused) = refused {
                ensure!(refused.contains("3 messages of the edge"), "refused with: {refused}");
            }
            for (hash, view) in &kept {
                ensure!(blake3::hash(view.bytes()) == *hash, "message {} has changed", view.header().sequence);
            }
        }
    }
}

/// A producer that fills one buffer again and again and overwrites it as soon as it has sent it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reuser {
    count: u64,
    bytes: usize,
    #[serde(skip)]
    sent: u64,
    #[serde(skip)]
    buffer: Vec<u8>,
}

fn reuser() -> NodeType {
    NodeType::source("reuser", "Overwrites its buffer after each message; message i is filled with the byte i.")
        .output("out", PortType::Bytes)
        .source_node(|settings: Reuser| Ok(settings))
}

impl Source for Reuser {
    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        if self.sent == self.count {
            return Ok(Flow::Complete);
        }
        self.buffer.clear();
        self.buffer.resize(self.bytes, self.sent as u8);
        out.bytes(&Arc::new(Metadata::bytes()), &self.buffer)?;
        self.buffer.fill(0xAA);
        self.sent += 1;
        Ok(Flow::Continue)
    }
}

/// Looks at messages of `reuser`: every byte must be the message's number.
struct Witness;

fn witness() -> NodeType {
    NodeType::sink("witness", "Checks what `reuser` made.").input("in", PortType::Any).node(|_: NoSettings| Ok(Witness))
}

impl Node for Witness {
    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        let expected = message.header().sequence as u8;
        let wrong = message.bytes().iter().position(|&byte| byte != expected);
        ensure!(wrong.is_none(), "message {expected} has another byte at {wrong:?}");
        Ok(Flow::Continue)
    }
}

/// Sends messages of given sizes, whose first eight bytes are their number and whose others are a pattern of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sizes {
    sizes: Vec<usize>,
    /// How often all of them are sent.
    times: usize,
    #[serde(skip)]
    sent: usize,
}

fn sizes() -> NodeType {
    NodeType::source("sizes", "Sends messages of given sizes: byte j of message i is i + j.")
        .output("out", PortType::Bytes)
        .source_node(|settings: Sizes| Ok(settings))
}

impl Source for Sizes {
    fn produce(&mut self, out: &mut Outputs) -> Result<Flow> {
        if self.sent == self.sizes.len() * self.times {
            return Ok(Flow::Complete);
        }
        let mut loan = out.loan(&Arc::new(Metadata::bytes()), self.sizes[self.sent % self.sizes.len()])?;
        for (at, byte) in loan.iter_mut().enumerate() {
            *byte = (self.sent + at) as u8;
        }
        loan.publish()?;
        self.sent += 1;
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        tracing::info!("{} bytes of shared memory at the end", own_shared_memory()?);
        Ok(())
    }
}

/// Bytes behind the segments that this process writes: others' are mapped, and their descriptors closed.
fn own_shared_memory() -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        let Ok(target) = std::fs::read_link(&path) else { continue };
        let target = target.display().to_string();
        if target.starts_with("/memfd:") || target.starts_with("/dev/shm/") {
            bytes += std::fs::metadata(&path)?.blocks() * 512;
        }
    }
    Ok(bytes)
}

/// Calls `recv` whatever its edge says.
struct AsksWrongly;

fn asks_wrongly() -> NodeType {
    NodeType::sink("asks_wrongly", "Calls `recv` whatever its edge says.")
        .input("in", PortType::Any)
        .program(|_: NoSettings| Ok(AsksWrongly))
}

impl Program for AsksWrongly {
    fn run(&mut self, inputs: &mut Inputs, _: &mut Outputs) -> Result<Flow> {
        while inputs.recv(IN)?.is_some() {}
        Ok(Flow::Complete)
    }
}

/// Says things on every channel that a node has.
struct Talker;

/// Takes signals with one channel for each name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Picky {
    names: Vec<String>,
}

fn picky() -> NodeType {
    let fits = |settings: Picky, signal: &KnownSignal| match signal.channels {
        Some(channels) if channels != settings.names.len() as u64 => {
            Err(SettingError::at("names", format!("there are {channels} channels")))
        }
        _ => Ok(()),
    };
    NodeType::sink("picky", "Knows the names of its channels.")
        .input("in", PortType::signal())
        .node(|settings: Picky| match settings.names.is_empty() {
            true => Err(SettingError::at("names", "there is no name")),
            false => Ok(settings),
        })
        .fits(fits)
}

impl Node for Picky {
    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        ensure!(message.tensor()?.shape[1] == self.names.len(), "other channels than names");
        Ok(Flow::Continue)
    }
}

fn talker() -> NodeType {
    NodeType::sink("talker", "Prints and logs.").input("in", PortType::Any).node(|_: NoSettings| Ok(Talker))
}

impl Node for Talker {
    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        let i = message.header().sequence;
        println!("printed {i}");
        eprintln!("complained {i} \u{1b}[31min red\u{1b}[0m");
        tracing::info!(sequence = i, "logged");
        tracing::debug!(sequence = i, "whispered");
        Ok(Flow::Continue)
    }
}
