//! Reads mappings and scalars of the tree into what they should be; what they are instead becomes a finding.

use super::edit::Part;
use super::finding::{Draft, Findings, Rule};
use super::keys::{self, Meant};
use super::rules;
use super::source::{SourceFile, Span};
use super::suggest::{self, Suggestion};
use super::yaml::{Kind, Tree};
use smol_str::SmolStr;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

/// So many names are looked through without a table of them.
const FEW: usize = 16;

/// A text and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub text: SmolStr,
    pub span: Span,
}

/// A value of any type and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At<T> {
    pub value: T,
    pub span: Span,
}

/// One entry of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Field<'t> {
    pub name: &'t str,
    pub span: Span,
    pub value: &'t Tree,
    /// Whether the mapping has another one with this name.
    pub is_twice: bool,
}

/// The value of a key that may have been meant by several.
pub(super) static UNKNOWN: Tree = Tree { span: Span::BEGINNING, kind: Kind::Unknown, substituted: None };

/// Reads one file's tree.
pub(super) struct Reader<'f, 't> {
    pub file: &'t SourceFile,
    pub findings: &'f mut Findings,
}

/// The entries of a mapping, each key once.
#[derive(Clone, Debug)]
pub(super) struct Fields<'t>(Vec<Field<'t>>);

impl<'t> Fields<'t> {
    pub fn get(&self, name: &str) -> Option<&Field<'t>> {
        self.0.iter().find(|field| field.name == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Field<'t>> {
        self.0.iter()
    }

    fn rename(&mut self, old: &str, new: &'t str) {
        self.0.iter_mut().filter(|field| field.name == old).for_each(|field| field.name = new);
    }
}

/// What YAML 1.1 had for the entries of another mapping.
pub(super) const MERGE_KEY: &str = "<<";

/// That merge keys are not read.
pub(super) fn merge_key(span: Span) -> Draft {
    let message = "`<<` takes no entries from another mapping: YAML 1.2 has no merge keys";
    let help = "write the entries out; an alias such as `with: *name` stands for a whole value";
    Draft::new(rules::UNKNOWN_KEY, span, message).help(help)
}

/// How an integer is wrong that 64 bits do not hold.
pub(super) fn beyond(digits: &str) -> &'static str {
    if digits.starts_with('-') { "which is too small" } else { "which is too large" }
}

/// Help for an integer that is written like `1e3` or `4.0`.
pub(super) fn plainly(whole: i64) -> String {
    format!("write {whole}, without a point or an exponent")
}

/// The keys that there are, and where settings stand that were taken for keys.
fn all_keys(known: &[&str]) -> Option<Suggestion> {
    let all = suggest::all(known, "key")?;
    let has_settings = known.contains(&"with");
    Some(if has_settings { format!("settings stand under `with:`; {}", all.text).into() } else { all })
}

