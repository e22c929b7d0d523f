//! How findings are told: formats, selection, inputs, and the documentation of the rules.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod formats;
mod inputs;
mod rules;
mod selection;
mod support;
