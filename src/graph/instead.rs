//! What to write instead of a value of the wrong type.

use super::fields::plainly;
use super::source::SourceFile;
use super::suggest;
use super::yaml::{Kind, Tree, plain_scalar};
use crate::node::figures;

/// Most words of a text that are shown as a list.
const MAX_WORDS: usize = 12;

/// What to write instead of a value of another type than those `wanted`, where that can be guessed.
pub(super) fn instead(tree: &Tree, wanted: &[&str], file: &SourceFile, way_out: &str) -> Option<String> {
    let scalar = matches!(tree.kind, Kind::Bool(_) | Kind::Int(_) | Kind::Float(_));
    let is_quoted = file.slice(tree.span).starts_with(['"', '\'']);
    let unquoted = if is_quoted { ", without quotes" } else { "" };
    match &tree.kind {
        _ if tree.substituted.is_some() => Some("the value comes from a variable".to_owned()),
        Kind::String(text) if wanted == ["`true` or `false`"] => match text.as_str() {
            "yes" | "on" | "true" => Some(format!("write `true`{unquoted}")),
            "no" | "off" | "false" => Some(format!("write `false`{unquoted}")),
            text => {
                let near = suggest::nearest(text, ["true", "false"]);
                Some(
                    near.map_or_else(|| "write `true` or `false`".to_owned(), |near| format!("did you mean `{near}`?")),
                )
            }
        },
        _ if scalar && wanted.contains(&"a text") => Some(format!("quote it: \"{}\"", tree.text(file))),
        Kind::Float(_) if wanted.contains(&"an integer") => tree.whole_number().map(plainly),
        Kind::String(text) if is_number(text) && !is_quoted => Some("take the tag before it out".to_owned()),
        Kind::String(text) if is_number(text) => Some(format!("write {text} without quotes")),
        Kind::String(text) if wanted == ["a list"] && text.contains(['"', '\'', '\\']) => None,
        Kind::String(text) if wanted == ["a list"] && text.contains(char::is_whitespace) => {
            let by_commas = text.contains(", ");
            let is_end = |c: char| if by_commas { c == ',' } else { c.is_whitespace() };
            let mut words = text.split(is_end).map(str::trim).filter(|word| !word.is_empty());
            let mut items: Vec<String> = words.by_ref().take(MAX_WORDS).map(list_item).collect();
            items.extend(words.next().map(|_| "…".to_owned()));
            Some(format!("write `[{}]`", items.join(", ")))
        }
        Kind::Int(_) | Kind::Float(_) | Kind::String(_) if wanted == ["a list"] => {
            Some(format!("write `[{}]`", tree.text(file)))
        }
        Kind::String(text) if wanted.iter().any(|word| ["an integer", "a number"].contains(word)) => {
            let unit = || Some(format!("write the number without `{}`; {}", unit_of(text)?, way_out));
            meant_number(text).or_else(|| spelled_out(text, wanted)).or_else(unit)
        }
        _ => None,
    }
}

/// How to write a number that is no number to YAML: with zeros before it, or `_` between its digits.
fn meant_number(text: &str) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(text) && text.starts_with('0') {
        let number = text.trim_start_matches('0');
        let number = if number.is_empty() { "0" } else { number };
        return Some(format!("write {number}, without zeros before it; an octal number begins with `0o`"));
    }
    let plain = text.replace('_', "");
    (text.contains('_') && is_number(&plain)).then(|| format!("write {plain}, without `_`"))
}

/// What units that stand for a multiple make of the number before them.
const MULTIPLES: &[(&str, f64)] = &[
    ("%", 0.01),
    ("k", 1e3),
    ("kHz", 1e3),
    ("MHz", 1e6),
    ("kB", 1e3),
    ("MB", 1e6),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
];

/// A number with such a unit as it is written without one.
fn spelled_out(text: &str, wanted: &[&str]) -> Option<String> {
    let unit = unit_of(text)?;
    let (_, multiple) = MULTIPLES.iter().find(|(name, _)| *name == unit)?;
    let number = text.trim_end().strip_suffix(unit)?.trim().parse::<f64>().ok()? * multiple;
    let fits = number.fract() == 0.0 || wanted.contains(&"a number");
    fits.then(|| format!("write {}", figures(number)))
}

/// What stands behind a number that has its unit with it.
fn unit_of(text: &str) -> Option<&str> {
    let number = text.trim_end_matches(|c: char| c.is_alphabetic() || "%°/ ".contains(c));
    let unit = text[number.len()..].trim();
    (!unit.is_empty() && is_number(number)).then_some(unit)
}

fn is_number(text: &str) -> bool {
    matches!(plain_scalar(text), Kind::Int(_) | Kind::Float(_))
}

/// A word as an item of a list in YAML: in quotes, unless nothing in it could mean anything else.
fn list_item(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '+' | '=');
    let is_plain = word.starts_with(|c| plain(c) || c == '-') && word.chars().skip(1).all(|c| plain(c) || c == '-');
    if is_plain { word.to_owned() } else { format!("{word:?}") }
}
