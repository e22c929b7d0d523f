//! Any bytes as what a pack says of itself, and a graph that uses its types.
#![no_main]

use ezrun::graph::{LoadOptions, PackFault, Packs, SourceFile, load, render};
use ezrun::node::{PackDescription, Registry};
use libfuzzer_sys::fuzz_target;
use std::fmt::Write;
use std::path::Path;
use std::sync::LazyLock;

static REGISTRY: LazyLock<Registry> = LazyLock::new(ezrun::nodes::registry);

struct ThisPack(PackDescription);

impl Packs for ThisPack {
    fn describe(&self, _: &Path) -> Result<PackDescription, PackFault> {
        Ok(self.0.clone())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(pack) = PackDescription::from_json(bytes) else { return };
    let json = serde_json::to_vec(&pack).expect("it was read");
    PackDescription::from_json(&json).expect("it was written");
    let mut text = "ezrun: 1\npacks:\n  demo: ./demo\nnodes:\n".to_owned();
    for (at, node_type) in pack.types.iter().enumerate().take(8) {
        let name = serde_json::to_string(&format!("demo/{}", node_type.name)).expect("a text");
        let _ = writeln!(text, "  n{at}: {{ use: {name}, with: {{ a: 1, b: x }} }}");
    }
    let file = SourceFile::from_text("fuzz.yaml", Path::new("/nonexistent"), &text);
    let options = LoadOptions { env: &|_| None, ..LoadOptions::validate(&REGISTRY, &[]) };
    let loaded = load(&file, &options, &ThisPack(pack));
    let _ = render::text(&loaded.findings, &loaded.sources, render::Style::Coloured);
});
