//! `csv_source` and `csv_sink`.

use crate::support::{Folder, bytes, refusal, tensor, values};
use ezrun::message::{Axis, Buffer, Capture, DType, Dim, Metadata, Owned, Record, TensorSpec, codec};
use serde_json::json;
use std::sync::Arc;

ezrun::record! {
    /// A record for these tests.
    pub struct Beat {
        /// Seconds.
        pub time_s: f64,
        /// A name.
        pub label: String,
        /// A number.
        pub count: u64,
        /// Numbers.
        pub shape: Vec<f64>,
    }
}

fn beat(time_s: f64, label: &str) -> Owned {
    let record = Beat { time_s, label: label.to_owned(), count: 7, shape: vec![1.0, 2.5] };
    let mut payload = Vec::new();
    codec::encode_into(&record, &mut payload).unwrap();
    let metadata = Arc::new(Metadata::record(Beat::spec()));
    Owned::new(metadata, Buffer::from_slice(&payload), Capture::stream_seconds(9.0))
}

fn labels(message: &Owned) -> &Axis {
    &message.metadata.tensor_spec().unwrap().dims[1].axis
}

#[test]
fn columns_become_channels_with_labels_in_blocks() {
    let folder = Folder::new();
    folder.write("a.csv", "x,y\n1,2\n3,-4e-1\n 5 ,6\n");
    let sent = folder.produced("csv_source", json!({ "path": "a.csv", "rate": 2, "block": 2 }));
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[1].tensor().unwrap().shape, [1, 2], "the last block is shorter");
    assert_eq!(values(&sent), [1.0, 2.0, 3.0, -0.4, 5.0, 6.0]);
    assert_eq!(*labels(&sent[0]), Axis::Labels(vec!["x".to_owned(), "y".to_owned()]));
    assert_eq!(sent[1].header.capture, Capture::stream_seconds(1.0));
    assert_eq!(sent[0].metadata.tensor_spec().unwrap().rate_hz(), Some(2.0));
    assert!(Arc::ptr_eq(&sent[0].metadata, &sent[1].metadata));
}

