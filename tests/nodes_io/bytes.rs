//! `file_source`, `file_sink`, `stdin_source`, `stdout`, `digest`; and outputs that cannot be written.

use crate::support::{Folder, bytes, node, refusal, tensor};
use ezrun::message::{DType, Owned, TensorSpec};
use ezrun::node::{Flow, InputId};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};

fn payloads(messages: &[Owned]) -> Vec<&[u8]> {
    messages.iter().map(|m| &*m.payload).collect()
}

#[test]
fn a_file_is_read_in_chunks_or_by_lines() {
    let folder = Folder::new();
    folder.write("a.txt", "one\ntwo\n\nend");
    let read = |settings| folder.produced("file_source", settings);
    assert_eq!(payloads(&read(json!({ "path": "a.txt", "chunk": 5 }))), [b"one\nt".as_slice(), b"wo\n\ne", b"nd"]);
    assert_eq!(payloads(&read(json!({ "path": "a.txt", "lines": true }))), [b"one".as_slice(), b"two", b"", b"end"]);
    assert_eq!(payloads(&read(json!({ "path": "a.txt" }))), [b"one\ntwo\n\nend"]);
    folder.write("a.txt", "");
    assert!(read(json!({ "path": "a.txt" })).is_empty());
}

#[test]
fn chunks_and_lines_exclude_each_other() {
    for node_type in ["file_source", "stdin_source"] {
        let mut settings = json!({ "chunk": 5, "lines": true });
        if node_type == "file_source" {
            settings["path"] = "a.txt".into();
        }
        let (setting, message) = refusal(node_type, settings);
        assert_eq!(setting.as_deref(), Some("lines"));
        assert!(message.contains("exclude each other"), "{message}");
    }
}

#[test]
fn every_framing_comes_back_as_it_was() {
    let folder = Folder::new();
    let messages = [b"one".as_slice(), b"", b"two three"].map(bytes);
    folder.sink("file_sink", json!({ "path": "a", "framing": "length32" }), &messages).unwrap();
    let back = folder.produced("file_source", json!({ "path": "a", "length32": true }));
    assert_eq!(payloads(&back), payloads(&messages));
    folder.sink("file_sink", json!({ "path": "a", "framing": "lines" }), &messages).unwrap();
    let lines = folder.produced("file_source", json!({ "path": "a", "lines": true }));
    assert_eq!(payloads(&lines), payloads(&messages));
    folder.sink("file_sink", json!({ "path": "a" }), &messages).unwrap();
    assert_eq!(folder.text("a"), "onetwo three");
    folder.sink("file_sink", json!({ "path": "a" }), &lines).unwrap();
    assert_eq!(folder.text("a"), "one\n\ntwo three\n", "what was read as lines is written as lines");
}

#[test]
fn a_length32_file_that_ends_early_is_refused_after_what_is_whole() {
    let folder = Folder::new();
    folder.write("a", b"\x01\0\0\0x\x09\0\0\0yz");
    let (sent, outcome) = folder.produce("file_source", json!({ "path": "a", "length32": true }));
    assert_eq!(payloads(&sent), [b"x"]);
    let error = outcome.unwrap_err();
    assert!(error.contains(&folder.file("a").display().to_string()), "{error}");
    assert!(error.contains("ends in the middle of a message"), "{error}");
}

#[test]
fn tensors_are_written_as_their_bytes_or_as_lines() {
    let folder = Folder::new();
    let signal = tensor(TensorSpec::signal(DType::F64, 1.0, 2), 0.0, &[1.0, 2.5, 3.0, 4.0]);
    folder.sink("file_sink", json!({ "path": "a", "framing": "lines" }), std::slice::from_ref(&signal)).unwrap();
    assert_eq!(folder.text("a"), "1,2.5\n3,4\n");
    folder.sink("file_sink", json!({ "path": "a", "framing": "raw" }), std::slice::from_ref(&signal)).unwrap();
    assert_eq!(folder.bytes("a"), &*signal.payload);
}

