//! What `ezrun validate` is given: files, folders, standard input.

use crate::support::{BROKEN, COPYING, Folder, GOOD};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

#[test]
fn a_folder_stands_for_all_graphs_below_it_in_order() {
    let folder = Folder::with(&[
        ("graphs/b.yaml", GOOD),
        ("graphs/a/z.yml", BROKEN),
        ("graphs/a/compose.yaml", "services: { ezrun: 1 }\n"),
        ("graphs/a/empty.yaml", ""),
        ("graphs/a/broken.yaml", "ezrun: 1\nnodes: [\n"),
        ("graphs/notes.txt", "ezrun: 1"),
        ("graphs/.hidden/x.yaml", BROKEN),
        ("graphs/out/x.yaml", BROKEN),
        ("graphs/a/out/deep/x.yaml", BROKEN),
    ]);
    let outcome = folder.validate(&["graphs"]);
    let summaries: Vec<&str> = outcome.stdout.lines().filter(|line| line.contains(" in graphs/")).collect();
    let expected = ["1 error in graphs/a/broken.yaml", "1 error in graphs/a/z.yml", "no findings in graphs/b.yaml"];
    assert_eq!(summaries, expected, "{}", outcome.stdout);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, ""));
    // What is named is checked, wherever it is.
    assert_eq!(folder.validate(&["graphs/out"]).code, 1);
    assert_eq!(folder.validate(&["graphs/.hidden"]).code, 1);
}

