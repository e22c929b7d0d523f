//! dora: one node of a dataflow, `--role source`, `relay` or `sink`. A sender of dora does not wait for its receivers, and
//! what does not fit their queues is dropped; so sinks acknowledge, and the source has `--credit` messages under way.

#[path = "../../measure.rs"]
mod measure;

use dora_node_api::dora_core::config::DataId;
use dora_node_api::{DoraNode, Event, EventStream};
use measure::{Args, Pace, Reader, Writer};
use std::time::{Duration, Instant};

/// So many messages go slowly at first: an opening burst is lost in many runs.
const OPENING: u64 = 50;
const OPENING_STEP: Duration = Duration::from_millis(3);
/// After so long without an acknowledgement the messages under way are given up as lost.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long the source stays: what is under way is dropped where a sender has left.
const LINGER: Duration = Duration::from_millis(100);

/// Which messages each sink has acknowledged.
struct Credit {
    most: u64,
    acknowledged: Vec<u64>,
}

impl Credit {
    /// Waits until one more message may be under way.
    fn wait(&mut self, sent: u64, events: &mut EventStream) -> eyre::Result<()> {
        let mut since = Instant::now();
        while self.acknowledged.iter().any(|&seen| sent - seen >= self.most) {
            match events.recv_timeout(PATIENCE) {
                Some(Event::Input { id, data, .. }) => {
                    let sink: usize = id.as_str().trim_start_matches("ack").parse()?;
                    let seen: &[u8] = (&data).try_into()?;
                    self.acknowledged[sink] = u64::from_le_bytes(seen[..8].try_into()?);
                    since = Instant::now();
                }
                _ if since.elapsed() >= PATIENCE => self.acknowledged.fill(sent),
                _ => {}
            }
        }
        Ok(())
    }
}

fn source(args: &Args) -> eyre::Result<()> {
    let (bytes, messages, rate) =
        (args.number("size", 64) as usize, args.number("messages", 1000), args.number("rate", 0));
    let (mut node, mut events) = DoraNode::init_from_env()?;
    let mut credit =
        Credit { most: args.number("credit", 16), acknowledged: vec![0; args.number("sinks", 1) as usize] };
    let mut writer = Writer::new(bytes, args.reach("sent"));
    let mut pace = Pace::new(rate);
    while writer.next < messages {
        pace.wait();
        if rate == 0 && writer.next < OPENING && messages > OPENING {
            std::thread::sleep(OPENING_STEP);
        }
        credit.wait(writer.next, &mut events)?;
        node.send_output_raw("out".to_owned().into(), Default::default(), bytes, |message| writer.fill(message))?;
    }
    std::thread::sleep(LINGER);
    Ok(())
}

fn relay() -> eyre::Result<()> {
    let (mut node, mut events) = DoraNode::init_from_env()?;
    while let Some(event) = events.recv() {
        match event {
            Event::Input { data, .. } => {
                let message: &[u8] = (&data).try_into()?;
                let copy = |out: &mut [u8]| out.copy_from_slice(message);
                node.send_output_raw("out".to_owned().into(), Default::default(), message.len(), copy)?;
            }
            Event::Stop(_) | Event::InputClosed { .. } => break,
            _ => {}
        }
    }
    Ok(())
}

fn sink(args: &Args) -> eyre::Result<()> {
    let (messages, step) = (args.number("messages", 1000), (args.number("credit", 16) / 4).max(1));
    let mut reader = Reader::new(args);
    let (mut node, mut events) = DoraNode::init_from_env()?;
    let ack = DataId::from("ack".to_owned());
    while let Some(event) = events.recv() {
        match event {
            Event::Input { data, .. } => {
                let next = reader.take((&data).try_into()?) + 1;
                drop(data);
                if next % step == 0 || next >= messages {
                    let write = |out: &mut [u8]| out.copy_from_slice(&next.to_le_bytes());
                    node.send_output_raw(ack.clone(), Default::default(), 8, write)?;
                }
                if next >= messages {
                    break;
                }
            }
            Event::Stop(_) | Event::InputClosed { .. } => break,
            _ => {}
        }
    }
    reader.print(args);
    Ok(())
}

fn main() -> eyre::Result<()> {
    let args = Args::of_this_process();
    match args.text("role", "source").as_str() {
        "relay" => relay(),
        "sink" => sink(&args),
        _ => source(&args),
    }
}
