//! `command`: any program, by its standard input and output.
//!
//! One thread feeds the program, one takes what it says, one passes on its standard error: whatever the program does
//! first, nobody waits for somebody who waits for him.

mod child;

use super::support::framing::Framing;
use super::support::stream::MessageReader;
use super::support::table::Tables;
use crate::message::Capture;
use crate::node::{Context, Flow, Inputs, NodeType, Outputs, PortType, Program, Result, Signals, Stopped, Wake};
use anyhow::{Context as _, anyhow};
use child::{Child, Launch, Streams};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::process::{ChildStdin, ChildStdout};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to end after it was asked to, before it is killed.
const GRACE: Duration = Duration::from_secs(1);

pub fn node_type() -> NodeType {
    node_type_launched_by(Launch::Guarded)
}

fn node_type_launched_by(launch: Launch) -> NodeType {
    NodeType::transform("command", "Runs any program: messages go to its standard input, and come from its output.")
        .input("in", PortType::Any)
        .optional()
        .output("out", PortType::Bytes)
        .example("{ argv: [sed, -u, \"s/cat/dog/\"], framing: lines }")
        .program(move |settings: Settings| Ok(Command { settings, launch, started: None }))
}

/// The program's end is the node's end; a status other than 0 is a failure. Without an edge into `in` it is a source.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The program and its arguments, as a list; there is no shell in between. A program with a slash in its name is
    /// relative to the graph file, any other is looked for in PATH. It runs in the folder of the graph file. A program
    /// that turns itself into a daemon is not stopped with the run.
    argv: Argv,
    /// What separates the messages, on both sides. Default: `lines`, which makes lines of CSV, without names and time,
    /// of tensors and records.
    #[serde(default = "lines")]
    framing: Framing,
    /// Variables set in the program's environment, besides those of ezrun.
    #[serde(default)]
    env: BTreeMap<String, Word>,
}

fn lines() -> Framing {
    Framing::Lines
}

/// A program and its arguments; never empty.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
struct Argv(Vec<Word>);

/// Text, or a number that is meant as text.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
struct Word(String);

impl TryFrom<Value> for Argv {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Array(words) if words.is_empty() => Err("argv is empty: it begins with a program".to_owned()),
            Value::Array(words) => words.into_iter().map(Word::try_from).collect::<Result<_, _>>().map(Argv),
            Value::String(line) => {
                let words = line.split_whitespace().collect::<Vec<_>>().join(", ");
                Err(format!(
                    "argv is a list, such as [{words}]; where a shell is wanted, name it: [sh, -c, \"{}\"]",
                    line.escape_default()
                ))
            }
            other => Err(format!("argv is a list that begins with a program, not {other}")),
        }
    }
}

impl TryFrom<Value> for Word {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) if text.contains('\0') => Err("a NUL cannot be handed to a program".to_owned()),
            Value::String(text) => Ok(Word(text)),
            Value::Number(number) => Ok(Word(number.to_string())),
            other => Err(format!("{other} is no text: put it in quotes")),
        }
    }
}

impl JsonSchema for Argv {
    fn schema_name() -> Cow<'static, str> {
        "Argv".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<Word>(), "minItems": 1 })
    }
}

impl JsonSchema for Word {
    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}

struct Command {
    settings: Settings,
    launch: Launch,
    started: Option<(Child, Streams)>,
}

impl Program for Command {
    fn start(&mut self, context: &mut Context) -> Result<()> {
        let argv: Vec<String> = self.settings.argv.0.iter().map(|word| word.0.clone()).collect();
        let env = self.settings.env.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect();
        self.started = Some(child::spawn(self.launch, &argv, &env, context.graph_dir())?);
        Ok(())
    }

