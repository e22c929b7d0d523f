//! What several built-in node types share: files, pacing, tables of text, framing, the counter's pattern.

pub mod files;
pub mod framing;
pub mod pattern;
pub mod samples;
pub mod stream;
pub mod table;
