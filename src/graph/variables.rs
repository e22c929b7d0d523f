//! `${name}` and `${env:NAME:-default}`, put into scalars after parsing: they can neither inject YAML nor lose a place.
//!
//! A scalar that is one variable and nothing else takes its typed value; anywhere else the text is put in.

use super::LoadOptions;
use super::edit::Part;
use super::fields::UNKNOWN;
use super::finding::{Draft, Findings, Level};
use super::given::{Given, keep_texts};
use super::keys::{self, Found, Meant};
use super::pieces::{Piece, is_name, is_name_char, name_in_front, pieces};
use super::rules;
use super::source::{SourceFile, Span};
use super::suggest::{self, Suggestion};
use super::written::GRAPH_KEYS;
use super::yaml::{Kind, Tree, plain_scalar};
use std::collections::{HashMap, HashSet};
use std::str::FromStr;

/// Longest text that a scalar may have once its variables are put in, in bytes.
const MAX_SCALAR_BYTES: usize = 64 << 10;
/// Most values that params may add to a file.
const MAX_ADDED_VALUES: usize = 100_000;
/// Most bytes of text that variables put into a file.
const MAX_ADDED_BYTES: usize = 32 << 20;
/// A long text counts as a value for each so many bytes.
pub(super) const BYTES_PER_VALUE: usize = 64;

/// `name=value`, as after `--set`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Override {
    pub name: String,
    pub value: String,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if is_name(name) => Ok(Override { name: name.to_owned(), value: value.to_owned() }),
            _ => Err("expected name=value, with the name of a param".to_owned()),
        }
    }
}

/// Most variables of one scalar whose values are shown.
const MAX_ORIGINS: usize = 3;

/// Where a variable stands whose value is written elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The scalar that it is in.
    pub at: Span,
    /// The name in the file where the variable is.
    pub param: Span,
    /// Where its value is written.
    pub value: Span,
}

/// Puts the variables into every scalar of `root`, and returns where their values are written. Params have the values that are
/// `given` where the file stands for a node, and those of `--set` where it is the first one.
pub(super) fn substitute(
    root: &mut Tree,
    file: &SourceFile,
    options: &LoadOptions<'_>,
    given: Option<&Given>,
    findings: &mut Findings,
) -> Vec<Origin> {
    let Kind::Map(entries) = &mut root.kind else { return Vec::new() };
    let found = keys::find(entries, "params", GRAPH_KEYS, file);
    let at = if let Found::At(at) = found { Some(at) } else { None };
    let params_key = at.map_or_else(Span::default, |at| entries[at].0.span);
    let has_stray = keys::has_stray(entries, GRAPH_KEYS, file);
    let has_ports = has_stray || keys::find(entries, "ports", GRAPH_KEYS, file) != Found::Nowhere;
    let mut none = Kind::Null;
    let params = at.map_or(&mut none, |at| &mut entries[at].1.kind);
    let are_known = match found {
        Found::Nowhere => !has_stray,
        Found::At(_) => matches!(params, Kind::Map(_)) || (*params == Kind::Null && !has_stray),
        Found::Unsure => false,
    };
    let mut scope = Scope {
        file,
        options,
        given,
        are_known,
        has_ports,
        params: Vec::new(),
        by_name: HashMap::new(),
        meant: HashMap::new(),
        origins: Vec::new(),
        added: 0,
        text_bytes: 0,
    };
    let mut nothing = Box::default();
    let params = if let Kind::Map(params) = params { params } else { &mut nothing };
    scope.check_given(params, findings);
    for (key, value) in params {
        scope.define(key, value, findings);
    }
    scope.check_overrides(params_key, findings);
    // A `$` may also be written as an escape. In a large file, two searches take less time than one for either.
    if ['$', '\\'].into_iter().any(|sign| file.text().contains(sign)) {
        let others = entries.iter_mut().enumerate().filter(|(place, _)| Some(*place) != at);
        others.for_each(|(_, (_, value))| scope.visit(value, findings));
    }
    scope.report_unused(findings);
    scope.origins
}

struct Scope<'a> {
    file: &'a SourceFile,
    options: &'a LoadOptions<'a>,
    given: Option<&'a Given>,
    /// Whether it is known which params there are.
    are_known: bool,
    /// Whether the file may be a part of another one.
    has_ports: bool,
    params: Vec<Param>,
    by_name: HashMap<String, usize>,
    /// Params whose names are misspelt where they are given, and which of the values is theirs; none where that is not
    /// known.
    meant: HashMap<String, Option<usize>>,
    origins: Vec<Origin>,
    added: usize,
    text_bytes: usize,
}

struct Param {
    name: String,
    span: Span,
    value: Tree,
    /// How many values it has, lists and mappings counted through.
    values: usize,
    used: bool,
}

