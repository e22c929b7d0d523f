//! How findings are told: formats, selection, inputs, and the documentation of the rules,
//! and what ships for CI servers, editors and shells.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod formats;
mod inputs;
mod integrations;
mod memory;
mod rules;
mod selection;
mod support;
