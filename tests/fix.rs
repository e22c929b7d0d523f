//! `ezrun validate --fix`: what is wrong beyond doubt is put right, and nothing else is touched.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use command::ezrun;
use std::path::Path;

/// Fixes `text`; gives the exit code, the text afterwards, and what was said.
fn fixed(text: &str, flag: &str) -> (i32, String, String) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("graph.yaml"), text).unwrap();
    let (code, _, stderr) = ezrun(dir.path(), &["validate", flag, "graph.yaml"]);
    (code, std::fs::read_to_string(dir.path().join("graph.yaml")).unwrap(), stderr)
}

const BROKEN: &str = "\
# A graph with slips of the finger.
ezrun: 1
nodes:
  signal: { use: sine, with: { rate: 250, cout: 10 } }    # a setting
  band:   { use: 'bandpas', wiht: { low: 5, high: 15 } }
  split:  { use: scale, with: { gain: 2 } }
  seen:   { use: digest, with: { path: out/seen.txt } }
edges:
  - { from: signal.ou, to: band }
  - { from: bnad.out, to: split, zero_copy: true }   # written in place
  - { from: split, to: seen, zero_copy: true, overflow: drop-oldest }
backends:
  dsp: [bnad, split]
";

const REPAIRED: &str = "\
# A graph with slips of the finger.
ezrun: 1
nodes:
  signal: { use: sine, with: { rate: 250, count: 10 } }    # a setting
  band:   { use: 'bandpass', with: { low: 5, high: 15 } }
  split:  { use: scale, with: { gain: 2 } }
  seen:   { use: digest, with: { path: out/seen.txt } }
edges:
  - { from: signal.out, to: band }
  - { from: band.out, to: split, zero_copy: false }   # written in place
  - { from: split, to: seen, zero_copy: true, overflow: drop_oldest }
backends:
  dsp: [band, split]
";

#[test]
fn slips_of_the_finger_are_put_right_and_nothing_else_changes() {
    let (code, text, stderr) = fixed(BROKEN, "--fix");
    assert_eq!(text, REPAIRED, "{stderr}");
    assert_eq!(code, 0);
    let mut said: Vec<&str> = stderr.lines().collect();
    said.sort_unstable();
    assert_eq!(said.len(), 8, "{stderr}");
    for line in [
        "fixed: graph.yaml:4:43: `cout` is now `count`",
        "fixed: graph.yaml:5:19: `bandpas` is now `bandpass`",
        "fixed: graph.yaml:9:20: `ou` is now `out`",
        "fixed: graph.yaml:13:9: `bnad` is now `band`",
    ] {
        assert!(said.contains(&line), "no {line} in {stderr}");
    }
    assert_eq!(fixed(&text, "--fix"), (0, text, String::new()));
}

#[test]
fn what_a_fix_uncovers_is_fixed_with_it() {
    let slips = "ezrun: 1\nnodes:\n  src: { use: sin, with: { cuont: 2 } }\n  half: { use: scale, with: { gain: 0.5 } }\n  \
                 end: { use: \"null\" }\nedgs:\n  - { frm: src, to: half.inn, zero_copy: true }\n  \
                 - { from: half, to: end, zero_copy: true }\n";
    let right = slips.replace("sin,", "sine,").replace("cuont", "count").replace("edgs", "edges");
    let right = right.replace("frm", "from").replace("inn, zero_copy: true", "in, zero_copy: false");
    let (code, text, stderr) = fixed(slips, "--fix");
    assert_eq!((code, &*text), (0, &*right), "{stderr}");
    assert!(stderr.contains("fixed: graph.yaml:7:42: `true` is now `false`"), "{stderr}");
}