#[test]
fn a_digest_is_that_of_all_bytes_and_counts_messages() {
    let folder = Folder::new();
    folder.sink("digest", json!({ "path": "out/d.txt" }), &[bytes(b"he"), bytes(b"llo")]).unwrap();
    assert_eq!(folder.text("out/d.txt"), format!("{} 2\n", blake3::hash(b"hello").to_hex()));
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let folder = Folder::new();
    let signal = || tensor(TensorSpec::signal(DType::F64, 10.0, 1), 0.0, &[1.0]);
    for sink in ["csv_sink", "file_sink", "npy_sink", "wav_sink", "digest"] {
        let error = folder.sink(sink, json!({ "path": "/dev/full" }), &[signal(), signal()]).unwrap_err();
        assert!(error.starts_with("cannot write /dev/full: No space left on device"), "{sink}: {error}");
    }
}

#[test]
fn a_full_disk_is_told_even_where_it_shows_only_at_the_end() {
    let folder = Folder::new();
    let error = folder.sink("digest", json!({ "path": "/dev/full" }), &[]).unwrap_err();
    assert!(error.contains("No space left on device"), "{error}");
    let error = folder.sink("npy_sink", json!({ "path": "/dev/full" }), &[]).unwrap_err();
    assert!(error.contains("No space left on device"), "{error}");
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_anything_flows() {
    let folder = Folder::new();
    folder.write("file", "");
    std::fs::create_dir(folder.file("folder")).unwrap();
    for sink in ["csv_sink", "file_sink", "npy_sink", "wav_sink", "digest"] {
        let error =
            |path| node(sink, json!({ "path": path })).start(folder.path()).map_err(|e| format!("{e:#}")).unwrap_err();
        assert!(error("folder").contains("folder: Is a directory"), "{sink}: {}", error("folder"));
        assert!(error("file/a").contains("cannot create the folder"), "{sink}: {}", error("file/a"));
    }
}

const FILE_SINKS: [&str; 5] = ["csv_sink", "file_sink", "npy_sink", "wav_sink", "digest"];

#[test]
fn a_run_that_fails_at_its_start_leaves_earlier_outputs_and_no_new_ones() {
    let folder = Folder::new();
    for sink in FILE_SINKS {
        folder.write("old", "an earlier output");
        for name in ["old", "new"] {
            let mut node = node(sink, json!({ "path": name }));
            node.start(folder.path()).unwrap();
            // Another node has failed to start: no message comes, and nobody calls `stop`.
            drop(node);
        }
        assert_eq!(folder.text("old"), "an earlier output", "{sink}");
        assert!(!folder.file("new").exists(), "{sink}");
    }
}

#[test]
fn an_earlier_output_is_replaced_as_a_whole_even_by_less() {
    let folder = Folder::new();
    let signal = tensor(TensorSpec::signal(DType::F64, 10.0, 1), 0.0, &[1.0]);
    for sink in FILE_SINKS {
        for messages in [&[][..], std::slice::from_ref(&signal)] {
            folder.write("old", "an earlier output, ".repeat(100));
            folder.sink(sink, json!({ "path": "old" }), messages).unwrap();
            folder.sink(sink, json!({ "path": "fresh" }), messages).unwrap();
            assert_eq!(folder.bytes("old"), folder.bytes("fresh"), "{sink}");
        }
    }
}

#[test]
fn the_digest_of_an_earlier_run_is_gone_once_messages_flow() {
    let folder = Folder::new();
    folder.write("d.txt", "an earlier digest");
    let mut node = node("digest", json!({ "path": "d.txt" }));
    node.start(folder.path()).unwrap();
    node.send(InputId(0), bytes(b"a")).unwrap();
    drop(node);
    assert_eq!(folder.text("d.txt"), "");
}

#[test]
fn the_path_is_required_and_unknown_settings_are_refused() {
    for node_type in [
        "csv_source",
        "wav_source",
        "npy_source",
        "file_source",
        "csv_sink",
        "wav_sink",
        "npy_sink",
        "file_sink",
        "digest",
    ] {
        assert!(refusal(node_type, json!({})).1.contains("missing field `path`"), "{node_type}");
        assert!(refusal(node_type, json!({ "path": "a", "pth": 1 })).1.contains("unknown field `pth`"), "{node_type}");
    }
    for node_type in ["check", "null", "counter", "sine", "timer", "stdout", "stdin_source"] {
        node(node_type, json!({}));
    }
}

#[test]
fn a_block_beyond_all_sense_is_refused_and_the_largest_is_not_allocated() {
    let folder = Folder::new();
    folder.write("a.csv", "1\n2\n");
    for source in ["csv_source", "wav_source", "npy_source"] {
        for block in [0, 16_777_217, 4_000_000_000u64] {
            let message = refusal(source, json!({ "path": "a", "block": block })).1;
            assert!(message.contains("a message holds 1 to 16777216 samples"), "{source}: {message}");
        }
    }
    assert_eq!(folder.produced("csv_source", json!({ "path": "a.csv", "block": 16_777_216 })).len(), 1);
}

#[test]
fn a_missing_file_is_told_by_every_source() {
    let folder = Folder::new();
    for source in ["csv_source", "wav_source", "npy_source", "file_source"] {
        let error = folder.source_error(source, json!({ "path": "none" }));
        assert!(error.contains("paths are relative to the folder of the graph file"), "{source}: {error}");
    }
}

#[test]
fn every_example_is_accepted() {
    for node_type in ezrun::nodes::registry().iter() {
        let description = node_type.description();
        let settings: Value = yaml_serde::from_str(&description.example).unwrap();
        assert!(node_type.make(settings).is_ok(), "{}", description.name);
    }
}

/// What `stdout` writes, given these messages.
fn written(settings: Value, messages: &[Owned]) -> Vec<u8> {
    let mut node = node("stdout", settings);
    let (mut reader, writer) = std::io::pipe().unwrap();
    node.start_with("/".as_ref(), None, Some(writer.into())).unwrap();
    for message in messages {
        assert_eq!(node.show(InputId(0), message).unwrap(), Flow::Continue);
    }
    drop(node);
    let mut written = Vec::new();
    reader.read_to_end(&mut written).unwrap();
    written
}

#[test]
fn stdout_writes_bytes_as_they_are_and_all_else_as_text() {
    let signal = tensor(TensorSpec::signal(DType::F64, 10.0, 2), 0.5, &[1.0, 2.0, 3.0, 4.0]);
    let lines = Folder::new();
    lines.write("a", "x\ny\n");
    let lines = lines.produced("file_source", json!({ "path": "a", "lines": true }));
    assert_eq!(written(json!({}), &[bytes(b"a"), bytes(b"b")]), b"ab");
    assert_eq!(written(json!({}), &lines), b"x\ny\n");
    assert_eq!(written(json!({ "format": "raw" }), std::slice::from_ref(&signal)), &*signal.payload);
    let text = |settings| String::from_utf8(written(settings, std::slice::from_ref(&signal))).unwrap();
    assert_eq!(text(json!({})), "time_s,channel_0,channel_1\n0.5,1,2\n0.6,3,4\n");
    assert_eq!(text(json!({ "format": "lines" })), "1,2\n3,4\n");
    let (first, second) = (
        json!({ "time_s": 0.5, "channel_0": 1.0, "channel_1": 2.0 }),
        json!({ "time_s": 0.6, "channel_0": 3.0, "channel_1": 4.0 }),
    );
    assert_eq!(text(json!({ "format": "json" })), format!("{first}\n{second}\n"));
}

#[test]
fn a_reader_of_stdout_that_leaves_is_no_failure() {
    let mut node = node("stdout", json!({}));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    node.start_with("/".as_ref(), None, Some(writer.into())).unwrap();
    assert_eq!(node.send(InputId(0), bytes(b"a")).unwrap(), Flow::Complete);
}

#[test]
fn standard_input_is_sent_as_it_comes_or_by_lines() {
    let read = |settings: Value| {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"one\ntwo").unwrap();
        drop(writer);
        let mut node = node("stdin_source", settings);
        node.start_with("/".as_ref(), Some(reader.into()), None).unwrap();
        assert_eq!(node.produce(10).unwrap(), Flow::Complete);
        node.sent(0).iter().map(|m| String::from_utf8_lossy(&m.payload).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(read(json!({})), ["one\ntwo"]);
    assert_eq!(read(json!({ "lines": true })), ["one", "two"]);
    assert_eq!(read(json!({ "chunk": 6 })), ["one\ntw", "o"]);
}
