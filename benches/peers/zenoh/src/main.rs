//! zenoh: payloads in shared memory, told of over a local connection. This process is the sink, and starts the source,
//! which waits where the pool is empty or the sink is behind.

#[path = "../../measure.rs"]
mod measure;

use measure::{Args, Pace, Reader, Writer};
use std::time::Duration;
use zenoh::Wait;
use zenoh::handlers::FifoChannel;
use zenoh::qos::CongestionControl;
use zenoh::shm::{BlockOn, GarbageCollect, ShmProviderBuilder};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const DEPTH: usize = 32;
const TOPIC: &str = "bench";
/// Memory for messages: a few more than are under way, within these bounds.
const SLOTS: usize = DEPTH + 8;
const POOL_BYTES: [usize; 2] = [1 << 20, 1 << 30];
/// How long the sink waits for a message that should come.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the source looks whether the sink is there.
const LOOK: Duration = Duration::from_micros(500);
/// Before a run of many messages, so that both ends have agreed on shared memory.
const SETTLE: Duration = Duration::from_millis(300);

/// One side of a connection over `port`.
fn session(listens: bool, port: u64) -> Outcome<zenoh::Session> {
    let here = format!("[\"tcp/127.0.0.1:{port}\"]");
    let (listen, connect) = if listens { (here.as_str(), "[]") } else { ("[]", here.as_str()) };
    let settings = [
        ("mode", "\"peer\""),
        ("scouting/multicast/enabled", "false"),
        ("listen/endpoints", listen),
        ("connect/endpoints", connect),
        ("transport/shared_memory/enabled", "true"),
    ];
    let mut config = zenoh::Config::default();
    for (key, value) in settings {
        config.insert_json5(key, value)?;
    }
    zenoh::open(config).wait()
}

/// A port that nobody uses just now.
fn free_port() -> Outcome<u64> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().into())
}

fn sink(args: &Args, messages: u64) -> Outcome<()> {
    let port = free_port()?;
    let session = session(true, port)?;
    let subscriber = session.declare_subscriber(TOPIC).with(FifoChannel::new(DEPTH)).wait()?;
    let mut source = args.again(&[("role", "source"), ("port", &port.to_string())]).spawn()?;
    let mut reader = Reader::new(args);
    while let Ok(Some(sample)) = subscriber.recv_timeout(PATIENCE) {
        if messages > DEPTH as u64 && sample.payload().as_shm().is_none() {
            return Err("a message did not come in shared memory".into());
        }
        if reader.take(&sample.payload().to_bytes()) + 1 >= messages {
            break;
        }
    }
    reader.print(args);
    subscriber.undeclare().wait()?;
    source.wait()?;
    Ok(())
}

fn source(args: &Args, port: u64, messages: u64) -> Outcome<()> {
    let session = session(false, port)?;
    let publisher = session.declare_publisher(TOPIC).congestion_control(CongestionControl::Block).express(true);
    let publisher = publisher.wait()?;
    let bytes = args.number("size", 64) as usize;
    let [least, most] = POOL_BYTES;
    let provider = ShmProviderBuilder::default_backend((bytes * SLOTS).clamp(least, most)).wait()?;
    let wait_for = |there: bool| -> Outcome<()> {
        while publisher.matching_status().wait()?.matching() != there {
            std::thread::sleep(LOOK);
        }
        Ok(())
    };
    wait_for(true)?;
    if messages > DEPTH as u64 {
        std::thread::sleep(SETTLE);
    }
    let mut writer = Writer::new(bytes, args.reach("sent"));
    let mut pace = Pace::new(args.number("rate", 0));
    while writer.next < messages {
        pace.wait();
        let mut message = provider.alloc(bytes).with_policy::<BlockOn<GarbageCollect>>().wait()?;
        writer.fill(&mut message);
        publisher.put(message).wait()?;
    }
    wait_for(false)?;
    session.close().wait()
}

fn main() -> Outcome<()> {
    let args = Args::of_this_process();
    let messages = args.number("messages", 1000);
    if args.text("role", "sink") == "sink" {
        sink(&args, messages)
    } else {
        source(&args, args.number("port", 0), messages)
    }
}
