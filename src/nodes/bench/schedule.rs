//! When the next message of `ezrun bench` is sent, and when there is none.

use super::Settings;
use super::figures::now_ns;
use crate::node::{Outputs, Pace, Result};

/// A count or a time, and a rate.
pub struct Schedule {
    messages: Option<u64>,
    duration_ns: Option<u64>,
    began_ns: Option<u64>,
    pace: Pace,
    next: u64,
}

impl Schedule {
    pub fn new(settings: &Settings) -> Self {
        Schedule {
            messages: settings.messages,
            duration_ns: settings.duration_ns,
            began_ns: None,
            pace: Pace::new(settings.rate_hz),
            next: 0,
        }
    }

    /// Waits until a message is due and returns its number; nothing where no more will be sent.
    ///
    /// # Errors
    /// [`Stopped`](crate::node::Stopped) where the run is being stopped.
    pub fn next(&mut self, out: &mut Outputs) -> Result<Option<u64>> {
        let number = self.next;
        if let (0, Some(messages)) = (number, self.messages) {
            out.expect(messages);
        }
        if self.messages.is_some_and(|messages| number >= messages) {
            return Ok(None);
        }
        self.pace.wait(number, out)?;
        if let Some(duration_ns) = self.duration_ns {
            let began_ns = *self.began_ns.get_or_insert_with(now_ns);
            if now_ns().saturating_sub(began_ns) >= duration_ns {
                return Ok(None);
            }
        }
        self.next += 1;
        Ok(Some(number))
    }
}