impl Scope<'_> {
    fn define(&mut self, key: &Tree, value: &mut Tree, findings: &mut Findings) {
        self.visit(value, findings);
        let name = key.text(self.file).to_owned();
        if self.by_name.contains_key(&name) {
            return;
        }
        let has_default = value.kind != Kind::Null;
        // What has its value in its name is told with the names, and the value is not known.
        let meant = name_in_front(&name).map(|(meant, _)| meant.to_owned());
        if let Some(name) = meant.filter(|meant| !has_default && !self.by_name.contains_key(meant)) {
            self.by_name.insert(name.clone(), self.params.len());
            self.params.push(Param { name, span: key.span, value: UNKNOWN.clone(), values: 1, used: true });
            return;
        }
        let mut value = self.given_value(&name).unwrap_or_else(|| {
            let mut value = value.clone();
            keep_texts(&mut value, self.file);
            value
        });
        if value.kind == Kind::Null && value.substituted.is_none() {
            let place = if has_default { "declared here" } else { "declared here, without a default" };
            self.report_missing(&name, key.span, place, findings);
            value.kind = Kind::Unknown;
        }
        self.by_name.insert(name.clone(), self.params.len());
        let values = count(&value);
        self.params.push(Param { name, span: key.span, value, values, used: false });
    }

    /// What the param is given from outside, if it is given anything.
    fn given_value(&self, name: &str) -> Option<Tree> {
        let Some(given) = self.given else {
            let set = self.options.set.iter().rev().find(|set| set.name == name)?;
            let text = Some(Box::new(set.value.as_str().into()));
            return Some(Tree { span: Span::default(), kind: plain_scalar(&set.value), substituted: text });
        };
        match given.by_name.get(name).copied().map(Some).or_else(|| self.meant.get(name).copied()) {
            Some(Some(at)) => Some(given.values[at].2.clone()),
            None if given.is_known => None,
            _ => Some(Tree::new(given.at, Kind::Unknown)),
        }
    }

    /// A param without a value: what uses the file has to give one. Only where it is checked by itself may it be missing.
    fn report_missing(&self, name: &str, key: Span, place: &str, findings: &mut Findings) {
        match self.given {
            Some(given) => {
                let message = format!("`{}` needs the param `{name}` of `{}`", given.node, self.file.name());
                let help = format!("write `with: {{ {name}: … }}`");
                let draft = Draft::new(rules::MISSING_SETTING, given.at, message).help(help);
                findings.add(draft.related(key, place));
            }
            // What has ports may be used by another file, which gives it one.
            None if self.options.missing_env == Level::Error || !self.has_ports => {
                let message = format!("the param `{name}` has no value");
                let help = format!("give it one with `--set {name}=…`, or a default here");
                let draft = Draft::new(rules::MISSING_SETTING, key, message).help(help);
                findings.add(draft.level(self.options.missing_env));
            }
            None => {}
        }
    }

    /// Only `params` of the file are given. One that is misspelt there counts as what was meant.
    fn check_given(&mut self, params: &[(Tree, Tree)], findings: &mut Findings) {
        let Some(given) = self.given.filter(|_| self.are_known) else { return };
        let file = self.file;
        let known: Vec<&str> = params.iter().map(|(key, _)| key.text(file)).collect();
        let declared: HashSet<&str> = known.iter().copied().collect();
        let all = given.values.iter().enumerate();
        let unknown: Vec<_> = all.filter(|(_, (name, ..))| !declared.contains(name.as_str())).collect();
        let names: Vec<&str> = unknown.iter().map(|(_, (name, ..))| name.as_str()).collect();
        let is_given = |name: &str| given.by_name.contains_key(name);
        let all = || suggest::all(&known, "param");
        let guesses = keys::affordable_guesses(&names, &known, is_given, all, findings);
        for ((at, (name, key, _)), keys::Guess { help, meant }) in unknown.into_iter().zip(guesses) {
            if given.by_name[name] != at {
                // That it is given twice is told with the node.
                continue;
            }
            let message = format!("`{}` has no param `{name}`", file.name());
            findings.add(Draft::new(rules::UNKNOWN_PARAM, *key, message).suggest(help, Part::Whole));
            self.meant.extend(meant.map(|Meant { key, is_sure }| (key.to_owned(), is_sure.then_some(at))));
        }
    }

    fn check_overrides(&self, span: Span, findings: &mut Findings) {
        if self.given.is_some() || !self.are_known {
            return;
        }
        for set in self.options.set.iter().filter(|set| !self.by_name.contains_key(&set.name)) {
            let help = self.help(&set.name).map(|help| help.text);
            let help = help.unwrap_or_else(|| "declare it under `params:`, with its default".to_owned());
            let message = format!("`--set {}={}`: this graph has no param `{}`", set.name, set.value, set.name);
            findings.add(Draft::new(rules::UNKNOWN_PARAM, span, message).help(help));
        }
    }

    /// Help for the name of a param that is not there.
    fn help(&self, name: &str) -> Option<Suggestion> {
        suggest::help(name, &self.names(), "param")
    }

    fn names(&self) -> Vec<&str> {
        self.params.iter().map(|param| param.name.as_str()).collect()
    }

    fn report_unused(&self, findings: &mut Findings) {
        for param in self.params.iter().filter(|param| !param.used) {
            let message = format!("nothing uses the param `{}`", param.name);
            let help = format!("write `${{{}}}` where it belongs, or take it out", param.name);
            findings.add(Draft::new(rules::UNUSED_PARAM, param.span, message).help(help));
        }
    }

    fn visit(&mut self, tree: &mut Tree, findings: &mut Findings) {
        match &mut tree.kind {
            Kind::Seq(items) => items.iter_mut().for_each(|item| self.visit(item, findings)),
            Kind::Map(entries) => entries.iter_mut().for_each(|(_, value)| self.visit(value, findings)),
            Kind::String(text) if text.contains("${") => {
                let span = tree.span;
                let filled = match pieces(text) {
                    Ok(pieces) => self.fill(pieces, span, findings),
                    Err(message) => {
                        let holds = |param: &&mut Param| text.contains(&*param.name);
                        self.params.iter_mut().filter(holds).for_each(|param| param.used = true);
                        let help =
                            "write `${name}`, `${env:NAME}` or `${env:NAME:-default}`; `$${` stands for `${` itself";
                        let help = self.meant(text).map_or_else(|| help.to_owned(), |meant| format!("write `{meant}`"));
                        findings.add(Draft::new(rules::BAD_VARIABLE, span, message).help(help));
                        None
                    }
                };
                *tree = filled.unwrap_or(Tree::new(span, Kind::Unknown));
            }
            Kind::String(text) if text.contains('$') => {
                let Some(meant) = self.meant(text) else { return };
                let is_whole = text.starts_with('$') && !text[1..].contains([' ', '/', '$']);
                let level = if is_whole { Level::Error } else { Level::Warning };
                let draft = Draft::new(rules::BAD_VARIABLE, tree.span, format!("`{text}` has no variable in it"));
                findings.add(draft.level(level).help(format!("write `{meant}` where that is meant")));
                if is_whole {
                    tree.kind = Kind::Unknown;
                }
            }
            _ => {}
        }
    }

    /// The variable that is meant in a text where none is written as it should be, as in `$name`, `$(name)` or
    /// `${ env.NAME }`: a param, or one of the environment that is called so. It counts as used.
    fn meant(&mut self, text: &str) -> Option<String> {
        text.match_indices('$').find_map(|(at, _)| {
            let inner = text[at + 1..].trim_start_matches(['{', '(', ' ']);
            let (of_env, rest) = match ["env:", "env.", "ENV:", "ENV."].iter().find_map(|env| inner.strip_prefix(env)) {
                Some(rest) => (true, rest.trim_start()),
                None => (false, inner.strip_prefix("params.").unwrap_or(inner)),
            };
            let name = &rest[..rest.find(|c| !is_name_char(c)).unwrap_or(rest.len())];
            if of_env {
                return is_name(name).then(|| format!("${{env:{name}}}"));
            }
            let param = *self.by_name.get(name)?;
            self.params[param].used = true;
            Some(format!("${{{name}}}"))
        })
    }

    /// The scalar with its variables put in; nothing where one is not known.
    fn fill(&mut self, pieces: Vec<Piece>, span: Span, findings: &mut Findings) -> Option<Tree> {
        if self.options.only_written {
            return None;
        }
        if let [piece @ (Piece::Param(_) | Piece::Env { .. })] = pieces.as_slice() {
            let value = self.value(piece, span, findings)?;
            return Some(at_place(value, span));
        }
        let mut text = String::new();
        let mut known = true;
        for piece in &pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                variable => match self.value(variable, span, findings).map(|value| self.text_of(&value)) {
                    Some(Some(value)) => text.push_str(&value),
                    Some(None) => {
                        let message = "a list or mapping cannot be a part of a text";
                        let help = "let the variable be the whole value, or make the param a text";
                        findings.add(Draft::new(rules::BAD_VARIABLE, span, message).help(help));
                        known = false;
                    }
                    None => known = false,
                },
            }
            if text.len() > MAX_SCALAR_BYTES {
                let message = format!("the text is longer than {MAX_SCALAR_BYTES} bytes once its variables are put in");
                findings.add(Draft::new(rules::OUT_OF_RANGE, span, message));
                return None;
            }
        }
        (known && self.has_room_for(&text, span, findings)).then(|| Tree::new(span, Kind::String(text.into())))
    }

    fn value(&mut self, piece: &Piece, span: Span, findings: &mut Findings) -> Option<Tree> {
        match piece {
            Piece::Literal(text) => Some(Tree::new(span, Kind::String(text.into()))),
            Piece::Param(name) => self.param(name, span, findings),
            Piece::Env { name, default } => {
                let text = (self.options.env)(name).or_else(|| default.clone());
                let Some(text) = text else {
                    let message = format!("the environment has no variable `{name}`");
                    let help = format!("set it, or give a default: `${{env:{name}:-default}}`");
                    let level = self.options.missing_env;
                    findings.add(Draft::new(rules::MISSING_ENV, span, message).help(help).level(level));
                    return None;
                };
                let fits = self.has_room_for(&text, span, findings);
                fits.then(|| Tree { span, kind: plain_scalar(&text), substituted: Some(Box::new(text.into())) })
            }
        }
    }

    /// Whether this text may be put in as well; the first that may not is told.
    fn has_room_for(&mut self, text: &str, span: Span, findings: &mut Findings) -> bool {
        let had_room = self.text_bytes <= MAX_ADDED_BYTES;
        self.text_bytes += text.len();
        let has_room = self.text_bytes <= MAX_ADDED_BYTES;
        if had_room && !has_room {
            let message = format!("variables add more than {} MiB of text to this file", MAX_ADDED_BYTES >> 20);
            findings.add(Draft::new(rules::OUT_OF_RANGE, span, message).help("make several graphs of it"));
        }
        has_room
    }

    fn param(&mut self, name: &str, span: Span, findings: &mut Findings) -> Option<Tree> {
        let Some(&at) = self.by_name.get(name) else {
            if !self.are_known {
                return None;
            }
            let help = findings.suggestion(|| self.help(name)).map(|help| help.text);
            let meant =
                findings.suggestion(|| suggest::nearest(name, self.names())).and_then(|near| self.by_name.get(near));
            if let Some(&meant) = meant {
                self.params[meant].used = true;
            }
            let help = help.unwrap_or_else(|| format!("declare it above: `params: {{ {name}: … }}`"));
            findings.add(Draft::new(rules::UNKNOWN_PARAM, span, format!("there is no param `{name}`")).help(help));
            return None;
        };
        let param = &mut self.params[at];
        param.used = true;
        if matches!(param.value.kind, Kind::Unknown) {
            return None;
        }
        if self.added > MAX_ADDED_VALUES {
            return None;
        }
        self.added += param.values;
        let mut value = param.value.clone();
        let told = self.origins.iter().rev().take_while(|origin| origin.at == span).count();
        // What the command line gives is in no file.
        if value.span != Span::default() && told < MAX_ORIGINS {
            self.origins.push(Origin { at: span, param: param.span, value: value.span });
        }
        if self.added > MAX_ADDED_VALUES {
            let message = format!("params add more than {MAX_ADDED_VALUES} values to this file");
            findings.add(Draft::new(rules::OUT_OF_RANGE, span, message));
            return None;
        }
        let text = self.text_of(&value);
        if text.as_ref().is_some_and(|text| !self.has_room_for(text, span, findings)) {
            return None;
        }
        value.substituted = text.map(|text| Box::new(text.into()));
        Some(value)
    }

    /// The text that a scalar is written with.
    fn text_of(&self, value: &Tree) -> Option<String> {
        match (&value.substituted, &value.kind) {
            (Some(text), _) => Some(text.to_string()),
            (None, Kind::Seq(_) | Kind::Map(_) | Kind::Unknown) => None,
            (None, _) => Some(value.text(self.file).to_owned()),
        }
    }
}

/// How many values there are in `tree`, keys included; long texts count as several.
pub(super) fn count(tree: &Tree) -> usize {
    match &tree.kind {
        Kind::Seq(items) => 1 + items.iter().map(count).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|(_, value)| 1 + count(value)).sum::<usize>(),
        Kind::String(text) => 1 + text.len() / BYTES_PER_VALUE,
        _ => 1,
    }
}

/// Everything in `tree` is placed where the variable stands.
fn at_place(mut tree: Tree, span: Span) -> Tree {
    tree.span = span;
    tree.kind = match tree.kind {
        Kind::Seq(items) => Kind::Seq(items.into_iter().map(|item| at_place(item, span)).collect()),
        Kind::Map(entries) => {
            let entries = entries.into_iter().map(|(key, value)| (at_place(key, span), at_place(value, span)));
            Kind::Map(entries.collect())
        }
        scalar => scalar,
    };
    tree
}
