//! `window`, `rms`, `downsample`, `resample`: nothing lost, nothing doubled, and the right times, whatever the blocks.

use crate::support::*;
use ezrun::message::{Capture, Clock, DType, Owned};
use ezrun::node::InputId;
use serde_json::json;

/// The first channel counts the samples, the second is minus that.
fn counting(samples: usize) -> Vec<f64> {
    (0..samples).flat_map(|i| [i as f64, -(i as f64)]).collect()
}

fn rate_of(message: &Owned) -> Option<f64> {
    message.metadata.tensor_spec().unwrap().rate_hz()
}

#[track_caller]
fn assert_captured(message: &Owned, seconds: f64) {
    let expected = Capture::stream_seconds(seconds);
    assert!(message.header.capture.ns.abs_diff(expected.ns) <= 1, "{:?}, not {expected:?}", message.header.capture);
}

fn check_windows(length: usize, hop: usize, settings: serde_json::Value) {
    let total = 1000;
    let sent = run(&mut node("window", settings), uneven(&counting(total), message));
    assert_eq!(sent.len(), (total - length) / hop + 1);
    for (i, block) in sent.iter().enumerate() {
        let expected = counting(total)[2 * i * hop..2 * (i * hop + length)].to_vec();
        assert_eq!(block.tensor().unwrap().to_f64(), expected);
        assert_captured(block, (i * hop) as f64 / RATE);
        assert_eq!(rate_of(block).map(f64::round), Some(RATE));
    }
}

#[test]
fn windows_are_whole_and_in_time_across_uneven_blocks() {
    check_windows(90, 90, json!({"length": 90}));
    check_windows(90, 30, json!({"length": 90, "hop": 30}));
    check_windows(50, 180, json!({"length": 50, "hop": 180}));
    check_windows(1, 1, json!({"length": 1}));
    check_windows(180, 36, json!({"length": "500 ms", "hop": "100ms"}));
    check_windows(720, 5, json!({"length": "2 s", "hop": 5}));
}

#[test]
fn a_window_in_real_time_is_timed_by_the_messages_around_it() {
    let mut window = node("window", json!({"length": 4}));
    for (first, late_ns) in [(0, 0), (3, 5_000_000), (6, -2_000_000)] {
        let mut given = message(&counting(3), 2, 0);
        given.header.capture = Capture { ns: (first as f64 / RATE * 1e9) as i64 + late_ns, clock: Clock::Realtime };
        window.send(InputId(0), given).unwrap();
    }
    let sent = window.sent(0);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].header.capture, Capture { ns: 5_000_000, clock: Clock::Realtime });
    assert!((sent[1].header.capture.seconds() - (4.0 / RATE - 0.002)).abs() < 1e-8);
}

#[test]
fn windows_keep_element_type_and_attributes() {
    let sent = run(&mut node("window", json!({"length": 2})), vec![message_f32(&counting(5), 2, 0)]);
    assert_eq!((sent.len(), sent[0].metadata.tensor_spec().unwrap().dtype), (2, DType::F32));
    assert_eq!(joined(&sent), &counting(4)[..]);
    let sent =
        run(&mut node("window", json!({"length": 1})), vec![with_metadata(&labelled(&["a", "b"]), &[1.0; 2], 0)]);
    assert_eq!(sent[0].metadata.attributes["unit"], "mV");
}

#[test]
fn lengths_that_mean_nothing_are_refused() {
    for wrong in [json!(0), json!(-3), json!("two"), json!("0 s"), json!(2.5)] {
        let said = refusal("window", json!({ "length": wrong }));
        assert!(said.contains("a number of samples, 1 to 4294967295, or a time such as `500 ms` or `2 s`"), "{said}");
    }
    assert!(refusal("window", json!({})).contains("length"));
    let said = complaint(&mut node("window", json!({"length": "1 ms"})), message(&counting(1), 2, 0));
    assert_eq!(said, "`length` is 0.001 s, less than one sample of a signal at 360 Hz");
    let said = complaint(&mut node("window", json!({"length": 5})), with_metadata(&without_rate(2), &[0.0; 2], 0));
    assert!(said.contains("no sampling rate"), "{said}");
}

#[test]
fn rms_is_one_sample_per_block() {
    let sent = run(&mut node("rms", json!({})), vec![message(&[], 2, 0), message(&[3.0, 1.0, -4.0, 1.0], 2, 0)]);
    assert_eq!(joined(&sent), [12.5_f64.sqrt(), 1.0]);
    assert_eq!(rate_of(&sent[0]).map(f64::round), Some(RATE / 2.0));
    let sent = run(&mut node("rms", json!({})), vec![message_f32(&[6.0, -2.0], 2, 7)]);
    assert_eq!((joined(&sent), sent[0].metadata.tensor_spec().unwrap().dtype), (vec![6.0, 2.0], DType::F64));
    assert_captured(&sent[0], 7.0 / RATE);
}

