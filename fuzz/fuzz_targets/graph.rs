//! Any bytes as a graph file: read, checked by every rule, and its findings shown.
//!
//! `cargo +nightly fuzz run graph -- -max_len=4096`, with what `fuzz/corpus/graph` and `tests/graphs` have to begin with.
#![no_main]

use ezrun::graph::{Level, LoadOptions, PackFault, Packs, SourceFile, load, render};
use ezrun::node::{PackDescription, Registry, describe};
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::LazyLock;

static REGISTRY: LazyLock<Registry> = LazyLock::new(ezrun::nodes::registry);

/// Every pack has the built-in types, and no program is run.
struct SamePacks;

impl Packs for SamePacks {
    fn describe(&self, executable: &Path) -> Result<PackDescription, PackFault> {
        match executable.ends_with("missing") {
            true => Err(PackFault::Missing(executable.to_owned())),
            false => Ok(describe(&REGISTRY)),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // No file that a graph might use lies in this folder.
    let file = SourceFile::from_text("fuzz.yaml", Path::new("/nonexistent"), text);
    for missing_env in [Level::Error, Level::Warning] {
        let options = LoadOptions { env: &|_| None, missing_env, ..LoadOptions::validate(&REGISTRY, &[]) };
        let loaded = load(&file, &options, &SamePacks);
        let _ = render::text(&loaded.findings, &loaded.sources, render::Style::Coloured);
        let _ = render::summary(&loaded.findings, &loaded.sources);
    }
});
