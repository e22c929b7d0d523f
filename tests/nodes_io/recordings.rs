//! WAV and NPY, to and fro.

use crate::support::{Folder, tensor, values};
use ezrun::message::{Axis, Capture, DType, Dim, TensorSpec};
use serde_json::json;

fn signal(channels: usize, numbers: &[f64]) -> ezrun::message::Owned {
    tensor(TensorSpec::signal(DType::F64, 100.0, channels), 0.0, numbers)
}

/// An NPY file as NumPy writes it.
fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let dict = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    let text = format!("{dict:<117}\n");
    [b"\x93NUMPY\x01\x00".as_slice(), &(text.len() as u16).to_le_bytes(), text.as_bytes(), data].concat()
}

#[test]
fn from_csv_to_npy_to_wav_and_back_nothing_is_lost() {
    let folder = Folder::new();
    folder.write("a.csv", "x,y\n0.5,-0.25\n0.125,0\n-1,0.75\n");
    let from_csv = folder.produced("csv_source", json!({ "path": "a.csv", "rate": 250, "block": 2 }));
    folder.sink("npy_sink", json!({ "path": "a.npy" }), &from_csv).unwrap();
    let from_npy = folder.produced("npy_source", json!({ "path": "a.npy", "rate": 250, "block": 2 }));
    for format in ["f32", "i16"] {
        folder.sink("wav_sink", json!({ "path": "a.wav", "format": format }), &from_npy).unwrap();
        let from_wav = folder.produced("wav_source", json!({ "path": "a.wav", "block": 2 }));
        assert_eq!(values(&from_wav), values(&from_csv), "{format}");
        assert_eq!(from_wav[1].header.capture, Capture::stream_seconds(2.0 / 250.0));
        assert_eq!(from_wav[0].metadata.tensor_spec().unwrap().rate_hz(), Some(250.0));
        assert_eq!(from_wav.iter().map(|m| m.tensor().unwrap().shape[0]).collect::<Vec<_>>(), [2, 1]);
    }
}

#[test]
fn a_wav_file_is_one_that_others_read() {
    let folder = Folder::new();
    folder.sink("wav_sink", json!({ "path": "a.wav", "format": "i16" }), &[signal(1, &[2.0, -2.0, 0.5])]).unwrap();
    let mut reader = hound::WavReader::open(folder.file("a.wav")).unwrap();
    let read: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    assert_eq!(read, [32767, -32768, 16384], "clipped, not wrapped");
    let bytes = folder.bytes("a.wav");
    assert_eq!(bytes.len(), 44 + 6);
    assert_eq!(bytes[4..8], (bytes.len() as u32 - 8).to_le_bytes(), "the length of the whole is right too");
}

#[test]
fn whole_numbers_of_a_wav_file_are_scaled() {
    let folder = Folder::new();
    let spec =
        hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 24, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(folder.file("a.wav"), spec).unwrap();
    for x in [-(1 << 23), 1 << 22, 0] {
        writer.write_sample(x).unwrap();
    }
    writer.finalize().unwrap();
    assert_eq!(values(&folder.produced("wav_source", json!({ "path": "a.wav" }))), [-1.0, 0.5, 0.0]);
}

#[test]
fn a_truncated_wav_file_gives_what_it_has_and_then_an_error() {
    let folder = Folder::new();
    folder.sink("wav_sink", json!({ "path": "a.wav" }), &[signal(2, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])]).unwrap();
    let whole = folder.bytes("a.wav");
    folder.write("a.wav", &whole[..whole.len() - 3]);
    let (sent, outcome) = folder.produce("wav_source", json!({ "path": "a.wav" }));
    assert_eq!(values(&sent), [0.0, 1.0, 2.0, 3.0], "no half samples");
    let error = outcome.unwrap_err();
    assert!(error.ends_with("a.wav is truncated: it ends after 2 of 3 samples per channel"), "{error}");
    folder.write("a.wav", "This is no sound at all, but text.");
    assert!(folder.source_error("wav_source", json!({ "path": "a.wav" })).contains("is no WAV file that can be read"));
}

#[test]
fn a_wav_file_that_was_never_finished_is_told_from_an_empty_one() {
    let folder = Folder::new();
    folder.sink("wav_sink", json!({ "path": "a.wav", "format": "i16" }), &[signal(1, &[0.5, 0.25, 0.125])]).unwrap();
    let mut file = folder.bytes("a.wav");
    file[40..44].fill(0);
    folder.write("a.wav", &file);
    let error = folder.source_error("wav_source", json!({ "path": "a.wav" }));
    assert!(error.contains("was never finished: its header tells of no samples, but 6 bytes follow"), "{error}");
    folder.write("a.wav", [&file[..44], b"LIST\x04\0\0\0abcd"].concat());
    assert!(folder.produced("wav_source", json!({ "path": "a.wav" })).is_empty());
    folder.write("a.wav", &file[..20]);
    let error = folder.source_error("wav_source", json!({ "path": "a.wav" }));
    assert!(error.contains("a.wav is no complete WAV file: it ends within its header"), "{error}");
}

#[test]
fn no_byte_of_a_header_makes_a_source_panic() {
    let folder = Folder::new();
    let message = [signal(2, &[0.0, 1.0, 2.0, 3.0])];
    folder.sink("wav_sink", json!({ "path": "ok.wav" }), &message).unwrap();
    folder.sink("npy_sink", json!({ "path": "ok.npy" }), &message).unwrap();
    for (name, node_type) in [("ok.wav", "wav_source"), ("ok.npy", "npy_source")] {
        let whole = folder.bytes(name);
        for at in 0..whole.len().min(100) {
            for value in [0, 1, 2, 0x7f, 0xff] {
                let mut broken = whole.clone();
                broken[at] = value;
                folder.write("broken", &broken);
                // Whatever comes of it, an error or other numbers, it comes without a panic.
                let _ = folder.produce(node_type, json!({ "path": "broken" }));
            }
        }
    }
}