#[test]
fn rms_after_overlapping_windows_has_the_rate_of_the_hops() {
    let windows = run(&mut node("window", json!({"length": 90, "hop": 30})), uneven(&counting(300), message));
    let sent = run(&mut node("rms", json!({})), windows);
    assert_eq!(sent.len(), 8);
    assert_eq!(rate_of(&sent[0]).map(f64::round), Some(RATE / 30.0));
    assert_captured(&sent[1], 30.0 / RATE);
}

#[test]
fn rms_needs_a_signal_but_no_rate() {
    let sent = run(&mut node("rms", json!({})), vec![with_metadata(&without_rate(2), &[2.0, 3.0], 0)]);
    assert_eq!((joined(&sent), rate_of(&sent[0])), (vec![2.0, 3.0], None));
    assert!(refusal("rms", json!({"window": 3})).contains("window"));
}

#[test]
fn downsample_equals_scipy_and_keeps_its_phase_across_uneven_blocks() {
    let sent = run(&mut node("downsample", json!({"factor": 4})), uneven(&reference("input"), message));
    assert_equals_scipy(&joined(&sent), &reference("downsample_4"));
    let sent = run(&mut node("downsample", json!({"factor": 4})), uneven(&reference("input"), message_f32));
    assert_close(&joined(&sent), &reference("downsample_4"), 1e-6);
}

#[test]
fn downsample_without_its_filter_keeps_every_nth_sample_and_its_time() {
    let sent = run(&mut node("downsample", json!({"factor": 7, "filter": false})), uneven(&counting(500), message));
    let expected: Vec<f64> = (0..500).step_by(7).flat_map(|i| [i as f64, -(i as f64)]).collect();
    assert_eq!(joined(&sent), expected);
    for block in &sent {
        assert_captured(block, block.tensor().unwrap().to_f64()[0] / RATE);
        assert_eq!(rate_of(block).map(|r| (r * 7.0).round()), Some(RATE));
    }
    let sent = run(&mut node("downsample", json!({"factor": 1})), uneven(&counting(50), message));
    assert_eq!(joined(&sent), counting(50));
}

#[test]
fn downsample_says_what_it_needs() {
    assert!(refusal("downsample", json!({"factor": 0})).contains("must be 1 or more"));
    let said = complaint(&mut node("downsample", json!({"factor": 2})), with_metadata(&without_rate(1), &[0.0], 0));
    assert!(said.contains("no sampling rate"), "{said}");
}

#[test]
fn resample_equals_scipy_and_is_whole_at_the_end() {
    for (rate, expected) in [(250, "resample_250"), (500, "resample_500")] {
        let mut resample = node("resample", json!({ "rate": rate }));
        let sent = run(&mut resample, uneven(&reference("input"), message));
        assert_equals_scipy(&joined(&sent), &reference(expected));
        let mut index = 0;
        for block in &sent {
            assert_captured(block, index as f64 / f64::from(rate));
            assert_eq!(rate_of(block).map(f64::round), Some(f64::from(rate)));
            index += block.tensor().unwrap().shape[0];
        }
        let sent = run(&mut node("resample", json!({ "rate": rate })), uneven(&reference("input"), message_f32));
        assert_close(&joined(&sent), &reference(expected), 1e-6);
    }
}

#[test]
fn resample_sends_while_the_stream_goes_on_and_nothing_without_input() {
    let mut resample = node("resample", json!({"rate": 720}));
    resample.stop().unwrap();
    assert!(resample.sent(0).is_empty());
    resample.send(InputId(0), message(&counting(100), 2, 0)).unwrap();
    assert_eq!(joined(&resample.sent(0)).len() / 2, 2 * 90, "ten samples are held back");
}

#[test]
fn resample_to_the_same_rate_changes_nothing() {
    let sent = run(&mut node("resample", json!({"rate": 360})), uneven(&counting(100), message));
    assert_close(&joined(&sent), &counting(100), 1e-12);
}

#[test]
fn resample_refuses_rates_that_it_cannot_reach() {
    assert!(refusal("resample", json!({"rate": 0})).contains("0 is not above 0"));
    let said = complaint(&mut node("resample", json!({"rate": 254.469_004_940_77})), message(&counting(1), 2, 0));
    assert!(said.contains("cannot go from 360 Hz to `rate`, 254.469 Hz"), "{said}");
}
