//! `scale`, `rereference`, `select`: what becomes of each sample.

use crate::support::*;
use ezrun::message::{Axis, Buffer, Capture, DType, Metadata, Owned, TensorSpec};
use ezrun::node::InputId;
use serde_json::json;
use std::sync::Arc;

#[test]
fn scale_multiplies_then_adds_in_place() {
    let given = message(&[1.0, -2.0, 0.5, 4.0], 2, 3);
    let (address, capture) = (given.payload.as_ptr(), given.header.capture);
    let sent = run(&mut node("scale", json!({"gain": 1000, "offset": 1})), vec![given]);
    assert_eq!(joined(&sent), [1001.0, -1999.0, 501.0, 4001.0]);
    assert_eq!((sent[0].payload.as_ptr(), sent[0].header.capture), (address, capture));
    let sent = run(&mut node("scale", json!({"gain": 0.1})), vec![message_f32(&[3.0, 0.0], 2, 0)]);
    assert_eq!(joined(&sent), [f64::from(0.3_f32), 0.0]);
}

#[test]
fn scale_without_settings_changes_nothing_and_needs_a_signal() {
    assert_eq!(joined(&run(&mut node("scale", json!({})), vec![message(&[1.5, 2.5], 2, 0)])), [1.5, 2.5]);
    let said = complaint(&mut node("scale", json!({})), with_metadata(&Arc::new(Metadata::bytes()), &[0.0], 0));
    assert!(said.starts_with("the message is bytes"), "{said}");
    assert!(refusal("scale", json!({"gain": "ten"})).contains("ten"));
}

#[test]
fn rereference_subtracts_the_common_average_in_place() {
    let given = message(&[1.0, 2.0, 6.0, -1.0, 0.0, 1.0], 3, 0);
    let address = given.payload.as_ptr();
    let sent = run(&mut node("rereference", json!({})), vec![given]);
    assert_eq!(joined(&sent), [-2.0, -1.0, 3.0, -1.0, 0.0, 1.0]);
    assert_eq!(sent[0].payload.as_ptr(), address);
}

#[test]
fn rereference_takes_the_channels_that_it_is_told_by_label_or_index() {
    let samples = [1.0, 2.0, 6.0];
    let given = || with_metadata(&labelled(&["C3", "M1", "M2"]), &samples, 0);
    for reference in [json!(["M1", "M2"]), json!([1, 2]), json!(["M2", 1])] {
        let sent = run(&mut node("rereference", json!({ "reference": reference })), vec![given()]);
        assert_eq!(joined(&sent), [-3.0, -2.0, 2.0]);
    }
    let said = complaint(&mut node("rereference", json!({"reference": ["M3"]})), given());
    assert_eq!(said, "there is no channel `M3`: the channels are 0 to 2, called C3, M1, M2");
    assert!(refusal("rereference", json!({"reference": []})).contains("names no channel"));
}

#[test]
fn select_keeps_channels_with_their_labels_in_the_order_named() {
    let given = with_metadata(&labelled(&["a", "b", "c"]), &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 7);
    let capture = given.header.capture;
    let sent = run(&mut node("select", json!({"channels": ["c", 0]})), vec![given]);
    assert_eq!(joined(&sent), [3.0, 1.0, 6.0, 4.0]);
    let spec = sent[0].metadata.tensor_spec().unwrap();
    assert_eq!(spec.dims[1].axis, Axis::Labels(vec!["c".to_owned(), "a".to_owned()]));
    assert_eq!((spec.rate_hz().map(f64::round), sent[0].header.capture), (Some(RATE), capture));
    assert_eq!(sent[0].metadata.attributes["unit"], "mV");
}

#[test]
fn select_takes_any_element_type_and_also_views() {
    let metadata = Arc::new(Metadata::tensor(TensorSpec::signal(DType::I16, RATE, 3)));
    let bytes = bytemuck::cast_slice(&[1_i16, 2, 3, -4, -5, -6]).to_vec();
    let given = Owned::new(metadata, Buffer::from_slice(&bytes), Capture::stream_seconds(0.0));
    let mut select = node("select", json!({"channels": [1]}));
    select.show(InputId(0), &given).unwrap();
    assert_eq!(joined(&select.sent(0)), [2.0, -5.0]);
}

#[test]
fn select_names_the_channels_that_there_are() {
    let said = complaint(&mut node("select", json!({"channels": [2]})), message(&[0.0; 2], 2, 0));
    assert_eq!(said, "there is no channel 2: the channels are 0 to 1");
    let said = complaint(&mut node("select", json!({"channels": ["x"]})), with_metadata(&labelled(&["a"]), &[0.0], 0));
    assert_eq!(said, "there is no channel `x`: the only channel is 0, called a");
    assert!(refusal("select", json!({"channels": []})).contains("name those to keep"));
    assert!(refusal("select", json!({"channels": [-1]})).contains("index from 0"));
}
