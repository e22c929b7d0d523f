//! Keys that a mapping does not have, and what they were meant to be: what is told of one counts as meant, so that one slip
//! is one finding.

use super::finding::Findings;
use super::source::SourceFile;
use super::suggest::{Near, Suggestion};
use super::yaml::Tree;
use std::collections::HashMap;

/// Most keys of a mapping that are looked at.
const MAX_KEYS: usize = 100;

/// Words of other tools for our keys.
const OTHER_WORDS: &[(&str, &[&str])] = &[
    ("use", &["type", "kind", "class", "component"]),
    ("with", &["params", "parameters", "settings", "config", "options", "args"]),
    ("from", &["source", "src", "output", "start"]),
    ("to", &["target", "dest", "destination", "dst", "sink", "input", "end"]),
    ("queue", &["depth", "capacity", "buffer", "queue_size"]),
    ("overflow", &["policy", "when_full"]),
    ("nodes", &["components", "units", "steps"]),
    ("edges", &["links", "connections", "wires"]),
    ("params", &["parameters", "variables", "vars", "arguments"]),
    ("ports", &["interface", "io", "exposes"]),
    ("packs", &["plugins", "imports", "libraries"]),
    ("backends", &["processes", "workers"]),
    ("ezrun", &["version"]),
];

/// What an unknown key was probably meant to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Guess<'k> {
    pub help: Option<Suggestion>,
    pub meant: Option<Meant<'k>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meant<'k> {
    pub key: &'k str,
    /// Whether its value is that of the key: not where another may have been meant to be it as well.
    pub is_sure: bool,
}

/// Where a key is in a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nowhere,
    At(usize),
    /// It is there twice, or more than one other may be meant to be it.
    Unsure,
}

/// The key that is meant where `text` is a key and its value, for lack of the space behind the `:` or of the `:`; and help.
pub(super) fn with_value<'k>(text: &str, known: &[&'k str]) -> Option<(&'k str, String)> {
    let exact = |written: &str| known.iter().copied().find(|key| *key == written);
    let Some((written, value)) = text.split_once(':') else {
        let (written, value) = text.split_once(' ')?;
        let (key, value) = (exact(written)?, value.trim_start_matches([' ', '=']));
        return Some((key, format!("a `:` is missing behind `{key}`: write `{key}: {value}`")));
    };
    let guess = || guess_word(written, known, &[]).meant.map(|meant| meant.key);
    let key = exact(written).or_else(guess).filter(|_| !value.starts_with(' '))?;
    Some((key, format!("a space is missing behind the `:`: write `{key}: {value}`")))
}

/// What each of the `unknown` keys of a mapping was meant to be: none of them one that `is_there` already. A key that is
/// written twice is among them twice. `others` helps where nothing is known.
pub(super) fn guesses<'k>(
    unknown: &[&str],
    known: &[&'k str],
    is_there: impl Fn(&str) -> bool,
    others: impl Fn() -> Option<Suggestion>,
) -> Vec<Guess<'k>> {
    let (there, free): (Vec<&'k str>, Vec<&'k str>) = known.iter().partition(|key| is_there(key));
    let mut guesses: Vec<Guess<'k>> = unknown.iter().take(MAX_KEYS).map(|name| guess(name, &free, &there)).collect();
    guesses.resize_with(unknown.len(), Guess::default);
    let mut rivals: HashMap<&str, usize> = HashMap::new();
    for meant in guesses.iter().filter_map(|guess| guess.meant) {
        *rivals.entry(meant.key).or_default() += 1;
    }
    for guess in &mut guesses {
        if let Some(meant) = guess.meant.as_mut().filter(|meant| rivals[meant.key] > 1) {
            meant.is_sure = false;
            guess.help.iter_mut().for_each(|help| help.instead = None);
        }
        guess.help = guess.help.take().or_else(&others);
    }
    guesses
}

fn guess<'k>(name: &str, free: &[&'k str], there: &[&str]) -> Guess<'k> {
    if let Some((key, help)) = with_value(name, free) {
        return Guess { help: Some(help.into()), meant: Some(Meant { key, is_sure: false }) };
    }
    guess_word(name, free, there)
}

fn guess_word<'k>(name: &str, free: &[&'k str], there: &[&str]) -> Guess<'k> {
    let translated = || {
        let (key, _) = OTHER_WORDS.iter().find(|(_, words)| words.contains(&name))?;
        free.iter().copied().find(|free| free == key)
    };
    if let Some(key) = translated() {
        let help = Suggestion::from(format!("did you mean `{key}`?"));
        return Guess { help: Some(help), meant: Some(Meant { key, is_sure: true }) };
    }
    let Some(near) = Near::to(name, free.iter().copied()) else { return Guess::default() };
    // What is as near to a key that is there was meant to be that one, or nobody knows.
    if Near::to(name, there.iter().copied()).is_some_and(|other| other.distance <= near.distance) {
        return Guess::default();
    }
    Guess { help: Some(near.help(name)), meant: Some(Meant { key: near.name, is_sure: near.is_clear }) }
}

