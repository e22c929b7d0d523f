//! `peaks`, `event_rate`, `rate_limit`.

use crate::support::*;
use ezrun::message::{Buffer, Capture, DynRecord, FieldValue, Metadata, Owned, Payload, Record, codec};
use ezrun::node::InputId;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The number in field `name` of a record.
fn number(record: &Owned, name: &str) -> f64 {
    let Payload::Record(spec) = &record.metadata.payload else { panic!("not a record") };
    let fields = DynRecord::decode(spec, &record.payload).unwrap().fields;
    match fields.into_iter().find(|(n, _)| n == name).unwrap().1 {
        FieldValue::F64(x) => x,
        FieldValue::U64(x) => x as f64,
        other => panic!("{other:?}"),
    }
}

/// Index and value of each peak that is found in one channel of `samples`, sent one by one and as a whole.
#[track_caller]
fn peaks(settings: Value, samples: &[f64]) -> Vec<(usize, f64)> {
    let find = |messages| -> Vec<(usize, f64)> {
        let sent = run(&mut node("peaks", settings.clone()), messages);
        sent.iter().map(|p| ((number(p, "time_s") * RATE).round() as usize, number(p, "value"))).collect()
    };
    let whole = find(vec![message(samples, 1, 0)]);
    let single = find(samples.iter().enumerate().map(|(i, x)| message(&[*x], 1, i)).collect());
    assert_eq!(whole, single, "the size of the blocks matters");
    whole
}

#[test]
fn a_peak_is_the_highest_sample_above_the_threshold() {
    let samples = [0.0, 1.0, 0.0, 3.0, 5.0, 4.0, 0.0, 2.0, 2.0, 0.0, 9.0];
    let all = json!({"threshold": 1.5, "refractory": 1e-6});
    assert_eq!(peaks(all, &samples), [(4, 5.0), (7, 2.0)], "a plateau counts at its beginning, the end is no peak");
    assert_eq!(peaks(json!({"threshold": 5, "refractory": 1e-6}), &samples), []);
    assert_eq!(peaks(json!({"threshold": 0.5, "refractory": 1e-6}), &[9.0, 1.0, 1.0, 2.0, 2.0, 3.0, 1.0]), [(5, 3.0)]);
}

#[test]
fn of_peaks_within_the_refractory_time_the_highest_counts() {
    let seconds = |samples: f64| samples / RATE;
    let samples = [0.0, 2.0, 0.0, 3.0, 0.0, 1.0, 0.0, 2.0, 0.0, 1.0, 0.0];
    assert_eq!(peaks(json!({"threshold": 0.5, "refractory": seconds(3.0)}), &samples), [(3, 3.0), (7, 2.0)]);
    assert_eq!(peaks(json!({"threshold": 0.5, "refractory": seconds(4.0)}), &samples), [(3, 3.0), (7, 2.0)]);
    assert_eq!(peaks(json!({"threshold": 0.5, "refractory": seconds(5.0)}), &samples), [(3, 3.0), (9, 1.0)]);
    assert_eq!(peaks(json!({"threshold": 0.5, "refractory": seconds(2.0)}), &samples).len(), 5);
}

#[test]
fn a_peak_is_sent_when_its_refractory_time_is_over() {
    let mut node = node("peaks", json!({"threshold": 0.5, "refractory": 5.0 / RATE}));
    node.send(InputId(0), message(&[0.0, 1.0, 0.0, 0.0, 0.0, 0.0], 1, 0)).unwrap();
    assert!(node.sent(0).is_empty());
    node.send(InputId(0), message(&[0.0], 1, 6)).unwrap();
    let sent = node.sent(0);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].header.capture, Capture::stream_seconds(1.0 / RATE));
}

