//! `ezrun fmt`: white space is put in order, and nothing else changes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use assert_cmd::Command;
use std::path::{Path, PathBuf};

/// Exit code, standard output and standard error.
fn ezrun(dir: &Path, args: &[&str], stdin: &str) -> (i32, String, String) {
    let mut command = Command::cargo_bin("ezrun").unwrap();
    let output = command.current_dir(dir).args(args).write_stdin(stdin).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Every graph of the project, broken ones included.
fn graphs() -> Vec<(PathBuf, String)> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = walkdir::WalkDir::new(project.join("graphs")).into_iter();
    let files =
        files.chain(walkdir::WalkDir::new(project.join("tests/graphs"))).map(|entry| entry.unwrap().into_path());
    let yaml = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    yaml.filter_map(|path| Some((path.clone(), std::fs::read_to_string(path).ok()?))).collect()
}

fn tree(text: &str) -> Option<yaml_serde::Value> {
    yaml_serde::from_str(text).ok()
}

/// The same file after a careless editor.
fn ruffled(text: &str) -> Vec<String> {
    let ends = |end: &str| text.lines().map(|line| format!("{line}{end}")).collect::<String>();
    let tight = text.replace("{ ", "{").replace(" }", "}").replace(", ", ",");
    vec![ends("  \n"), ends("\t\n"), ends("\r\n"), text.trim_end().to_owned(), format!("{text}\n \n\n"), tight]
}

#[test]
fn what_a_file_says_stays_the_same_and_formatting_twice_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut formatted_files, mut changed) = (0, 0);
    for (path, text) in graphs() {
        for ruffled in ruffled(&text).into_iter().chain([text.clone()]) {
            let (code, formatted, stderr) = ezrun(dir.path(), &["fmt", "-"], &ruffled);
            if code != 0 {
                // What is no YAML, or is none any more, is left alone.
                assert!(formatted.is_empty() && stderr.starts_with("error: cannot format <stdin>: "), "{stderr}");
                continue;
            }
            formatted_files += 1;
            changed += usize::from(formatted != ruffled);
            assert_eq!(tree(&formatted), tree(&ruffled), "{}", path.display());
            let comments = |text: &str| {
                text.lines().filter_map(|l| l.split_once('#')).map(|(_, c)| c.trim_end().to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(comments(&formatted), comments(&ruffled), "{}", path.display());
            let (code, again, _) = ezrun(dir.path(), &["fmt", "-"], &formatted);
            assert_eq!((code, again.as_str()), (0, formatted.as_str()), "{}", path.display());
        }
    }
    assert!(formatted_files > 400 && changed > 300, "{formatted_files} files, {changed} changed");
}

#[test]
fn a_careless_editor_leaves_no_trace_in_graphs_that_ship() {
    let dir = tempfile::tempdir().unwrap();
    let shipped = graphs().into_iter().filter(|(path, _)| path.to_str().unwrap().contains("/graphs/ok/"));
    for (path, text) in shipped.chain(graphs().into_iter().filter(|(p, _)| p.parent().unwrap().ends_with("graphs"))) {
        let (_, formatted, _) = ezrun(dir.path(), &["fmt", "-"], &text);
        assert_eq!(formatted, text, "{} is not in order", path.display());
        for ruffled in &ruffled(&text)[..5] {
            let (_, formatted, _) = ezrun(dir.path(), &["fmt", "-"], ruffled);
            let expected = if ruffled.contains("\r\n") { text.replace('\n', "\r\n") } else { text.clone() };
            assert_eq!(formatted, expected, "{}", path.display());
        }
    }
}

#[test]
fn files_are_written_and_folders_are_looked_through() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    write("good.yaml", "ezrun: 1\nnodes: { a: { use: null } }\n");
    write("bad.yaml", "ezrun: 1   # one\nnodes: {a: {use: null},b: {use: null}}   \n\n");
    write("other.yaml", "no: graph   \n");
    let (code, stdout, _) = ezrun(dir.path(), &["fmt", "--check", "."], "");
    assert_eq!((code, stdout.as_str()), (1, "bad.yaml is not in order\n"));
    assert!(read("bad.yaml").ends_with("   \n\n"));
    let (code, stdout, stderr) = ezrun(dir.path(), &["fmt", "."], "");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "formatted bad.yaml\n", ""));
    assert_eq!(read("bad.yaml"), "ezrun: 1   # one\nnodes: { a: { use: null }, b: { use: null } }\n");
    assert_eq!(read("other.yaml"), "no: graph   \n");
    let (code, stdout, _) = ezrun(dir.path(), &["fmt", "--check", "."], "");
    assert_eq!((code, stdout.as_str()), (0, ""));
}

