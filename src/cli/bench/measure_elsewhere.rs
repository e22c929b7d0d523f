//! One run of a case where nothing runs: there is none.

use super::case::Case;
use super::{Figures, exit};

/// What all runs would share.
pub struct Bench;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
#[error("ezrun runs graphs on Linux 5.16 and later; here it can only compare what was measured there")]
pub struct Fault;

impl Fault {
    /// The exit code that follows from it.
    pub fn code(&self) -> u8 {
        exit::USAGE
    }
}

impl Bench {
    /// Refuses.
    pub fn new() -> Result<Self, Fault> {
        Err(Fault)
    }

    /// None that could be used.
    pub fn cpus(&self) -> usize {
        0
    }

    /// Refuses.
    pub fn measure(&self, _: &Case) -> Result<Figures<f64>, Fault> {
        Err(Fault)
    }
}
