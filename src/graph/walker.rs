//! A walker over settings: every fault in them has its place, and a pack's types are checked as fully as built-in ones.
//! It knows what `schemars` writes for serde types.

use super::edit::Part;
use super::fields::{MERGE_KEY, Word, beyond, merge_key};
use super::finding::{Draft, Findings, Rule};
use super::instead::instead;
use super::keys::{self, Meant};
use super::rules;
use super::schema::{
    branch_in_words, constants, first_sentence, has_key_of, in_words, is_type, out_of_range, same, types,
};
use super::source::{SourceFile, Span};
use super::suggest::{self, Suggestion};
use super::yaml::{Kind, Tree};
use crate::node::counted;
use serde_json::{Map, Number, Value};
use smol_str::SmolStr;
use std::collections::{HashMap, HashSet};

/// Deepest chain of `$ref` that is followed.
const MAX_REFS: usize = 16;

/// How many schemas may be looked into for the least settings, and how many more for each byte of others.
const MIN_LOOKS: usize = 200;
const LOOKS_PER_BYTE: usize = 10;
/// Deepest chain of branches within branches for one value.
const MAX_NESTED: usize = 64;

/// Goes through the settings of one node.
pub(super) struct Walker<'a> {
    root: &'a Value,
    file: &'a SourceFile,
    pub findings: Findings,
    node: &'a Word,
    /// Help where nothing better is known.
    way_out: &'a str,
    /// Whether a value is not known yet.
    pub unknown: bool,
    pub misspelt: Vec<Misspelt>,
    /// Keys of the node that may have been meant for settings.
    beside: &'a [&'a str],
    /// How many more schemas are looked into, and how many more each within the last, without a step into the value.
    looks: usize,
    nested: usize,
}

/// A key that is misspelt, and the setting that it counts as.
pub(super) struct Misspelt {
    pub at: Span,
    pub written: SmolStr,
    pub setting: SmolStr,
}

impl<'a> Walker<'a> {
    pub fn new(root: &'a Value, file: &'a SourceFile, node: &'a Word, way_out: &'a str) -> Self {
        let findings = Findings::default();
        let (misspelt, unknown, looks, nested) = (Vec::new(), false, MIN_LOOKS, MAX_NESTED);
        Walker { root, file, findings, node, way_out, unknown, misspelt, beside: &[], looks, nested }
    }

    /// How many faults there are besides settings that are only misspelt.
    pub fn faults(&self) -> usize {
        self.findings.len() - self.misspelt.len()
    }

    /// Whether the schema leads around in circles, or has so many branches within branches that it was not looked through.
    pub fn is_lost(&self) -> bool {
        self.looks == 0
    }

