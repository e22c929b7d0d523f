//! One backend process as the runner sees it: its control socket, its output, its end.

use super::event::{Event, Exit};
use crate::control::{FrameReader, FromBackend, ToBackend, encode, send_part};
use crate::graph::BackendId;
use crate::plan::backend_args;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A longer line of output is shown in pieces.
const MAX_LINE_BYTES: usize = 16 << 10;
/// How long the output of a process that has ended is waited for: a program that it left behind may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A backend that was started.
pub struct Backend {
    pid: u32,
    frames: mpsc::UnboundedSender<Outgoing>,
    /// Apart from the frames: one that does not read must not be safe from this.
    kill: mpsc::UnboundedSender<()>,
}

/// The bytes of a frame, and the descriptors that travel with it.
type Outgoing = (Vec<u8>, Vec<Arc<OwnedFd>>);

impl Backend {
    /// Starts `program` as a backend. What happens to it comes back through `events`.
    ///
    /// Called on the main thread: the kernel ends a backend with the thread that started it.
    pub fn start(
        id: BackendId,
        program: &Path,
        dir: &Path,
        env: impl Iterator<Item = (String, String)>,
        events: &mpsc::Sender<Event>,
    ) -> io::Result<Self> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut child = Command::new(program)
            .args(backend_args(&std::process::id().to_string()))
            .current_dir(dir)
            .envs(env)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().unwrap_or_default();
        let socket = Arc::new(UnixStream::from_std(ours)?);
        let (frames, inbox) = mpsc::unbounded_channel();
        let (kill, killed) = mpsc::unbounded_channel();
        let output = [
            child.stdout.take().map(|pipe| tokio::spawn(read_lines(id, pipe, events.clone()))),
            child.stderr.take().map(|pipe| tokio::spawn(read_lines(id, pipe, events.clone()))),
        ];
        tokio::spawn(write_frames(Arc::clone(&socket), inbox, kill.clone()));
        tokio::spawn(watch(id, child, socket, killed, output, events.clone()));
        Ok(Backend { pid, frames, kill })
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a frame, and descriptors with it. One that is gone cannot be told, and its end is an event of its own.
    pub fn send(&self, frame: &ToBackend, fds: Vec<Arc<OwnedFd>>) -> Result<(), crate::message::MessageError> {
        let bytes = encode(frame, fds.len())?;
        let _ = self.frames.send((bytes, fds));
        Ok(())
    }

    pub fn kill(&self) {
        // One that has ended cannot be killed.
        let _ = self.kill.send(());
    }
}

async fn write_frames(
    socket: Arc<UnixStream>,
    mut inbox: mpsc::UnboundedReceiver<Outgoing>,
    kill: mpsc::UnboundedSender<()>,
) {
    while let Some((bytes, fds)) = inbox.recv().await {
        match write_all(&socket, &bytes, &fds).await {
            Ok(()) => {}
            // It is about to end, and its end is an event of its own.
            Err(e) if matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => return,
            // It has heard half of a frame, and can be told nothing any more.
            Err(_) => drop(kill.send(())),
        }
    }
}

async fn write_all(socket: &UnixStream, bytes: &[u8], fds: &[Arc<OwnedFd>]) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes.len() {
        let fds: Vec<_> = if sent == 0 { fds.iter().map(|fd| fd.as_fd()).collect() } else { Vec::new() };
        sent += socket.async_io(Interest::WRITABLE, || send_part(socket.as_fd(), &bytes[sent..], &fds)).await?;
    }
    Ok(())
}

/// Hears a backend out: its frames until it closes the socket, then its last words, then how it ended.
async fn watch(
    id: BackendId,
    mut child: Child,
    socket: Arc<UnixStream>,
    mut killed: mpsc::UnboundedReceiver<()>,
    output: [Option<JoinHandle<()>>; 2],
    events: mpsc::Sender<Event>,
) {
    let mut frames = pin!(read_frames(id, &socket, &events));
    let complaint = loop {
        tokio::select! {
            complaint = &mut frames => break complaint,
            Some(()) = killed.recv() => drop(child.start_kill()),
        }
    };
    if complaint.is_some() {
        drop(child.start_kill());
    }
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.ok(),
            Some(()) = killed.recv() => drop(child.start_kill()),
        }
    };
    for mut reader in output.into_iter().flatten() {
        if tokio::time::timeout(LAST_WORDS, &mut reader).await.is_err() {
            reader.abort();
        }
    }
    // Nobody listens any more only where the run itself is over.
    let _ = events.send(Event::Exited(id, Exit { status, complaint })).await;
}

/// Reads frames until the socket ends; says what is wrong where it ends by a fault.
async fn read_frames(id: BackendId, socket: &UnixStream, events: &mpsc::Sender<Event>) -> Option<String> {
    let mut reader = FrameReader::<FromBackend>::default();
    loop {
        match reader.take() {
            Ok(Some((frame, fds))) => {
                let _ = events.send(Event::Frame(id, frame, fds)).await;
                continue;
            }
            Ok(None) => {}
            Err(e) => return Some(e.to_string()),
        }
        match socket.async_io(Interest::READABLE, || reader.fill(socket.as_fd())).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

async fn read_lines(id: BackendId, pipe: impl AsyncRead + Unpin, events: mpsc::Sender<Event>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        let (used, ended) = match pipe.fill_buf().await {
            Ok(chunk) if !chunk.is_empty() => {
                let room = MAX_LINE_BYTES - line.len();
                let end = chunk.iter().take(room).position(|&byte| byte == b'\n');
                let used = end.unwrap_or(chunk.len().min(room));
                line.extend_from_slice(&chunk[..used]);
                (used + usize::from(end.is_some()), end.is_some() || line.len() == MAX_LINE_BYTES)
            }
            _ => break,
        };
        pipe.consume(used);
        if ended {
            tell(id, &mut line, &events).await;
        }
    }
    if !line.is_empty() {
        tell(id, &mut line, &events).await;
    }
}

async fn tell(id: BackendId, line: &mut Vec<u8>, events: &mpsc::Sender<Event>) {
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    let _ = events.send(Event::Line(id, text)).await;
}
