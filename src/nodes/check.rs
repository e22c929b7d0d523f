//! `check`: verifies what `counter` made, to the last byte.

use super::support::pattern;
use crate::message::Received;
use crate::node::{Flow, InputId, Node, NodeType, Outputs, PortType, Result};
use anyhow::{bail, ensure};
use schemars::JsonSchema;
use serde::Deserialize;

pub fn node_type() -> NodeType {
    NodeType::sink("check", "Verifies order, number and every byte of what `counter` sent; fails the run otherwise.")
        .input("in", PortType::Bytes)
        .records_unless("gaps")
        .example("{ count: 10000 }")
        .node(|settings: Settings| Ok(Check { settings, received: 0, next: 0 }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How many messages there must have been at the end. Where it is not given, any number will do.
    count: Option<u64>,
    /// Whether messages may be missing, as on an edge that drops. Default: false.
    #[serde(default)]
    gaps: bool,
}

struct Check {
    settings: Settings,
    received: u64,
    /// The number that the next message should have.
    next: u64,
}

impl Check {
    /// The number of a message, which must be the next one, or a later one where gaps are allowed.
    fn number_of(&self, payload: &[u8]) -> Result<u64> {
        let (received, next) = (self.received, self.next);
        let Some(number) = pattern::number_of(payload) else {
            ensure!(
                !self.settings.gaps,
                "message {received} carries no number: with `gaps`, the counter's messages need 8 bytes or more"
            );
            return Ok(next);
        };
        // A number that makes no sense is better told as a wrong byte, unless the rest of the message confirms it.
        if number != next && pattern::difference(number, payload).is_some() {
            return Ok(next);
        }
        if number < next {
            bail!("message {received} is out of order: its number is {number}, after {}", next - 1);
        }
        if number > next && !self.settings.gaps {
            bail!("message {received} has number {number}: {} before it are missing, from {next} on", number - next);
        }
        Ok(number)
    }
}

impl Node for Check {
    fn process(&mut self, _: InputId, message: Received<'_>, _: &mut Outputs) -> Result<Flow> {
        let payload = message.bytes();
        let number = self.number_of(payload)?;
        if let Some(wrong) = pattern::difference(number, payload) {
            let received = self.received;
            let sequence = message.header().sequence;
            bail!(
                "message {received} (sequence {sequence}, {} bytes) is not what the counter made: byte {} is {:#04x}, \
                 not {:#04x}",
                payload.len(),
                wrong.offset,
                wrong.found,
                wrong.wanted
            );
        }
        self.received += 1;
        self.next = number + 1;
        Ok(Flow::Continue)
    }

    fn stop(&mut self, _: &mut Outputs) -> Result<()> {
        match self.settings.count {
            Some(count) if count != self.received => bail!("{} messages arrived, not {count}", self.received),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Buffer, Capture, Metadata, Owned};
    use crate::node::testing::Harness;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn message(number: u64, len: usize) -> Owned {
        let mut payload = Buffer::zeroed(len);
        pattern::fill(number, &mut payload);
        Owned::new(Arc::new(Metadata::bytes()), payload, Capture::stream_seconds(0.0))
    }

    fn verdict(settings: Value, messages: Vec<Owned>) -> String {
        let mut node = Harness::new(&node_type(), settings).unwrap();
        let passed = messages.into_iter().try_for_each(|m| node.send(InputId(0), m).map(|_| ()));
        passed.and_then(|()| node.stop()).map_or_else(|e| e.to_string(), |()| "passed".to_owned())
    }

    #[test]
    fn what_the_counter_made_passes_at_any_length() {
        let messages = [64, 0, 3, 8, 100].into_iter().zip(0..).map(|(len, i)| message(i, len)).collect();
        assert_eq!(verdict(json!({ "count": 5 }), messages), "passed");
    }

    #[test]
    fn a_changed_byte_is_named_by_message_and_offset() {
        let mut wrong = message(1, 64);
        wrong.payload[40] ^= 1;
        let verdict = verdict(json!({}), vec![message(0, 64), wrong]);
        assert!(verdict.starts_with("message 1 (sequence 0, 64 bytes)"), "{verdict}");
        assert!(verdict.contains("byte 40 is"), "{verdict}");
    }

    #[test]
    fn a_changed_number_is_a_wrong_byte_and_no_gap() {
        let mut wrong = message(0, 64);
        wrong.payload[5] = 9;
        assert!(verdict(json!({}), vec![wrong]).contains("byte 5 is 0x09, not 0x00"));
    }

    #[test]
    fn a_missing_message_is_told_unless_gaps_are_allowed() {
        let messages = || vec![message(0, 16), message(3, 16)];
        assert_eq!(verdict(json!({}), messages()), "message 1 has number 3: 2 before it are missing, from 1 on");
        assert_eq!(verdict(json!({ "gaps": true }), messages()), "passed");
    }

    #[test]
    fn order_is_verified_even_where_gaps_are_allowed() {
        let verdict = verdict(json!({ "gaps": true }), vec![message(4, 16), message(4, 16)]);
        assert_eq!(verdict, "message 1 is out of order: its number is 4, after 4");
    }

    #[test]
    fn too_few_messages_are_told_at_the_end() {
        assert_eq!(verdict(json!({ "count": 2 }), vec![message(0, 16)]), "1 messages arrived, not 2");
    }
}
