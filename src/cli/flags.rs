//! Flags that several verbs take, and what they ask for.

use crate::channel::SegmentKind;
use serde::Serialize;

/// `--segments`: what shared memory is made of.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Segments {
    Sealed,
    Named,
}

impl From<Segments> for SegmentKind {
    fn from(segments: Segments) -> Self {
        match segments {
            Segments::Sealed => SegmentKind::Sealed,
            Segments::Named => SegmentKind::Named,
        }
    }
}

/// `--format`: for people, or for programs.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// A report for programs.
pub fn json(report: &impl Serialize) -> String {
    // Texts and numbers can always be written.
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}
