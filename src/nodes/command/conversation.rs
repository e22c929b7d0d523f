//! The conversation with a program.
//!
//! One thread feeds the program, one takes what it says, one passes on its standard error: whatever the program does
//! first, nobody waits for somebody who waits for him.

use super::super::support::framing::Framing;
use super::super::support::stream::MessageReader;
use super::super::support::table::Tables;
use super::Settings;
pub use super::child::Launch;
use super::child::{self, Child, Streams};
use crate::message::Capture;
use crate::node::{Context, Flow, Inputs, Outputs, Program, Result, Signals, Stopped, Wake};
use anyhow::{Context as _, anyhow};
use std::io::{ErrorKind, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::process::{ChildStdin, ChildStdout};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to end after it was asked to, before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// A program that is to be run, or is running.
pub struct Command {
    settings: Settings,
    launch: Launch,
    started: Option<(Child, Streams)>,
}

impl Command {
    pub fn new(settings: Settings, launch: Launch) -> Self {
        Command { settings, launch, started: None }
    }
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
        let errors = child::pass_on(streams.stderr)?;
        let framing = self.settings.framing;
        let captured = Mutex::new(None);
        let signals = out.signals();
        let (said, feed) = thread::scope(|scope| -> Result<_> {
            let feed = || feed_or_kill(inputs, streams.stdin, framing, &captured, child.pidfd());
            let feeder = thread::Builder::new().spawn_scoped(scope, feed).context("cannot start a thread")?;
            let talk = Talk { child: &child, framing, captured: &captured, signals: &*signals };
            let said = talk.until_exit(streams.stdout, out);
            // What is left of it must not hold anybody up: the feeder least of all.
            child.kill();
            signals.end_inputs();
            Ok((said, feeder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))))
        })?;
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
