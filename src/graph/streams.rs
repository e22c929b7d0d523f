//! What is known of the messages on each edge before anything runs: how often they come, and how large they are. From the
//! settings of sources, through what each type says of its [`Cadence`]; nothing is guessed.

use super::Overflow;
use super::model::{Model, ModelNode, Port, Wire};
use super::per_output::PerOutput;
use crate::node::{Amount, Cadence, KnownSignal, OutputPort, PortType, Quantity, counted, trimmed};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// Samples of the slower rate that a resampler looks ahead.
const RESAMPLER_REACH: f64 = 10.0;

/// Sizes above this are no longer told in figures, in bytes.
const EXBIBYTE: f64 = (1u64 << 60) as f64;
/// Numbers from here on are not reckoned with.
const MANY: f64 = 1e12;

/// Most labels that are looked at.
const MAX_LABELS: usize = 512;

/// What is known of the messages of one output. Seconds are those of the signal: of the clock only where it is `realtime`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stream {
    pub messages_per_s: Option<f64>,
    /// How many come at most.
    pub messages: Option<f64>,
    /// The longest pause between two of them, in seconds of the signal.
    pub pause_s: Option<f64>,
    /// Sampling rate in Hz.
    pub rate: Option<f64>,
    /// Samples per message, or their mean; of a spectrum, those that it is of.
    pub samples: Option<f64>,
    /// Whether messages differ in how many samples they have.
    pub varies: bool,
    /// Blocks per second of the signal, where a node has cut it into blocks anew.
    pub block_rate: Option<f64>,
    pub channels: Option<f64>,
    /// What the channels are called; an empty list where they have no labels.
    pub labels: Option<Arc<[String]>>,
    /// Bytes per sample and channel.
    pub item_bytes: Option<f64>,
    /// Bytes per message.
    pub bytes: Option<f64>,
    pub realtime: bool,
}

/// What is known of the messages of each output, by node and port.
pub(super) struct Streams(PerOutput<Stream>);

impl Streams {
    pub fn of(model: &Model<'_>) -> Self {
        let mut streams = Streams(PerOutput::all(model, Stream::default()));
        for &at in &model.shape.sources_first {
            let node = &model.nodes[at];
            let (Some(node_type), Some(settings)) = (&node.node_type, &node.settings) else { continue };
            for (port, output) in node_type.outputs.iter().enumerate() {
                let input = feeding_input(node, output);
                let incoming = streams.joined(model.wires_into(at).filter(|wire| Some(wire.to.1) == input));
                streams.0[(at, port)] = sent(output, settings, incoming);
            }
        }
        streams
    }

    /// What `port` sends.
    pub fn sent(&self, port: Port) -> &Stream {
        &self.0[port]
    }

    /// What comes out at the other end of an edge: where it drops, how much that is depends on the run.
    pub fn received(&self, wire: &Wire<'_>) -> Cow<'_, Stream> {
        let sent = self.sent(wire.from);
        match wire.edge.overflow.map(|overflow| overflow.value) {
            Some(Overflow::DropOldest | Overflow::DropNewest) => {
                Cow::Owned(Stream { messages_per_s: None, pause_s: None, ..sent.clone() })
            }
            _ => Cow::Borrowed(sent),
        }
    }

    /// What comes in at an input where `wires` end: of several, what they have in common.
    pub fn joined<'m>(&self, wires: impl Iterator<Item = Wire<'m>>) -> Stream {
        let join = |a: Stream, b: &Stream| Stream {
            messages_per_s: a.messages_per_s.zip(b.messages_per_s).map(|(a, b)| a + b),
            messages: a.messages.zip(b.messages).map(|(a, b)| a + b),
            // When each of them pauses is not known.
            pause_s: None,
            rate: a.rate.filter(|_| a.rate == b.rate),
            samples: a.samples.filter(|_| a.samples == b.samples),
            varies: a.varies || b.varies,
            block_rate: a.block_rate.filter(|_| a.block_rate == b.block_rate),
            channels: a.channels.filter(|_| a.channels == b.channels),
            labels: a.labels.filter(|labels| b.labels.as_ref() == Some(labels)),
            item_bytes: a.item_bytes.filter(|_| a.item_bytes == b.item_bytes),
            bytes: a.bytes.filter(|_| a.bytes == b.bytes),
            realtime: a.realtime && b.realtime,
        };
        let mut streams = wires.map(|wire| self.received(&wire));
        let first = streams.next().map(Cow::into_owned).unwrap_or_default();
        streams.fold(first, |joined, stream| join(joined, &stream))
    }
}