#[test]
fn what_cannot_be_formatted_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("broken.yaml"), "ezrun: [1,   \n").unwrap();
    let (code, stdout, stderr) = ezrun(dir.path(), &["fmt", "broken.yaml", "nowhere.yaml"], "");
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("error: cannot format broken.yaml: 1:8: `[` is not closed\n"), "{stderr}");
    assert!(stderr.contains("error: cannot read nowhere.yaml"), "{stderr}");
    assert_eq!(std::fs::read_to_string(dir.path().join("broken.yaml")).unwrap(), "ezrun: [1,   \n");
}

#[test]
fn what_is_yaml_and_no_graph_is_not_called_anything_else() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tag.yaml"), "ezrun: 1\nnodes: { a: !mine { use: counter } }\n").unwrap();
    std::fs::write(dir.path().join("two.yaml"), "ezrun: 1\n---\nezrun: 1\n").unwrap();
    let (code, stdout, stderr) = ezrun(dir.path(), &["fmt", "tag.yaml", "two.yaml"], "");
    assert_eq!((code, stdout.as_str()), (1, ""));
    let expected = "error: cannot format tag.yaml: 2:13: the tag `!mine` means nothing here\n\
                    error: cannot format two.yaml: 2:1: a second document begins here\n";
    assert_eq!(stderr, expected);
}

#[test]
fn line_breaks_become_as_the_first_one_is() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("ezrun: 1 \r\nname: |\r\n  a\r\n\r\n", "ezrun: 1\r\nname: |\r\n  a\r\n\r\n"),
        ("ezrun: 1  \r\nname: a\n\n", "ezrun: 1\r\nname: a\r\n"),
        ("ezrun: 1  \nname: a\r\n", "ezrun: 1\nname: a\n"),
    ];
    for (text, expected) in cases {
        std::fs::write(dir.path().join("graph.yaml"), text).unwrap();
        assert_eq!(ezrun(dir.path(), &["fmt", "graph.yaml"], "").0, 0);
        assert_eq!(std::fs::read_to_string(dir.path().join("graph.yaml")).unwrap(), expected);
        assert_eq!(ezrun(dir.path(), &["fmt", "--check", "graph.yaml"], "").0, 0);
    }
}

#[test]
fn a_folder_without_any_graph_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("graphs")).unwrap();
    std::fs::write(dir.path().join("graphs/other.yaml"), "no: graph   \n").unwrap();
    let (code, stdout, stderr) = ezrun(dir.path(), &["fmt", "graphs"], "");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (2, "", "error: there is no graph below graphs\n"));
}

#[test]
fn a_file_that_is_written_keeps_its_mode_its_byte_order_mark_and_the_links_to_it() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir(path("far")).unwrap();
    std::fs::write(path("far/graph.yaml"), "\u{feff}ezrun: 1   \n").unwrap();
    std::fs::set_permissions(path("far/graph.yaml"), std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("far/graph.yaml", path("link.yaml")).unwrap();
    assert_eq!(ezrun(dir.path(), &["fmt", "link.yaml"], "").0, 0);
    assert!(path("link.yaml").is_symlink());
    assert_eq!(std::fs::read_to_string(path("far/graph.yaml")).unwrap(), "\u{feff}ezrun: 1\n");
    assert_eq!(std::fs::metadata(path("far/graph.yaml")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(std::fs::read_dir(path("far")).unwrap().count(), 1, "something is left beside the file");
}
