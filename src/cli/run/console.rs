//! What the user sees while a graph runs: a progress bar on a terminal, plain lines elsewhere, all on standard error.

use crate::control::LogLevel;
use crate::node::counted;
use crate::plan::Plan;
use crate::runner::{Observer, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// How often a bar moves.
const BAR_EVERY: Duration = Duration::from_millis(200);
/// How often a line says how far the run is, where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows a run on standard error.
pub struct Console {
    quiet: bool,
    bar: Option<ProgressBar>,
    /// The first error that the runner itself has told.
    noted_error: Option<String>,
}

impl Console {
    pub fn new(quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style("{elapsed} {pos} messages"));
            bar
        });
        Console { quiet, bar, noted_error: None }
    }

    /// Says what is about to run.
    pub fn announce(&self, plan: &Plan<'_>) {
        let graph = plan.graph;
        let (nodes, backends, edges) = (graph.nodes().len(), graph.backends().len(), graph.edges().len());
        let weaker = match plan.segments {
            crate::channel::SegmentKind::Sealed => "",
            crate::channel::SegmentKind::Named => "; segments are named: read-only by how they are mapped, not by seal",
        };
        let (nodes, backends, edges) = (counted(nodes, "node"), counted(backends, "backend"), counted(edges, "edge"));
        self.line(&format!("running {}: {nodes} in {backends}, {edges}{weaker}", graph.name));
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// The first error that the runner itself has told.
    pub fn noted_error(&self) -> Option<&str> {
        self.noted_error.as_deref()
    }

    fn line(&self, line: &str) {
        if !self.quiet {
            self.always(line);
        }
    }

    fn always(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say!("{line}")),
            None => say!("{line}"),
        }
    }
}

impl Observer for Console {
    fn log(&mut self, from: &str, level: LogLevel, line: &str) {
        let line = harmless(line);
        match level {
            LogLevel::Error => self.always(&format!("{from} | error: {line}")),
            LogLevel::Warn => self.always(&format!("{from} | warning: {line}")),
            LogLevel::Info => self.line(&format!("{from} | {line}")),
            LogLevel::Debug => self.line(&format!("{from} | debug: {line}")),
            LogLevel::Trace => self.line(&format!("{from} | trace: {line}")),
        }
    }

    fn output(&mut self, from: &str, line: &str) {
        self.line(&format!("{from} | {}", harmless(line)));
    }

    fn note(&mut self, level: LogLevel, line: &str) {
        match level {
            LogLevel::Error => {
                self.always(&format!("error: {line}"));
                self.noted_error.get_or_insert_with(|| line.to_owned());
            }
            LogLevel::Warn => self.always(&format!("warning: {line}")),
            LogLevel::Info | LogLevel::Debug | LogLevel::Trace => self.line(line),
        }
    }

    fn progress_every(&self) -> Duration {
        if self.bar.is_some() { BAR_EVERY } else { LINE_EVERY }
    }

    fn progress(&mut self, progress: Progress) {
        let Some(bar) = &self.bar else {
            // A run that is over before the first line is due needs none.
            if progress.elapsed >= LINE_EVERY {
                let of = progress.expected.map(|expected| format!(" of {expected}")).unwrap_or_default();
                self.line(&format!("{:.0} s: {}{of} messages sent", progress.elapsed.as_secs_f64(), progress.sent));
            }
            return;
        };
        if let Some(expected) = progress.expected.filter(|_| bar.length().is_none()) {
            bar.set_style(style("{elapsed} [{bar:40}] {pos}/{len} messages, {eta} left"));
            bar.set_length(expected);
        }
        bar.set_position(progress.sent);
    }
}

/// A line of another program, without what would control the terminal.
pub fn harmless(line: &str) -> String {
    let plain = anstream::adapter::strip_str(line).to_string();
    plain.chars().filter(|&c| c == '\t' || !c.is_control()).collect()
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are well formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_others_cannot_control_the_terminal() {
        assert_eq!(harmless("\u{1b}[2J\u{1b}[31mred\u{7}\tend\r"), "red\tend");
    }
}
