//! The built-in transforms, each run alone, against what SciPy made of the same samples (`tests/reference/`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod arithmetic;
mod blocks;
mod events;
mod filters;
mod spectra;
mod support;
mod types;
