//! How a source keeps to a rate.

use super::{Outputs, Result};
use std::time::{Duration, Instant};

/// Holds a source back to a rate, by absolute deadlines, so that delays do not add up.
#[derive(Debug, Default)]
pub struct Pace {
    per_second: Option<f64>,
    began: Option<Instant>,
}

impl Pace {
    /// `per_second` units per second; none means as fast as the graph accepts.
    #[must_use]
    pub fn new(per_second: Option<f64>) -> Self {
        Pace { per_second, began: None }
    }

    /// Waits until `units` may have been sent in all. The clock starts with the first call.
    ///
    /// # Errors
    /// [`Stopped`](crate::node::Stopped) where the run is being stopped.
    pub fn wait(&mut self, units: u64, out: &Outputs) -> Result<()> {
        let Some(per_second) = self.per_second else { return Ok(()) };
        let began = *self.began.get_or_insert_with(Instant::now);
        let due = Duration::try_from_secs_f64(units as f64 / per_second).ok().and_then(|d| began.checked_add(d));
        match due {
            Some(due) if due > Instant::now() => out.wait_until(due),
            Some(_) => Ok(()),
            None => anyhow::bail!("the next message would be due in the far future: the rate is too low"),
        }
    }
}
