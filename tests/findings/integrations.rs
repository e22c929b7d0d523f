//! What ships for CI servers, editors and shells does what it says.

use crate::support::{BROKEN, COPYING, Folder, GOOD, WARNED, project};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn yaml(name: &str) -> Value {
    let text = std::fs::read_to_string(project().join(name)).unwrap();
    serde_json::to_value(yaml_serde::from_str::<yaml_serde::Value>(&text).unwrap()).unwrap()
}

fn graphs() -> Folder {
    Folder::with(&[
        ("g/error.yaml", BROKEN),
        ("g/warning.yaml", WARNED),
        ("ok/hint.yaml", COPYING),
        ("ok/x.yml", "a: 1"),
    ])
}

#[test]
fn the_problem_matcher_reads_every_line_of_the_concise_format() {
    let matchers = std::fs::read_to_string(project().join("problem-matcher.json")).unwrap();
    let matchers: Value = serde_json::from_str(&matchers).unwrap();
    let matchers = matchers["problemMatcher"].as_array().unwrap().clone();
    let graphs = project().join("tests/graphs");
    let folder = Folder::with(&[]);
    let lines = folder.validate(&[graphs.to_str().unwrap(), "--format", "concise"]).stdout;
    let json = folder.validate(&[graphs.to_str().unwrap(), "--format", "json"]).json();
    let findings = json["findings"].as_array().unwrap();
    assert_eq!(lines.lines().count(), findings.len());
    for (line, finding) in lines.lines().zip(findings) {
        let read: Vec<Value> = matchers.iter().filter_map(|matcher| read(matcher, line)).collect();
        let [read] = read.as_slice() else { panic!("{} matchers read {line}", read.len()) };
        let level = if finding["level"] == "hint" { "notice" } else { finding["level"].as_str().unwrap() };
        assert_eq!(read["severity"], level);
        for (key, other) in [("file", "file"), ("line", "line"), ("column", "column"), ("code", "code")] {
            let expected = finding[other].as_str().map_or_else(|| finding[other].to_string(), str::to_owned);
            assert_eq!(read[key], expected, "{line}");
        }
        assert!(line.ends_with(read["message"].as_str().unwrap()), "{line}");
    }
}

/// What a matcher makes of a line, as the servers that use such matchers do.
fn read(matcher: &Value, line: &str) -> Option<Value> {
    let pattern = matcher["pattern"][0].as_object().unwrap();
    let groups = regex::Regex::new(pattern["regexp"].as_str().unwrap()).unwrap().captures(line)?;
    let mut read = serde_json::json!({ "severity": matcher["severity"] });
    for (key, group) in pattern.iter().filter(|(key, _)| *key != "regexp") {
        read[key] = groups[usize::try_from(group.as_u64().unwrap()).unwrap()].into();
    }
    Some(read)
}

/// Runs the last step of the action with these inputs, the others as they are by default.
fn act(folder: &Folder, inputs: &[(&str, &str)]) -> Output {
    let action = yaml("action.yml");
    let step = action["runs"]["steps"].as_array().unwrap().last().unwrap().clone();
    let bin = folder.path("temp/ezrun/release");
    std::fs::create_dir_all(&bin).unwrap();
    let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ezrun"), bin.join("ezrun"));
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()]);
    command.current_dir(folder.path("")).env("RUNNER_TEMP", folder.path("temp"));
    for (name, expression) in step["env"].as_object().unwrap() {
        let input = expression.as_str().unwrap().strip_prefix("${{ inputs.").unwrap().strip_suffix(" }}").unwrap();
        let default = action["inputs"][input]["default"].as_str().unwrap();
        let given = inputs.iter().find(|(name, _)| *name == input).map_or(default, |(_, value)| value);
        command.env(name, given);
    }
    command.output().unwrap()
}