#[test]
fn polarity_decides_which_way_peaks_point() {
    let samples = [0.0, 1.0, 0.0, -3.0, 0.0, 0.0];
    let with = |polarity: &str| peaks(json!({"threshold": 0.5, "refractory": 1e-6, "polarity": polarity}), &samples);
    assert_eq!(with("positive"), [(1, 1.0)]);
    assert_eq!(with("negative"), [(3, -3.0)]);
    assert_eq!(with("both"), [(1, 1.0), (3, -3.0)]);
}

#[test]
fn a_relative_threshold_does_not_depend_on_the_unit() {
    let input = reference("input");
    let one: Vec<f64> = input.iter().step_by(2).copied().collect();
    let big: Vec<f64> = one.iter().map(|x| x * 1024.0).collect();
    let settings = json!({"threshold": 1.5, "relative": true, "polarity": "both", "refractory": 0.02});
    let places = |samples: &[f64]| peaks(settings.clone(), samples).into_iter().map(|(i, _)| i).collect::<Vec<_>>();
    assert_eq!(places(&one), places(&big));
    assert!(!places(&one).is_empty());
}

#[test]
fn peaks_looks_at_the_channel_that_it_is_told() {
    let samples = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    for channel in [json!("b"), json!(1)] {
        let given = with_metadata(&labelled(&["a", "b"]), &samples, 0);
        let sent = run(&mut node("peaks", json!({"threshold": 0.5, "channel": channel})), vec![given]);
        assert_eq!((sent.len(), number(&sent[0], "channel")), (1, 1.0));
    }
    let mut wrong = node("peaks", json!({"threshold": 0.5, "channel": "c"}));
    let said = complaint(&mut wrong, with_metadata(&labelled(&["a", "b"]), &samples, 0));
    assert!(said.contains("called a, b"), "{said}");
    let said = complaint(&mut node("peaks", json!({"threshold": 1})), with_metadata(&without_rate(1), &[0.0], 0));
    assert!(said.contains("no sampling rate"), "{said}");
}

#[test]
fn peak_settings_that_cannot_work_are_refused() {
    assert!(refusal("peaks", json!({})).contains("threshold"));
    assert!(refusal("peaks", json!({"threshold": 0, "relative": true})).contains("must be above 0"));
    assert!(refusal("peaks", json!({"threshold": -1, "polarity": "both"})).contains("must be above 0"));
    assert!(refusal("peaks", json!({"threshold": 1, "refractory": -1})).contains("above zero"));
    assert!(refusal("peaks", json!({"threshold": 1, "polarity": "up"})).contains("up"));
}

ezrun::record! {
    /// A beat with a kind.
    pub struct Beat {
        /// What it is.
        pub kind: String,
        /// When it was.
        pub time_s: f64,
    }
}

fn record<T: Record>(record: &T) -> Owned {
    let mut bytes = Vec::new();
    codec::encode_into(record, &mut bytes).unwrap();
    Owned::new(Arc::new(Metadata::record(T::spec())), Buffer::from_slice(&bytes), Capture::stream_seconds(0.0))
}

fn rates(window: f64, times: &[f64]) -> Vec<(f64, f64)> {
    let beats = times.iter().map(|&time_s| record(&Beat { kind: "N".to_owned(), time_s })).collect();
    let sent = run(&mut node("event_rate", json!({ "window": window })), beats);
    sent.iter().map(|r| (number(r, "time_s"), number(r, "per_minute"))).collect()
}

#[test]
fn event_rate_is_sixty_over_the_mean_interval_in_the_window() {
    assert_eq!(rates(10.0, &[5.0]), []);
    assert_eq!(rates(10.0, &[0.0, 0.5, 1.5]), [(0.5, 120.0), (1.5, 80.0)]);
    assert_eq!(rates(2.0, &[0.0, 1.0, 2.0, 2.5, 3.0]), [(1.0, 60.0), (2.0, 60.0), (2.5, 80.0), (3.0, 90.0)]);
    assert_eq!(rates(2.0, &[0.0, 1.0, 9.0, 9.5]), [(1.0, 60.0), (9.5, 120.0)], "nothing after a gap but the gap");
    assert_eq!(rates(10.0, &[0.0, 1.0, 1.0, 0.5]), [(1.0, 60.0), (1.0, 120.0), (1.0, 180.0)], "out of order");
}