impl Stream {
    /// Of a signal whose rate, samples and channels are set: what follows from them.
    fn signal(self) -> Self {
        // Two numbers that are too large to be told come to nothing that is known.
        let known = |number: &f64| !number.is_nan();
        let messages_per_s = self.rate.zip(self.samples).map(|(rate, samples)| rate / samples).filter(known);
        let pause_s = self.pause_at(messages_per_s);
        Stream { messages_per_s, pause_s, ..self }.sized()
    }

    /// Of a signal whose samples and channels are set: how large its messages are.
    fn sized(self) -> Self {
        Stream { bytes: self.block_bytes(self.samples).filter(|bytes| !bytes.is_nan()), ..self }
    }

    /// The longest pause where so many messages come per second: none is shorter than the mean, nor than it was before.
    fn pause_at(&self, per_s: Option<f64>) -> Option<f64> {
        self.pause_s.zip(per_s).map(|(pause, per_s)| pause.max(per_s.recip()))
    }

    /// Bytes of so many rows with a number for each channel.
    fn block_bytes(&self, rows: Option<f64>) -> Option<f64> {
        Some(rows? * self.channels? * self.item_bytes?)
    }

    /// What of this a node type may reckon with.
    pub fn known(&self) -> KnownSignal {
        let count =
            |number: Option<f64>| number.filter(|n| n.fract() == 0.0 && (1.0..MANY).contains(n)).map(|n| n as u64);
        let rate_hz = self.rate.filter(|rate| (0.0..MANY).contains(rate));
        KnownSignal {
            rate_hz,
            channels: count(self.channels),
            samples: count(self.samples.filter(|_| !self.varies)),
            labels: self.labels.clone(),
        }
    }

    /// How many messages of this stream come in before a node with this cadence has sent `outputs`; nothing where that is
    /// not known. Infinite where no number is enough.
    pub fn needed_for(&self, outputs: f64, cadence: &Cadence, settings: &Value) -> Option<f64> {
        match cadence {
            Cadence::Same
            | Cadence::Each
            | Cadence::OneSample
            | Cadence::Selected { .. }
            | Cadence::Spectra { .. }
            | Cadence::Limited { .. } => Some(outputs),
            Cadence::Sparse => Some(f64::INFINITY),
            Cadence::Windows { length, hop } => {
                let (length, hop) = self.window(length, hop, settings)?;
                Some(((length + (outputs - 1.0) * hop) / self.samples?).ceil())
            }
            Cadence::Thinned { factor } => {
                let apart = factor.number(settings)? / self.samples?;
                Some(if apart <= 1.0 { outputs } else { ((outputs - 1.0) * apart).floor() + 1.0 })
            }
            Cadence::Resampled { rate } => {
                let (old, new) = (self.rate?, rate.number(settings)?);
                let ahead = RESAMPLER_REACH * (old / new).max(1.0) / self.samples?;
                let each = (old / new / self.samples?).max(1.0);
                Some((ahead + (outputs - 1.0) * each).floor() + 1.0)
            }
            Cadence::Unknown | Cadence::Signal { .. } | Cadence::Timed { .. } => None,
        }
    }

    /// The signal that has one sample for each block of this one.
    fn one_sample(self) -> Self {
        let of_blocks = self.rate.zip(self.samples).map(|(rate, samples)| rate / samples);
        let rate = self.block_rate.or(of_blocks.filter(|_| !self.varies));
        Stream { rate, samples: Some(1.0), varies: false, block_rate: None, ..self }
    }

    /// This signal in blocks anew, of that length and hop.
    fn cut(self, window: Option<(f64, f64)>) -> Self {
        let Some((length, hop)) = window else {
            return Stream {
                messages_per_s: None,
                messages: None,
                pause_s: None,
                samples: None,
                bytes: None,
                block_rate: None,
                ..self
            };
        };
        let block_rate = self.rate.map(|rate| rate / hop);
        let pause_s = self.pause_at(block_rate);
        let all =
            self.messages.zip(self.samples).filter(|_| !self.varies).map(|(messages, samples)| messages * samples);
        let messages = all.map(|all| if all < length { 0.0 } else { ((all - length) / hop).floor() + 1.0 });
        Stream {
            messages_per_s: block_rate,
            messages,
            pause_s,
            samples: Some(length),
            varies: false,
            block_rate,
            ..self
        }
        .sized()
    }

