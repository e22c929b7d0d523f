//! Everything that README shows is run: graphs are validated, commands are executed in a copy of `graphs/`, and what a
//! command is said to print is what it prints, times aside. (The Rust of README is compiled as a documentation test.)

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A fenced block, and the one of commands before it.
struct Block {
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut blocks = Vec::new();
    for part in readme.split("\n```").skip(1).step_by(2) {
        let (language, text) = part.split_once('\n').unwrap();
        blocks.push(Block { language: language.to_owned(), text: format!("{text}\n") });
    }
    blocks
}

fn is_graph(block: &Block) -> bool {
    block.language == "yaml" && block.text.starts_with("ezrun: 1")
}

/// A checkout as far as README's commands need it.
fn checkout() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
    for folder in ["", "data", "parts"] {
        let (from, to) = (from.join(folder), dir.path().join("graphs").join(folder));
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    dir
}

fn ezrun(dir: &Path, args: &[&str]) -> Output {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_ezrun"));
    let mut command = Command::new(&binary);
    command.args(args).current_dir(dir).env("NO_COLOR", "1");
    command.env("EZRUN_EXAMPLES", binary.parent().unwrap().join("examples")).output().unwrap()
}

/// The arguments of each `cargo run --release -- …` in a block of commands.
fn runs(block: &Block) -> impl Iterator<Item = Vec<&str>> {
    let commands = block.text.lines().map(|line| line.split('#').next().unwrap().trim());
    commands.filter_map(|c| c.strip_prefix("cargo run --release -- ")).map(|args| args.split_whitespace().collect())
}

/// A line without its times and without the widths that follow from them.
fn timeless(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_unit = |word: &str| ["ns", "µs", "ms", "s"].contains(&word);
    let mut kept = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_time = word.parse::<f64>().is_ok() && words.get(at + 1).is_some_and(|next| is_unit(next));
        if !is_time && !is_unit(word) {
            kept.push(*word);
        }
    }
    kept.join(" ")
}

#[test]
fn every_graph_in_readme_is_valid() {
    let dir = checkout();
    let graphs: Vec<Block> = blocks().into_iter().filter(is_graph).collect();
    assert!(graphs.len() >= 3);
    for (at, graph) in graphs.iter().enumerate() {
        let name = format!("graphs/readme-{at}.yaml");
        std::fs::write(dir.path().join(&name), &graph.text).unwrap();
        let output = ezrun(dir.path(), &["validate", "--deny-warnings", "--allow-exec", &name]);
        assert!(output.status.success(), "{}{}", graph.text, String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn every_command_in_readme_works_and_prints_what_is_shown() {
    let dir = checkout();
    let blocks = blocks();
    let mut commands = 0;
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| block.language == "sh") {
        for args in runs(block) {
            commands += 1;
            let output = ezrun(dir.path(), &args);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{args:?}\n{stderr}");
            let Some(shown) = blocks.get(at + 1).filter(|next| next.language == "text") else { continue };
            let printed: Vec<String> = stderr.lines().map(timeless).collect();
            let shown: Vec<String> = shown.text.lines().map(timeless).collect();
            assert_eq!(printed, shown, "{args:?}");
        }
    }
    assert!(commands >= 4);
}

#[test]
fn the_refusal_in_readme_is_the_one_that_ezrun_gives() {
    let dir = checkout();
    let blocks = blocks();
    let graph = blocks.iter().find(|b| b.text.contains("name: isolation")).unwrap();
    let refused = graph.text.replace("to: mute }", "to: mute, zero_copy: true }");
    assert_ne!(refused, graph.text);
    std::fs::write(dir.path().join("graphs/refused.yaml"), refused).unwrap();
    let output = ezrun(dir.path(), &["graphs/refused.yaml"]);
    let shown = blocks.iter().find(|b| b.text.starts_with("error[")).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with(&shown.text), "{stderr}");
}

#[test]
fn the_isolation_graph_in_readme_is_the_one_that_ships() {
    let shipped = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/isolation.yaml")).unwrap();
    let lines = |text: &str| -> Vec<String> {
        let without_comments = text.lines().map(|line| line.split(" #").next().unwrap_or("").trim().to_owned());
        without_comments.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    };
    let blocks = blocks();
    let shown = blocks.iter().find(|b| b.text.contains("name: isolation")).unwrap();
    assert_eq!(lines(&shown.text), lines(&shipped));
}

#[test]
fn the_pre_commit_configuration_in_readme_names_the_hook_that_ships() {
    let blocks = blocks();
    let shown = blocks.iter().find(|block| block.text.starts_with("repos:")).unwrap();
    let shipped =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml")).unwrap();
    let yaml = |text: &str| yaml_serde::from_str::<yaml_serde::Value>(text).unwrap();
    let (used, offered) = (&yaml(&shown.text)["repos"][0]["hooks"][0], &yaml(&shipped)[0]);
    assert_eq!(used["id"], offered["id"]);
    let args = used["args"].as_sequence().unwrap().iter().map(|arg| arg.as_str().unwrap());
    let output = ezrun(checkout().path(), &["validate"].into_iter().chain(args).collect::<Vec<_>>());
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
}