impl<'t> Reader<'_, 't> {
    pub fn report(&mut self, rule: Rule, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.findings.add(Draft::new(rule, span, message).help(help));
    }

    /// That `what` has none of the keys `unknown`, but those in `known`. Each counts as the one that it was meant to be.
    fn unknown_keys(&mut self, what: &str, unknown: &[Field<'t>], known: &[&'static str], fields: &mut Fields<'t>) {
        let twice = unknown.iter().filter(|field| field.is_twice);
        let names: Vec<&str> = unknown.iter().chain(twice).map(|field| field.name).collect();
        let is_there = |name: &str| fields.get(name).is_some();
        let guesses = keys::affordable_guesses(&names, known, is_there, || all_keys(known), self.findings);
        for (field, keys::Guess { help, meant }) in unknown.iter().zip(guesses) {
            let draft = Draft::new(rules::UNKNOWN_KEY, field.span, format!("{what} has no key `{}`", field.name));
            self.findings.add(draft.suggest(help, Part::Whole));
            match meant {
                Some(Meant { key, is_sure: true }) => fields.rename(field.name, key),
                Some(Meant { key, .. }) if fields.get(key).is_none() => {
                    fields.0.push(Field { name: key, value: &UNKNOWN, ..field.clone() });
                }
                _ => {}
            }
        }
    }

    /// The entries of the mapping `tree`, `what` in words; the first of duplicate keys counts.
    pub fn mapping(&mut self, tree: &'t Tree, what: &str) -> Option<Fields<'t>> {
        let Kind::Map(entries) = &tree.kind else {
            if tree.kind != Kind::Unknown {
                let message = format!("{what} is a mapping, not {}", tree.describe());
                self.report(rules::WRONG_TYPE, tree.span, message, "write `key: value` lines, or `{ key: value }`");
            }
            return None;
        };
        let mut fields: Vec<Field<'t>> = Vec::with_capacity(entries.len());
        let mut by_name: HashMap<&str, usize> = HashMap::new();
        let mut merged: Vec<&'t Tree> = Vec::new();
        for (key, value) in entries {
            if matches!(key.kind, Kind::Seq(_) | Kind::Map(_)) {
                self.report(
                    rules::WRONG_TYPE,
                    key.span,
                    "a key is a word, not a list or mapping",
                    "write `key: value`",
                );
                continue;
            }
            // What an alias stands for that means nothing is not known.
            if key.kind == Kind::Unknown {
                continue;
            }
            let name = key.text(self.file);
            if name == MERGE_KEY {
                self.findings.add(merge_key(key.span));
                merged.push(value);
                continue;
            }
            // A few names are found faster one by one.
            let first = if entries.len() <= FEW {
                fields.iter().position(|field| field.name == name)
            } else {
                let first = *by_name.entry(name).or_insert(fields.len());
                (first < fields.len()).then_some(first)
            };
            if let Some(first) = first {
                let draft = Draft::new(rules::DUPLICATE_KEY, key.span, format!("{what} has `{name}` twice"));
                let draft = draft.help("keep one of the two").related(fields[first].span, "first defined here");
                self.findings.add(draft);
                fields[first].is_twice = true;
                continue;
            }
            fields.push(Field { name, span: key.span, value, is_twice: false });
        }
        if !merged.is_empty() {
            self.take_over(merged, &mut fields);
        }
        Some(Fields(fields))
    }

    /// What was to be taken `over` from other mappings is not missing.
    fn take_over(&self, mut over: Vec<&'t Tree>, fields: &mut Vec<Field<'t>>) {
        let mut names: HashSet<&str> = fields.iter().map(|field| field.name).collect();
        while let Some(tree) = over.pop() {
            match &tree.kind {
                Kind::Seq(mappings) => over.extend(mappings),
                Kind::Map(entries) => {
                    for (key, value) in entries {
                        let is_word = !matches!(key.kind, Kind::Seq(_) | Kind::Map(_) | Kind::Unknown);
                        let name = key.text(self.file);
                        if name == MERGE_KEY {
                            over.push(value);
                        } else if is_word && names.insert(name) {
                            fields.push(Field { name, span: key.span, value, is_twice: false });
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// As [`mapping`](Self::mapping), with no keys but `allowed`. Those that are `reserved` are not unknown. A misspelt key
    /// counts as the one that was meant, so that nothing is missing, and its value is looked at.
    pub fn record(
        &mut self,
        tree: &'t Tree,
        what: &str,
        allowed: &[&'static str],
        reserved: &[&str],
    ) -> Option<Fields<'t>> {
        let mut fields = self.mapping(tree, what)?;
        let others = fields.iter().filter(|field| !allowed.contains(&field.name));
        let (reserved, unknown): (Vec<Field<'t>>, Vec<Field<'t>>) =
            others.cloned().partition(|field| reserved.contains(&field.name));
        for field in reserved {
            let message = format!("`{}` is reserved; this version of ezrun does not do it yet", field.name);
            self.report(rules::UNSUPPORTED, field.span, message, "take it out");
        }
        if !unknown.is_empty() {
            self.unknown_keys(what, &unknown, allowed, &mut fields);
        }
        Some(fields)
    }

    pub fn list(&mut self, tree: &'t Tree, what: &str) -> Option<&'t [Tree]> {
        match &tree.kind {
            Kind::Seq(items) => Some(items),
            Kind::Unknown => None,
            _ => {
                let message = format!("{what} is a list, not {}", tree.describe());
                self.report(rules::WRONG_TYPE, tree.span, message, "write `- item` lines, or `[item, item]`");
                None
            }
        }
    }

    pub fn text(&mut self, tree: &'t Tree, what: &str) -> Option<Word> {
        let text = match (&tree.kind, &tree.substituted) {
            (Kind::Unknown, _) => return None,
            (Kind::String(text), _) => text,
            (_, Some(text)) => return self.filled(text, tree.span, what),
            (Kind::Null, _) if !tree.text(self.file).eq_ignore_ascii_case("null") => {
                self.report(rules::MISSING_KEY, tree.span, format!("{what} is not given"), "write it after the colon");
                return None;
            }
            (kind, _) => {
                let scalar = !matches!(kind, Kind::Seq(_) | Kind::Map(_));
                let help =
                    if scalar { format!("quote it: \"{}\"", tree.text(self.file)) } else { "write one text".into() };
                let message = format!("{what} is a text, not {}", tree.describe());
                self.report(rules::WRONG_TYPE, tree.span, message, help);
                return None;
            }
        };
        self.filled(text, tree.span, what)
    }

    fn filled(&mut self, text: &SmolStr, span: Span, what: &str) -> Option<Word> {
        if text.is_empty() {
            self.report(rules::MISSING_KEY, span, format!("{what} is empty"), "write a text");
            return None;
        }
        Some(Word { text: text.clone(), span })
    }

    pub fn flag(&mut self, tree: &Tree, what: &str) -> Option<At<bool>> {
        match &tree.kind {
            Kind::Bool(value) => Some(At { value: *value, span: tree.span }),
            Kind::Unknown => None,
            _ => {
                let message = format!("{what} is `true` or `false`, not {}", tree.describe());
                let text = tree.text(self.file);
                let help = match text.to_ascii_lowercase().as_str() {
                    "true" => "write `true`, without quotes".to_owned().into(),
                    "false" => "write `false`, without quotes".to_owned().into(),
                    "yes" | "y" | "on" => format!("write `true`: in YAML 1.2 `{text}` is a text").into(),
                    "no" | "n" | "off" => format!("write `false`: in YAML 1.2 `{text}` is a text").into(),
                    "1" => "write `true`".to_owned().into(),
                    "0" => "write `false`".to_owned().into(),
                    _ => suggest::meant(text, ["true", "false"])
                        .unwrap_or_else(|| "write `true` or `false`".to_owned().into()),
                };
                self.findings.add(Draft::new(rules::WRONG_TYPE, tree.span, message).suggest(Some(help), Part::Whole));
                None
            }
        }
    }

    pub fn integer<T>(&mut self, tree: &Tree, what: &str, range: RangeInclusive<T>) -> Option<At<T>>
    where
        T: Display + PartialOrd + TryFrom<i128>,
    {
        let (low, high) = (range.start(), range.end());
        match &tree.kind {
            Kind::Int(value) => match T::try_from(value.get()) {
                Ok(value) if range.contains(&value) => Some(At { value, span: tree.span }),
                _ => {
                    let message = format!("{what} is {}", value.get());
                    self.report(rules::OUT_OF_RANGE, tree.span, message, format!("it is from {low} to {high}"));
                    None
                }
            },
            Kind::Unknown => None,
            _ => {
                if let Some(digits) = tree.long_integer(self.file) {
                    let message = format!("{what} is {digits}, {}", beyond(&digits));
                    self.report(rules::OUT_OF_RANGE, tree.span, message, format!("it is from {low} to {high}"));
                    return None;
                }
                let message = format!("{what} is an integer, not {}", tree.describe_in(self.file));
                let whole = tree
                    .whole_number()
                    .filter(|&whole| T::try_from(i128::from(whole)).is_ok_and(|whole| range.contains(&whole)));
                let help = whole.map_or_else(|| format!("write a number from {low} to {high}"), plainly);
                self.report(rules::WRONG_TYPE, tree.span, message, help);
                None
            }
        }
    }

    /// One of a few words, each with its value.
    pub fn choice<T: Copy>(&mut self, tree: &'t Tree, what: &str, choices: &[(&str, T)]) -> Option<At<T>> {
        let names = || choices.iter().map(|(name, _)| *name).collect::<Vec<&str>>();
        let all = || format!("it is one of {}", suggest::list(&names()));
        let rule = match tree.kind {
            Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => Some(rules::WRONG_VALUE),
            Kind::Seq(_) | Kind::Map(_) => Some(rules::WRONG_TYPE),
            _ => None,
        };
        if let Some(rule) = rule {
            let message = format!("{what} cannot be {}", tree.describe_in(self.file));
            self.report(rule, tree.span, message, all());
            return None;
        }
        let word = self.text(tree, what)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == word.text) {
            return Some(At { value: *value, span: word.span });
        }
        let draft = Draft::new(rules::WRONG_VALUE, word.span, format!("{what} cannot be `{}`", word.text));
        let meant = self.findings.suggestion(|| suggest::meant(&word.text, names()));
        let help = meant.unwrap_or_else(|| all().into());
        self.findings.add(draft.suggest(Some(help), Part::Whole));
        None
    }
}
