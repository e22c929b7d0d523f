//! What is wrong with the words of a command line, where the parser's own words are of little help.

use crate::graph::nearest_name;
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;
use std::path::Path;

/// What is wrong with a first word that is nearly a verb, where no file is called so, and with one after `help` that is
/// none. Options and paths are no verbs.
pub fn unknown_verb(words: &[OsString], command: &Command) -> Option<String> {
    let is_help = words.first()? == "help";
    let word = words.get(usize::from(is_help))?.to_str().filter(|word| !word.starts_with('-'))?;
    let verbs = || command.get_subcommands().map(Command::get_name).chain(["help"]);
    if verbs().any(|verb| verb == word) || !is_help && (word.contains('/') || Path::new(word).exists()) {
        return None;
    }
    let no_file = if is_help { "" } else { ", and no such file" };
    match nearest_name(word, verbs()) {
        Some(near) => Some(format!("there is no verb `{word}`{no_file}; did you mean `{near}`?")),
        None => is_help.then(|| format!("there is no verb `{word}`; `ezrun --help` lists them all")),
    }
}

/// What is wrong with a word behind a graph: a verb that comes too late, a param, or another graph.
pub fn misplaced(error: &clap::Error, words: &[OsString], command: &Command) -> Option<String> {
    let (does, kind) = match (error.kind(), words.first()?.to_str()?) {
        (ErrorKind::ArgumentConflict, _) => ("run", ContextKind::InvalidSubcommand),
        (ErrorKind::UnknownArgument, "run") => ("run", ContextKind::InvalidArg),
        (ErrorKind::UnknownArgument, "plan" | "graph") => ("shown", ContextKind::InvalidArg),
        _ => return None,
    };
    let Some(ContextValue::String(word)) = error.get(kind) else { return None };
    if word.starts_with('-') {
        return None;
    }
    let is_verb = |word: &&str| command.find_subcommand(word).is_some();
    if let Some(verb) = words.iter().skip(1).filter_map(|word| word.to_str()).find(is_verb) {
        return Some(format!("a verb comes first: write `ezrun {verb}`, and all else after it"));
    }
    if word.contains('=') && !Path::new(word).exists() {
        return Some(format!("`{word}` is no graph; to set a param, write `--set {word}`"));
    }
    let way_out = "take each by itself, or use both as parts of a third";
    Some(format!("one graph is {does} at a time, and `{word}` is one too many; {way_out}"))
}
