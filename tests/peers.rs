//! What `benches/peers/run.py` makes of figures that were measured before: the tables and the plot of README.

use std::path::Path;
use std::process::{Command, Output};

const BEGIN: &str = "<!-- speed: what benches/peers/run.py has measured -->\n";
const END: &str = "<!-- speed: end -->\n";

fn project(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Writes what `tests/peers/figures.jsonl` says into `readme`.
fn write_into(readme: &Path) -> Output {
    let mut command = Command::new("python3");
    command.arg(project("benches/peers/run.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg("--from").arg(project("tests/peers/figures.jsonl"));
    command.arg("--write-readme").arg(readme).output().unwrap()
}

/// What is before, between and behind the markers.
fn parts(readme: &str) -> [&str; 3] {
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (between, behind) = rest.split_once(END).unwrap();
    [before, between, behind]
}

#[test]
fn figures_are_written_between_the_markers_of_readme_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let (old, path) = (std::fs::read_to_string(project("README.md")).unwrap(), dir.path().join("README.md"));
    std::fs::write(&path, &old).unwrap();
    for _ in 0..2 {
        let output = write_into(&path);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let new = std::fs::read_to_string(&path).unwrap();
    let ([before, _, behind], [new_before, section, new_behind]) = (parts(&old), parts(&new));
    assert_eq!((before, behind), (new_before, new_behind));
    let expected = std::fs::read_to_string(project("tests/peers/section.md")).unwrap();
    if std::env::var_os("EZRUN_BLESS").is_some() {
        std::fs::write(project("tests/peers/section.md"), section).unwrap();
    } else {
        assert_eq!(section, expected);
    }
}

#[test]
fn the_plot_has_a_line_for_each_system_that_was_measured() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("README.md");
    std::fs::write(&path, format!("{BEGIN}{END}")).unwrap();
    assert!(write_into(&path).status.success());
    let svg = std::fs::read_to_string(dir.path().join("benches/peers/speed.svg")).unwrap();
    let svg = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<&str> = svg.descendants().filter_map(|node| node.text()).map(str::trim).collect();
    for named in ["limit", "ezrun", "ezmsg", "64 B", "64 KiB", "10 M", "100 k"] {
        assert!(texts.contains(&named), "{named}: {texts:?}");
    }
    assert!(!texts.contains(&"dora"));
}

#[test]
fn a_file_without_markers_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("README.md");
    std::fs::write(&path, "no markers\n").unwrap();
    let output = write_into(&path);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("has no place for the figures"), "{stderr}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "no markers\n");
}