#[test]
fn a_wav_file_cannot_hold_everything() {
    let folder = Folder::new();
    let error = |spec: TensorSpec| {
        let message = tensor(spec, 0.0, &[0.0f64]);
        folder.sink("wav_sink", json!({ "path": "a.wav" }), &[message]).unwrap_err()
    };
    assert!(error(TensorSpec::signal(DType::F64, 250.5, 1)).contains("not 250.5 Hz: `resample` it, or use `npy_sink`"));
    assert!(error(TensorSpec::new(DType::F64).dim(Dim::new("band", 1))).contains("is no signal"));
}

#[test]
fn arrays_of_all_number_types_orders_and_byte_orders_are_read() {
    let folder = Folder::new();
    let read = |file: Vec<u8>| {
        folder.write("a.npy", file);
        values(&folder.produced("npy_source", json!({ "path": "a.npy", "block": 2 })))
    };
    assert_eq!(read(npy("<i2", "False", "(3,)", &[1, 0, 0xff, 0xff, 0, 0x80])), [1.0, -1.0, -32768.0]);
    assert_eq!(read(npy(">i2", "False", "(2,)", &[0, 1, 0xff, 0xfe])), [1.0, -2.0]);
    assert_eq!(read(npy("|u1", "False", "(2, 2)", &[1, 2, 3, 255])), [1.0, 2.0, 3.0, 255.0]);
    assert_eq!(read(npy("|i1", "True", "(3, 2)", &[1, 2, 3, 4, 5, 6])), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(read(npy("<f4", "False", "(1,)", &0.1f32.to_le_bytes())), [f64::from(0.1f32)]);
    assert_eq!(read(npy(">f8", "False", "(1,)", &(-7.25f64).to_be_bytes())), [-7.25]);
    assert!(read(npy("<f8", "False", "(0, 4)", &[])).is_empty());
}

#[test]
fn arrays_that_are_no_signal_are_refused() {
    let folder = Folder::new();
    let error = |file: Vec<u8>| {
        folder.write("a.npy", file);
        folder.source_error("npy_source", json!({ "path": "a.npy" }))
    };
    let truncated = error(npy("<f8", "False", "(10, 2)", &[0; 100]));
    assert!(
        truncated.contains("is truncated: its header tells of 10 x 2 numbers of 8 bytes, but only 100"),
        "{truncated}"
    );
    assert!(error(npy("<f8", "False", "(1, 1, 1)", &[0; 8])).contains("has the shape [1, 1, 1]: one dimension (time)"));
    assert!(error(npy("<c8", "False", "(1,)", &[0; 8])).contains("only whole numbers and floating-point numbers"));
    assert!(error(b"\x93NUMPY\x01\x00".to_vec()).ends_with("is no complete NPY file: it ends within its header"));
    assert!(error(b"hello, world".to_vec()).contains("is no NPY file"));
}

#[test]
fn tensors_of_a_fixed_shape_are_stacked_and_keep_their_type() {
    let folder = Folder::new();
    let bands = Dim::new("band", 2).axis(Axis::Labels(vec!["a".into(), "b".into()]));
    let spec = TensorSpec::new(DType::F32).dim(bands).dim(Dim::new("channel", 1));
    let messages = [tensor(spec.clone(), 0.0, &[1.0f32, 2.0]), tensor(spec, 1.0, &[3.0f32, 4.0])];
    folder.sink("npy_sink", json!({ "path": "a.npy" }), &messages).unwrap();
    let file = std::fs::File::open(folder.file("a.npy")).unwrap();
    let array = npyz::NpyFile::new(file).unwrap();
    assert_eq!(array.shape(), [2, 2, 1]);
    assert_eq!(array.into_vec::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_recording_of_nothing_can_be_opened() {
    let folder = Folder::new();
    folder.sink("npy_sink", json!({ "path": "a.npy" }), &[]).unwrap();
    folder.sink("wav_sink", json!({ "path": "a.wav" }), &[]).unwrap();
    assert!(folder.produced("npy_source", json!({ "path": "a.npy" })).is_empty());
    assert!(folder.produced("wav_source", json!({ "path": "a.wav" })).is_empty());
}

#[test]
fn a_recording_that_is_cut_short_is_whole_as_far_as_it_goes() {
    let folder = Folder::new();
    for (sink, source) in [("npy_sink", "npy_source"), ("wav_sink", "wav_source")] {
        let mut node = crate::support::node(sink, json!({ "path": "out/a" }));
        node.start(folder.path()).unwrap();
        node.send(ezrun::node::InputId(0), signal(1, &[0.5, 0.25])).unwrap();
        // Nobody calls `stop`, as when another node fails or this one panics.
        drop(node);
        assert_eq!(values(&folder.produced(source, json!({ "path": "out/a" }))), [0.5, 0.25], "{sink}");
    }
}

#[test]
fn an_array_holds_one_kind_of_message() {
    let folder = Folder::new();
    let messages = [signal(1, &[1.0]), signal(2, &[1.0, 2.0])];
    let error = folder.sink("npy_sink", json!({ "path": "a.npy" }), &messages).unwrap_err();
    assert!(error.contains("have changed from f64 in rows of [1] to f64 in rows of [2]"), "{error}");
    assert_eq!(values(&folder.produced("npy_source", json!({ "path": "a.npy" }))), [1.0]);
}
