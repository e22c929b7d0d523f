//! The filters: equal to SciPy's, whatever the blocks, in place, with state that is kept.

use crate::support::*;
use ezrun::message::{DType, Metadata, TensorSpec};
use ezrun::node::InputId;
use serde_json::{Value, json};
use std::sync::Arc;

fn cases() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("bandpass", json!({"low": 5, "high": 15}), "bandpass_5_15_order_2"),
        ("bandpass", json!({"low": 1, "high": 150, "order": 3}), "bandpass_1_150_order_3"),
        ("bandpass", json!({"low": 8, "high": 12, "order": 6}), "bandpass_8_12_order_6"),
        ("lowpass", json!({"cutoff": 40, "order": 5}), "lowpass_40_order_5"),
        ("highpass", json!({"cutoff": 0.5, "order": 4}), "highpass_0.5_order_4"),
        ("notch", json!({"frequency": 50}), "notch_50_q_30"),
        ("notch", json!({"frequency": 50, "width": 50.0 / 30.0}), "notch_50_q_30"),
    ]
}

#[test]
fn filters_equal_scipy_across_uneven_blocks() {
    for (name, settings, expected) in cases() {
        let sent = run(&mut node(name, settings), uneven(&reference("input"), message));
        println!("{expected}");
        assert_equals_scipy(&joined(&sent), &reference(expected));
    }
}

#[test]
fn filters_compute_f32_signals_in_f64() {
    for (name, settings, expected) in cases() {
        let sent = run(&mut node(name, settings), uneven(&reference("input"), message_f32));
        assert_eq!(sent[0].metadata.tensor_spec().unwrap().dtype, DType::F32);
        assert_close(&joined(&sent), &reference(expected), 1e-6);
    }
}

#[test]
fn a_filter_writes_into_the_buffer_that_it_was_given() {
    for (name, settings, _) in cases() {
        let given = message(&reference("input"), 2, 0);
        let address = given.payload.as_ptr();
        let mut filter = node(name, settings);
        filter.send(InputId(0), given).unwrap();
        let sent = filter.sent(0).remove(0);
        assert_eq!(sent.payload.as_ptr(), address, "{name} has not moved the payload");
        assert_ne!(joined(&[sent]), reference("input"));
    }
}

#[test]
fn a_corner_above_half_the_rate_names_setting_and_rate() {
    let samples = [0.0; 4];
    let said = complaint(&mut node("bandpass", json!({"low": 5, "high": 180})), message(&samples, 2, 0));
    assert_eq!(said, "`high` is 180 Hz, but a signal at 360 Hz has frequencies below 180 Hz only");
    let said = complaint(&mut node("lowpass", json!({"cutoff": 500})), message(&samples, 2, 0));
    assert!(said.contains("`cutoff` is 500 Hz") && said.contains("360 Hz"), "{said}");
    let said = complaint(&mut node("notch", json!({"frequency": 190})), message(&samples, 2, 0));
    assert!(said.contains("`frequency` is 190 Hz"), "{said}");
    let said = complaint(&mut node("highpass", json!({"cutoff": 1e-9, "order": 2})), message(&samples, 2, 0));
    assert!(said.contains("too low"), "{said}");
}

#[test]
fn a_notch_that_reaches_the_end_of_the_spectrum_is_refused_with_its_band() {
    let said = |settings| complaint(&mut node("notch", settings), message(&[0.0; 4], 2, 0));
    assert_eq!(
        said(json!({"frequency": 150, "width": 90})),
        "`width` is 90 Hz, which takes out the band from 105 to 195 Hz, but a signal at 360 Hz has frequencies from 0 \
         to 180 Hz: give a `width` below 60 Hz"
    );
    let low = said(json!({"frequency": 40, "q": 0.4}));
    assert!(low.starts_with("`q` is 0.4, which takes out the band from -10 to 90 Hz"), "{low}");
    assert!(low.ends_with("give a `q` above 0.5"), "{low}");
}

#[test]
fn a_signal_without_rate_or_of_another_kind_is_refused() {
    let mut filter = node("lowpass", json!({"cutoff": 40}));
    let said = complaint(&mut filter, with_metadata(&without_rate(2), &[0.0; 4], 0));
    assert_eq!(said, "the signal has no sampling rate: set `rate` at the source that it comes from");
    let said = complaint(&mut filter, with_metadata(&Arc::new(Metadata::bytes()), &[0.0; 4], 0));
    assert_eq!(said, "the message is bytes, and this node takes a signal, a tensor [time, channel]");
    let whole = Arc::new(Metadata::tensor(TensorSpec::signal(DType::I64, RATE, 2)));
    let said = complaint(&mut filter, with_metadata(&whole, &[0.0; 4], 0));
    assert_eq!(said, "the signal holds i64 numbers, and this node takes f64 or f32");
}

#[test]
fn a_signal_that_changes_under_way_is_refused() {
    let mut filter = node("lowpass", json!({"cutoff": 40}));
    filter.send(InputId(0), message(&[0.0; 4], 2, 0)).unwrap();
    let said = complaint(&mut filter, message(&[0.0; 3], 3, 2));
    assert!(said.contains("from 2 channels of f64 at 360 Hz to 3 channels of f64 at 360 Hz"), "{said}");
    let faster = Arc::new(Metadata::tensor(TensorSpec::signal(DType::F64, 500.0, 2)));
    assert!(complaint(&mut filter, with_metadata(&faster, &[0.0; 4], 2)).contains("at 500 Hz"));
}

#[test]
fn settings_that_make_no_filter_are_refused() {
    assert_eq!(refusal("bandpass", json!({"low": 15, "high": 5})), "`low` is 15 Hz, and it must be below `high`, 5 Hz");
    assert!(refusal("bandpass", json!({"low": 5, "high": 15, "order": 0})).contains("`order` is 0"));
    assert!(refusal("lowpass", json!({"cutoff": -1})).contains("-1 is not above 0"));
    assert!(refusal("highpass", json!({})).contains("cutoff"));
    assert!(refusal("notch", json!({"frequency": 50, "q": 30, "width": 2})).contains("give one of them"));
    assert!(refusal("notch", json!({"frequency": 50, "q": 0})).contains("0 is not above 0"));
    assert!(refusal("notch", json!({"frequency": 50, "quality": 3})).contains("quality"));
}
