//! A backend's log lines: sent to the runner over the control socket, each with the node that wrote it.

use crate::channel::current_node;
use crate::control::{FrameSender, FromBackend, LogLevel};
use std::fmt::Write as _;
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

/// A longer line is cut: it must fit into one write to the socket.
const MAX_LINE_BYTES: usize = 16 << 10;

/// Sends what is logged with `tracing`, from `least` on, to the runner.
pub fn install(control: &Arc<FrameSender>, least: LogLevel) {
    let filter = match least {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let layer = ToRunner(Arc::clone(control)).with_filter(filter);
    // A process is the backend of one run, so nothing was installed before.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
}

/// Cuts a text to what fits into one write to the socket, so that the report of a fault, which goes past its lock, cannot
/// land in the middle of it.
pub fn cut(text: &mut String) {
    if text.len() > MAX_LINE_BYTES {
        text.truncate(text.floor_char_boundary(MAX_LINE_BYTES));
        text.push('…');
    }
}

struct ToRunner(Arc<FrameSender>);

impl<S: Subscriber> Layer<S> for ToRunner {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let mut text = line.0;
        cut(&mut text);
        let level = match *event.metadata().level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG => LogLevel::Debug,
            Level::TRACE => LogLevel::Trace,
        };
        // A runner that cannot be told is dead, and so is this process soon.
        let _ = self.0.send(&FromBackend::Log { node: current_node(), level, text }, &[]);
    }
}

/// The message of an event, then its fields as `name=value`.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match (field.name(), self.0.is_empty()) {
            ("message", _) => {
                self.0 = format!("{value:?}{}{}", if self.0.is_empty() { "" } else { " " }, self.0);
                Ok(())
            }
            (name, true) => write!(self.0, "{name}={value:?}"),
            (name, false) => write!(self.0, " {name}={value:?}"),
        };
    }
}
