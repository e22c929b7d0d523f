//! What `ezrun validate` found, in the formats that people and programs read.

mod github;
pub mod json;
mod junit;
mod sarif;

use super::out_file::format_and_path;
use crate::graph::{Finding, Level, Sources, Tally, nearest_name, render};
use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;

/// What was found in all files.
pub struct Found {
    /// The files that could be read, in the order in which they were.
    pub checked: Vec<Checked>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// Whether a warning fails, as an error does.
    pub deny_warnings: bool,
}

/// A file, those that it uses, and what is told of them.
pub struct Checked {
    pub sources: Sources,
    pub findings: Vec<Finding>,
    /// How many more were found, and are told with a file before this one.
    pub told_before: usize,
}

/// A file or directory that could not be read.
pub struct Unread {
    pub file: String,
    pub cause: String,
}

/// One `--format`: which, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub format: Format,
    /// Standard output where there is none.
    pub path: Option<PathBuf>,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Concise,
    Json,
    Github,
    Sarif,
    Junit,
}

/// The formats by the names that `--format` takes.
const NAMES: [(&str, Format); 6] = [
    ("text", Format::Text),
    ("concise", Format::Concise),
    ("json", Format::Json),
    ("github", Format::Github),
    ("sarif", Format::Sarif),
    ("junit", Format::Junit),
];

impl Found {
    /// Whether `level` makes a file fail.
    pub fn fails(&self, level: Level) -> bool {
        level == Level::Error || (self.deny_warnings && level == Level::Warning)
    }

    /// All findings.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.checked.iter().flat_map(|checked| &checked.findings)
    }

    /// All findings, each with the files that it speaks of.
    pub fn findings_in_files(&self) -> impl Iterator<Item = (&Finding, &Sources)> {
        self.checked.iter().flat_map(|checked| checked.findings.iter().map(|finding| (finding, &checked.sources)))
    }

    /// How many findings of each level.
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        for tally in self.checked.iter().map(|checked| Tally::of(&checked.findings)) {
            sum.errors += tally.errors;
            sum.warnings += tally.warnings;
            sum.hints += tally.hints;
        }
        sum
    }
}

impl Format {
    /// All of `found` in this format.
    pub fn write(self, found: &Found, style: render::Style) -> String {
        match self {
            Format::Text => found.checked.iter().map(|checked| text(checked, style)).collect(),
            Format::Concise => found.findings().map(|finding| render::line(finding) + "\n").collect(),
            Format::Json => json::write(found),
            Format::Github => github::write(found),
            Format::Sarif => sarif::write(found),
            Format::Junit => junit::write(found),
        }
    }
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) = format_and_path(text)?;
        if let Some((_, format)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(Output { format: *format, path });
        }
        let names = NAMES.map(|(name, _)| name);
        Err(match nearest_name(name, names) {
            Some(near) => format!("there is no format `{name}`; did you mean `{near}`?"),
            None => format!("there is no format `{name}`; formats are {}", names.join(", ")),
        })
    }
}

/// Reads an [`Output`], and tells shells what may stand there.
#[derive(Clone)]
pub struct OutputParser;

impl TypedValueParser for OutputParser {
    type Value = Output;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Output, clap::Error> {
        (|text: &str| text.parse::<Output>()).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(NAMES.iter().map(|(name, _)| PossibleValue::new(name))))
    }
}

fn text(checked: &Checked, style: render::Style) -> String {
    let Checked { sources, findings, told_before } = checked;
    let before = if *told_before == 0 { String::new() } else { format!(", beside {told_before} told above") };
    format!("{}{}{before}\n", render::text(findings, sources, style), render::summary(findings, sources))
}