/// As [`guesses`], where so much may be compared; else nothing is known of any.
pub(super) fn affordable_guesses<'k>(
    unknown: &[&str],
    known: &[&'k str],
    is_there: impl Fn(&str) -> bool,
    others: impl Fn() -> Option<Suggestion>,
    findings: &mut Findings,
) -> Vec<Guess<'k>> {
    if findings.may_compare(unknown.len(), known.len()) {
        return guesses(unknown, known, is_there, others);
    }
    vec![Guess::default(); unknown.len()]
}

/// The keys of a mapping that are not `known`, and what each was meant to be.
fn unknown_keys<'e, 'k>(
    entries: &'e [(Tree, Tree)],
    known: &[&'k str],
    file: &'e SourceFile,
) -> impl Iterator<Item = (&'e str, Option<Meant<'k>>)> {
    let names = || entries.iter().map(|(key, _)| key.text(file));
    let unknown: Vec<&str> = names().filter(|name| !known.contains(name)).collect();
    let guesses = guesses(&unknown, known, |key| names().any(|name| name == key), || None);
    unknown.into_iter().zip(guesses.into_iter().map(|guess| guess.meant))
}

/// Where `key` is among `entries`, which may have the keys `known`; also where it is misspelt.
pub(super) fn find(entries: &[(Tree, Tree)], key: &str, known: &[&str], file: &SourceFile) -> Found {
    let places = |wanted: &str| {
        let mut places = entries.iter().enumerate().filter(|(_, (key, _))| key.text(file) == wanted);
        (places.next().map(|(at, _)| at), places.next().is_some())
    };
    match places(key) {
        (Some(_), true) => return Found::Unsure,
        (Some(at), false) => return Found::At(at),
        (None, _) => {}
    }
    let mut unknown = unknown_keys(entries, known, file);
    match unknown.find_map(|(written, meant)| Some((written, meant.filter(|meant| meant.key == key)?))) {
        None => Found::Nowhere,
        Some((_, Meant { is_sure: false, .. })) => Found::Unsure,
        Some((written, _)) => places(written).0.map_or(Found::Nowhere, Found::At),
    }
}

/// Whether a mapping has keys of which nobody knows what they were meant to be.
pub(super) fn has_stray(entries: &[(Tree, Tree)], known: &[&str], file: &SourceFile) -> bool {
    unknown_keys(entries, known, file).any(|(_, meant)| meant.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(unknown: &[&str], there: &[&str]) -> Vec<(String, Option<bool>)> {
        let known = ["from", "to", "queue"];
        let others = || Some("keys are …".to_owned().into());
        let found = guesses(unknown, &known, |name| there.contains(&name), others);
        found.into_iter().map(|guess| (guess.help.unwrap().text, guess.meant.map(|meant| meant.is_sure))).collect()
    }

    #[test]
    fn a_key_that_is_there_was_not_meant() {
        assert_eq!(told(&["frm"], &["to"]), [("did you mean `from`?".to_owned(), Some(true))]);
        assert_eq!(told(&["frm"], &["from"]), [("keys are …".to_owned(), None)]);
        assert_eq!(told(&["source"], &["from"]), [("keys are …".to_owned(), None)]);
        let known = ["stall_timeout", "startup_timeout"];
        let guess = |there: &str| guesses(&["stal_timeout"], &known, |name| name == there, || None).remove(0).meant;
        assert_eq!(guess("stall_timeout"), None);
        assert_eq!(guess("startup_timeout"), Some(Meant { key: "stall_timeout", is_sure: true }));
        // As near to the one as to the other.
        let guess = guesses(&["pate"], &["path", "rate"], |name| name == "path", || None).remove(0);
        assert_eq!(guess.meant, None);
    }

    #[test]
    fn of_two_that_may_be_meant_neither_is_sure() {
        let unsure = ("did you mean `from`?".to_owned(), Some(false));
        for two in [["frm", "fromm"], ["frm", "source"], ["src", "source"], ["frm", "frm"]] {
            assert_eq!(told(&two, &[]), [unsure.clone(), unsure.clone()], "{two:?}");
        }
    }

    #[test]
    fn a_key_that_lacks_its_space_is_there_and_its_value_is_not_known() {
        let help = "a space is missing behind the `:`: write `to: out`".to_owned();
        assert_eq!(told(&["to:out"], &[]), [(help.clone(), Some(false))]);
        assert_eq!(told(&["target:out"], &[]), [(help, Some(false))]);
        let help = "a `:` is missing behind `to`: write `to: out`".to_owned();
        assert_eq!(told(&["to out"], &[]), [(help, Some(false))]);
    }
}
