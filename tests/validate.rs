//! `ezrun validate` over graph files with faults, each of which names what is to be found in it.
//!
//! A case in `tests/graphs/err` begins with comments: `# args …` for the command line, `# expect LINE:COLUMN CODE` for
//! each finding, `# mode 666` for who may do what with it. What the command prints stands in the `.txt` beside it; `EZRUN_BLESS=1 cargo test --test validate`
//! writes it anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use assert_cmd::Command;
use std::path::{Path, PathBuf};

fn graphs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graphs")
}

/// The YAML files of a directory below `tests/graphs`, by name.
fn cases(dir: &str) -> Vec<String> {
    let entries = std::fs::read_dir(graphs().join(dir)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut cases: Vec<String> =
        names.filter(|name| name.ends_with(".yaml")).map(|name| format!("{dir}/{name}")).collect();
    cases.sort();
    cases
}

fn ezrun(verb: &str, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("ezrun").unwrap();
    let output = command.current_dir(graphs()).arg(verb).args(args).env_remove("EZRUN_TEST_NOT_SET").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("validate is not killed"), text(output.stdout), text(output.stderr))
}

/// What a case says is to be found in it: places and codes.
fn expected(text: &str) -> Vec<String> {
    let mut found: Vec<String> =
        text.lines().filter_map(|line| line.strip_prefix("# expect ")).map(str::to_owned).collect();
    found.sort();
    found
}

/// Places and codes in what the command printed.
fn reported(stdout: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut code = None;
    for line in stdout.lines() {
        let title = ["error[", "warning[", "hint["].iter().find_map(|level| line.strip_prefix(level));
        if let Some(title) = title {
            code = title.split(']').next();
        } else if let (Some(place), Some(found_code)) = (line.trim_start().strip_prefix("--> "), code.take()) {
            let mut parts = place.rsplitn(3, ':');
            let (column, line) = (parts.next().unwrap(), parts.next().unwrap());
            found.push(format!("{line}:{column} {found_code}"));
        }
    }
    found.sort();
    found
}

#[test]
fn every_fault_is_found_at_its_place() {
    let cases = cases("err");
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    let mut failures = String::new();
    for case in cases {
        let text = std::fs::read_to_string(graphs().join(&case)).unwrap();
        let extra = text.lines().find_map(|line| line.strip_prefix("# args ")).unwrap_or("");
        let args: Vec<&str> = std::iter::once(case.as_str()).chain(extra.split_whitespace()).collect();
        let mode = text.lines().find_map(|line| line.strip_prefix("# mode "));
        set_mode(&graphs().join(&case), mode.unwrap_or("644"));
        let (code, stdout, stderr) = ezrun("validate", &args);
        set_mode(&graphs().join(&case), "644");
        let (expected, reported) = (expected(&text), reported(&stdout));
        let denied = if args.contains(&"--deny-warnings") { "warning[" } else { "error[" };
        let fails = stdout.lines().any(|line| line.starts_with("error[") || line.starts_with(denied));
        if expected != reported || code != i32::from(fails) || !stderr.is_empty() {
            failures += &format!("{case}: exit {code}\n  expected {expected:#?}\n  reported {reported:#?}\n{stderr}\n");
        }
        let stdout = stdout.replace(graphs().to_str().unwrap(), "GRAPHS");
        let golden = graphs().join(&case).with_extension("txt");
        if std::env::var_os("EZRUN_BLESS").is_some() {
            std::fs::write(&golden, &stdout).unwrap();
        } else if std::fs::read_to_string(&golden).ok().as_deref() != Some(&stdout) {
            failures += &format!("{case} no longer prints what {} says:\n{stdout}\n", golden.display());
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_rule_has_a_case() {
    let found: Vec<String> = cases("err")
        .iter()
        .flat_map(|case| expected(&std::fs::read_to_string(graphs().join(case)).unwrap()))
        .filter_map(|finding| finding.split_once(' ').map(|(_, code)| code.to_owned()))
        .collect();
    for rule in ezrun::graph::rules::ALL {
        assert!(found.iter().any(|code| code == rule.code), "no case breaks {}", rule.code);
    }
}

#[test]
fn graphs_without_faults_pass_in_silence() {
    let cases = cases("ok");
    assert!(!cases.is_empty());
    for case in cases {
        let (code, stdout, stderr) = ezrun("validate", &["--deny-warnings", &case]);
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, format!("no findings in {case}\n").as_str(), ""));
    }
}

#[test]
fn hints_and_warnings_fail_nothing_unless_denied() {
    let (code, stdout, _) = ezrun("validate", &["err/unused_param.yaml"]);
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.ends_with("1 warning in err/unused_param.yaml\n"), "{stdout}");
}

