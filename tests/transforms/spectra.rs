//! `spectrum` and `band_power`: SciPy's figures, and the power that was put in.

use crate::support::*;
use ezrun::message::{Axis, DType, Owned};
use ezrun::node::InputId;
use serde_json::{Value, json};
use std::f64::consts::PI;

fn spectrum(settings: Value, block: Owned) -> Owned {
    let mut node = node("spectrum", settings);
    let sent = run(&mut node, vec![block]);
    assert_eq!(sent.len(), 1);
    sent.into_iter().next().unwrap()
}

#[test]
fn spectra_equal_scipy() {
    let input = reference("input");
    for (settings, samples, expected) in [
        (json!({"segment": 128}), 600, "welch_hann_128"),
        (json!({"segment": 125, "overlap": 0.25, "taper": "boxcar", "detrend": "none"}), 600, "welch_boxcar_125_plain"),
        (json!({}), 600, "periodogram_hann"),
        (json!({"method": "single"}), 600, "periodogram_hann"),
        (json!({"method": "single"}), 299, "periodogram_hann_299"),
    ] {
        let sent = spectrum(settings, message(&input[..2 * samples], 2, 0));
        assert_equals_scipy(&joined(&[sent]), &reference(expected));
    }
    let sent = spectrum(json!({"segment": 128}), message_f32(&input, 2, 0));
    assert_close(&joined(&[sent]), &reference("welch_hann_128"), 1e-6);
}

#[test]
fn a_spectrum_says_its_frequencies_labels_unit_and_time() {
    let given = with_metadata(&labelled(&["a", "b"]), &[0.0; 200], 36);
    let capture = given.header.capture;
    let sent = spectrum(json!({}), given);
    let spec = sent.metadata.tensor_spec().unwrap();
    assert_eq!(spec.to_string(), "f64[frequency=51, channel=2]");
    assert_eq!(spec.dims[0].axis, Axis::Linear { start: 0.0, step: 3.6, unit: "Hz".to_owned() });
    assert_eq!(spec.dims[1].axis, Axis::Labels(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!((sent.metadata.attributes["unit"].as_str(), sent.header.capture), ("mV²/Hz", capture));
}

#[test]
fn every_block_has_its_spectrum_and_metadata_is_shared_while_it_stays() {
    let mut node = node("spectrum", json!({}));
    let sent = run(&mut node, [100, 100, 0, 50].map(|n| message(&vec![1.0; 2 * n], 2, 0)).into());
    let bins: Vec<usize> = sent.iter().map(|m| m.tensor().unwrap().shape[0]).collect();
    assert_eq!(bins, [51, 51, 26]);
    assert!(std::sync::Arc::ptr_eq(&sent[0].metadata, &sent[1].metadata));
}

#[test]
fn spectrum_settings_that_do_not_fit_are_refused() {
    assert!(
        refusal("spectrum", json!({"method": "single", "segment": 64})).contains("no meaning with `method: single`")
    );
    assert!(refusal("spectrum", json!({"method": "single", "overlap": 0.1})).contains("`overlap`"));
    assert!(refusal("spectrum", json!({"segment": 1})).contains("2 or more"));
    assert!(refusal("spectrum", json!({"overlap": 1})).contains("0 to below 1"));
    assert!(refusal("spectrum", json!({"taper": "kaiser"})).contains("kaiser"));
    let said = complaint(&mut node("spectrum", json!({"segment": 64})), message(&[0.0; 20], 2, 0));
    assert_eq!(said, "a block of 10 samples is shorter than `segment`, 64: put a `window` node before this one");
    let said = complaint(&mut node("spectrum", json!({})), with_metadata(&without_rate(1), &[0.0; 9], 0));
    assert!(said.contains("no sampling rate"), "{said}");
}

/// Ten seconds of a 10 Hz sine of amplitude 2 (power 2) in one channel, a 20 Hz sine of amplitude 1 in the other.
fn two_sines() -> Owned {
    let at = |i: usize, hz: f64| (2.0 * PI * hz * i as f64 / RATE).sin();
    let samples: Vec<f64> = (0..3600).flat_map(|i| [2.0 * at(i, 10.0), at(i, 20.0)]).collect();
    with_metadata(&labelled(&["a", "b"]), &samples, 0)
}

fn powers(settings: Value) -> Owned {
    let density = spectrum(json!({"segment": 720}), two_sines());
    run(&mut node("band_power", settings), vec![density]).remove(0)
}

#[test]
fn the_power_of_a_sine_is_in_its_band() {
    let sent = powers(json!({"bands": {"beta": [15, 25], "alpha": [8, 12], "none": [30, 40]}}));
    let got = joined(std::slice::from_ref(&sent));
    for (got, expected) in got.iter().zip([0.0, 0.5, 2.0, 0.0, 0.0, 0.0]) {
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
    }
    let spec = sent.metadata.tensor_spec().unwrap();
    let names = ["beta", "alpha", "none"].map(str::to_owned).to_vec();
    assert_eq!((spec.dtype, &spec.dims[0].axis), (DType::F64, &Axis::Labels(names)));
    assert_eq!(spec.dims[1].axis, Axis::Labels(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(sent.metadata.attributes["unit"], "mV²");
}

#[test]
fn relative_band_power_is_a_share_of_the_whole() {
    let sent = powers(json!({"bands": {"alpha": [8, 12], "all": [0, 180]}, "relative": true}));
    for (got, expected) in joined(std::slice::from_ref(&sent)).iter().zip([1.0, 0.0, 1.0, 1.0]) {
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
    }
    assert!(!sent.metadata.attributes.contains_key("unit"));
}

#[test]
fn both_edges_of_a_band_belong_to_it() {
    // Bins are 0.5 Hz apart, and each of the sine's three bins (a hann window spreads it so) counts once.
    let whole = joined(&[powers(json!({"bands": {"b": [9.5, 10.5]}}))])[0];
    let lower = joined(&[powers(json!({"bands": {"b": [9.5, 9.6]}}))])[0];
    let upper = joined(&[powers(json!({"bands": {"b": [10.4, 10.5]}}))])[0];
    assert!((whole - 2.0).abs() < 1e-6 && (lower - 2.0 / 6.0).abs() < 1e-6 && (upper - lower).abs() < 1e-6);
}

#[test]
fn band_power_says_what_is_wrong() {
    assert!(refusal("band_power", json!({"bands": {}})).contains("name at least one band"));
    let said = refusal("band_power", json!({"bands": {"alpha": [12, 8]}}));
    assert_eq!(said, "band `alpha` is [12, 8], and it must go from a lower to a higher frequency");
    assert!(refusal("band_power", json!({"bands": [8, 12]})).contains("bands such as `alpha: [8, 12]`"));
    let mut node = node("band_power", json!({"bands": {"high": [200, 300]}}));
    let said = complaint(&mut node, spectrum(json!({"segment": 720}), two_sines()));
    assert!(said.contains("band `high`, 200 to 300 Hz, holds none of the spectrum's bins"), "{said}");
    assert!(said.contains("0.5 Hz apart and end at 180 Hz"), "{said}");
    let said = complaint(&mut node, message(&[0.0; 4], 2, 0));
    assert!(said.contains("f64[time, channel=2]") && said.contains("put a `spectrum` node before it"), "{said}");
    node.stop().unwrap();
    assert!(node.sent(0).is_empty());
    assert!(node.send(InputId(0), spectrum(json!({}), message(&[0.0; 4], 2, 0))).is_err());
}
