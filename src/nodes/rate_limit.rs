//! `rate_limit`: lets only so many messages per second through. Nothing is lost here: the others wait.

use crate::message::Received;
use crate::node::settings::Positive;
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Quantity, Result, SettingError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::{Duration, Instant};

pub fn node_type() -> NodeType {
    NodeType::transform(
        "rate_limit",
        "Lets at most so many messages per second through, evenly spaced. The others wait in the edge before this \
         node, whose `overflow` decides what waiting costs.",
    )
    .input("in", PortType::Any)
    .output("out", PortType::same_as("in"))
    .cadence(Cadence::Limited { rate: Quantity::of("rate") })
    .example("{ rate: 10 }")
    .node(|Settings { rate }| match Duration::try_from_secs_f64(1.0 / rate.get()) {
        Ok(interval) => Ok(RateLimit { interval, next: None }),
        Err(_) => {
            Err(SettingError::at("rate", format!("`rate` is {}, so low that nothing would go through", rate.get())))
        }
    })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Messages per second that go through at most; may be below 1.
    rate: Positive,
}

struct RateLimit {
    interval: Duration,
    /// When the next message may go.
    next: Option<Instant>,
}

impl Node for RateLimit {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        if let Some(next) = self.next
            && Instant::now() < next
        {
            out.wait_until(next)?;
        }
        // Counted from when it goes, so that a late message is not followed by a burst.
        self.next = Instant::now().checked_add(self.interval);
        out.forward(message)?;
        Ok(Flow::Continue)
    }
}