#[test]
fn a_file_that_is_named_must_be_a_graph() {
    let folder = Folder::with(&[("compose.yaml", "services: {}\n")]);
    let outcome = folder.validate(&["compose.yaml", "--format", "concise"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.concise().contains(&"compose.yaml:1:1 schema/missing-key".to_owned()), "{}", outcome.stdout);
}

#[test]
fn a_folder_without_any_graph_is_an_error() {
    let folder = Folder::with(&[("graphs/compose.yaml", "services: {}\n"), ("other/x.yaml", GOOD)]);
    let outcome = folder.validate(&["graphs"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (2, "error: there is no graph below graphs\n"));
    let outcome = folder.validate(&["nowhere/"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.starts_with("error: cannot read nowhere/: "), "{}", outcome.stderr);
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_checked() {
    let folder = Folder::with(&[("a.yaml", BROKEN), ("graphs/z.yaml", GOOD)]);
    std::fs::write(folder.path("graphs/binary.yaml"), b"ezrun: 1\xff\n").unwrap();
    std::fs::write(folder.path("graphs/large.yaml"), format!("ezrun: 1\n{}", " ".repeat(2 << 20))).unwrap();
    let outcome = folder.validate(&["nowhere.yaml", "a.yaml", "graphs"]);
    assert_eq!(outcome.code, 2);
    let told: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("error: cannot read nowhere.yaml: "), "{told:?}");
    assert!(told[1].starts_with("error: graphs/binary.yaml is not UTF-8 text"), "{told:?}");
    assert!(told[2].starts_with("error: graphs/large.yaml has 2097161 bytes"), "{told:?}");
    assert!(outcome.stdout.contains("1 error in a.yaml"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("no findings in graphs/z.yaml"), "{}", outcome.stdout);
}

#[test]
fn a_graph_below_a_folder_is_found_although_it_does_not_say_so_or_is_broken() {
    let folder = Folder::with(&[
        ("graphs/a.yaml", "nodes: { a: { use: counter } }\nedges: []\n"),
        ("graphs/b.yaml", "ezrn: 1\nnodes: { a: { use: counter } }\nedges: [\n"),
        ("graphs/c.yaml", "{ezrun: 1, nodes: {\n"),
        ("graphs/d.YAML", GOOD),
        ("graphs/e.Yml", BROKEN),
        ("graphs/other.yaml", "a: { nodes: [], edges: [] }\nnodes: []\n"),
    ]);
    let outcome = folder.validate(&["graphs"]);
    let summaries: Vec<&str> = outcome.stdout.lines().filter(|line| line.contains(" in graphs/")).collect();
    let expected = [
        "1 error, 1 warning in graphs/a.yaml",
        "1 error in graphs/b.yaml",
        "1 error in graphs/c.yaml",
        "no findings in graphs/d.YAML",
        "1 error in graphs/e.Yml",
    ];
    assert_eq!(summaries, expected, "{}", outcome.stdout);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, ""));
}

#[test]
fn a_link_to_nothing_below_a_folder_cannot_be_read() {
    let folder = Folder::with(&[("graphs/good.yaml", GOOD)]);
    let link = |name: &str| std::os::unix::fs::symlink("nowhere.yaml", folder.path(name)).unwrap();
    // An editor's lock.
    link("graphs/.#good.yaml");
    let outcome = folder.validate(&["graphs"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    link("graphs/link.yaml");
    let outcome = folder.validate(&["graphs"]);
    assert_eq!(outcome.code, 2);
    assert_eq!(outcome.stderr, "error: cannot read graphs/link.yaml: it is a link to nothing\n");
    assert_eq!(outcome.stdout, "no findings in graphs/good.yaml\n");
}

#[test]
fn what_has_nothing_to_do_with_graphs_is_passed_over_whatever_it_is() {
    let large = format!("a: {}\n", "x".repeat(2 << 20));
    let folder = Folder::with(&[("all/good.yaml", GOOD), ("all/large.yaml", &large)]);
    std::fs::write(folder.path("all/latin.yaml"), b"# caf\xe9\nezrun is a word\n").unwrap();
    std::fs::write(folder.path("all/nul.yaml"), b"a: \0\n").unwrap();
    let outcome = folder.validate(&["all"]);
    assert_eq!(outcome.stderr, "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "no findings in all/good.yaml\n"));
    assert_eq!(folder.ezrun(&["fmt", "--check", "all"]).stderr, "");
    // One that is named is asked for, and one that says what it is, as well.
    assert_eq!(folder.validate(&["all/latin.yaml"]).code, 2);
    let utf16 = "\u{feff}ezrun: 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let in_braces = format!("{{ ezrun: 1, name: {} }}\n", "x".repeat(2 << 20)).into_bytes();
    for graph in [utf16, b"# \xe9\nezrun: 1\n".to_vec(), b"{ezrun: 1, name: '\0'}\n".to_vec(), in_braces] {
        std::fs::write(folder.path("all/latin.yaml"), graph).unwrap();
        let outcome = folder.validate(&["all"]);
        assert_eq!((outcome.code, outcome.stderr.lines().count()), (2, 1), "{}", outcome.stderr);
    }
}

#[test]
fn standard_input_is_a_file_of_the_current_folder() {
    let pack = std::fs::read_to_string(crate::support::project().join("tests/graphs/packs/demo.ezrun.json")).unwrap();
    let folder = Folder::with(&[("demo.ezrun.json", &pack)]);
    let text = "ezrun: 1\npacks: { demo: ./demo }\nnodes: { a: { use: demo/wave }, b: { use: 'null' } }\n\
                edges: [{ from: a, to: b }]\n";
    let outcome = folder.ezrun_with(&["validate", "-", "--format", "concise"], text);
    assert_eq!((outcome.code, outcome.concise()), (0, vec!["<stdin>:4:24 delivery/needless-copy".to_owned()]));
    let large = folder.ezrun_with(&["validate", "-"], &" ".repeat(2 << 20));
    assert_eq!(large.code, 2);
    assert!(large.stderr.starts_with("error: <stdin> has more than 1048576 bytes"), "{}", large.stderr);
    let twice = folder.ezrun_with(&["validate", "-", "-"], COPYING);
    assert_eq!((twice.code, twice.stderr.as_str()), (2, "error: standard input can be read once\n"));
}

/// Ten thousand nodes are more than a file of the usual size holds.
#[test]
fn a_larger_file_is_read_where_that_is_asked_for() {
    let nodes: String = (0..10_000).map(|i| format!("  node_with_a_long_name_{i}: {{ use: merge }}\n")).collect();
    let edges: String = (1..10_000)
        .map(|i| {
            format!("- {{ from: node_with_a_long_name_{}, to: node_with_a_long_name_{i}, zero_copy: true }}\n", i - 1)
        })
        .collect();
    let text = format!(
        "ezrun: 1\nnodes:\n  numbers: {{ use: counter }}\n{nodes}edges:\n- {{ from: numbers, to: node_with_a_long_name_0 }}\n{edges}"
    );
    assert!(text.len() > 1 << 20);
    let folder = Folder::with(&[("large.yaml", &text)]);
    let refused = folder.validate(&["large.yaml"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("`--max-file-size` says otherwise"), "{}", refused.stderr);
    let read = folder.validate(&["large.yaml", "--max-file-size", "4 MiB", "--format", "concise"]);
    assert_eq!((read.code, read.stderr.as_str()), (0, ""));
    let codes: Vec<String> = read.concise().iter().map(|found| found.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(codes, ["flow/unread-output", "delivery/needless-copy"]);
}

/// A file of that size is parsed in parts.
#[test]
fn what_is_wrong_in_a_large_file_is_told_at_its_place() {
    const NODES: usize = 15_000;
    let nodes: String = (1..NODES).map(|at| format!("  node{at}: {{ use: merge }}\n")).collect();
    let edges: String = (1..NODES)
        .map(|at| format!("  - {{ from: node{}, to: node{at}, zero_copy: true, max_message: 64 }} # and on\n", at - 1))
        .collect();
    let graph = format!(
        "ezrun: 1\nnodes:\n  node0: {{ use: counter, with: &ten {{ count: 10 }} }}\n{nodes}\
         \x20 sink: {{ use: \"null\" }}\nedges:\n{edges}"
    );
    assert!(graph.len() > 1 << 20);
    let told = |last: &str| {
        let folder = Folder::with(&[("large.yaml", &format!("{graph}{last}\n"))]);
        let args = ["large.yaml", "--max-file-size", "4 MiB", "--memory-budget", "1 TiB", "--format", "concise"];
        let outcome = folder.validate(&args);
        outcome.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let good = "  - { from: node14999, to: sink, zero_copy: true, max_message: 64 }";
    assert_eq!(told(good), Vec::<String>::new());
    for (last, place) in [
        (good.replace("true", "3"), ":30004:45: error[schema/wrong-type]"),
        (format!("{good}\nbakends: {{}}"), ":30005:1: error[schema/unknown-key]"),
        (good.replace(" }", ""), ":30004:5: error[syntax/yaml]"),
        (format!("{good}\nbackends: {{ a: *then }}"), ":30005:16: error[syntax/yaml]"),
    ] {
        let told = told(&last);
        assert!(told.len() == 1 && told[0].contains(place), "{last}: {told:?}");
    }
}

#[test]
fn plans_and_pictures_are_made_of_standard_input_too() {
    let folder = Folder::with(&[("good.yaml", GOOD)]);
    for args in [["plan", "--format=json"], ["graph", "--format=dot"]] {
        let [of_file, of_stdin] = ["good.yaml", "-"].map(|name| folder.ezrun_with(&[args[0], name, args[1]], GOOD));
        assert_eq!((of_stdin.code, of_stdin.stderr.as_str()), (0, ""));
        assert_eq!(of_stdin.stdout.replace("<stdin>", "good"), of_file.stdout);
    }
    let broken = folder.ezrun_with(&["plan", "-"], BROKEN);
    assert_eq!(broken.code, 1);
    assert!(broken.stderr.contains("--> <stdin>:3:17"), "{}", broken.stderr);
}

#[test]
fn what_is_no_text_says_what_it_is() {
    let folder = Folder::with(&[("nul.yaml", "ezrun: 1\0\n")]);
    let utf16: Vec<u8> = "\u{feff}ezrun: 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(folder.path("utf16.yaml"), utf16).unwrap();
    let told = |file: &str| folder.validate(&[file]).stderr;
    assert_eq!(told("nul.yaml"), "error: nul.yaml is not text: byte 8 is NUL\n");
    assert_eq!(told("utf16.yaml"), "error: utf16.yaml is UTF-16 text: save it as UTF-8\n");
    assert_eq!(told("/dev/zero"), "error: cannot read /dev/zero: it is a device, not a file\n");
    let stdin = folder.ezrun_with(&["validate", "-"], "ezrun: 1\0\n");
    assert_eq!((stdin.code, stdin.stderr.as_str()), (2, "error: <stdin> is not text: byte 8 is NUL\n"));
}

#[test]
fn a_pipe_is_read_to_its_end_and_not_written() {
    let folder = Folder::with(&[("graphs/good.yaml", GOOD)]);
    let bash = |script: &str| {
        let ezrun = format!("ezrun() {{ '{}' \"$@\"; }}; {script}", env!("CARGO_BIN_EXE_ezrun"));
        let output = Command::new("bash").args(["-c", &ezrun]).current_dir(folder.path("")).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout) + &text(output.stderr))
    };
    // Paths in it are those of the current folder, as on standard input.
    let using = "echo 'ezrun: 1'; echo 'nodes: { a: { use: ./graphs/good.yaml } }'";
    let (code, told) = bash(&format!("ezrun validate <({using})"));
    assert_eq!(code, Some(0), "{told}");
    assert!(told.starts_with("no findings in /dev/fd/"), "{told}");
    let (code, told) = bash("ezrun validate <(yes '# more')");
    assert_eq!(code, Some(2));
    assert!(told.contains(" has more than 1048576 bytes; "), "{told}");
    let (code, told) = bash("ezrun validate --fix <(cat graphs/good.yaml)");
    assert_eq!(code, Some(2));
    assert!(told.ends_with(" is no file and cannot be fixed\n"), "{told}");
}

#[test]
fn a_pipe_without_a_writer_is_not_waited_for_in_silence() {
    let folder = Folder::with(&[]);
    let pipe = folder.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // One that says nothing waits for ever.
    let mut command = Command::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_ezrun"), "validate", "pipe"]).current_dir(folder.path(""));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut ezrun = command.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(ezrun.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "waiting for the end of the pipe pipe\n");
    std::fs::write(&pipe, GOOD).unwrap();
    let mut found = String::new();
    ezrun.stdout.take().unwrap().read_to_string(&mut found).unwrap();
    assert!(ezrun.wait().unwrap().success());
    assert_eq!(found, "no findings in pipe\n");
}
