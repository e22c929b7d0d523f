//! `command` on real programs, without a run.

use super::{Launch, node_type_launched_by};
use crate::message::{Axis, Buffer, Capture, DType, Metadata, Owned, TensorSpec};
use crate::node::testing::Harness;
use crate::node::{Flow, InputId};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

fn bytes(payload: &[u8]) -> Owned {
    Owned::new(Arc::new(Metadata::bytes()), Buffer::from_slice(payload), Capture::stream_seconds(1.5))
}

fn run_in(dir: &Path, settings: Value, messages: Vec<Owned>) -> Result<Vec<Owned>, String> {
    let mut node = Harness::new(&node_type_launched_by(Launch::Direct), settings).map_err(|e| e.to_string())?;
    node.start(dir).map_err(|e| format!("{e:#}"))?;
    let flow = node.run(messages.into_iter().map(|m| (InputId(0), m)).collect()).map_err(|e| format!("{e:#}"))?;
    assert_eq!(flow, Flow::Complete);
    Ok(node.sent(0))
}

/// What comes out of the program, message by message.
fn run(settings: Value, messages: &[&[u8]]) -> Result<Vec<Vec<u8>>, String> {
    let messages = messages.iter().map(|m| bytes(m)).collect();
    run_in("/".as_ref(), settings, messages).map(|sent| sent.iter().map(|m| m.payload.to_vec()).collect())
}

fn lines(settings: Value, messages: &[&[u8]]) -> Vec<String> {
    run(settings, messages).unwrap().into_iter().map(|m| String::from_utf8(m).unwrap()).collect()
}

#[test]
fn lines_go_in_and_come_out() {
    let out = lines(json!({ "argv": ["sed", "-u", "s/cat/dog/"] }), &[b"cat", b"a cat", b""]);
    assert_eq!(out, ["dog", "a dog", ""]);
}

#[test]
fn what_comes_out_has_the_capture_time_of_what_went_in() {
    let sent = run_in("/".as_ref(), json!({ "argv": ["cat"] }), vec![bytes(b"a")]).unwrap();
    assert_eq!(sent[0].header.capture, Capture::stream_seconds(1.5));
}

#[test]
fn length32_keeps_every_message_whatever_is_in_it() {
    let messages: &[&[u8]] = &[b"a\nb", b"", &[0, 255, 10]];
    assert_eq!(run(json!({ "argv": ["cat"], "framing": "length32" }), messages).unwrap(), messages);
}

#[test]
fn raw_keeps_every_byte() {
    let out = run(json!({ "argv": ["cat"], "framing": "raw" }), &[b"one\n", b"two"]).unwrap();
    assert_eq!(out.concat(), b"one\ntwo");
}

#[test]
fn a_program_that_answers_only_at_the_end_does_not_lock_up() {
    // Far more than what fits into the pipes on both sides.
    let line = vec![b'x'; 1000];
    let messages: Vec<&[u8]> = vec![&line; 2000];
    assert_eq!(lines(json!({ "argv": ["sort"] }), &messages).len(), 2000);
    assert_eq!(lines(json!({ "argv": ["tac"] }), &messages).len(), 2000);
}

#[test]
fn a_program_that_has_had_enough_is_no_failure() {
    let line = vec![b'x'; 1000];
    let messages: Vec<&[u8]> = vec![&line; 2000];
    assert_eq!(lines(json!({ "argv": ["head", "-n", 2] }), &messages).len(), 2);
}

#[test]
fn without_an_input_it_is_a_source() {
    assert_eq!(lines(json!({ "argv": ["printf", "a\\nb"] }), &[]), ["a", "b"]);
}

#[test]
fn tensors_go_in_as_lines_of_csv() {
    let mut spec = TensorSpec::signal(DType::F64, 10.0, 2);
    spec.dims[1].axis = Axis::Labels(vec!["x".into(), "y".into()]);
    let mut payload = Buffer::zeroed(32);
    for (bytes, x) in payload.chunks_exact_mut(8).zip([1.0f64, 2.5, 3.0, -4.0]) {
        bytes.copy_from_slice(&x.to_le_bytes());
    }
    let signal = Owned::new(Arc::new(Metadata::tensor(spec)), payload, Capture::stream_seconds(0.0));
    let sent = run_in("/".as_ref(), json!({ "argv": ["cut", "-d,", "-f2"] }), vec![signal]).unwrap();
    let second: Vec<&[u8]> = sent.iter().map(|m| &*m.payload).collect();
    assert_eq!(second, [b"2.5".as_slice(), b"-4"]);
}