#[test]
fn the_action_annotates_and_fails_as_validate_does() {
    let folder = graphs();
    let output = act(&folder, &[]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.starts_with("::error file=g/error.yaml,line=3,"), "{printed}");
    for blank in ["", " \n "] {
        let output = act(&folder, &[("paths", blank)]);
        assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(1), printed.clone()));
    }
    assert_eq!(act(&folder, &[("paths", "ok\n g/warning.yaml ")]).status.code(), Some(0));
    let denied = [("paths", "g/warning.yaml"), ("deny-warnings", "true"), ("sarif", "all findings.sarif")];
    assert_eq!(act(&folder, &denied).status.code(), Some(1));
    assert!(folder.read("all findings.sarif").contains("flow/unread-output"));
    let ignored = [denied[0], denied[1], ("args", "--ignore flow")];
    assert_eq!(act(&folder, &ignored).status.code(), Some(0));
    // An input is never a command.
    let output = act(&folder, &[("paths", "ok; touch was_here $(touch was_here)")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!folder.path("was_here").exists());
}

#[test]
fn the_hook_checks_all_graphs_of_a_checkout() {
    let hook = yaml(".pre-commit-hooks.yaml")[0].clone();
    let entry = hook["entry"].as_str().unwrap().split_whitespace().skip(1);
    let args: Vec<&str> = entry.chain(hook["args"].as_array().unwrap().iter().filter_map(Value::as_str)).collect();
    let found = graphs().ezrun(&args);
    assert_eq!((found.code, &hook["pass_filenames"]), (1, &Value::Bool(false)));
    assert!(found.stdout.contains("--> g/error.yaml:3:"), "{}", found.stdout);
    assert_eq!(Folder::with(&[("a.yaml", GOOD), ("b/compose.yaml", "services: {}\n")]).ezrun(&args).code, 0);
}

#[test]
fn completions_name_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = Folder::with(&[]).ezrun(&["completions", shell]);
        assert_eq!(outcome.code, 0);
        for word in ["validate", "explain", "--deny-warnings", "--stop-after"] {
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(outcome.stdout.contains(word), "{shell} does not complete {word}");
        }
    }
    // The first word of zsh is a verb or a graph, and what follows depends on it.
    let zsh = Folder::with(&[]).ezrun(&["completions", "zsh"]).stdout;
    let (root, _) = zsh.split_once("case $line[1] in").unwrap();
    assert!(root.contains("\n\":: :{ _ezrun_commands; _files }\" \\\n") && !root.contains("\n':"), "{root}");
    let folder = Folder::with(&[]);
    std::fs::write(folder.path("ezrun.bash"), folder.ezrun(&["completions", "bash"]).stdout).unwrap();
    let complete = |words: &str, at: usize, word: &str, before: &str| {
        let completing = format!("COMP_WORDS=({words}) COMP_CWORD={at} && _ezrun ezrun {word} {before}");
        let script = format!("source ./ezrun.bash && {completing} && echo ${{COMPREPLY[@]}}");
        let output = Command::new("bash").args(["-c", &script]).current_dir(folder.path("")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete("ezrun vali", 1, "vali", "ezrun"), "validate\n");
    assert_eq!(complete("ezrun validate --format s", 3, "s", "--format"), "sarif\n");
}

#[test]
fn there_is_a_manual_page_for_every_verb() {
    let folder = Folder::with(&[("file", "")]);
    assert_eq!(folder.ezrun(&["man", "share/man1"]).code, 0);
    let page = |verb: &str| folder.read(&format!("share/man1/ezrun-{verb}.1"));
    assert!(page("validate").contains("\\-\\-deny\\-warnings"));
    for verb in ["run", "nodes", "rules", "explain", "schema", "completions", "man"] {
        assert!(page(verb).starts_with(".ie"), "{verb}");
    }
    assert!(Path::new(&folder.path("share/man1/ezrun.1")).exists());
    let own = folder.ezrun(&["man"]);
    assert_eq!((own.code, own.stderr.as_str()), (0, ""));
    assert_eq!(own.stdout, folder.read("share/man1/ezrun.1"));
    let outcome = folder.ezrun(&["man", "file/man1"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.starts_with("error: cannot write manual pages to file/man1: "), "{}", outcome.stderr);
}
