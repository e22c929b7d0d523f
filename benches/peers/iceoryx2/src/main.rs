//! iceoryx2: bytes by publish and subscribe; a sample is loaned, written in place, and sent. This process is the source,
//! and starts those of the other nodes. A receiver polls (`--wait busy`), or sleeps in a WaitSet (`--wait block`).

#[path = "../../measure.rs"]
mod measure;

use iceoryx2::port::{listener::Listener, notifier::Notifier, publisher::Publisher, subscriber::Subscriber};
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::{event, publish_subscribe};
use measure::{Args, Latencies, Pace, Reader, Writer, now_ns, pin, print};
use std::process::Child;
use std::time::Duration;

type Service = ipc::Service;
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
type Topic = publish_subscribe::PortFactory<Service, [u8], ()>;

const DEPTH: usize = 32;
const MAX_SUBSCRIBERS: usize = 8;
/// How often it is looked whether subscribers have come or gone.
const LOOK: Duration = Duration::from_micros(200);
/// Round trips that no figure counts.
const WARM_UP: u64 = 100;

/// What the process has been told, and its node.
struct Bench {
    args: Args,
    node: Node<Service>,
    /// What the services of this run begin with.
    run: String,
    bytes: usize,
    messages: u64,
    sleeps: bool,
}

/// The sending end of a topic.
struct Output {
    topic: Topic,
    publisher: Publisher<Service, [u8], ()>,
    notifier: Option<Notifier<Service>>,
}

/// The receiving end.
struct Input {
    subscriber: Subscriber<Service, [u8], ()>,
    listener: Option<Listener<Service>>,
}

impl Bench {
    fn topic(&self, name: &str) -> Outcome<Topic> {
        let service = self.node.service_builder(&format!("{}/{name}", self.run).as_str().try_into()?);
        let topic = service.publish_subscribe::<[u8]>().enable_safe_overflow(false).history_size(0);
        let topic = topic.subscriber_max_buffer_size(DEPTH).subscriber_max_borrowed_samples(2);
        Ok(topic.max_publishers(1).max_subscribers(MAX_SUBSCRIBERS).open_or_create()?)
    }

    /// What wakes those that sleep.
    fn event(&self, name: &str) -> Outcome<Option<event::PortFactory<Service>>> {
        if !self.sleeps {
            return Ok(None);
        }
        let service = self.node.service_builder(&format!("{}/{name}", self.run).as_str().try_into()?);
        Ok(Some(service.event().max_listeners(MAX_SUBSCRIBERS).open_or_create()?))
    }

    fn output(&self, name: &str) -> Outcome<Output> {
        let topic = self.topic(name)?;
        let publisher = topic.publisher_builder().initial_max_slice_len(self.bytes).max_loaned_samples(2);
        let publisher = publisher.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered).create()?;
        let notifier = self.event(name)?.map(|event| event.notifier_builder().create()).transpose()?;
        Ok(Output { topic, publisher, notifier })
    }

    fn input(&self, name: &str) -> Outcome<Input> {
        let listener = self.event(name)?.map(|event| event.listener_builder().create()).transpose()?;
        Ok(Input { subscriber: self.topic(name)?.subscriber_builder().create()?, listener })
    }

    fn start(&self, role: &str) -> Outcome<Child> {
        Ok(self.args.again(&[("role", role), ("run", &self.run)]).spawn()?)
    }

    /// The source of `pair`, `fan-out` and `chain`; `--clients` are the sinks, or the nodes of the chain.
    fn source(&self) -> Outcome<()> {
        let output = self.output("edge0")?;
        let (case, clients) = (self.args.text("case", "pair"), self.args.number("clients", 1) as usize);
        let (sinks, relays) = if case == "chain" { (1, clients - 2) } else { (clients, 0) };
        let relays = (0..relays).map(|at| self.start(&format!("relay{at}")));
        let sinks = (0..sinks).map(|_| self.start("sink"));
        let mut others = relays.chain(sinks).collect::<Outcome<Vec<Child>>>()?;
        output.wait_for(if case == "chain" { 1 } else { others.len() });
        let mut writer = Writer::new(self.bytes, self.args.reach("sent"));
        let mut pace = Pace::new(self.args.number("rate", 0));
        while writer.next < self.messages {
            pace.wait();
            output.send(self.bytes, |message| writer.fill(message))?;
        }
        for other in &mut others {
            other.wait()?;
        }
        Ok(())
    }

    /// Nothing comes before what it is sent on to is there.
    fn relay(&self, at: usize) -> Outcome<()> {
        let output = self.output(&format!("edge{}", at + 1))?;
        output.wait_for(1);
        let mut relayed = 0;
        self.input(&format!("edge{at}"))?.receive(|message| {
            output.send(message.len(), |copy| copy.copy_from_slice(message))?;
            relayed += 1;
            Ok(relayed == self.messages)
        })?;
        output.wait_for(0);
        Ok(())
    }

    fn sink(&self) -> Outcome<()> {
        let relays = if self.args.text("case", "") == "chain" { self.args.number("clients", 2) - 2 } else { 0 };
        let mut reader = Reader::new(&self.args);
        self.input(&format!("edge{relays}"))?.receive(|message| Ok(reader.take(message) + 1 == self.messages))?;
        reader.print(&self.args);
        Ok(())
    }

    fn ping(&self) -> Outcome<()> {
        let (output, input) = (self.output("there")?, self.input("back")?);
        let mut other = self.start("pong")?;
        output.wait_for(1);
        let mut writer = Writer::new(self.bytes, self.args.reach("sent"));
        let (mut latencies, mut sent_ns) = (Latencies::default(), now_ns());
        output.send(self.bytes, |message| writer.fill(message))?;
        input.receive(|_| {
            if writer.next > WARM_UP {
                latencies.add((now_ns() - sent_ns) / 2);
            }
            if writer.next == self.messages {
                return Ok(true);
            }
            sent_ns = now_ns();
            output.send(self.bytes, |message| writer.fill(message))?;
            Ok(false)
        })?;
        drop(input);
        other.wait()?;
        print(&self.args, &format!("\"messages\":{},\"lost\":0{}", self.messages, latencies.json()));
        Ok(())
    }

    fn pong(&self) -> Outcome<()> {
        let output = self.output("back")?;
        let mut writer = Writer::new(self.bytes, self.args.reach("sent"));
        self.input("there")?.receive(|message| {
            std::hint::black_box((message[8], message[message.len() - 1]));
            output.send(self.bytes, |answer| writer.fill(answer))?;
            Ok(writer.next == self.messages)
        })?;
        output.wait_for(0);
        Ok(())
    }
}