    /// The value that the node gets, without the settings at fault and those that are not known. What stands `beside` them
    /// is not missing.
    pub fn settings(&mut self, tree: &Tree, beside: &'a [&'a str]) -> Value {
        self.beside = beside;
        self.looks += LOOKS_PER_BYTE * (tree.span.end() - tree.span.start());
        if !matches!(tree.kind, Kind::Map(_) | Kind::Null | Kind::Unknown) {
            let message = format!("the settings of `{}` are a mapping, not {}", self.node.text, tree.describe());
            self.report(rules::WRONG_TYPE, tree.span, message, Some("write `with: { setting: value }`".to_owned()));
            return Value::Null;
        }
        self.walk(tree, self.root, "")
    }

    /// Checks `tree` against `schema` and turns it into the value that the node gets.
    fn walk(&mut self, tree: &Tree, schema: &'a Value, path: &str) -> Value {
        if tree.kind == Kind::Unknown {
            self.unknown = true;
            return Value::Null;
        }
        let schema = self.follow(schema);
        if tree.kind == Kind::Null
            && tree.substituted.as_ref().is_some_and(|text| text.is_empty())
            && !self.wants_text(schema, MAX_REFS)
        {
            let variable = self.file.slice(tree.span).trim_matches(['"', '\'']);
            let message = format!("{}: the value of `{variable}` is empty", self.setting(path));
            self.report(rules::WRONG_TYPE, tree.span, message, Some("give the variable a value".to_owned()));
            return Value::Null;
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(branches) = schema.get(key).and_then(Value::as_array) {
                return self.choose(tree, branches, path);
            }
        }
        if let Some([only]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            return self.look_into(tree, only, path);
        }
        if let Some(allowed) = constants(schema) {
            return self.constant(tree, &allowed, path);
        }
        let types = types(schema);
        let kind = self.as_wanted(tree, &types);
        if !types.is_empty() && !types.iter().any(|name| is_type(&kind, name)) {
            self.wrong_type(tree, &types.iter().map(|name| in_words(name)).collect::<Vec<_>>(), path);
            return Value::Null;
        }
        match &kind {
            Kind::Seq(items) => self.array(tree, items, schema, path),
            Kind::Map(entries) => self.object(tree, entries, schema, path),
            Kind::Int(_) | Kind::Float(_) => self.number(tree, &kind, schema, path),
            Kind::String(text) => self.string(tree, text, schema, path),
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Null | Kind::Unknown => Value::Null,
        }
    }

    /// As [`walk`](Self::walk) on the same value, as long as that comes to an end.
    fn look_into(&mut self, tree: &Tree, schema: &'a Value, path: &str) -> Value {
        if self.nested == 0 {
            self.looks = 0;
        }
        if self.is_lost() {
            return Value::Null;
        }
        self.looks -= 1;
        self.nested -= 1;
        let value = self.walk(tree, schema, path);
        self.nested += 1;
        value
    }

    /// The text of a variable stays a text where only a text will do.
    fn as_wanted(&self, tree: &Tree, types: &[&str]) -> Kind {
        match &tree.substituted {
            Some(text) if types.contains(&"string") && !types.iter().any(|name| is_type(&tree.kind, name)) => {
                Kind::String(SmolStr::clone(text))
            }
            _ => tree.kind.clone(),
        }
    }

    /// Whether any text will do; `depth` says how many branches within branches are looked at.
    fn wants_text(&mut self, schema: &'a Value, depth: usize) -> bool {
        self.looks = self.looks.saturating_sub(1);
        let schema = self.follow(schema);
        let branches = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema.get(key).and_then(Value::as_array));
        match branches {
            Some(branches) => {
                depth > 0 && !self.is_lost() && branches.iter().any(|branch| self.wants_text(branch, depth - 1))
            }
            None => constants(schema).is_none() && (types(schema).is_empty() || types(schema).contains(&"string")),
        }
    }

    fn follow(&self, mut schema: &'a Value) -> &'a Value {
        for _ in 0..MAX_REFS {
            let Some(target) = schema.get("$ref").and_then(Value::as_str) else { break };
            let Some(found) = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) else { break };
            schema = found;
        }
        schema
    }

    /// One of several schemas: the first that fits, or the faults of the one that was probably meant.
    fn choose(&mut self, tree: &Tree, branches: &'a [Value], path: &str) -> Value {
        let followed: Vec<&'a Value> = branches.iter().map(|branch| self.follow(branch)).collect();
        let words: Vec<Value> = followed.iter().filter_map(|branch| constants(branch)).flatten().collect();
        if followed.iter().all(|branch| constants(branch).is_some() || types(branch) == ["null"]) && !words.is_empty() {
            let nullable = followed.iter().any(|branch| types(branch) == ["null"]);
            return if nullable && tree.kind == Kind::Null { Value::Null } else { self.constant(tree, &words, path) };
        }
        let mut nearest: Option<Findings> = None;
        for branch in &followed {
            let outer = (std::mem::take(&mut self.findings), self.unknown, std::mem::take(&mut self.misspelt));
            let value = self.look_into(tree, branch, path);
            let inner = std::mem::replace(&mut self.findings, outer.0);
            // What is misspelt in a branch is a fault of it like any other.
            self.misspelt = outer.2;
            if inner.len() == 0 {
                return value;
            }
            self.unknown = outer.1;
            let same_kind =
                types(branch).iter().any(|name| is_type(&tree.kind, name)) && has_key_of(tree, branch, self.file);
            if same_kind && nearest.as_ref().is_none_or(|other| inner.len() < other.len()) {
                nearest = Some(inner);
            }
        }
        match nearest {
            Some(faults) => self.findings.extend(faults),
            None => {
                let words: Vec<String> = followed.iter().map(|branch| branch_in_words(branch)).collect();
                self.wrong_type(tree, &words, path);
            }
        }
        Value::Null
    }

    fn constant(&mut self, tree: &Tree, allowed: &[Value], path: &str) -> Value {
        let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        let kind = if names.is_empty() { tree.kind.clone() } else { self.as_wanted(tree, &["string"]) };
        if let Some(found) = allowed.iter().find(|value| same(&kind, value)) {
            return found.clone();
        }
        let help = match &kind {
            Kind::String(text) => self.findings.suggestion(|| suggest::meant(text, names.iter().copied())),
            _ => None,
        };
        let all: Vec<String> =
            allowed.iter().map(|value| value.as_str().map_or(value.to_string(), str::to_owned)).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let help = help.unwrap_or_else(|| format!("it is one of {}", suggest::list(&all)).into());
        let message = format!("{} cannot be {}", self.setting(path), tree.describe());
        self.report(rules::WRONG_VALUE, tree.span, message, Some(help));
        Value::Null
    }

    fn array(&mut self, tree: &Tree, items: &[Tree], schema: &'a Value, path: &str) -> Value {
        let count = items.len() as u64;
        let limit = |key: &str| schema.get(key).and_then(Value::as_u64);
        let (min, max) = (limit("minItems"), limit("maxItems"));
        if min.is_some_and(|min| count < min) || max.is_some_and(|max| count > max) {
            let help = match (min, max) {
                (Some(min), Some(max)) if min == max => format!("give {min}"),
                (Some(min), Some(max)) => format!("give from {min} to {max}"),
                (Some(min), None) => format!("give {min} or more"),
                (None, max) => format!("give at most {}", max.unwrap_or_default()),
            };
            let message = format!("{} has {}", self.setting(path), counted(items.len(), "item"));
            self.report(rules::OUT_OF_RANGE, tree.span, message, Some(help));
        }
        let prefix = schema.get("prefixItems").and_then(Value::as_array);
        let mut values = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let of_item = prefix.and_then(|prefix| prefix.get(at)).or_else(|| schema.get("items"));
            values.push(self.walk(item, of_item.unwrap_or(&Value::Bool(true)), &format!("{path}[{at}]")));
        }
        Value::Array(values)
    }

    fn object(&mut self, tree: &Tree, entries: &[(Tree, Tree)], schema: &'a Value, path: &str) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties").unwrap_or(&Value::Bool(true));
        let mut values = Map::new();
        let mut places: HashMap<&str, Span> = HashMap::new();
        let mut unknown = Vec::new();
        let mut twice = HashSet::new();
        for (key, value) in entries {
            let name = key.text(self.file);
            if name == MERGE_KEY {
                self.findings.add(merge_key(key.span));
                continue;
            }
            if let Some(&first) = places.get(name) {
                let draft =
                    Draft::new(rules::DUPLICATE_KEY, key.span, format!("{} twice", self.has_setting(path, name)));
                self.findings.add(draft.help("keep one of the two").related(first, "first defined here"));
                twice.insert(name);
                continue;
            }
            places.insert(name, key.span);
            let inner = within(path, name);
            let schema = match properties.and_then(|properties| properties.get(name)) {
                None if *others == Value::Bool(false) => {
                    unknown.push((name, key.span, value));
                    continue;
                }
                property => property.unwrap_or(others),
            };
            if let Some(value) = self.sound(value, schema, &inner) {
                values.insert(name.to_owned(), value);
            }
        }
        let meant = self.unknown_settings(&unknown, &twice, properties, |name| places.contains_key(name), path);
        // What was meant is not missing.
        for (Meant { key, is_sure }, (written, at, value)) in
            meant.into_iter().zip(unknown).filter_map(|(meant, one)| Some((meant?, one)))
        {
            places.insert(key, at);
            let schema = properties.and_then(|properties| properties.get(key)).filter(|_| is_sure);
            let Some(schema) = schema else {
                self.unknown = true;
                continue;
            };
            self.misspelt.push(Misspelt { at, written: written.into(), setting: key.into() });
            if let Some(value) = self.sound(value, schema, &within(path, key)) {
                values.insert(key.to_owned(), value);
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let missing: Vec<&str> = required.filter(|name| !places.contains_key(name)).collect();
        for name in missing {
            if path.is_empty() && self.beside.contains(&name) {
                self.unknown = true;
            } else {
                self.missing_setting(tree, name, properties, path);
            }
        }
        Value::Object(values)
    }

    /// As [`walk`](Self::walk); nothing where a part of the value is wrong or not known.
    fn sound(&mut self, tree: &Tree, schema: &'a Value, path: &str) -> Option<Value> {
        let (faults, unknown) = (self.faults(), std::mem::take(&mut self.unknown));
        let value = if self.is_empty(tree, path) { Value::Null } else { self.walk(tree, schema, path) };
        let is_sound = self.faults() == faults && !self.unknown;
        self.unknown |= unknown;
        is_sound.then_some(value)
    }

    /// Whether nothing is written for a setting: that is told, also of one that may be nothing.
    fn is_empty(&mut self, tree: &Tree, path: &str) -> bool {
        let is_empty = tree.kind == Kind::Null && tree.substituted.is_none() && self.file.slice(tree.span).is_empty();
        if is_empty {
            let help = "write it after the colon, or take the key out".to_owned();
            self.report(rules::WRONG_TYPE, tree.span, format!("{} has no value", self.setting(path)), Some(help));
        }
        is_empty
    }

    /// Tells them, those in `twice` once, and returns what each was meant to be.
    fn unknown_settings(
        &mut self,
        unknown: &[(&str, Span, &Tree)],
        twice: &HashSet<&str>,
        known: Option<&'a Map<String, Value>>,
        is_there: impl Fn(&str) -> bool,
        path: &str,
    ) -> Vec<Option<Meant<'a>>> {
        let known: Vec<&'a str> = known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let written = unknown.iter().map(|(name, ..)| *name);
        let written: Vec<&str> = written.clone().chain(written.filter(|name| twice.contains(name))).collect();
        let all = || suggest::all(&known, "setting");
        let guesses = keys::affordable_guesses(&written, &known, is_there, all, &mut self.findings);
        let mut all_meant = Vec::with_capacity(unknown.len());
        for ((name, span, _), keys::Guess { help, meant }) in unknown.iter().zip(guesses) {
            let help = help.unwrap_or_else(|| match known.len() {
                0 => "it takes none".to_owned().into(),
                _ => format!("settings are {}", suggest::list(&known)).into(),
            });
            let message = match path {
                "" => format!("`{}` has no setting `{name}`", self.node.text),
                _ => format!("{} has no `{name}`", self.setting(path)),
            };
            self.report(rules::UNKNOWN_SETTING, *span, message, Some(help));
            all_meant.push(meant);
        }
        all_meant
    }

    /// Placed at the node's key, or at the mapping inside the settings in which it is missing.
    fn missing_setting(&mut self, tree: &Tree, name: &str, known: Option<&Map<String, Value>>, path: &str) {
        let about = known.and_then(|known| known.get(name)).and_then(|schema| schema.get("description")?.as_str());
        let about = about.map_or(String::new(), |text| format!(" ({})", first_sentence(text)));
        let (span, message, help) = match path {
            "" => {
                let help = format!("write `with: {{ {name}: … }}`{about}");
                (self.node.span, format!("`{}` needs the setting `{name}`", self.node.text), help)
            }
            _ => (tree.span, format!("{} needs `{name}`", self.setting(path)), format!("add `{name}: …`{about}")),
        };
        self.report(rules::MISSING_SETTING, span, message, Some(help));
    }

    fn number(&mut self, tree: &Tree, kind: &Kind, schema: &Value, path: &str) -> Value {
        let (value, number) = match kind {
            Kind::Int(int) => {
                let int = int.get();
                let number = i64::try_from(int).map(Number::from).or_else(|_| u64::try_from(int).map(Number::from));
                (int as f64, number.ok())
            }
            Kind::Float(float) => (*float, Number::from_f64(*float)),
            _ => return Value::Null,
        };
        let Some(number) = number else {
            let message = format!("{} is not finite", self.setting(path));
            self.report(rules::OUT_OF_RANGE, tree.span, message, Some("write a finite number".to_owned()));
            return Value::Null;
        };
        if let Some(help) = out_of_range(value, schema) {
            let message = format!("{} is {number}", self.setting(path));
            self.report(rules::OUT_OF_RANGE, tree.span, message, Some(help));
        }
        Value::Number(number)
    }

    fn string(&mut self, tree: &Tree, text: &str, schema: &Value, path: &str) -> Value {
        let min = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
        if (text.chars().count() as u64) < min {
            let message = if text.is_empty() { "is empty".to_owned() } else { format!("is shorter than {min}") };
            let message = format!("{} {message}", self.setting(path));
            self.report(rules::OUT_OF_RANGE, tree.span, message, Some("write a text".to_owned()));
        }
        Value::String(text.to_owned())
    }

    fn wrong_type(&mut self, tree: &Tree, wanted: &[String], path: &str) {
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).filter(|word| *word != "nothing").collect();
        if let Some(digits) = tree.long_integer(self.file).filter(|_| wanted.contains(&"an integer")) {
            let message = format!("{} is {digits}, {}", self.setting(path), beyond(&digits));
            let help = match digits.starts_with('-') {
                true => format!("integers go down to {}", i64::MIN),
                false => format!("integers go up to {}", u64::MAX),
            };
            return self.report(rules::OUT_OF_RANGE, tree.span, message, Some(help));
        }
        let described = tree.describe_in(self.file);
        let message = format!("{} is {}, not {described}", self.setting(path), wanted.join(" or "));
        let help = instead(tree, &wanted, self.file, self.way_out).unwrap_or_else(|| self.way_out.to_owned());
        self.report(rules::WRONG_TYPE, tree.span, message, Some(help));
    }

    fn setting(&self, path: &str) -> String {
        format!("the setting `{path}` of `{}`", self.node.text)
    }

    fn has_setting(&self, path: &str, name: &str) -> String {
        match path {
            "" => format!("`{}` has the setting `{name}`", self.node.text),
            _ => format!("{} has `{name}`", self.setting(path)),
        }
    }

    fn report(&mut self, rule: Rule, span: Span, message: String, help: Option<impl Into<Suggestion>>) {
        self.findings.add(Draft::new(rule, span, message).suggest(help.map(Into::into), Part::Whole));
    }
}

/// The path of the setting `name` in the mapping at `path`.
fn within(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