#[test]
fn what_may_be_a_word_of_its_own_is_left_to_its_author() {
    let graph = |timer: &str, key: &str, from: &str| {
        format!(
            "ezrun: 1\nnodes:\n  eeg: {{ use: {timer} }}\n  seen: {{ use: \"null\" }}\nedges:\n  \
             - {{ from: {from}, to: seen, zero_copy: true{key} }}\n"
        )
    };
    for (timer, key, from) in [
        ("timer, with: { interval_ms: 10 }", "", "eeg"),
        ("cosine", "", "eeg"),
        ("csv_source, with: { path: x.csv, no_header: true, rate: 1 }", "", "eeg"),
        ("counter", ", max_message_mib: 64", "eeg"),
        ("counter", ", no_prefault: true", "eeg"),
        ("counter", ", overflow: unblock", "eeg"),
        ("counter", "", "ecg"),
        ("counter", "", "ee"),
    ] {
        let written = graph(timer, key, from);
        let (_, text, stderr) = fixed(&written, "--fix");
        assert_eq!((text.as_str(), stderr.as_str()), (written.as_str(), ""));
    }
    // Nor is anything changed that would be wrong only if it were that word.
    let written = graph("sine", ", no_zero_copy: true", "eeg").replace("\"null\"", "scale, with: { gain: 2 }");
    let written = written.replace(" zero_copy: true,", "");
    let (_, text, stderr) = fixed(&written, "--fix");
    assert_eq!((text, stderr.as_str()), (written, ""));
}

#[test]
fn a_name_with_another_number_and_feedback_beside_a_broken_edge_are_left_to_their_author() {
    let counted =
        "ezrun: 1\nnodes:\n  in1: { use: counter }\n  log1: { use: \"null\" }\nedges: [{ from: in1, to: log2 }]\n";
    let (code, text, _) = fixed(counted, "--fix");
    assert_eq!((code, &*text), (1, counted));
    let feedback = "ezrun: 1\nnodes:\n  in: { use: counter }\n  a: { use: merge }\n  b: { use: merge }\nedges:\n  \
                    - { from: in, to: a }\n  - { from: a, to: elsewhere }\n  \
                    - { from: b, to: a, feedback: true, overflow: drop_oldest }\n";
    let (code, text, _) = fixed(feedback, "--fix");
    assert_eq!((code, &*text), (1, feedback));
    let closed = feedback
        .replace("elsewhere", "end")
        .replace("  b: { use: merge }", "  b: { use: counter }\n  end: { use: \"null\" }");
    let (code, text, stderr) = fixed(&closed, "--fix");
    assert!(code == 0 && text.contains("feedback: false"), "{stderr}");
}

#[test]
fn hints_are_fixed_only_where_that_is_asked_for() {
    let text = "\
ezrun: 1
nodes:
  numbers: { use: counter, with: { count: 10, bytes: 1024 } }
  one:     { use: check }
  two:     { use: check }
  three:   { use: check }
edges:
  - { from: numbers, to: one }              # braces
  - { from: numbers, to: two, zero_copy: false, queue: 4 }
  - from: numbers                           # no braces
    to: three
";
    assert_eq!(fixed(text, "--fix"), (0, text.to_owned(), String::new()));
    let (code, hinted, stderr) = fixed(text, "--fix=hints");
    let expected = text
        .replace("to: one }", "to: one, zero_copy: true }")
        .replace("zero_copy: false", "zero_copy: true")
        .replace("    to: three\n", "    to: three\n    zero_copy: true\n");
    assert_eq!((code, hinted.as_str()), (0, expected.as_str()), "{stderr}");
    assert!(stderr.contains("fixed: graph.yaml:8:29: added `zero_copy: true`\n"), "{stderr}");
}

#[test]
fn what_may_be_meant_in_two_ways_is_left_alone() {
    // Two nodes are as near; a key that is there already; a name that only a variable gives.
    let texts = [
        "ezrun: 1\nnodes:\n  sink1: { use: null }\n  sink2: { use: null }\n  s: { use: counter }\nedges:\n  - { from: s, to: sink }\n",
        "ezrun: 1\nnodes:\n  s: { use: counter, with: { count: 1, coutn: 2 } }\n",
        "ezrun: 1\nparams: { which: couter }\nnodes:\n  s: { use: \"${which}\" }\n",
    ];
    for text in texts {
        let (code, after, stderr) = fixed(text, "--fix");
        assert_eq!((code, after.as_str(), stderr.as_str()), (1, text, ""));
    }
}