impl Output {
    fn send(&self, bytes: usize, write: impl FnOnce(&mut [u8])) -> Outcome<()> {
        let mut sample = self.publisher.loan_slice_uninit(bytes)?;
        // SAFETY: the loaned memory is mapped, and whatever bytes it holds are bytes.
        let sample = unsafe {
            write(std::slice::from_raw_parts_mut(sample.payload_mut().as_mut_ptr().cast(), bytes));
            sample.assume_init()
        };
        sample.send()?;
        self.notifier.as_ref().map(Notifier::notify).transpose()?;
        Ok(())
    }

    /// Waits until there are so many subscribers.
    fn wait_for(&self, subscribers: usize) {
        while self.topic.dynamic_config().number_of_subscribers() != subscribers {
            std::thread::sleep(LOOK);
        }
    }
}

impl Input {
    /// Calls `take` with each message until it says that it was the last.
    fn receive(&self, mut take: impl FnMut(&[u8]) -> Outcome<bool>) -> Outcome<()> {
        let Some(listener) = &self.listener else {
            while !self.drain(&mut take)? {
                std::hint::spin_loop();
            }
            return Ok(());
        };
        let waitset = WaitSetBuilder::new().create::<Service>()?;
        let _attached = waitset.attach_notification(listener)?;
        while !self.drain(&mut take)? {
            waitset.wait_and_process_once(|_| {
                // What has come is looked for whether or not the notifications could be taken.
                let _ = listener.try_wait(|_| {});
                CallbackProgression::Stop
            })?;
        }
        Ok(())
    }

    /// Takes what is there. Whether the last was among it.
    fn drain(&self, take: &mut impl FnMut(&[u8]) -> Outcome<bool>) -> Outcome<bool> {
        while let Some(sample) = self.subscriber.receive()? {
            if take(sample.payload())? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn main() -> Outcome<()> {
    set_log_level(LogLevel::Error);
    let args = Args::of_this_process();
    let role = args.text("role", if args.text("case", "") == "ping-pong" { "ping" } else { "source" });
    pin(&args, usize::from(!["source", "ping"].contains(&role.as_str())));
    let bench = Bench {
        node: NodeBuilder::new().create::<Service>()?,
        run: args.text("run", &format!("ezrun-peers-{}", std::process::id())),
        bytes: args.number("size", 64) as usize,
        messages: args.number("messages", 1000),
        sleeps: args.text("wait", "block") == "block",
        args,
    };
    match role.strip_prefix("relay") {
        Some(at) => bench.relay(at.parse()?),
        None if role == "source" => bench.source(),
        None if role == "sink" => bench.sink(),
        None if role == "ping" => bench.ping(),
        None => bench.pong(),
    }
}
