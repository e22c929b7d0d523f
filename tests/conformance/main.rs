//! The behaviours that ezrun holds, shown through the command line with real processes.
//!
//! The files follow the list of behaviours: delivery (1 to 7), isolation (8 to 14), life and death (15 to 19), restarts, and
//! what else is done about processes that do not do their part.

mod delivery;
mod isolation;
mod life;
mod report;
mod restart;
mod stopped;
mod supervision;
mod support;
