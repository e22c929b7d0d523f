//! The report of a measurement, as JSON: what `--format json` writes and `--compare` reads.

use super::Figures;
use super::case::Case;
use super::figures::Spread;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of the report's form.
const FORM: u32 = 1;

/// What `ezrun bench` measured.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Version of this form: 1.
    pub bench: u32,
    /// Version of the ezrun that measured.
    pub ezrun: String,
    /// Processors that it could use.
    pub cpus: u32,
    /// What was measured, in the order of the command line.
    pub cases: Vec<CaseReport>,
}

/// One case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseReport {
    /// What was measured.
    pub case: Case,
    /// How the figures spread over the runs.
    pub figures: Figures<Spread>,
    /// The figures of each run.
    pub runs: Vec<Figures<f64>>,
}

impl Report {
    /// Of cases that were measured with so many processors.
    pub fn new(cpus: usize, cases: Vec<(Case, Vec<Figures<f64>>)>) -> Self {
        let cases = cases.into_iter().map(|(case, runs)| CaseReport { case, figures: Figures::over(&runs), runs });
        Report { bench: FORM, ezrun: env!("CARGO_PKG_VERSION").to_owned(), cpus: cpus as u32, cases: cases.collect() }
    }

    /// Reads one that was written before.
    ///
    /// # Errors
    /// What is wrong with the file, and how to get one that is right.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {file}: {e}"))?;
        let mut json = serde_json::Deserializer::from_str(&text);
        let report: Result<Report, _> = serde_path_to_error::deserialize(&mut json);
        let help = "write one with `ezrun bench --format json=PATH`";
        let report = report.map_err(|e| match e.path().iter().next() {
            Some(_) => format!("{file} is no report of `ezrun bench`: at `{}`: {}; {help}", e.path(), e.inner()),
            None => format!("{file} is no report of `ezrun bench`: {}; {help}", e.inner()),
        })?;
        if report.bench != FORM {
            return Err(format!("{file} has form {}, this ezrun reads form {FORM}; {help}", report.bench));
        }
        Ok(report)
    }
}
