//! `ezrun validate --fix`: what can be put right without doubt is put right in the file, and nothing else is touched.

use crate::graph::{self, Edit, Level, Loaded, SourceFile, Tally};

/// Most times that a changed file is checked: a name that is put right may uncover another fault.
const MAX_TRIES: usize = 200;
/// Most text that is checked in all these tries, in bytes.
const MAX_TRIED_BYTES: usize = 1 << 20;
/// Most fixes that are tried one by one, where all of them together would not do.
const MAX_SINGLE: usize = 100;

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
    /// What is still found in it.
    pub loaded: Loaded,
    /// What was done, a line for each fix.
    pub done: Vec<String>,
}

/// A change that is an improvement.
struct Step {
    file: SourceFile,
    loaded: Loaded,
    applied: Vec<Edit>,
}

/// Fixes what `load` finds in `file`, as long as each step leaves fewer findings and changes nothing else.
pub fn fix(file: &SourceFile, fixes: Fixes, load: &dyn Fn(&SourceFile) -> Loaded) -> Fixed {
    let mut fixed = Fixed { file: file.clone(), loaded: load(file), done: Vec::new() };
    let mut tries = (MAX_TRIED_BYTES / file.text().len().max(1)).clamp(1, MAX_TRIES);
    while let Some(step) = improve(&fixed, &edits(&fixed.loaded, fixes), load, &mut tries) {
        fixed.done.extend(step.applied.iter().map(|edit| in_words(&fixed.file, edit)));
        (fixed.file, fixed.loaded) = (step.file, step.loaded);
    }
    fixed
}

/// All of `edits`, or else the first of them that is an improvement by itself.
fn improve(before: &Fixed, edits: &[Edit], load: &dyn Fn(&SourceFile) -> Loaded, tries: &mut usize) -> Option<Step> {
    let singles = edits.iter().take(MAX_SINGLE).map(std::slice::from_ref);
    std::iter::once(edits).chain(singles).find_map(|edits| attempt(before, edits, load, tries))
}

/// The fixes of the file itself: those of the files that it uses are theirs.
fn edits(loaded: &Loaded, fixes: Fixes) -> Vec<Edit> {
    let own = loaded.sources.first().id();
    let wanted = loaded.findings.iter().filter(|finding| finding.level < Level::Hint || fixes == Fixes::Hints);
    wanted.filter_map(|finding| finding.fix.clone()).filter(|edit| edit.span.file == own).collect()
}

/// A file with all of `edits`, where that is an improvement and nothing else.
fn attempt(before: &Fixed, edits: &[Edit], load: &dyn Fn(&SourceFile) -> Loaded, tries: &mut usize) -> Option<Step> {
    let file = &before.file;
    let (text, applied) = graph::apply_edits(file.text(), edits);
    if applied.is_empty() || *tries == 0 {
        return None;
    }
    *tries -= 1;
    if !graph::differ_only_in(file.text(), &text, applied.len()) {
        return None;
    }
    let changed = SourceFile::from_text(file.name(), file.dir(), &text);
    let loaded = load(&changed);
    (weight(&loaded) < weight(&before.loaded)).then_some(Step { file: changed, loaded, applied })
}

/// How bad what was found is; the less, the better.
fn weight(loaded: &Loaded) -> (usize, usize, usize) {
    let Tally { errors, warnings, hints } = Tally::of(&loaded.findings);
    (errors, warnings, hints)
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