    /// Those channels of this signal that are `listed`.
    fn selected(self, listed: Option<&Vec<Value>>) -> Self {
        let labels = listed.and_then(|listed| selected(listed, self.labels.as_deref()));
        let channels = listed.map(|listed| listed.len() as f64);
        Stream { channels, labels, ..self }.sized()
    }

    /// This stream, slowed down to so many messages per second: a second of the signal may take longer from here on.
    fn limited(self, per_s: Option<f64>) -> Self {
        let slowed = self.messages_per_s.zip(per_s).map(|(coming, limit)| coming.min(limit));
        let messages_per_s = if self.realtime { slowed } else { self.messages_per_s };
        Stream { messages_per_s, pause_s: self.pause_at(per_s), ..self }
    }

    /// Length and hop of a window in samples.
    fn window(&self, length: &Quantity, hop: &Quantity, settings: &Value) -> Option<(f64, f64)> {
        let samples = |amount: Amount| match amount {
            Amount::Number(samples) => Some(samples),
            Amount::Seconds(seconds) => Some((seconds * self.rate?).round()),
        };
        let length = samples(length.read(settings)?)?;
        Some((length, hop.read(settings).map_or(Some(length), samples)?))
    }
}

/// The input that an output's messages are made of, where it is one.
fn feeding_input(node: &ModelNode<'_>, output: &OutputPort) -> Option<usize> {
    let inputs = &node.node_type.as_ref()?.inputs;
    match &output.sends {
        PortType::SameAs { input } => inputs.iter().position(|port| port.name == *input),
        _ if inputs.len() == 1 => Some(0),
        _ => None,
    }
}

/// What an output sends, given what comes in.
fn sent(output: &OutputPort, settings: &Value, incoming: Stream) -> Stream {
    let nothing = Stream { realtime: incoming.realtime, ..Stream::default() };
    match &output.cadence {
        Cadence::Unknown | Cadence::Sparse => nothing,
        Cadence::Same => incoming,
        Cadence::Each => {
            let Stream { messages_per_s, messages, pause_s, .. } = incoming;
            Stream { messages_per_s, messages, pause_s, ..nothing }
        }
        Cadence::OneSample => Stream { item_bytes: item_bytes(output), ..incoming.one_sample() }.sized(),
        Cadence::Selected { channels } => incoming.selected(settings.get(channels).and_then(Value::as_array)),
        Cadence::Spectra { segment } => {
            let length = segment.number(settings);
            let (samples, varies) = (length.or(incoming.samples), incoming.varies && length.is_none());
            let spectra = Stream { samples, varies, item_bytes: item_bytes(output), ..incoming };
            Stream { bytes: spectra.block_bytes(samples.map(|samples| (samples / 2.0).floor() + 1.0)), ..spectra }
        }
        Cadence::Limited { rate } => incoming.limited(rate.number(settings)),
        Cadence::Signal { rate, block, channels, labels, realtime, count } => {
            let realtime = realtime.as_ref().and_then(|name| settings.get(name)).and_then(Value::as_bool);
            Stream {
                messages: count.number(settings),
                pause_s: Some(0.0),
                rate: rate.number(settings),
                samples: block.number(settings),
                channels: channels.number(settings),
                labels: labels.read(settings).filter(|labels| labels.len() <= MAX_LABELS).map(Arc::from),
                item_bytes: item_bytes(output),
                realtime: realtime.unwrap_or(false),
                ..nothing
            }
            .signal()
        }
        Cadence::Timed { interval, bytes, count } => Stream {
            messages: count.number(settings),
            pause_s: interval.number(settings),
            messages_per_s: interval.number(settings).map(f64::recip),
            bytes: bytes.number(settings),
            realtime: interval.number(settings).is_some(),
            ..nothing
        },
        Cadence::Windows { length, hop } => {
            let window = incoming.window(length, hop, settings);
            incoming.cut(window)
        }
        Cadence::Thinned { factor } => rescaled(incoming, factor.number(settings).map(f64::recip)),
        Cadence::Resampled { rate } => {
            let ratio = rate.number(settings).zip(incoming.rate).map(|(new, old)| new / old);
            // The rate that comes out is known, whatever came in; the first message waits for samples after it.
            Stream { rate: rate.number(settings), varies: true, ..rescaled(incoming, ratio) }
        }
    }
}