#[test]
fn a_file_without_names_loses_no_row() {
    let folder = Folder::new();
    folder.write("a.csv", "1,2\n3,4\n");
    let sent = folder.produced("csv_source", json!({ "path": "a.csv" }));
    assert_eq!(values(&sent), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(*labels(&sent[0]), Axis::Index);
    folder.write("years.csv", "2020,2021\n3,4\n");
    let sent = folder.produced("csv_source", json!({ "path": "years.csv", "header": true }));
    assert_eq!(values(&sent), [3.0, 4.0]);
}

#[test]
fn columns_are_chosen_by_name_or_by_place_in_the_order_of_the_list() {
    let folder = Folder::new();
    folder.write("a.csv", "when,x,y\nnoon,1,2\nnight,3,4\n");
    let sent = folder.produced("csv_source", json!({ "path": "a.csv", "columns": ["y", 1] }));
    assert_eq!(values(&sent), [2.0, 1.0, 4.0, 3.0]);
    assert_eq!(*labels(&sent[0]), Axis::Labels(vec!["y".to_owned(), "x".to_owned()]));
}

#[test]
fn a_column_that_is_not_there_is_told_with_a_suggestion() {
    let folder = Folder::new();
    folder.write("a.csv", "ecg_mv,time\n1,2\n");
    let error = |column| folder.source_error("csv_source", json!({ "path": "a.csv", "columns": [column] }));
    assert!(error(json!("ecg_mV2")).ends_with("has no column \"ecg_mV2\"; did you mean \"ecg_mv\"?"));
    assert!(error(json!("pressure")).ends_with("has no column \"pressure\"; there are \"ecg_mv\", \"time\""));
    assert!(error(json!(2)).ends_with("has no column 2: it has 2 columns, counted from 0"));
    folder.write("a.csv", "1,2\n");
    assert!(error(json!("x")).contains("has no row of names"));
    assert_eq!(refusal("csv_source", json!({ "path": "a.csv", "columns": [] })).0.as_deref(), Some("columns"));
    assert!(refusal("csv_source", json!({ "path": "a.csv", "columns": [-1] })).1.contains("-1 is no column"));
}

#[test]
fn a_malformed_cell_is_named_by_line_and_column_after_what_came_before() {
    let folder = Folder::new();
    folder.write("a.csv", "x,y\n1,2\n\n3,4\n5,6O\n7,8\n");
    let (sent, outcome) = folder.produce("csv_source", json!({ "path": "a.csv", "block": 10 }));
    assert_eq!(values(&sent), [1.0, 2.0, 3.0, 4.0]);
    let error = outcome.unwrap_err();
    assert!(error.contains("a.csv, line 5, column 2 (\"y\"): \"6O\" is no number"), "{error}");
}

#[test]
fn an_empty_cell_and_a_row_of_another_length_are_refused() {
    let folder = Folder::new();
    folder.write("a.csv", "x,y\n1,\n");
    assert!(
        folder
            .source_error("csv_source", json!({ "path": "a.csv" }))
            .contains("line 2, column 2 (\"y\"): an empty cell")
    );
    folder.write("a.csv", "x,y\n1,2\n3\n");
    let error = folder.source_error("csv_source", json!({ "path": "a.csv" }));
    assert!(error.contains("line 3: 1 cell where the first row has 2"), "{error}");
}

#[test]
fn a_quote_that_is_never_closed_is_told_with_its_line() {
    let folder = Folder::new();
    for end in ["\"4", "\"4\n5\n", "\"", "\"4\"\""] {
        folder.write("a.csv", format!("x\n1\n\n2\n{end}"));
        let (sent, outcome) = folder.produce("csv_source", json!({ "path": "a.csv" }));
        assert_eq!(values(&sent), [1.0, 2.0]);
        let error = outcome.unwrap_err();
        assert!(error.contains("a.csv, line 5: a quote is opened in this row and never closed"), "{end:?}: {error}");
    }
    folder.write("a.csv", "\"x\"\n\"1\"\n\"2\"");
    assert_eq!(values(&folder.produced("csv_source", json!({ "path": "a.csv" }))), [1.0, 2.0]);
}

#[test]
fn names_without_numbers_below_are_no_recording() {
    let folder = Folder::new();
    folder.write("a.csv", "x,y\n");
    let error = folder.source_error("csv_source", json!({ "path": "a.csv" }));
    assert!(error.ends_with("a.csv has a row of names and nothing below it: there are no samples"), "{error}");
}

#[test]
fn a_number_too_large_is_refused_and_infinity_is_not() {
    let folder = Folder::new();
    folder.write("a.csv", "x\n-inf\nNaN\n1e400\n");
    let (sent, outcome) = folder.produce("csv_source", json!({ "path": "a.csv" }));
    assert_eq!(values(&sent)[0], f64::NEG_INFINITY);
    let error = outcome.unwrap_err();
    assert!(error.contains("line 4, column 1 (\"x\"): \"1e400\" is too large for a number"), "{error}");
}

#[test]
fn a_cell_is_shown_in_short_and_without_control_characters() {
    let folder = Folder::new();
    folder.write("a.csv", format!("x\n\"\x1b[2J\n{}\"\n", "y".repeat(1000)));
    let error = folder.source_error("csv_source", json!({ "path": "a.csv" }));
    assert!(error.contains(r#""\u{1b}[2J\nyyy"#), "{error}");
    assert!(!error.contains(char::is_control) && !error.contains(&"y".repeat(40)), "{error}");
}

#[test]
fn a_missing_file_is_told_with_its_full_path_and_what_paths_are_relative_to() {
    let folder = Folder::new();
    let error = folder.source_error("csv_source", json!({ "path": "data/none.csv" }));
    let full = folder.file("data/none.csv");
    assert!(error.starts_with(&format!("cannot read {}: No such file", full.display())), "{error}");
    assert!(error.contains("paths are relative to the folder of the graph file"), "{error}");
    folder.write("a.csv", "");
    assert!(folder.source_error("csv_source", json!({ "path": "a.csv" })).ends_with("is empty: it has no row at all"));
    assert!(folder.source_error("csv_source", json!({ "path": "." })).contains("it is a folder, not a file"));
}

#[test]
fn samples_are_rows_with_their_time() {
    let folder = Folder::new();
    let spec = TensorSpec::signal(DType::F64, 360.0, 1);
    let spec = TensorSpec {
        dims: vec![spec.dims[0].clone(), spec.dims[1].clone().axis(Axis::Labels(vec!["ecg, mV".into()]))],
        ..spec
    };
    let messages = [tensor(spec.clone(), 0.1, &[1.5, 1e-9]), tensor(spec, 0.1 + 2.0 / 360.0, &[f64::NAN])];
    folder.sink("csv_sink", json!({ "path": "out/new/a.csv" }), &messages).unwrap();
    let expected = "time_s,\"ecg, mV\"\n0.1,1.5\n0.102777778,1e-9\n0.105555556,NaN\n";
    assert_eq!(folder.text("out/new/a.csv"), expected);
}

#[test]
fn the_time_can_be_left_out_and_numbers_keep_their_precision() {
    let folder = Folder::new();
    let message = tensor(TensorSpec::signal(DType::F32, 10.0, 2), 0.0, &[0.1f32, 2.0]);
    folder.sink("csv_sink", json!({ "path": "a.csv", "time": false }), &[message]).unwrap();
    assert_eq!(folder.text("a.csv"), "channel_0,channel_1\n0.1,2\n");
    let message = tensor(TensorSpec::signal(DType::U64, 10.0, 1), 0.0, &[u64::MAX]);
    folder.sink("csv_sink", json!({ "path": "a.csv" }), &[message]).unwrap();
    assert_eq!(folder.text("a.csv"), format!("time_s,channel_0\n0,{}\n", u64::MAX));
}

#[test]
fn bands_run_down_the_rows_and_channels_across() {
    let folder = Folder::new();
    let bands = Axis::Labels(vec!["alpha".into(), "beta".into()]);
    let spec = TensorSpec::new(DType::F64).dim(Dim::new("band", 2).axis(bands)).dim(Dim::new("channel", 2));
    folder.sink("csv_sink", json!({ "path": "a.csv" }), &[tensor(spec, 2.0, &[1.0, 2.0, 3.0, 4.0])]).unwrap();
    assert_eq!(folder.text("a.csv"), "time_s,band,channel_0,channel_1\n2,alpha,1,2\n2,beta,3,4\n");
}

#[test]
fn other_dimensions_keep_their_meaning() {
    let folder = Folder::new();
    let frequency = Axis::Linear { start: 0.0, step: 0.5, unit: "Hz".into() };
    let spec =
        TensorSpec::new(DType::F64).dim(Dim::new("frequency", 2).axis(frequency.clone())).dim(Dim::new("channel", 1));
    folder.sink("csv_sink", json!({ "path": "a.csv" }), &[tensor(spec, 0.0, &[1.0, 2.0])]).unwrap();
    assert_eq!(folder.text("a.csv"), "time_s,frequency_hz,channel_0\n0,0,1\n0,0.5,2\n");
    let spec = TensorSpec::new(DType::F64).dim(Dim::new("frequency", 2).axis(frequency));
    folder.sink("csv_sink", json!({ "path": "a.csv" }), &[tensor(spec, 0.0, &[1.0, 2.0])]).unwrap();
    assert_eq!(folder.text("a.csv"), "time_s,0 Hz,0.5 Hz\n0,1,2\n");
    let spec = TensorSpec::new(DType::F64).dim(Dim::time(4.0));
    folder.sink("csv_sink", json!({ "path": "a.csv" }), &[tensor(spec, 1.0, &[1.0, 2.0])]).unwrap();
    assert_eq!(folder.text("a.csv"), "time_s,value\n1,1\n1.25,2\n");
}

#[test]
fn records_are_rows_with_their_fields_for_names() {
    let folder = Folder::new();
    let messages = [beat(0.5, "plain"), beat(1.5, "with, \"comma\"")];
    folder.sink("csv_sink", json!({ "path": "a.csv" }), &messages).unwrap();
    let expected = "time_s,label,count,shape\n0.5,plain,7,1 2.5\n1.5,\"with, \"\"comma\"\"\",7,1 2.5\n";
    assert_eq!(folder.text("a.csv"), expected);
}

#[test]
fn what_csv_sink_wrote_csv_source_reads() {
    let folder = Folder::new();
    let numbers = [0.1, -2.5e-7, 1e300, 3.0, f64::MIN_POSITIVE, 1.0 / 3.0];
    let message = tensor(TensorSpec::signal(DType::F64, 10.0, 2), 0.0, &numbers);
    folder.sink("csv_sink", json!({ "path": "a.csv" }), &[message]).unwrap();
    let columns = json!(["channel_0", "channel_1"]);
    let sent = folder.produced("csv_source", json!({ "path": "a.csv", "columns": columns }));
    assert_eq!(values(&sent), numbers);
}

#[test]
fn a_table_keeps_its_columns_and_bytes_are_none() {
    let folder = Folder::new();
    let signal = |channels| tensor(TensorSpec::signal(DType::F64, 10.0, channels), 0.0, &vec![1.0; channels]);
    let error = folder.sink("csv_sink", json!({ "path": "a.csv" }), &[signal(1), signal(2)]).unwrap_err();
    assert!(error.contains("other columns than before"), "{error}");
    assert_eq!(folder.text("a.csv"), "time_s,channel_0\n0,1\n", "what came before stays");
    let error = folder.sink("csv_sink", json!({ "path": "a.csv" }), &[bytes(b"hello")]).unwrap_err();
    assert!(error.contains("plain bytes are no table") && error.ends_with("write bytes with `file_sink`"), "{error}");
}
