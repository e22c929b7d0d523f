//! `ezrun validate --fix`: what can be put right without doubt is put right in the file, and nothing else is touched.

use crate::graph::{self, Edit, Level, Loaded, SourceFile, Tally};

/// Most times that a file is looked at anew: a name that is put right may uncover another fault.
const MAX_ROUNDS: usize = 8;
/// Most fixes that are tried one by one, where all of them together would not do.
const MAX_TRIED: usize = 100;

/// What is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Fixes {
    /// What makes a graph invalid or is likely not meant.
    Faults,
    /// Hints as well, such as copies that no reader needs.
    Hints,
}

/// A file after its fixes.
pub struct Fixed {
    /// As it is now.
    pub file: SourceFile,
    /// What was done, a line for each fix.
    pub done: Vec<String>,
}

/// Fixes what `load` finds in `file`, as long as each step leaves fewer findings and changes nothing else.
pub fn fix(file: &SourceFile, fixes: Fixes, load: &dyn Fn(&SourceFile) -> Loaded) -> Fixed {
    let mut fixed = Fixed { file: file.clone(), done: Vec::new() };
    for _ in 0..MAX_ROUNDS {
        let loaded = load(&fixed.file);
        let edits = edits(&loaded, fixes);
        let together = attempt(&fixed.file, &loaded, &edits, load);
        let Some((file, applied)) = together.or_else(|| one_by_one(&fixed.file, &loaded, &edits, load)) else { break };
        fixed.done.extend(applied.iter().map(|edit| in_words(&fixed.file, edit)));
        fixed.file = file;
    }
    fixed
}

/// The fixes of the file itself: those of the files that it uses are theirs.
fn edits(loaded: &Loaded, fixes: Fixes) -> Vec<Edit> {
    let own = loaded.sources.first().id();
    let wanted = loaded.findings.iter().filter(|finding| finding.level < Level::Hint || fixes == Fixes::Hints);
    wanted.filter_map(|finding| finding.fix.clone()).filter(|edit| edit.span.file == own).collect()
}

/// A file with all of `edits`, where that is an improvement and nothing else.
fn attempt(
    file: &SourceFile,
    before: &Loaded,
    edits: &[Edit],
    load: &dyn Fn(&SourceFile) -> Loaded,
) -> Option<(SourceFile, Vec<Edit>)> {
    let (text, applied) = graph::apply_edits(file.text(), edits);
    if applied.is_empty() || !graph::differ_only_in(file.text(), &text, applied.len()) {
        return None;
    }
    let changed = SourceFile::from_text(file.name(), file.dir(), &text);
    let weight = |loaded: &Loaded| {
        let Tally { errors, warnings, hints } = Tally::of(&loaded.findings);
        (errors, warnings, hints)
    };
    (weight(&load(&changed)) < weight(before)).then_some((changed, applied))
}

/// The first edit that is an improvement by itself.
fn one_by_one(
    file: &SourceFile,
    before: &Loaded,
    edits: &[Edit],
    load: &dyn Fn(&SourceFile) -> Loaded,
) -> Option<(SourceFile, Vec<Edit>)> {
    edits.iter().take(MAX_TRIED).find_map(|edit| attempt(file, before, std::slice::from_ref(edit), load))
}

/// As in ``graph.yaml:3:12: `bandpas` is now `bandpass` ``.
fn in_words(file: &SourceFile, edit: &Edit) -> String {
    let place = file.place(edit.span);
    let what = match edit.old.as_str() {
        "" => format!("added `{}`", edit.new.trim_start_matches([',', ' '])),
        old => format!("`{old}` is now `{}`", edit.new),
    };
    format!("{}:{}:{}: {what}", file.name(), place.line, place.column)
}
