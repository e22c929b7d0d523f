//! Where nothing runs: `command` can be described and checked.

use super::Settings;
use crate::node::{Flow, Inputs, Outputs, Program, Result};

/// How a program would be started.
#[derive(Clone, Copy, Debug)]
pub enum Launch {
    Guarded,
}

/// A program that cannot be run here.
pub struct Command {
    program: String,
}

impl Command {
    pub fn new(settings: Settings, _: Launch) -> Self {
        Command { program: settings.argv.0.into_iter().map(|word| word.0).next().unwrap_or_default() }
    }
}

impl Program for Command {
    fn run(&mut self, _: &mut Inputs, _: &mut Outputs) -> Result<Flow> {
        anyhow::bail!("cannot run {}: `command` needs Linux", self.program)
    }
}
