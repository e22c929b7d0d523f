//! Everything that is done with the text of a graph file short of running it.

use ezrun::channel::SegmentKind;
use ezrun::graph::{self, Level, LoadOptions, Loaded, PackFault, Packs, SourceFile, load, render};
use ezrun::node::{PackDescription, Registry, describe};
use ezrun::picture::Picture;
use ezrun::plan::{outline, plan};
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

/// Reads it, checks it by every rule, shows what was found, formats it, mends it, plans it and draws it.
///
/// # Panics
/// Where any of that does, or where formatting twice is another thing than formatting once.
pub fn exercise(text: &str) {
    for missing_env in [Level::Error, Level::Warning] {
        let loaded = loaded(text, missing_env);
        let _ = render::text(&loaded.findings, &loaded.sources, render::Style::Coloured);
        let _ = render::summary(&loaded.findings, &loaded.sources);
        mend(text, &loaded);
        if let Some(graph) = &loaded.graph {
            let _ = outline(&plan(graph, SegmentKind::Sealed), Path::new("ezrun"));
            let picture = Picture::of(graph);
            let _ = (picture.svg(), picture.dot(), picture.mermaid());
        }
    }
    if let Ok(formatted) = graph::format(text) {
        assert_eq!(graph::format(&formatted).as_deref(), Ok(&*formatted), "formatted twice");
    }
}

fn loaded(text: &str, missing_env: Level) -> Loaded {
    // No file that a graph might use lies in this folder.
    let file = SourceFile::from_text("fuzz.yaml", Path::new("/nonexistent"), text);
    let options = LoadOptions { env: &|_| None, missing_env, ..LoadOptions::validate(&REGISTRY, &[]) };
    load(&file, &options, &SamePacks)
}

/// Makes all repairs that the findings offer, and reads what comes of it.
fn mend(text: &str, found: &Loaded) {
    let edits: Vec<_> = found.findings.iter().filter_map(|finding| finding.fix.clone()).collect();
    if !edits.is_empty() {
        let (mended, applied) = graph::apply_edits(found.sources.first().text(), &edits);
        let _ = graph::differ_only_in(text, &mended, applied.len());
        let _ = loaded(&mended, Level::Warning);
    }
}
