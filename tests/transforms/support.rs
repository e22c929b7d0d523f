//! Reference arrays, signals in uneven blocks, and a node to send them through.

use ezrun::message::{Axis, Buffer, Capture, DType, Metadata, Owned, TensorSpec};
use ezrun::node::{InputId, testing::Harness};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

pub const RATE: f64 = 360.0;

/// The values of `tests/reference/<name>.npy`, row-major; two channels.
pub fn reference(name: &str) -> Vec<f64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/reference/{name}.npy"));
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
}

/// A node of the built-in type `name`.
pub fn node(name: &str, settings: Value) -> Harness {
    Harness::new(ezrun::nodes::registry().get(name).expect("the type is there"), settings).expect("right settings")
}

/// What the type says to these settings, which it must refuse.
pub fn refusal(name: &str, settings: Value) -> String {
    match Harness::new(ezrun::nodes::registry().get(name).expect("the type is there"), settings) {
        Ok(_) => panic!("these settings of {name} should have been refused"),
        Err(error) => error.to_string(),
    }
}

/// What the node says to this message, which it must refuse.
pub fn complaint(node: &mut Harness, message: Owned) -> String {
    format!("{:#}", node.send(InputId(0), message).expect_err("this message should have been refused"))
}

/// One message from samples of `channels` channels at [`RATE`], the first at `first / RATE` seconds.
pub fn message(samples: &[f64], channels: usize, first: usize) -> Owned {
    let metadata = Arc::new(Metadata::tensor(TensorSpec::signal(DType::F64, RATE, channels)));
    with_metadata(&metadata, samples, first)
}

/// As [`message`], with `f32` samples.
pub fn message_f32(samples: &[f64], channels: usize, first: usize) -> Owned {
    let metadata = Arc::new(Metadata::tensor(TensorSpec::signal(DType::F32, RATE, channels)));
    let narrow: Vec<f32> = samples.iter().map(|&x| x as f32).collect();
    Owned::new(metadata, Buffer::from_slice(bytemuck::cast_slice(&narrow)), time_of(first))
}

/// As [`message`], described by `metadata`.
pub fn with_metadata(metadata: &Arc<Metadata>, samples: &[f64], first: usize) -> Owned {
    Owned::new(Arc::clone(metadata), Buffer::from_slice(bytemuck::cast_slice(samples)), time_of(first))
}

/// Metadata of a signal whose channels have these labels.
pub fn labelled(labels: &[&str]) -> Arc<Metadata> {
    let mut spec = TensorSpec::signal(DType::F64, RATE, labels.len());
    spec.dims[1].axis = Axis::Labels(labels.iter().map(|&l| l.to_owned()).collect());
    Arc::new(Metadata::tensor(spec).with("unit", "mV"))
}

/// Metadata of a signal without a rate.
pub fn without_rate(channels: usize) -> Arc<Metadata> {
    let mut spec = TensorSpec::signal(DType::F64, RATE, channels);
    spec.dims[0].axis = Axis::Index;
    Arc::new(Metadata::tensor(spec))
}

fn time_of(sample: usize) -> Capture {
    Capture::stream_seconds(sample as f64 / RATE)
}

/// Messages of two channels whose lengths are anything but even: 1, 7, 0, 64, 13, 100, 1, 7, …
pub fn uneven(samples: &[f64], make: fn(&[f64], usize, usize) -> Owned) -> Vec<Owned> {
    let (mut messages, mut first) = (Vec::new(), 0);
    for rows in [1, 7, 0, 64, 13, 100].into_iter().cycle() {
        let rest = samples.len() / 2 - first;
        if rest == 0 {
            return messages;
        }
        let rows = rest.min(rows);
        messages.push(make(&samples[2 * first..2 * (first + rows)], 2, first));
        first += rows;
    }
    messages
}

/// Sends `messages`, ends the stream, and returns what came out.
pub fn run(node: &mut Harness, messages: Vec<Owned>) -> Vec<Owned> {
    for message in messages {
        node.send(InputId(0), message).unwrap();
    }
    node.stop().unwrap();
    node.sent(0)
}

/// All samples of `messages`, one after the other.
pub fn joined(messages: &[Owned]) -> Vec<f64> {
    messages.iter().flat_map(|m| m.tensor().unwrap().to_f64()).collect()
}

/// Checks that each value of `got` is that of `expected` to 1e-9 relative, where it is not next to nothing beside the
/// largest.
#[track_caller]
pub fn assert_equals_scipy(got: &[f64], expected: &[f64]) {
    assert_within(got, expected, 1e-9, 1e-4);
}

/// Checks that `got` is `expected`, up to `tolerance` relative to the largest value of `expected`.
#[track_caller]
pub fn assert_close(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_within(got, expected, tolerance, 1.0);
}

#[track_caller]
fn assert_within(got: &[f64], expected: &[f64], tolerance: f64, floor: f64) {
    assert_eq!(got.len(), expected.len());
    let floor = floor * expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let worst = got.iter().zip(expected).map(|(g, e)| (g - e).abs() / e.abs().max(floor)).fold(0.0, f64::max);
    println!("largest error, relative: {worst:.1e}");
    assert!(worst <= tolerance, "largest error {worst:e}, allowed {tolerance:e}");
    assert!(got.iter().all(|x| x.is_finite()));
}