/// What channels are called that are `listed` by label or by index, of a signal whose own are called `labels`; indices
/// become labels where it has none.
fn selected(listed: &[Value], labels: Option<&[String]>) -> Option<Arc<[String]>> {
    let label = |one: &Value| match (one, labels) {
        (Value::String(label), _) => Some(label.clone()),
        (index, Some([])) => Some(index.to_string()),
        (index, Some(labels)) => labels.get(usize::try_from(index.as_u64()?).ok()?).cloned(),
        (_, None) => None,
    };
    let are_first = || listed.iter().enumerate().all(|(at, one)| one.as_u64() == Some(at as u64));
    match labels {
        _ if listed.len() > MAX_LABELS => None,
        // The first of them are counted as before.
        Some([]) if are_first() => Some(Arc::new([])),
        _ => listed.iter().map(label).collect(),
    }
}

/// A signal with `ratio` times as many samples per second, in as many messages as have a sample.
fn rescaled(incoming: Stream, ratio: Option<f64>) -> Stream {
    let samples = incoming.samples.zip(ratio).map(|(samples, ratio)| (samples * ratio).max(1.0));
    let rate = incoming.rate.zip(ratio).map(|(rate, ratio)| rate * ratio);
    let varies = incoming.varies || samples.is_some_and(|samples| samples.fract() != 0.0);
    Stream { rate, samples, varies, ..incoming }.signal()
}

/// Bytes of an element, where the output says of which type they are.
fn item_bytes(output: &OutputPort) -> Option<f64> {
    match &output.sends {
        PortType::Tensor { dtypes, .. } => match dtypes.as_slice() {
            [only] => Some(only.bytes() as f64),
            _ => None,
        },
        _ => None,
    }
}

/// A number of bytes, as in `62.5 KiB`; of what no machine has, only that it is so much.
pub(super) fn bytes_in_words(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024.0 {
        return counted(bytes.round_ties_even() as usize, "byte");
    }
    if bytes > EXBIBYTE {
        return "more than 1 EiB".to_owned();
    }
    let power = ((bytes.log2() / 10.0).floor() as usize).clamp(1, UNITS.len());
    let number = bytes / 1024f64.powi(power as i32);
    let digits = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    let text = format!("{number:.digits$}");
    format!("{} {}", trimmed(&text), UNITS[power - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_are_told_in_units_that_the_file_knows() {
        let sizes = [64.0, 1024.0, 64_000.0, 8.0 * 1024.0 * 1024.0, 704.0 * 1024.0 * 1024.0];
        let words: Vec<String> = sizes.into_iter().map(bytes_in_words).collect();
        assert_eq!(words, ["64 bytes", "1 KiB", "62.5 KiB", "8 MiB", "704 MiB"]);
        assert_eq!([1e18, 1e300, f64::INFINITY].map(bytes_in_words), ["888 PiB", "more than 1 EiB", "more than 1 EiB"]);
    }

    #[test]
    fn a_window_needs_its_length_and_then_a_hop_for_each_more() {
        let stream = Stream { rate: Some(250.0), samples: Some(25.0), ..Stream::default() };
        let cadence = Cadence::Windows { length: Quantity::of("length"), hop: Quantity::of("hop") };
        let settings = json!({ "length": "2 s", "hop": 50 });
        assert_eq!(stream.needed_for(1.0, &cadence, &settings), Some(20.0));
        assert_eq!(stream.needed_for(2.0, &cadence, &settings), Some(22.0));
        assert_eq!(Stream::default().needed_for(1.0, &cadence, &settings), None);
        assert_eq!(stream.needed_for(1.0, &Cadence::Sparse, &settings), Some(f64::INFINITY));
        assert_eq!(stream.needed_for(3.0, &Cadence::Same, &settings), Some(3.0));
    }

    #[test]
    fn thinning_by_more_than_a_block_skips_messages() {
        let stream = Stream { rate: Some(250.0), samples: Some(25.0), ..Stream::default() };
        let cadence = Cadence::Thinned { factor: Quantity::of("factor") };
        assert_eq!(stream.needed_for(2.0, &cadence, &json!({ "factor": 5 })), Some(2.0));
        assert_eq!(stream.needed_for(2.0, &cadence, &json!({ "factor": 100 })), Some(5.0));
    }
}