#[test]
fn what_an_alias_repeats_is_put_right_once() {
    let graph = |setting: &str| {
        format!(
            "ezrun: 1\nnodes:\n  a: {{ use: counter, with: &all {{ {setting}: 3 }} }}\n  b: {{ use: counter, with: *all }}\n  \
             end: {{ use: file_sink, with: {{ path: out }} }}\nedges:\n  - {{ from: a, to: end, zero_copy: true }}\n"
        )
    };
    let (_, text, stderr) = fixed(&graph("cuont"), "--fix");
    assert_eq!(text, graph("count"), "{stderr}");
}

#[test]
fn what_an_alias_repeats_is_left_alone_where_a_use_of_it_is_right() {
    let nodes = "  source: { use: sine, with: { rate: 100, realtime: &on true, count: 3 } }\n  part: { use: scale, with: { gain: 2 } }\n";
    let cases = [
        // Written in place, and a setting of another node.
        format!("{nodes}  end: {{ use: null }}\nedges:\n  - {{ from: source, to: part, zero_copy: *on }}\n"),
        // A view where one is right.
        "  source: { use: sine, with: { count: 3 } }\n  part: { use: scale, with: { gain: 2 } }\n  end: { use: null }\nedges:\n  \
         - { from: source, to: part, zero_copy: &view true }\n  - { from: part, to: end, zero_copy: *view }\n"
            .to_owned(),
        // The name of a file.
        "  signal: { use: counter, with: { count: 3 } }\n  end: { use: file_sink, with: { path: &name singal } }\nedges:\n  \
         - { from: *name, to: end, zero_copy: true }\n"
            .to_owned(),
    ];
    for nodes in cases {
        let graph = format!("ezrun: 1\nnodes:\n{nodes}");
        let (_, text, stderr) = fixed(&graph, "--fix");
        assert_eq!(text, graph, "{stderr}");
    }
}

#[test]
fn a_node_that_is_called_nearly_as_a_key_keeps_its_name() {
    let graph = "ezrun: 1\nnodes:\n  form: { use: counter }\n  end: { use: null }\nedges:\n  - form: end\n";
    let (_, text, stderr) = fixed(graph, "--fix");
    assert_eq!(text, graph, "{stderr}");
}

#[test]
fn a_key_that_is_there_already_is_not_written_again() {
    let text = "\
ezrun: 1
nodes:
  s: { use: sine, with: { count: 1, coutn: 2, rate: 250 } }
  other: { use: conter }
  k: { use: merge }
  e: { use: check }
edges:
  - { frm: s, from: other, to: k, zero_copy: true }
  - { frm: k, fron: k, to: e, zero_copy: true }
";
    // One that is sure is put right with none of the others.
    let (_, after, stderr) = fixed(text, "--fix");
    assert_eq!((after.as_str(), stderr.lines().count()), (text.replace("conter", "counter").as_str(), 1), "{stderr}");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("graph.yaml"), text).unwrap();
    let (_, stdout, _) = ezrun(dir.path(), &["validate", "--format", "json", "graph.yaml"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let of_keys = |code: &serde_json::Value| code == "schema/unknown-key" || code == "schema/unknown-setting";
    let findings = json["findings"].as_array().unwrap().iter().filter(|finding| of_keys(&finding["code"]));
    let offered: Vec<usize> = findings.map(|finding| finding["fix"].as_array().unwrap().len()).collect();
    assert_eq!(offered, [0; 4], "{stdout}");
}

#[test]
fn what_is_only_found_and_does_not_say_that_it_is_a_graph_is_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let text = "nodes: { a: { use:  conter } }\nedges: []\n";
    std::fs::write(dir.path().join("a.yaml"), text).unwrap();
    let kept = || std::fs::read_to_string(dir.path().join("a.yaml")).unwrap();
    let (code, stdout, stderr) = ezrun(dir.path(), &["validate", "--fix", "."]);
    assert_eq!((code, stderr.as_str()), (1, ""));
    assert!(stdout.contains("did you mean `counter`?"), "{stdout}");
    assert_eq!(kept(), text);
    let (code, _, stderr) = ezrun(dir.path(), &["fmt", "."]);
    assert_eq!((code, stderr.as_str()), (2, "error: there is no graph below .\n"));
    assert_eq!(kept(), text);
    // What is named is meant.
    assert_eq!(
        ezrun(dir.path(), &["validate", "--fix", "a.yaml"]).2,
        "fixed: a.yaml:1:21: `conter` is now `counter`\n"
    );
}