#[test]
fn several_files_are_all_checked_and_the_worst_decides() {
    let (code, stdout, _) = ezrun("validate", &["ok/minimal.yaml", "err/cycle.yaml", "ok/minimal.yaml"]);
    assert_eq!(code, 1);
    assert_eq!(stdout.matches("no findings in ok/minimal.yaml").count(), 2, "{stdout}");
    assert!(stdout.contains("1 error in err/cycle.yaml"), "{stdout}");
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_does_not_hide_the_others() {
    let (code, stdout, stderr) = ezrun("validate", &["ok/nowhere.yaml", "ok/minimal.yaml"]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: cannot read ok/nowhere.yaml: "), "{stderr}");
    assert!(stdout.contains("no findings in ok/minimal.yaml"), "{stdout}");
}

#[test]
fn set_wants_a_name_and_a_value() {
    let (code, _, stderr) = ezrun("validate", &["ok/minimal.yaml", "--set", "rate"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("expected name=value"), "{stderr}");
}

#[test]
fn nothing_is_executed_unless_asked() {
    let dir = tempfile::tempdir().unwrap();
    let pack = dir.path().join("pack");
    let trace = dir.path().join("was_run");
    std::fs::write(
        &pack,
        format!("#!/bin/sh\ntouch '{}'\necho '{{\"ezrun_pack\": 1, \"types\": []}}'\n", trace.display()),
    )
    .unwrap();
    make_executable(&pack);
    let graph = dir.path().join("graph.yaml");
    std::fs::write(&graph, "ezrun: 1\npacks: { p: ./pack }\nnodes:\n  a: { use: p/thing }\n").unwrap();
    let graph = graph.to_str().unwrap();

    let (code, stdout, _) = ezrun("validate", &[graph]);
    assert!(code == 0 && stdout.contains("environment/no-description"), "{stdout}");
    assert!(!trace.exists());

    let (code, stdout, _) = ezrun("validate", &[graph, "--allow-exec"]);
    assert!(code == 1 && stdout.contains("the pack `p` has no node type `thing`"), "{stdout}");
    assert!(trace.exists());
}

/// A WAV file tells its rate and its channels only once it is read, the settings of `sine` before that.
#[test]
fn what_a_node_would_refuse_when_a_signal_comes_is_said_beforehand_in_the_same_words() {
    let dir = tempfile::tempdir().unwrap();
    let graph = |name: &str, source: &str, node: &str| {
        let text = format!(
            "ezrun: 1\nnodes:\n  from: {source}\n  node: {node}\n  end: {{ use: null }}\nedges:\n  \
             - {{ from: from, to: node }}\n  - {{ from: node, to: end }}\n"
        );
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let sine = "{ use: sine, with: { rate: 250, channels: 2, block: 50, count: 4 } }";
    let recorded = "ezrun: 1\nnodes:\n  from: SINE\n  end: { use: wav_sink, with: { path: tone.wav } }\nedges:\n  \
                    - { from: from, to: end, zero_copy: true }\n";
    let record = dir.path().join("record.yaml");
    std::fs::write(&record, recorded.replace("SINE", sine)).unwrap();
    let (code, _, said) = ezrun("run", &[record.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    for node in [
        "{ use: lowpass, with: { cutoff: 125 } }",
        "{ use: bandpass, with: { low: 1, high: 200 } }",
        "{ use: notch, with: { frequency: 120, q: 2 } }",
        "{ use: highpass, with: { cutoff: 1.0e-9, order: 8 } }",
        "{ use: downsample, with: { factor: 1000000000 } }",
        "{ use: resample, with: { rate: 250.01234567 } }",
        "{ use: select, with: { channels: [0, 2] } }",
        "{ use: peaks, with: { threshold: 1, channel: 2 } }",
        "{ use: rereference, with: { reference: [3] } }",
        "{ use: window, with: { length: 1 ms } }",
    ] {
        let (code, found, _) = ezrun("validate", &["--format", "json", &graph("known.yaml", sine, node)]);
        assert_eq!(code, 1, "{node}");
        let found: serde_json::Value = serde_json::from_str(&found).unwrap();
        let errors: Vec<_> =
            found["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] == "error").collect();
        assert!(errors.len() == 1 && errors[0]["code"] == "types/setting-mismatch", "{node}: {errors:?}");
        let (_, cause) = errors[0]["message"].as_str().unwrap().split_once("`node`: ").unwrap();

        let unknown = graph("unknown.yaml", "{ use: wav_source, with: { path: tone.wav } }", node);
        assert_eq!(ezrun("validate", &[&unknown]).0, 0, "{node}");
        let (code, _, said) = ezrun("run", &[&unknown]);
        assert!(code == 3 && said.contains(cause), "{node}: {cause}, but\n{said}");
    }
}

/// A CSV file tells its channels only once it is read.
#[test]
fn what_a_wav_file_cannot_hold_is_said_beforehand_in_the_same_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let graph = |name: &str, source: &str| {
        let text = format!(
            "ezrun: 1\nnodes:\n  from: {source}\n  end: {{ use: wav_sink, with: {{ path: a.wav }} }}\n\
             edges: [{{ from: from, to: end, zero_copy: true }}]\n"
        );
        std::fs::write(path(name), text).unwrap();
        path(name)
    };
    std::fs::write(path("wide.csv"), format!("0{}\n", ",0".repeat(16383))).unwrap();
    let known = graph("known.yaml", "{ use: sine, with: { rate: 250, channels: 16384, block: 1, count: 1 } }");
    let unknown = graph("unknown.yaml", "{ use: csv_source, with: { path: wide.csv, rate: 250, header: false } }");
    let cause = "a WAV file holds 1 to 16383 channels of these samples, not 16384";
    let (code, found, _) = ezrun("validate", &[&known]);
    let told = format!("error[types/setting-mismatch]: `end` cannot take this signal: {cause}\n");
    assert!(code == 1 && found.starts_with(&told), "{found}");
    let (code, found, _) = ezrun("validate", &[&unknown]);
    assert_eq!(code, 0, "{found}");
    let (code, _, said) = ezrun("run", &[&unknown]);
    assert!(code == 3 && said.contains(cause), "{said}");
}

#[test]
fn a_pack_that_fails_or_talks_nonsense_is_refused_at_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("exit 3\n", "ended with exit status: 3"),
        ("echo usage: thing\n", "no description of node types"),
        ("echo '{\"ezrun_pack\": 7}'\n", "it speaks pack version 7, this ezrun speaks 1"),
    ];
    for (i, (script, message)) in cases.into_iter().enumerate() {
        let pack = dir.path().join(format!("pack{i}"));
        std::fs::write(&pack, format!("#!/bin/sh\n{script}")).unwrap();
        make_executable(&pack);
        let graph = dir.path().join("graph.yaml");
        let text = format!("ezrun: 1\npacks: {{ p: ./pack{i} }}\nnodes:\n  a: {{ use: p/thing }}\n");
        std::fs::write(&graph, text).unwrap();
        let (code, stdout, _) = ezrun("validate", &[graph.to_str().unwrap(), "--allow-exec"]);
        assert_eq!(code, 1);
        assert!(stdout.contains("error[environment/bad-pack]") && stdout.contains(":2:13"), "{stdout}");
        assert!(stdout.contains(message), "{stdout}");
    }
}

#[test]
fn a_saved_description_that_is_no_file_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pack"), "").unwrap();
    let pipe = dir.path().join("pack.ezrun.json");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let graph = dir.path().join("graph.yaml");
    std::fs::write(&graph, "ezrun: 1\npacks: { p: ./pack }\nnodes:\n  a: { use: p/thing }\n").unwrap();
    let (code, stdout, _) = ezrun("validate", &[graph.to_str().unwrap()]);
    assert!(code == 1 && stdout.contains("error[environment/bad-pack]") && stdout.contains("no file"), "{stdout}");
}

/// What `validate` says of a graph of this text, and its exit code.
fn validated(text: &str, args: &[&str]) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let graph = dir.path().join("graph.yaml");
    std::fs::write(&graph, text).unwrap();
    let (code, stdout, _) = ezrun("validate", &[&[graph.to_str().unwrap()], args].concat());
    (code, stdout)
}

#[test]
fn a_sarif_report_holds_the_beginning_of_a_cycle_without_end() {
    let nodes: String = (0..1500).map(|i| format!("  n{i}: {{ use: merge }}\n")).collect();
    let edges: String = (0..1500).map(|i| format!("  - {{ from: n{i}, to: n{} }}\n", (i + 1) % 1500)).collect();
    let text = format!("ezrun: 1\nnodes:\n{nodes}edges:\n{edges}");
    let (_, stdout) = validated(&text, &["--select", "flow/cycle", "--format", "sarif"]);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let result = &report["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "flow/cycle");
    assert_eq!(result["relatedLocations"].as_array().map(Vec::len), Some(1000));
}

#[test]
fn a_slip_that_is_made_often_is_told_as_often_and_nothing_else_is() {
    let nodes: String =
        (0..300).map(|at| format!("  n{at}: {{ type: counter }}\n  e{at}: {{ use: null }}\n")).collect();
    let edges: String = (0..300).map(|at| format!("  - {{ source: n{at}, to: e{at}, zero_copy: true }}\n")).collect();
    let (code, said) = validated(&format!("ezrun: 1\nnodes:\n{nodes}edges:\n{edges}"), &["--format", "concise"]);
    assert_eq!(code, 1);
    let (told, others): (Vec<&str>, Vec<&str>) = said.lines().partition(|line| line.contains("schema/unknown-key"));
    assert_eq!((told.len(), others.len()), (600, 0), "{others:#?}");
}

#[test]
fn a_node_called_null_is_told_to_be_quoted() {
    let text = "ezrun: 1\nnodes: { a: { use: counter }, null: { use: \"null\" } }\nedges: [{ from: a, to: null }]\n";
    let (code, stdout) = validated(text, &[]);
    assert!(code == 1 && stdout.contains(":3:24") && stdout.contains("quote it: \"null\""), "{stdout}");
}

#[test]
fn memory_that_is_there_before_the_first_message_counts_in_full_against_the_machine() {
    let text = "ezrun: 1\nnodes:\n  a: { use: counter }\n  b: { use: \"null\" }\n\
                edges: [{ from: a, to: b, zero_copy: true, queue: 60000, prefault: true }]\n";
    let (_, stdout) = validated(text, &[]);
    assert!(stdout.contains("warning[resources/memory-budget]") && stdout.contains("3.66 TiB"), "{stdout}");
}

fn make_executable(path: &Path) {
    set_mode(path, "755");
}

/// Gives a file the rights that `mode` says, in octal.
fn set_mode(path: &Path, mode: &str) {
    use std::os::unix::fs::PermissionsExt;
    let mode = u32::from_str_radix(mode, 8).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn nodes_lists_the_types_by_role() {
    let (code, stdout, _) = ezrun("nodes", &[]);
    assert_eq!(code, 0);
    let place = |text: &str| stdout.find(text).unwrap_or_else(|| panic!("no {text} in {stdout}"));
    assert!(place("Sources") < place("  counter "));
    assert!(place("  counter ") < place("Transforms"));
    assert!(place("Transforms") < place("  merge "));
    assert!(place("Sinks") < place("  null "));
}

#[test]
fn nodes_shows_everything_about_one_type() {
    let (code, stdout, _) = ezrun("nodes", &["csv_source"]);
    assert_eq!(code, 0);
    for part in ["Outputs", "out  tensor", "Settings", "path", "text, required", "use: csv_source"] {
        assert!(stdout.contains(part), "no {part} in {stdout}");
    }
}

#[test]
fn every_example_of_a_node_type_is_a_valid_node() {
    let (_, list, _) = ezrun("nodes", &[]);
    for name in list.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()) {
        let (_, shown, _) = ezrun("nodes", &[name]);
        let example = shown.split("\nExample\n").nth(1).unwrap_or_else(|| panic!("{name} shows no example"));
        let dir = tempfile::tempdir().unwrap();
        let graph = dir.path().join("graph.yaml");
        std::fs::write(&graph, format!("ezrun: 1\nnodes:\n{example}")).unwrap();
        let (_, stdout, _) = ezrun("validate", &[graph.to_str().unwrap()]);
        // A node alone lacks edges, and the file that it reads, and nothing else.
        let lacking = ["wiring/unconnected-input", "flow/unread-output", "environment/missing-file"];
        let faults = reported(&stdout);
        let faults = faults.iter().filter(|found| !lacking.iter().any(|code| found.ends_with(code)));
        assert_eq!(faults.count(), 0, "{name}: {example}\n{stdout}");
    }
}

#[test]
fn an_unknown_node_type_gets_a_suggestion() {
    let (code, _, stderr) = ezrun("nodes", &["csv-sourc"]);
    assert_eq!(code, 2);
    assert_eq!(stderr, "error: there is no node type `csv-sourc`; did you mean `csv_source`?\n");
}

#[test]
fn a_full_standard_output_is_an_error_and_no_panic() {
    for args in [["nodes", "sine"], ["validate", "ok/minimal.yaml"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ezrun"));
        let output = command.current_dir(graphs()).args(args).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.starts_with("error: cannot write to standard output: "), "{stderr}");
    }
}

#[test]
fn a_memory_budget_is_kept_to_the_byte() {
    use ezrun::graph::{Delivery, EdgeDemand, Overflow};
    let edge = |queue| EdgeDemand {
        delivery: Delivery::ZeroCopy,
        overflow: Overflow::Block,
        queue,
        holds: 1,
        max_message: 1 << 20,
        same_backend: false,
    };
    let needed = ezrun::plan::port_bytes(&[edge(8), edge(2)]);
    assert!(needed > 13 << 20, "10 messages in queues, 2 in hand, 2 to spare: {needed}");
    let dir = tempfile::tempdir().unwrap();
    let graph = dir.path().join("graph.yaml");
    let text = "ezrun: 1\nnodes:\n  ticks: { use: counter, with: { count: 3 } }\n  a: { use: null }\n  b: { use: null }\n\
                edges:\n  - { from: ticks, to: a, zero_copy: true, max_message: 1 MiB }\n  \
                - { from: ticks, to: b, zero_copy: true, max_message: 1 MiB, queue: 2 }\n";
    std::fs::write(&graph, text).unwrap();
    for (verb, budget, expected) in
        [("validate", needed, 0), ("validate", needed - 1, 1), ("run", needed, 0), ("run", needed - 1, 1)]
    {
        let (code, stdout, stderr) = ezrun(verb, &[graph.to_str().unwrap(), "--memory-budget", &budget.to_string()]);
        assert_eq!(code, expected, "{verb} {budget}: {stdout}{stderr}");
        assert_eq!((stdout + &stderr).contains("error[resources/memory-budget]"), expected == 1, "{verb} {budget}");
    }
}

#[test]
fn a_graph_that_needs_more_memory_than_any_machine_has_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let graph = dir.path().join("graph.yaml");
    let nodes = "ezrun: 1\nnodes:\n  lines: { use: stdin_source, with: { lines: true } }\n  \
                 ticks: { use: counter, with: { count: 3, bytes: 100 } }\n  \
                 a: { use: stdout }\n  b: { use: check }\nedges:\n";
    // As much as the file asks for by name; where it does not, as much as is known to be sent.
    let cases = [
        ("  - { from: lines, to: a, zero_copy: true, queue: 100, max_message: 1 TiB }\n", true),
        ("  - { from: lines, to: a, zero_copy: true, queue: 65536 }\n", false),
    ];
    for (edge, warned) in cases {
        let rest = "  - { from: ticks, to: b, zero_copy: true, queue: 100, max_message: 1 TiB }\n";
        std::fs::write(&graph, format!("{nodes}{edge}{rest}")).unwrap();
        let (code, stdout, _) = ezrun("validate", &[graph.to_str().unwrap()]);
        assert_eq!((code, stdout.contains("warning[resources/memory-budget]")), (0, warned), "{stdout}");
        assert_eq!(stdout.contains(", and this machine has "), warned, "{stdout}");
    }
}

#[test]
fn a_number_reaches_its_node_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let graph = dir.path().join("graph.yaml");
    let text = "ezrun: 1\nnodes:\n  tone: { use: sine, with: { rate: 250, block: 50, count: 2 } }\n  \
                power: { use: spectrum, with: { method: welch, segment: 10, overlap: 0.9999999999999999 } }\n  \
                end: { use: \"null\" }\nedges:\n  - { from: tone, to: power, zero_copy: true }\n  \
                - { from: power, to: end, zero_copy: true }\n";
    std::fs::write(&graph, text).unwrap();
    let (code, _, stderr) = ezrun("run", &[graph.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn a_memory_budget_is_a_size() {
    for wrong in ["much", "0", "-1", "5 bananas"] {
        let (code, _, stderr) = ezrun("validate", &["ok/minimal.yaml", &format!("--memory-budget={wrong}")]);
        assert!(code == 2 && stderr.contains("such as `512 MiB`"), "{wrong}: {stderr}");
    }
}

#[test]
fn variables_cannot_make_much_of_a_small_file() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(40_000);
    let nodes: String =
        (0..4000).map(|i| format!("  n{i}: {{ use: digest, with: {{ path: \"${{p}}\" }} }}\n")).collect();
    let path = dir.path().join("graph.yaml");
    std::fs::write(&path, format!("ezrun: 1\nparams: {{ p: {long} }}\nnodes:\n{nodes}")).unwrap();
    let (code, stdout, _) = ezrun("validate", &[path.to_str().unwrap(), "--format", "concise"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("params add more than 100000 values to this file"), "{}", &stdout[..stdout.len().min(500)]);
}

#[test]
fn what_a_machine_lacks_is_a_warning_to_validate_and_an_error_to_run() {
    let dir = tempfile::tempdir().unwrap();
    let graph = dir.path().join("graph.yaml");
    let graph = graph.to_str().unwrap();
    std::fs::create_dir(dir.path().join("parts")).unwrap();
    std::fs::write(dir.path().join("parts/there.txt"), "a\n").unwrap();
    let part = |path: &str| {
        let text = "ezrun: 1\nports: { outputs: { out: lines } }\nnodes: { lines: { use: file_source, with: { path:";
        std::fs::write(dir.path().join("parts/part.yaml"), format!("{text} {path} }} }} }}\n")).unwrap();
        "{ use: ./parts/part.yaml }"
    };
    let read = "{ use: file_source, with: { path: graph.yaml } }";
    let command = |program: &str| format!("{{ use: command, with: {{ argv: [{program}] }} }}");
    // What is there; then what is not, in a file of its own, in PATH, in the PATH of the backend, and beside the graph.
    let cases = [
        (read.to_owned(), command("cat"), "", ""),
        (part("there.txt").to_owned(), command("cat"), "", ""),
        (read.replace("graph.yaml", "there.txt"), command("cat"), "", "missing-file"),
        (read.to_owned(), command("no-such-program-anywhere"), "", "missing-program"),
        (read.to_owned(), command("cat"), ", env: { PATH: /nowhere }", "missing-program"),
        (read.to_owned(), command("./graph.yaml"), "", "missing-program"),
        (read.to_owned(), command("cat"), ", cpu: 1023", "missing-processor"),
    ];
    for (source, program, backend, missing) in cases {
        let text = format!(
            "ezrun: 1\nnodes:\n  from: {source}\n  through: {program}\n  to: {{ use: null }}\nedges:\n  \
             - {{ from: from, to: through, zero_copy: true }}\n  - {{ from: through, to: to, zero_copy: true }}\n\
             backends: {{ one: {{ nodes: [through]{backend} }} }}\n"
        );
        std::fs::write(graph, text).unwrap();
        let (code, stdout, _) = ezrun("validate", &[graph]);
        assert_eq!((code, stdout.contains("warning[environment/")), (0, !missing.is_empty()), "{stdout}");
        assert!(stdout.contains(missing), "{stdout}");
        assert_eq!(ezrun("plan", &[graph]).0, 0, "what a graph is can be seen anywhere");
        let (code, _, stderr) = ezrun("run", &[graph]);
        assert_eq!(code, i32::from(!missing.is_empty()), "{stderr}");
        assert_eq!(stderr.contains(&format!("error[environment/{missing}]")), !missing.is_empty(), "{stderr}");
        assert_eq!(stderr.contains("nothing was started"), !missing.is_empty(), "{stderr}");
    }
}

#[test]
fn where_a_sink_cannot_write_is_known_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let (graph, shut, kept) = (dir.path().join("graph.yaml"), dir.path().join("shut"), dir.path().join("kept.txt"));
    std::fs::create_dir(&shut).unwrap();
    std::fs::write(&kept, "kept\n").unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("astray")).unwrap();
    set_mode(&shut, "555");
    set_mode(&kept, "444");
    // Who is root may write everywhere.
    let may_all = std::fs::File::create(shut.join("a")).is_ok();
    let cases = [
        ("new/a.txt", None),
        ("astray/a/b.txt", Some("`astray` is a link that leads nowhere")),
        ("astray", None),
        ("shut", Some("that is a folder")),
        ("new/b/", Some("that is the name of a folder")),
        ("graph.yaml/a.txt", Some("`graph.yaml` is no folder")),
        ("shut/new/a.txt", Some("nothing may be made in `shut` here").filter(|_| !may_all)),
        ("kept.txt", Some("that may not be written here").filter(|_| !may_all)),
    ];
    for (path, why) in cases {
        let text = format!(
            "ezrun: 1\nnodes:\n  ticks: {{ use: counter, with: {{ count: 1 }} }}\n  \
             rows: {{ use: file_sink, with: {{ path: {path} }} }}\nedges: [{{ from: ticks, to: rows, zero_copy: true }}]\n"
        );
        std::fs::write(&graph, text).unwrap();
        let told = why.map(|why| format!("[environment/unwritable-file]: `rows` writes `{path}`, and {why}\n"));
        let (code, stdout, _) = ezrun("validate", &[graph.to_str().unwrap()]);
        assert_eq!((code, stdout.contains("warning[")), (0, told.is_some()), "{path}: {stdout}");
        assert!(told.iter().all(|told| stdout.contains(told)), "{path}: {stdout}");
        let (code, _, stderr) = ezrun("run", &[graph.to_str().unwrap()]);
        assert_eq!(
            (code, stderr.contains("nothing was started")),
            (i32::from(why.is_some()), why.is_some()),
            "{stderr}"
        );
        assert!(told.iter().all(|told| stderr.contains(told)), "{path}: {stderr}");
    }
    set_mode(&shut, "755");
}

#[test]
fn a_part_on_its_own_is_right_and_is_not_run() {
    let (code, stdout, _) = ezrun("validate", &["parts/filter.yaml"]);
    assert_eq!(code, 0, "{stdout}");
    let (code, _, stderr) = ezrun("run", &["parts/filter.yaml"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("the param `low` has no value"), "{stderr}");
    assert!(stderr.contains("= help: this file is a part: run a graph that uses it"), "{stderr}");
}

#[test]
fn links_hide_no_file_that_is_written_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir(path("far")).unwrap();
    std::os::unix::fs::symlink("far", path("near")).unwrap();
    std::os::unix::fs::symlink("far/real.txt", path("link.txt")).unwrap();
    std::fs::write(path("far/real.txt"), "").unwrap();
    let cases = [
        ("far/a.txt", "near/a.txt", true),
        ("far/b/../a.txt", "./near/a.txt", true),
        ("far/new/a.txt", "near/new/a.txt", true),
        ("near/real.txt", "link.txt", true),
        ("near/graph.yaml", "far/a.txt", false),
        ("near/../graph.yaml", "far/a.txt", true),
    ];
    for (one, other, is_taken) in cases {
        let text = format!(
            "ezrun: 1\nnodes:\n  ticks: {{ use: counter }}\n  one: {{ use: file_sink, with: {{ path: {one} }} }}\n  \
             other: {{ use: file_sink, with: {{ path: {other} }} }}\nedges:\n  \
             - {{ from: ticks, to: one, zero_copy: true }}\n  - {{ from: ticks, to: other, zero_copy: true }}\n"
        );
        std::fs::write(path("graph.yaml"), text).unwrap();
        let (code, stdout, _) = ezrun("validate", &[path("graph.yaml").to_str().unwrap()]);
        assert_eq!(code, i32::from(is_taken), "{one} {other}: {stdout}");
        assert_eq!(stdout.contains("error[resources/path-taken]"), is_taken, "{one} {other}: {stdout}");
    }
}

#[test]
fn a_misspelt_verb_is_no_graph() {
    for args in [&["valdate"][..], &["valdate", "ok/minimal.yaml"], &["valdate", "--deny-warnings", "ok"]] {
        let (code, _, stderr) = ezrun(args[0], &args[1..]);
        assert_eq!(code, 2);
        assert_eq!(stderr, "error: there is no verb `valdate`, and no such file; did you mean `validate`?\n");
    }
    let (code, stdout, _) = ezrun("--help", &[]);
    assert!(code == 0 && stdout.contains("Usage: ezrun"), "{stdout}");
    let (code, _, stderr) = ezrun("./plan", &[]);
    assert!(code == 2 && stderr.starts_with("error: cannot read ./plan: "), "{stderr}");
    let (code, _, stderr) = ezrun("nowhere.yaml", &[]);
    assert!(code == 2 && stderr.starts_with("error: cannot read nowhere.yaml: "), "{stderr}");
    // A file may be called so.
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(graphs().join("ok/aliases_and_quotes.yaml"), dir.path().join("plam")).unwrap();
    let mut command = Command::cargo_bin("ezrun").unwrap();
    command.current_dir(dir.path()).arg("plam").assert().success();
}

#[test]
fn help_on_a_misspelt_verb_names_the_one_that_was_meant() {
    let cases = [("valdate", "did you mean `validate`?"), ("telescope", "`ezrun --help` lists them all")];
    for (verb, help) in cases {
        let (code, _, stderr) = ezrun("help", &[verb]);
        assert_eq!((code, stderr), (2, format!("error: there is no verb `{verb}`; {help}\n")));
    }
    for args in [&[][..], &["validate"], &["help"]] {
        let (code, stdout, _) = ezrun("help", args);
        assert!(code == 0 && stdout.contains("Usage: "), "{stdout}");
    }
}

#[test]
fn a_word_too_many_behind_a_graph_is_told_with_the_way_out() {
    let (graph, other) = ("ok/minimal.yaml", "ok/nowhere.yaml");
    let too_many = "`ok/nowhere.yaml` is one too many; take each by itself, or use both as parts of a third";
    let late = "a verb comes first: write `ezrun validate`, and all else after it";
    let set = "`low=8` is no graph; to set a param, write `--set low=8`";
    for (args, said) in [
        (&[graph, other][..], format!("one graph is run at a time, and {too_many}")),
        (&["--quiet", graph, other], format!("one graph is run at a time, and {too_many}")),
        (&["run", graph, "--quiet", other], format!("one graph is run at a time, and {too_many}")),
        (&["plan", graph, other], format!("one graph is shown at a time, and {too_many}")),
        (&["graph", graph, other], format!("one graph is shown at a time, and {too_many}")),
        (&[graph, "validate"], late.to_owned()),
        (&["--quiet", "validate", graph], late.to_owned()),
        (&[graph, "low=8"], set.to_owned()),
        (&["run", graph, "low=8"], set.to_owned()),
    ] {
        let (code, _, stderr) = ezrun(args[0], &args[1..]);
        assert_eq!((code, stderr), (2, format!("error: {said}\n")), "{args:?}");
    }
    let (code, _, stderr) = ezrun(graph, &["--no-such-flag"]);
    assert!(code == 2 && stderr.contains("unexpected argument '--no-such-flag'"), "{stderr}");
}

#[test]
fn a_graph_of_aliases_and_quotes_runs() {
    let (code, _, stderr) = ezrun("run", &["ok/aliases_and_quotes.yaml"]);
    assert_eq!(code, 0, "{stderr}");
}
