//! The built-in transforms, each run alone, against what SciPy made of the same samples (`tests/reference/`).

mod arithmetic;
mod filters;
mod support;
