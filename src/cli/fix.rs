//! `ezrun validate --fix`: what can be put right without doubt is put right in the file, and nothing else is touched.

use super::formats::{Checked, Unread};
use super::inputs::Input;
use super::out_file::rewrite;
use crate::graph::{self, Edit, Finding, Level, Loaded, SourceFile, Tally};
use std::collections::{HashMap, HashSet};
use std::iter::repeat_n;
use std::path::PathBuf;

/// Most times that all files are gone through: what is put right in one may uncover a fault of another.
const MAX_PASSES: usize = 4;
/// Most times that a changed file is checked: a name that is put right may uncover another fault.
const MAX_TRIES: usize = 200;
/// Most text that is checked in all these tries, in bytes; a file that is used counts for each use.
const MAX_TRIED_BYTES: usize = 1 << 20;
/// How often what a fix uncovers is fixed with it, before it is known whether that is better.
const MAX_UNCOVERED: usize = 2;
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
    /// What is still found in it.
    loaded: Loaded,
    /// What was done, a line for each fix.
    done: Vec<String>,
    /// Whether no more was tried, since it would have taken too long.
    is_cut_short: bool,
}

/// A file to fix.
struct Work<'i> {
    input: &'i Input,
    file: SourceFile,
    /// As large as a file may be.
    max_bytes: u64,
    /// What is found in it, and how many changes of files there had been by then.
    loaded: Option<(Loaded, usize)>,
}

impl Work<'_> {
    /// Whether no file has changed since it was looked at.
    fn is_up_to_date(&self, changes: usize) -> bool {
        self.loaded.as_ref().is_some_and(|(_, seen)| *seen == changes)
    }
}

/// What became of all files.
#[derive(Default)]
pub struct Outcome {
    /// Files that cannot be written.
    pub unwritten: Vec<Unread>,
    /// What is found in files as they are now, by their names: nothing has changed since.
    pub loaded: HashMap<String, Loaded>,
}

/// Fixes all files, and says on standard error what was done. A file is looked at again once others were fixed: they may be
/// parts of it.
pub fn put_right(inputs: &[Input], fixes: Fixes, max_file_size: u64, load: &dyn Fn(&SourceFile) -> Loaded) -> Outcome {
    let mut outcome = Outcome::default();
    // What cannot be read is told by the check.
    let read = inputs.iter().filter_map(|input| Some((input, input.read_to_change(max_file_size).ok()??)));
    let mut all: Vec<Work<'_>> =
        read.map(|(input, file)| Work { input, file, max_bytes: max_file_size, loaded: None }).collect();
    let mut changes = 0;
    for _ in 0..MAX_PASSES {
        if all.iter().all(|work| work.is_up_to_date(changes)) {
            break;
        }
        all.retain_mut(|work| match put_one_right(work, &mut changes, fixes, load) {
            Ok(()) => true,
            Err(cause) => {
                outcome.unwritten.push(Unread { file: work.input.name(), cause });
                false
            }
        });
    }
    let valid = all.into_iter().filter(|work| work.is_up_to_date(changes));
    outcome.loaded = valid.filter_map(|work| Some((work.input.name(), work.loaded?.0))).collect();
    outcome
}

fn put_one_right(
    work: &mut Work<'_>,
    changes: &mut usize,
    fixes: Fixes,
    load: &dyn Fn(&SourceFile) -> Loaded,
) -> Result<(), String> {
    if work.is_up_to_date(*changes) {
        return Ok(());
    }
    let fixed = fix(&work.file, fixes, work.max_bytes, load);
    if !fixed.done.is_empty() {
        rewrite(&work.input.path, fixed.file.text())?;
        *changes += 1;
    }
    fixed.done.iter().for_each(|line| say!("fixed: {line}"));
    if fixed.is_cut_short {
        say!("not all fixed: {} is large; the same command puts right more of it", work.input.name());
    }
    work.file = fixed.file;
    work.loaded = Some((fixed.loaded, *changes));
    Ok(())
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

/// A file that was changed, and what is found in it.
struct Step {
    file: SourceFile,
    loaded: Loaded,
    /// What was done, a line for each fix.
    done: Vec<String>,
}

/// What is tried, and how much of it.
struct Trials<'l> {
    fixes: Fixes,
    /// As long as the file may become, in bytes: a longer one is not read.
    max_bytes: u64,
    load: &'l dyn Fn(&SourceFile) -> Loaded,
    /// How many more changes are checked.
    left: usize,
}

/// Fixes what `load` finds in `file`, as long as each step leaves fewer findings and changes nothing else.
fn fix(file: &SourceFile, fixes: Fixes, max_bytes: u64, load: &dyn Fn(&SourceFile) -> Loaded) -> Fixed {
    let mut fixed = Fixed { file: file.clone(), loaded: load(file), done: Vec::new(), is_cut_short: false };
    let bytes: usize = fixed.loaded.sources.iter().map(|file| file.text().len()).sum();
    let left = (MAX_TRIED_BYTES / bytes.max(1)).clamp(1, MAX_TRIES);
    let mut trials = Trials { fixes, max_bytes, load, left };
    while let Some(step) = trials.improve(&fixed) {
        fixed.done.extend(step.done);
        (fixed.file, fixed.loaded) = (step.file, step.loaded);
    }
    fixed.is_cut_short = trials.left == 0 && !fixed.done.is_empty() && !edits(&fixed.loaded, fixes).is_empty();
    fixed
}