#[test]
fn it_runs_in_the_folder_of_the_graph_with_its_variables() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    let settings = json!({ "argv": ["sh", "-c", "pwd; echo $WHO$AGE"], "env": { "WHO": "me", "AGE": 7 } });
    let sent = run_in(&real, settings, vec![]).unwrap();
    assert_eq!(&*sent[0].payload, real.to_str().unwrap().as_bytes());
    assert_eq!(&*sent[1].payload, b"me7");
}

#[test]
fn a_program_with_a_slash_lies_beside_the_graph() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("hello");
    std::fs::write(&program, "#!/bin/sh\necho hello\n").unwrap();
    let run = |name| run_in(folder.path(), json!({ "argv": [name] }), vec![]);
    assert!(run("./hello").unwrap_err().ends_with("hello: it is not executable (chmod +x would make it so)"));
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(&*run("./hello").unwrap()[0].payload, b"hello");
    let error = run("hello").unwrap_err();
    assert_eq!(error, "cannot run hello: there is no such program in PATH; the one beside the graph file is ./hello");
    assert!(run("./none").unwrap_err().contains("relative to the graph file"));
    assert!(run("./").unwrap_err().ends_with("it is a folder"));
}

#[test]
fn a_program_that_is_not_there_is_refused_by_start() {
    let settings = json!({ "argv": ["no-such-program-anywhere"] });
    let mut node = Harness::new(&node_type_launched_by(Launch::Direct), settings).unwrap();
    let error = node.start("/".as_ref()).unwrap_err().to_string();
    assert_eq!(error, "cannot run no-such-program-anywhere: there is no such program in PATH");
}

#[test]
fn a_status_other_than_0_is_a_failure() {
    let shell = |script: &str| run(json!({ "argv": ["sh", "-c", script] }), &[b"x"]).unwrap_err();
    assert_eq!(shell("exit 3"), "sh ended with exit status 3");
    assert_eq!(shell("cat; exit 4"), "sh ended with exit status 4");
    assert_eq!(shell("kill -SEGV $$"), "sh was killed by signal 11 (SIGSEGV)");
}

#[test]
fn half_a_message_is_a_failure_and_that_of_the_program_comes_first() {
    let shell = |script: &str| run(json!({ "argv": ["sh", "-c", script], "framing": "length32" }), &[]).unwrap_err();
    let error = shell("printf '\\5\\0\\0\\0ab'");
    assert!(error.starts_with("what the program said: the stream ends in the middle of a message"), "{error}");
    assert_eq!(shell("printf '\\5\\0\\0\\0ab'; exit 9"), "sh ended with exit status 9");
}

#[test]
fn a_message_that_cannot_be_written_ends_the_program() {
    let broken = Owned::new(
        Arc::new(Metadata::tensor(TensorSpec::signal(DType::F64, 10.0, 2))),
        Buffer::from_slice(&[0; 15]),
        Capture::stream_seconds(0.0),
    );
    // A program that does not care whether its input has ended.
    let error = run_in("/".as_ref(), json!({ "argv": ["sleep", 1000] }), vec![broken]).unwrap_err();
    assert!(error.contains("a payload of 15 bytes does not fit"), "{error}");
}

#[test]
fn what_a_program_leaves_behind_is_killed_with_it() {
    let script = "sleep 1000 >/dev/null 2>&1 & echo $!";
    let out = lines(json!({ "argv": ["sh", "-c", script] }), &[]);
    let stat = format!("/proc/{}/stat", out[0]);
    // Gone, or dead and not yet reaped by whoever inherited it.
    let gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !gone() {
        assert!(std::time::Instant::now() < deadline, "the process {} lives on", out[0]);
        std::thread::yield_now();
    }
}

#[test]
fn a_string_for_argv_is_refused_with_the_way_out() {
    let refused = |argv: Value| run(json!({ "argv": argv }), &[]).unwrap_err();
    assert_eq!(
        refused(json!("sort -u")),
        "argv is a list, such as [sort, -u]; where a shell is wanted, name it: [sh, -c, \"sort -u\"]"
    );
    assert!(refused(json!([])).contains("argv is empty"));
    assert!(refused(json!(["a", true])).contains("true is no text: put it in quotes"));
    assert!(run(json!({}), &[]).unwrap_err().contains("missing field `argv`"));
    assert!(run(json!({ "argv": ["cat"], "framing": "line" }), &[]).unwrap_err().contains("unknown variant `line`"));
}