ezrun::record! {
    /// Nothing that has a time.
    pub struct Timeless {
        /// Any number.
        pub value: f64,
    }
}

#[test]
fn event_rate_needs_records_with_a_time() {
    let mut node = node("event_rate", json!({}));
    assert_eq!(
        complaint(&mut node, record(&Timeless { value: 1.0 })),
        "the record Timeless has no field `time_s`; it has value"
    );
    let said = complaint(&mut node, message(&[0.0], 1, 0));
    assert!(said.contains("f64[time, channel=1]") && said.contains("records with a field `time_s`"), "{said}");
    assert!(complaint(&mut node, record(&Beat { kind: String::new(), time_s: f64::NAN })).contains("NaN"));
    assert!(refusal("event_rate", json!({"window": 0})).contains("above zero"));
}

#[test]
fn rate_limit_lets_everything_through_and_not_faster_than_told() {
    let begun = Instant::now();
    let given: Vec<Owned> = (0..11).map(|i| message(&[f64::from(i)], 1, 0)).collect();
    let address = given[10].payload.as_ptr();
    let sent = run(&mut node("rate_limit", json!({"rate": 500})), given);
    assert!(begun.elapsed() >= Duration::from_millis(20), "ten intervals of 2 ms");
    assert_eq!(joined(&sent), (0..11).map(f64::from).collect::<Vec<_>>());
    assert_eq!(sent[10].payload.as_ptr(), address, "an owned message is moved on");
}

#[test]
fn rate_limit_refuses_rates_that_let_nothing_through() {
    for rate in [json!(0), json!(-1)] {
        assert!(refusal("rate_limit", json!({ "rate": rate })).contains("is not above 0"));
    }
    assert!(refusal("rate_limit", json!({"rate": 1e-300})).contains("so low that nothing would go through"));
}

/// The recording and the settings of `graphs/ecg.yaml`, beside the beats that another detector has found.
#[test]
fn the_heart_rate_of_a_real_electrocardiogram_is_right() {
    let theirs = reference("ecg_beats_s");
    let csv = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/graphs/data/ecg.csv")).unwrap();
    let ecg: Vec<f64> = csv.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    let blocks = ecg.chunks(36).enumerate().map(|(i, block)| message(block, 1, 36 * i)).collect();
    let band = run(&mut node("bandpass", json!({"low": 5, "high": 15, "order": 2})), blocks);
    let settings = json!({"threshold": 1.25, "relative": true, "polarity": "both", "refractory": "250 ms"});
    let beats = run(&mut node("peaks", settings), band);
    let ours: Vec<f64> = beats.iter().map(|beat| number(beat, "time_s")).collect();

    let without_match =
        |these: &[f64], those: &[f64]| these.iter().filter(|a| those.iter().all(|b| (*a - b).abs() > 0.15)).count();
    let (extra, missed) = (without_match(&ours, &theirs), without_match(&theirs, &ours));
    let mean = |times: &[f64]| 60.0 * (times.len() - 1) as f64 / (times[times.len() - 1] - times[0]);
    println!(
        "{} beats, {:.2} per minute; theirs {}, {:.2}; {extra} extra, {missed} missed",
        ours.len(),
        mean(&ours),
        theirs.len(),
        mean(&theirs)
    );
    assert!(extra <= 4 && missed <= 8, "{extra} extra, {missed} missed");
    assert!((mean(&ours) - mean(&theirs)).abs() < 1.0);

    let rates = run(&mut node("event_rate", json!({"window": 300})), beats);
    let last = number(rates.last().unwrap(), "per_minute");
    assert!((last - mean(&ours)).abs() < 1e-9, "{last}");
}