    fn run(&mut self, inputs: &mut Inputs, out: &mut Outputs) -> Result<Flow> {
        let (mut child, streams) = self.started.take().context("the program was not started")?;
        let errors = child::pass_on(streams.stderr);
        let framing = self.settings.framing;
        let captured = Mutex::new(None);
        let signals = out.signals();
        let (said, feed) = thread::scope(|scope| {
            let feeder = scope.spawn(|| feed_or_kill(inputs, streams.stdin, framing, &captured, child.pidfd()));
            let talk = Talk { child: &child, framing, captured: &captured, signals: &*signals };
            let said = talk.until_exit(streams.stdout, out);
            // What is left of it must not hold anybody up: the feeder least of all.
            child.kill();
            signals.end_inputs();
            (said, feeder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let status = child.reap()?;
        errors.wait(GRACE);
        feed?;
        // A program that fails often leaves half a message: its failure is what matters.
        if said.exited {
            child::success(&self.settings.argv.0[0].0, status)?;
        }
        said.outcome.map(|()| Flow::Complete)
    }
}

/// How a conversation came to its end.
struct Said {
    outcome: Result<()>,
    /// The program has exited by itself: its status counts.
    exited: bool,
}

/// The conversation with a program, from the side that listens.
struct Talk<'a> {
    child: &'a Child,
    framing: Framing,
    /// The capture time of the message that was fed last: the best there is for what comes out.
    captured: &'a Mutex<Option<Capture>>,
    signals: &'a dyn Signals,
}

impl Talk<'_> {
    /// Sends what the program says until it has exited, or has to.
    fn until_exit(&self, stdout: ChildStdout, out: &mut Outputs) -> Said {
        let mut reader = MessageReader::new(stdout, "what the program said", self.framing.into());
        let had_readers = out.has_readers();
        let said = loop {
            match reader.send_next(out, || self.capture(), |stdout, out| out.wait_readable(stdout.as_fd())) {
                Ok(true) if had_readers && !out.has_readers() => break Err(Stopped.into()),
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        match said.and_then(|()| self.wait_for_exit()) {
            Ok(()) => Said { outcome: Ok(()), exited: true },
            Err(error) if error.is::<Stopped>() => {
                self.child.terminate();
                self.drain(&mut reader, out);
                Said { outcome: Ok(()), exited: false }
            }
            Err(error) => {
                let exited = self.wait_within(self.child.pidfd(), Instant::now() + GRACE);
                Said { outcome: Err(error), exited }
            }
        }
    }

    /// Sends what a program still says that was asked to end, while it may.
    fn drain(&self, reader: &mut MessageReader<ChildStdout>, out: &mut Outputs) {
        let deadline = Instant::now() + GRACE;
        let in_time = |fd: BorrowedFd<'_>| if self.wait_within(fd, deadline) { Ok(()) } else { Err(Stopped.into()) };
        // Its last words are a courtesy: whatever is wrong with them, the run is ending.
        while reader.send_next(out, || self.capture(), |stdout, _| in_time(stdout.as_fd())).unwrap_or(false) {}
        self.wait_within(self.child.pidfd(), deadline);
    }

    /// Waits until `fd` can be read, whatever the state of the run; false where it is too late.
    fn wait_within(&self, fd: BorrowedFd<'_>, deadline: Instant) -> bool {
        crate::node::NeverStops.wait(Some(deadline), Some(fd)).is_ok_and(|wake| wake == Wake::Readable)
    }

    fn wait_for_exit(&self) -> Result<()> {
        loop {
            match self.signals.wait(None, Some(self.child.pidfd()))? {
                Wake::Stopped => return Err(Stopped.into()),
                Wake::Readable | Wake::Time => return Ok(()),
                Wake::Look => {}
            }
        }
    }

    fn capture(&self) -> Capture {
        self.captured.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or_else(Capture::now)
    }
}

/// Feeds the program until there is no more. Where that fails, nothing that it says is of use.
fn feed_or_kill(
    inputs: &mut Inputs,
    stdin: ChildStdin,
    framing: Framing,
    captured: &Mutex<Option<Capture>>,
    pidfd: BorrowedFd<'_>,
) -> Result<()> {
    let fed = feed(inputs, stdin, framing, captured);
    match &fed {
        Err(error) if !error.is::<Stopped>() => child::kill_one(pidfd),
        _ => {}
    }
    fed
}

fn feed(inputs: &mut Inputs, mut stdin: ChildStdin, framing: Framing, captured: &Mutex<Option<Capture>>) -> Result<()> {
    let mut rows = Tables::new(Some(false));
    let mut frame = Vec::new();
    while let Some((_, message)) = inputs.next()? {
        frame.clear();
        framing.append(&message, &mut rows, &mut frame)?;
        *captured.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.header().capture);
        drop(message);
        match stdin.write_all(&frame) {
            Ok(()) => {}
            // It wants no more, as `head` after its lines: its status will tell whether that was right.
            Err(e) if e.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(e) => return Err(anyhow!("cannot write to the program: {e}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
