//! Whether a process that has ended is started again: what backends and nodes say of it, read and checked.

use super::fields::{At, Fields, Reader};
use super::finding::{Draft, Findings};
use super::model::Model;
use super::rules;
use super::source::Span;
use super::yaml::{Kind, Tree};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most restarts within a window.
pub(super) const MAX_RESTARTS: u32 = 1000;
/// A pause grows no longer than this.
pub const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// Longest time that can be written.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) const KEYS: [&str; 4] = ["restart", "max_restarts", "window", "backoff"];
const RESTARTS: &[(&str, Restart)] = &[("never", Restart::Never), ("on_failure", Restart::OnFailure)];

/// When a process that has ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// It is not.
    #[default]
    Never,
    /// Where it failed or was killed.
    OnFailure,
}

/// When a process is started again, how often, and after which pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// After which ends.
    pub restart: Restart,
    /// How often within the window.
    pub max_restarts: u32,
    /// How long a restart counts.
    pub window: Duration,
    /// The first pause. It doubles with each restart that counts, up to [`MAX_BACKOFF`].
    pub backoff: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        RestartPolicy {
            restart: Restart::Never,
            max_restarts: 3,
            window: Duration::from_secs(60),
            backoff: Duration::from_millis(100),
        }
    }
}

/// A policy as written.
#[derive(Clone, Copy, Default)]
pub(super) struct WrittenRestart {
    restart: Option<At<Restart>>,
    max_restarts: Option<At<u32>>,
    window: Option<At<Duration>>,
    backoff: Option<At<Duration>>,
    /// The first of its keys.
    pub first_key: Option<Span>,
}

impl WrittenRestart {
    pub fn policy(&self) -> RestartPolicy {
        let default = RestartPolicy::default();
        RestartPolicy {
            restart: self.restart.map_or(default.restart, |restart| restart.value),
            max_restarts: self.max_restarts.map_or(default.max_restarts, |at| at.value),
            window: self.window.map_or(default.window, |at| at.value),
            backoff: self.backoff.map_or(default.backoff, |at| at.value),
        }
    }
}

/// Reads the keys of a policy, `what` in words being what they stand at.
pub(super) fn read<'t>(fields: &Fields<'t>, what: &str, reader: &mut Reader<'_, 't>) -> WrittenRestart {
    let written: Vec<_> = fields.iter().filter(|field| KEYS.contains(&field.name)).collect();
    let value = |key: &str| fields.get(key).map(|field| field.value);
    let said = value("restart");
    let policy = WrittenRestart {
        restart: said.and_then(|tree| restart(tree, reader)),
        max_restarts: value("max_restarts").and_then(|tree| reader.integer(tree, "`max_restarts`", 1..=MAX_RESTARTS)),
        window: value("window").and_then(|tree| duration(tree, "`window`", reader)),
        backoff: value("backoff").and_then(|tree| duration(tree, "`backoff`", reader)),
        first_key: written.first().map(|field| field.span),
    };
    let restarts = said.is_some_and(|tree| tree.kind == Kind::Unknown)
        || policy.restart.is_some_and(|restart| restart.value != Restart::Never);
    for field in written.iter().filter(|field| field.name != "restart" && !restarts) {
        if said.is_some() && policy.restart.is_none() {
            // What `restart` was to say is told to be wrong already.
            break;
        }
        let message = format!("{what} says `{}` and is never restarted", field.name);
        reader.report(rules::MISSING_KEY, field.span, message, "add `restart: on_failure`, or take it out");
    }
    policy
}

fn restart<'t>(tree: &'t Tree, reader: &mut Reader<'_, 't>) -> Option<At<Restart>> {
    if matches!(&tree.kind, Kind::String(text) if text == "always") {
        let message = "`restart: always` is reserved; this version of ezrun does not do it yet";
        reader.report(rules::UNSUPPORTED, tree.span, message, "write `on_failure`");
        return None;
    }
    reader.choice(tree, "`restart`", RESTARTS)
}

/// A time above zero, as in `100ms`, `2 s`, or a number of seconds.
pub(super) fn duration(tree: &Tree, what: &str, reader: &mut Reader<'_, '_>) -> Option<At<Duration>> {
    let help = "write a time with its unit, such as `100ms` or `1 min`, or a number of seconds";
    let read = match &tree.kind {
        Kind::Unknown => return None,
        Kind::Int(seconds) => u64::try_from(seconds.get()).ok().map(Duration::from_secs),
        Kind::Float(seconds) => Duration::try_from_secs_f64(*seconds).ok(),
        Kind::String(text) => humantime::parse_duration(text).ok(),
        _ => None,
    };
    match read {
        None => {
            let message = format!("{what} is a time, not {}", tree.describe());
            reader.report(rules::WRONG_TYPE, tree.span, message, help);
            None
        }
        Some(value) if value.is_zero() || value > MAX_DURATION => {
            let message = format!("{what} is {}", tree.describe());
            reader.report(rules::OUT_OF_RANGE, tree.span, message, "it is above zero, and one day at most");
            None
        }
        Some(value) => Some(At { value, span: tree.span }),
    }
}

/// What is said of a process is said where its nodes are put together.
pub(super) fn shared_processes(model: &Model<'_>, findings: &mut Findings) {
    for backend in &model.backends {
        for word in &backend.nodes {
            let Some(node) = model.by_name.get(&word.text).map(|&at| &model.nodes[at]) else { continue };
            let Some(span) = node.restart.first_key else { continue };
            let message = format!(
                "`{}` says what becomes of its process, which is that of the backend `{}`",
                node.name.text, backend.name.text
            );
            let draft = Draft::new(rules::UNSUPPORTED, span, message);
            let (place, label) = match backend.restart.first_key {
                Some(said) => (said, "and that says so already"),
                None => (word.span, "placed here"),
            };
            let help = "nodes that share a process are restarted together: say it at the backend alone";
            findings.add(draft.help(help).related(place, label));
        }
    }
}
