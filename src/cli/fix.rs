//! `ezrun validate --fix`: what can be put right without doubt is put right in the file, and nothing else is touched.

use super::formats::{Checked, Unread};
use super::inputs::Input;
use super::out_file::rewrite;
use crate::graph::{self, Edit, Finding, Level, Loaded, SourceFile, Tally};
use std::collections::HashSet;
use std::path::PathBuf;

/// Most times that a file is looked at anew: a name that is put right may uncover another fault.
const MAX_ROUNDS: usize = 8;
/// Most times that all files are gone through: what is put right in one may uncover a fault of another.
const MAX_PASSES: usize = 4;
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

impl Fixes {
    fn want(self, finding: &Finding) -> bool {
        finding.level < Level::Hint || self == Fixes::Hints
    }

    /// As it is asked for.
    fn flag(self) -> &'static str {
        match self {
            Fixes::Faults => "--fix",
            Fixes::Hints => "--fix=hints",
        }
    }
}

/// A file after its fixes.
struct Fixed {
    /// As it is now.
    file: SourceFile,
    /// What was done, a line for each fix.
    done: Vec<String>,
}

/// Fixes all files, says on standard error what was done, and returns those that cannot be written. A file is looked at
/// again once others were fixed: they may be parts of it.
pub fn put_right(
    inputs: &[Input],
    fixes: Fixes,
    max_file_size: u64,
    load: &dyn Fn(&SourceFile) -> Loaded,
) -> Vec<Unread> {
    let mut unwritten = Vec::new();
    // What cannot be read is told by the check.
    let read = |input| Some((input, Input::read(input, max_file_size).ok()??));
    let mut files: Vec<(&Input, SourceFile)> = inputs.iter().filter_map(read).collect();
    for _ in 0..MAX_PASSES {
        let mut is_changed = false;
        files.retain_mut(|(input, file)| match put_one_right(input, file, fixes, load) {
            Ok(changed) => {
                is_changed |= changed;
                true
            }
            Err(cause) => {
                unwritten.push(Unread { file: input.name(), cause });
                false
            }
        });
        if !is_changed {
            break;
        }
    }
    unwritten
}

/// Whether anything was to be done.
fn put_one_right(
    input: &Input,
    file: &mut SourceFile,
    fixes: Fixes,
    load: &dyn Fn(&SourceFile) -> Loaded,
) -> Result<bool, String> {
    let fixed = fix(file, fixes, load);
    if !fixed.done.is_empty() {
        rewrite(&input.path, fixed.file.text())?;
    }
    fixed.done.iter().for_each(|line| say!("fixed: {line}"));
    *file = fixed.file;
    Ok(!fixed.done.is_empty())
}

/// Says which files could be fixed as well: parts of those that were named.
pub fn say_what_is_left(checked: &[Checked], fixes: Fixes) {
    let named: HashSet<PathBuf> = checked.iter().map(|checked| checked.sources.first().path()).collect();
    let mut told = HashSet::new();
    for Checked { sources, findings, .. } in checked {
        for edit in findings.iter().filter(|finding| fixes.want(finding)).filter_map(|finding| finding.fix.as_ref()) {
            let file = sources.file(edit.span.file);
            if !named.contains(&file.path()) && told.insert(file.path()) {
                let (part, graph, flag) = (file.name(), sources.first().name(), fixes.flag());
                say!("not fixed: {part}, a part of {graph}; `ezrun validate {flag} {part}` puts it right");
            }
        }
    }
}

/// Fixes what `load` finds in `file`, as long as each step leaves fewer findings and changes nothing else.
fn fix(file: &SourceFile, fixes: Fixes, load: &dyn Fn(&SourceFile) -> Loaded) -> Fixed {
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
    let wanted = loaded.findings.iter().filter(|finding| fixes.want(finding));
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
        "" => format!("added `{}`", edit.new.trim_start_matches([',', ' ', '\r', '\n'])),
        old => format!("`{old}` is now `{}`", edit.new),
    };
    format!("{}:{}:{}: {what}", file.name(), place.line, place.column)
}
