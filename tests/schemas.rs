//! The JSON Schemas in `schemas/`: made from the code, and as strict about graph files as a schema can be.
//! `EZRUN_BLESS=1 cargo test --test schemas` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Rules that a schema can speak for.
const STRUCTURAL: &[&str] = &[
    "schema/version",
    "schema/unknown-key",
    "schema/missing-key",
    "schema/wrong-type",
    "schema/wrong-value",
    "schema/out-of-range",
    "schema/bad-name",
    "schema/empty",
    "schema/unsupported",
    "schema/unknown-type",
    "schema/unknown-setting",
    "schema/missing-setting",
];

/// Lines of cases that a schema of the file cannot judge: values from the command line, settings of packs, units.
const BEYOND: &[&str] = &["# args ", "packs: ", "# beyond a schema"];

fn printed(of: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ezrun")).args(["schema", of]).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_schemas_are_those_that_the_code_makes() {
    for of in ["graph", "findings", "plan", "bench", "doctor"] {
        let path = project().join(format!("schemas/{of}.schema.json"));
        let schema = printed(of);
        if std::env::var_os("EZRUN_BLESS").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept == schema, "{} is out of date: EZRUN_BLESS=1 cargo test --test schemas", path.display());
    }
}

fn yaml_files(dir: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project().join(dir)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    assert!(!files.is_empty());
    files.sort();
    files
}

/// What the schema says against a file; nothing where it is valid.
fn complaint(validator: &jsonschema::Validator, path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let yaml: yaml_serde::Value = yaml_serde::from_str(&text).ok()?;
    let json: Value = serde_json::to_value(yaml).ok()?;
    validator.validate(&json).err().map(|error| format!("{}: {error}", error.instance_path))
}

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::from_str(&printed("graph")).unwrap()).unwrap()
}

#[test]
fn every_graph_that_ships_and_every_good_case_fits_the_schema() {
    let validator = validator();
    for path in yaml_files("graphs").into_iter().chain(yaml_files("tests/graphs/ok")) {
        assert_eq!(complaint(&validator, &path), None, "{}", path.display());
    }
}

#[test]
fn faults_of_structure_do_not_fit_the_schema() {
    let validator = validator();
    let (mut refused, mut fitting) = (0, Vec::new());
    for path in yaml_files("tests/graphs/err") {
        let text = std::fs::read_to_string(&path).unwrap();
        let codes = text.lines().filter_map(|line| line.strip_prefix("# expect ")?.split_whitespace().nth(1));
        let beyond = text.lines().any(|line| BEYOND.iter().any(|start| line.starts_with(start)));
        if codes.into_iter().any(|code| STRUCTURAL.contains(&code)) && !beyond {
            match complaint(&validator, &path) {
                Some(_) => refused += 1,
                None => fitting.push(path),
            }
        }
    }
    assert!(fitting.is_empty(), "these fit the schema: {fitting:#?}");
    assert!(refused >= 15, "only {refused} cases");
}
