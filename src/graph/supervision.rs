//! How a process is looked after: what backends and nodes say of its start and of its end, read and checked.

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

pub(super) const KEYS: [&str; 7] =
    ["restart", "max_restarts", "window", "backoff", "startup_timeout", "stall_timeout", "on_exit"];
/// Those of them that only a process needs which is started again.
const RESTART_KEYS: [&str; 3] = ["max_restarts", "window", "backoff"];
const RESTARTS: &[(&str, Restart)] =
    &[("never", Restart::Never), ("on_failure", Restart::OnFailure), ("always", Restart::Always)];

const ON_EXITS: &[(&str, OnExit)] = &[("fail", OnExit::Fail), ("drain", OnExit::Drain), ("ignore", OnExit::Ignore)];

/// When a process that has ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// It is not.
    #[default]
    Never,
    /// Where it failed or was killed.
    OnFailure,
    /// Also where a node of it has ended well by itself, though more could have come to it, or it is a source.
    Always,
}

/// What a run comes to when a process has failed for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExit {
    /// It ends: sources stop, and queues drain within the grace period.
    #[default]
    Fail,
    /// It ends: sources stop, and queues drain for as long as that takes.
    Drain,
    /// It goes on without it, and does not fail for that.
    Ignore,
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

impl RestartPolicy {
    /// Whether any end is followed by a restart.
    #[must_use]
    pub fn restarts(&self) -> bool {
        self.restart != Restart::Never
    }
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

/// How a process is looked after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Supervision {
    /// Whether it is started again.
    pub restart: RestartPolicy,
    /// How long it may take to be ready.
    pub startup_timeout: Option<Duration>,
    /// How long a node of it may leave a message that waits for it.
    pub stall_timeout: Option<Duration>,
    /// What its failure does to the run, once it is not started again.
    pub on_exit: OnExit,
}

/// How a process is looked after, as written, where anything is; apart, since little ever is.
pub(super) type WrittenSupervision = Option<Box<SupervisionKeys>>;

/// What of it is written.
pub(super) struct SupervisionKeys {
    restart: Option<At<Restart>>,
    max_restarts: Option<At<u32>>,
    window: Option<At<Duration>>,
    backoff: Option<At<Duration>>,
    startup_timeout: Option<At<Duration>>,
    stall_timeout: Option<At<Duration>>,
    on_exit: Option<At<OnExit>>,
    /// The first of them.
    pub first: Span,
}

/// What a process is told by what is written, or by nothing.
pub(super) fn of(written: &WrittenSupervision) -> Supervision {
    written.as_ref().map_or_else(Supervision::default, |keys| keys.get())
}

impl SupervisionKeys {
    fn get(&self) -> Supervision {
        let time = |at: At<Duration>| at.value;
        Supervision {
            restart: self.policy(),
            startup_timeout: self.startup_timeout.map(time),
            stall_timeout: self.stall_timeout.map(time),
            on_exit: self.on_exit.map_or_else(OnExit::default, |on_exit| on_exit.value),
        }
    }

    fn policy(&self) -> RestartPolicy {
        let default = RestartPolicy::default();
        RestartPolicy {
            restart: self.restart.map_or(default.restart, |restart| restart.value),
            max_restarts: self.max_restarts.map_or(default.max_restarts, |at| at.value),
            window: self.window.map_or(default.window, |at| at.value),
            backoff: self.backoff.map_or(default.backoff, |at| at.value),
        }
    }
}

/// Reads the keys, `what` in words being what they stand at.
pub(super) fn read<'t>(fields: &Fields<'t>, what: &str, reader: &mut Reader<'_, 't>) -> WrittenSupervision {
    let written: Vec<_> = fields.iter().filter(|field| KEYS.contains(&field.name)).collect();
    let first = written.first()?.span;
    let value = |key: &str| fields.get(key).map(|field| field.value);
    let said = value("restart");
    let supervision = SupervisionKeys {
        restart: said.and_then(|tree| reader.choice(tree, "`restart`", RESTARTS)),
        max_restarts: value("max_restarts").and_then(|tree| reader.integer(tree, "`max_restarts`", 1..=MAX_RESTARTS)),
        window: value("window").and_then(|tree| duration(tree, "`window`", reader)),
        backoff: value("backoff").and_then(|tree| duration(tree, "`backoff`", reader)),
        startup_timeout: value("startup_timeout").and_then(|tree| duration(tree, "`startup_timeout`", reader)),
        stall_timeout: value("stall_timeout").and_then(|tree| duration(tree, "`stall_timeout`", reader)),
        on_exit: value("on_exit").and_then(|tree| reader.choice(tree, "`on_exit`", ON_EXITS)),
        first,
    };
    let restarts = said.is_some_and(|tree| tree.kind == Kind::Unknown)
        || supervision.restart.is_some_and(|restart| restart.value != Restart::Never);
    for field in written.iter().filter(|field| RESTART_KEYS.contains(&field.name) && !restarts) {
        if said.is_some() && supervision.restart.is_none() {
            // What `restart` was to say is told to be wrong already.
            break;
        }
        let message = format!("{what} says `{}` and is never restarted", field.name);
        let help = "add `restart: on_failure`, or take it out; settings of a node type stand below `with:`";
        reader.report(rules::MISSING_KEY, field.span, message, help);
    }
    Some(Box::new(supervision))
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
            let Some(SupervisionKeys { first: span, .. }) = node.supervision.as_deref() else { continue };
            let message = format!(
                "`{}` says what becomes of its process, which is that of the backend `{}`",
                node.name.text, backend.name.text
            );
            let draft = Draft::new(rules::UNSUPPORTED, *span, message);
            let (place, label) = match &backend.supervision {
                Some(keys) => (keys.first, "and that says so already"),
                None => (word.span, "placed here"),
            };
            let help = "nodes that share a process start and end together: say it at the backend alone";
            findings.add(draft.help(help).related(place, label));
        }
    }
}