#[test]
fn every_broken_graph_of_the_project_is_better_afterwards_or_the_same() {
    let graphs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graphs/err");
    let mut put_right = 0;
    for entry in std::fs::read_dir(&graphs).unwrap().map(|entry| entry.unwrap().path()) {
        let text = std::fs::read_to_string(&entry).unwrap_or_default();
        if entry.extension().is_none_or(|extension| extension != "yaml") || text.is_empty() {
            continue;
        }
        let count = |text: &str| {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("graph.yaml"), text).unwrap();
            let (_, stdout, _) = ezrun(dir.path(), &["validate", "--format", "concise", "graph.yaml"]);
            let levels = [": error[", ": warning[", ": hint["];
            levels.map(|level| stdout.lines().filter(|line| line.contains(level)).count())
        };
        let (_, after, stderr) = fixed(&text, "--fix=hints");
        let comments = |text: &str| text.matches('#').count();
        assert_eq!(comments(&text), comments(&after), "{}", entry.display());
        if after == text {
            assert_eq!(stderr, "", "{}", entry.display());
        } else {
            put_right += 1;
            assert!(count(&after) < count(&text), "{}\n{stderr}\n{after}", entry.display());
        }
    }
    assert!(put_right >= 10, "only {put_right} graphs");
}

#[test]
fn standard_input_cannot_be_fixed() {
    let dir = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = ezrun(dir.path(), &["validate", "--fix", "-"]);
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (2, "", "error: standard input cannot be fixed; give a file\n")
    );
}

const PART: &str = "\
ezrun: 1
ports: { inputs: { in: louder }, outputs: { out: louder.out } }
nodes:
  louder: { use: scal, with: { gain: 2 } }
";

const USING_IT: &str = "\
ezrun: 1
nodes:
  wave: { use: sine, with: { rate: 250, count: 1 } }
  louder: { use: ./parts/part.yaml }
  end: { use: 'null' }
edges:
  - { from: wave, to: louder.in }
  - { from: louder.out, to: end, zero_copy: true }
";

/// A graph and a part of it.
fn with_a_part() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("parts")).unwrap();
    std::fs::write(dir.path().join("parts/part.yaml"), PART).unwrap();
    std::fs::write(dir.path().join("a.yaml"), USING_IT).unwrap();
    dir
}

#[test]
fn all_files_are_fixed_before_any_is_checked() {
    let dir = with_a_part();
    let (code, stdout, stderr) = ezrun(dir.path(), &["validate", "--fix", "a.yaml", "parts"]);
    assert_eq!(code, 0, "{stdout}");
    assert_eq!(stdout, "no findings in a.yaml\nno findings in parts/part.yaml\n");
    assert_eq!(stderr, "fixed: parts/part.yaml:4:18: `scal` is now `scale`\n");
}

#[test]
fn a_part_that_was_not_named_is_named_as_what_is_left_to_fix() {
    let dir = with_a_part();
    let (code, _, stderr) = ezrun(dir.path(), &["validate", "--fix", "a.yaml"]);
    let left = "not fixed: parts/part.yaml, a part of a.yaml; `ezrun validate --fix parts/part.yaml` puts it right\n";
    assert_eq!((code, stderr.as_str()), (1, left));
    assert_eq!(std::fs::read_to_string(dir.path().join("parts/part.yaml")).unwrap(), PART);
}