impl Trials<'_> {
    /// All fixes of what was found, or else the first of them that is an improvement by itself.
    fn improve(&mut self, before: &Fixed) -> Option<Step> {
        let edits = edits(&before.loaded, self.fixes);
        let singles = edits.chunk_by(|a, b| a == b).take(MAX_SINGLE);
        std::iter::once(&*edits).chain(singles).find_map(|edits| self.attempt(before, edits))
    }

    /// A file with all of `edits`, and with what fixes what they uncover, where that is an improvement and nothing else.
    fn attempt(&mut self, before: &Fixed, edits: &[Edit]) -> Option<Step> {
        let is_better = |step: &Step| weight(&step.loaded) < weight(&before.loaded);
        let mut step = self.with_edits(&before.file, edits)?;
        for _ in 0..MAX_UNCOVERED {
            if is_better(&step) {
                break;
            }
            let uncovered = self::edits(&step.loaded, self.fixes);
            let mut next = self.with_edits(&step.file, &uncovered)?;
            next.done.splice(..0, step.done);
            step = next;
        }
        Some(step).filter(is_better)
    }

    /// A file with all of `edits` and nothing else changed, and what is found in it.
    fn with_edits(&mut self, file: &SourceFile, edits: &[Edit]) -> Option<Step> {
        if self.left == 0 {
            return None;
        }
        let (text, applied) = graph::apply_edits(file.text(), edits);
        if applied.is_empty() || text.len() as u64 > self.max_bytes {
            return None;
        }
        self.left -= 1;
        // What an alias repeats is changed wherever it stands: only where each of its uses asks for that.
        let done: HashSet<&Edit> = applied.iter().collect();
        let asked = edits.iter().filter(|edit| done.contains(edit)).count();
        if !graph::differ_only_in(file.text(), &text, asked) {
            return None;
        }
        let done = applied.iter().map(|edit| in_words(file, edit)).collect();
        let changed = SourceFile::from_text(file.name(), file.dir(), &text);
        let loaded = (self.load)(&changed);
        Some(Step { file: changed, loaded, done })
    }
}

/// The fixes of the file itself, each as often as it is asked for: those of the files that it uses are theirs.
fn edits(loaded: &Loaded, fixes: Fixes) -> Vec<Edit> {
    let own = loaded.sources.first().id();
    let wanted = loaded.findings.iter().filter(|finding| fixes.want(finding));
    let edits = wanted.flat_map(|finding| finding.fix.iter().flat_map(|edit| repeat_n(edit, finding.changes)));
    edits.filter(|edit| edit.span.file == own).cloned().collect()
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
        "" => format!("added `{}`", edit.new.trim_start_matches([',', ' ', '\r', '\n'])),
        old => format!("`{old}` is now `{}`", edit.new),
    };
    format!("{}:{}:{}: {what}", file.name(), place.line, place.column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{LoadOptions, Saved};
    use std::cell::Cell;

    /// How often a graph with three faults is checked where no fix makes it better, and its part has so many bytes.
    fn checks(part_bytes: usize) -> usize {
        let dir = tempfile::tempdir().unwrap();
        let part = format!("ezrun: 1\nnodes: {{ a: {{ use: \"null\" }} }}\n{}\n", "#".repeat(part_bytes));
        std::fs::write(dir.path().join("part.yaml"), part).unwrap();
        let text = "ezrun: 1\nnodes:\n  p: { use: ./part.yaml }\n  a: { ues: merge }\n  b: { ues: merge }\n  c: { ues: merge }\n";
        let file = SourceFile::from_text("graph.yaml", dir.path(), text);
        let registry = crate::nodes::registry();
        let options = LoadOptions::validate(&registry, &[]);
        let count = Cell::new(0);
        let load = |_: &SourceFile| {
            count.set(count.get() + 1);
            graph::load(&file, &options, &Saved)
        };
        assert_eq!(fix(&file, Fixes::Faults, 1 << 20, &load).done.len(), 0);
        count.get()
    }

    #[test]
    fn parts_count_as_text_that_is_checked() {
        assert_eq!(checks(0), 1 + 1 + 3 * 2, "at first, with all fixes, with each, and then with the others");
        assert_eq!(checks(900_000), 1 + 1);
    }

    #[test]
    fn a_file_is_checked_before_and_after_its_fixes_and_again_only_where_another_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let registry = crate::nodes::registry();
        let options = LoadOptions::validate(&registry, &[]);
        let wrong = "ezrun: 1\nnodes: { a: { use: conter }, b: { use: \"null\" } }\nedges: [{ from: a, to: b }]\n";
        let right = wrong.replace("conter", "counter");
        let checks_of = |texts: [&str; 2]| {
            let named = [path("a.yaml"), path("b.yaml")];
            named.iter().zip(texts).for_each(|(path, text)| std::fs::write(path, text).unwrap());
            let count = Cell::new(0);
            let load = |file: &SourceFile| {
                count.set(count.get() + 1);
                graph::load(file, &options, &Saved)
            };
            let inputs = super::super::inputs::gather(&named, &mut Vec::new());
            let outcome = put_right(&inputs, Fixes::Faults, 1 << 20, &load);
            assert_eq!((outcome.unwritten.len(), outcome.loaded.len()), (0, 2));
            count.get()
        };
        assert_eq!(checks_of([&right, &right]), 2);
        assert_eq!(checks_of([&right, wrong]), 1 + 2 + 1, "the first may use the second");
        assert_eq!(checks_of([wrong, &right]), 2 + 1);
    }
}