#[test]
fn what_only_a_variable_makes_true_is_not_written_down() {
    // A setting of the type that a param, or the environment, stands for; a flag that one gives.
    let text = "\
ezrun: 1
params: { kind: sine, views: true }
nodes:
  numbers: { use: \"${kind}\", with: { cout: 10 } }
  others:  { use: \"${env:EZRUN_TEST_KIND:-sine}\", with: { cout: 10 } }
  plain:   { use: counter }
  one: { use: 'null' }
  two: { use: 'null' }
  three: { use: 'null' }
edges:
  - { from: numbers, to: one, zero_copy: true }
  - { from: others, to: two, zero_copy: true }
  - { from: plain, to: three, zero_copy: \"${views}\" }
";
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("graph.yaml"), text).unwrap();
    let mut command = assert_cmd::Command::cargo_bin("ezrun").unwrap();
    let args = ["validate", "--fix=hints", "graph.yaml", "--set", "kind=counter", "--set", "views=false"];
    let output = command.current_dir(dir.path()).args(args).env("EZRUN_TEST_KIND", "counter").output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(std::fs::read_to_string(dir.path().join("graph.yaml")).unwrap(), text);
    // What is wrong whatever they stand for is put right all the same.
    let broken = text.replace("use: counter }", "use: conter }");
    let (_, fixed, stderr) = fixed(&broken, "--fix");
    assert_eq!((fixed.as_str(), stderr.lines().count()), (text, 1), "{stderr}");
}

#[test]
fn edges_in_block_style_keep_their_style() {
    let text = "\
ezrun: 1
nodes:
  numbers: { use: counter }
  one: { use: 'null' }
  two: { use: 'null' }
  three: { use: 'null' }
edges:
  -  to: one   # first
     from: numbers
  - from: numbers
    \"to\": \"two\"
    queue: 4
  - { from: numbers,
      to: three }
";
    let expected = text
        .replace("to: one   # first\n", "to: one   # first\n     zero_copy: true\n")
        .replace("\"two\"\n", "\"two\"\n    zero_copy: true\n")
        .replace("to: three }", "to: three, zero_copy: true }");
    let (code, after, stderr) = fixed(text, "--fix=hints");
    assert_eq!((code, after.as_str()), (0, expected.as_str()), "{stderr}");
    assert!(stderr.contains("added `zero_copy: true`\n"), "{stderr}");
    let windows = |text: &str| text.replace('\n', "\r\n");
    assert_eq!(fixed(&windows(text), "--fix=hints").1, windows(&expected));
    // The last line may have no end.
    let (cut, last) = (text.split("  - from").next().unwrap().trim_end(), "\n     zero_copy: true");
    let cut = cut.replace("to: one   # first\n     from: numbers", "from: numbers\n     to: one");
    assert_eq!(fixed(&cut, "--fix=hints").1, format!("{cut}{last}"));
}

#[test]
fn a_large_file_is_put_right_by_and_by() {
    let nodes: String = (0..1100).map(|i| format!("  n{i}: {{ use: null }}\n")).collect();
    let edges: String = (0..1100).map(|i| format!("  - {{ from: ticks, to: n{i} }}\n")).collect();
    let rest = "# ...\n".repeat(100_000);
    let text = format!("{rest}ezrun: 1\nnodes:\n  ticks: {{ use: counter }}\n{nodes}edges:\n{edges}");
    let (code, once, stderr) = fixed(&text, "--fix=hints");
    assert_eq!((code, once.matches("zero_copy: true").count()), (0, 1000));
    let last = "not all fixed: graph.yaml is large; the same command puts right more of it\n";
    assert!(stderr.ends_with(last), "{}", stderr.lines().last().unwrap());
    let (_, twice, stderr) = fixed(&once, "--fix=hints");
    assert_eq!(twice.matches("zero_copy: true").count(), 1100);
    assert_eq!(stderr.lines().count(), 100, "{stderr}");
}

#[test]
fn no_file_becomes_larger_than_is_read() {
    let text = "ezrun: 1\nnodes: { a: { use: counter }, b: { use: null } }\nedges: [{ from: a, to: b }]\n";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("graph.yaml");
    let added = ", zero_copy: true".len();
    for (limit, is_fixed) in [(text.len() + added - 1, false), (text.len() + added, true)] {
        std::fs::write(&path, text).unwrap();
        let limit = limit.to_string();
        let (code, stdout, stderr) =
            ezrun(dir.path(), &["validate", "--fix=hints", "--max-file-size", &limit, "graph.yaml"]);
        assert_eq!((code, stderr.contains("fixed: ")), (0, is_fixed), "{stderr}");
        assert_eq!(stdout.contains("delivery/needless-copy"), !is_fixed, "{stdout}");
        assert_eq!(std::fs::read_to_string(&path).unwrap() != text, is_fixed);
    }
}
