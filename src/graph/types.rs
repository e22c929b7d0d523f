//! Finds the type of each node: built in, or a pack's.

use super::edit::Part;
use super::fields::Word;
use super::finding::{Draft, Findings, Level, Rule};
use super::packs::{PackFault, Packs};
use super::rules;
use super::source::SourceFile;
use super::sources::called;
use super::suggest;
use super::units::is_file;
use super::written::{Written, WrittenPack};
use crate::node::{Registry, TypeDescription};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most names of packs that are not declared, of which is looked for what they mean.
const MAX_COMPARED: usize = 100;

/// The type of a node.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The pack's executable; `None` for a built-in type.
    pub pack: Option<PathBuf>,
    /// `None` where it is not known, since the pack has no description.
    pub node_type: Option<Arc<TypeDescription>>,
}

type ByName = BTreeMap<String, Arc<TypeDescription>>;

/// The built-in types and those of the packs that were asked: each is asked once, however many files declare it.
pub(super) struct KnownTypes<'p> {
    built_in: Arc<ByName>,
    packs: &'p dyn Packs,
    asked: HashMap<PathBuf, Result<Arc<ByName>, Silence>>,
}

/// Why nothing is known of a pack.
struct Silence {
    rule: Rule,
    cause: String,
    help: &'static str,
    /// The pack's executable, as the cause has it.
    executable: PathBuf,
}

/// All node types that a file may use.
pub(super) struct Types {
    built_in: Arc<ByName>,
    packs: BTreeMap<SmolStr, Pack>,
    /// Whether there may be other packs.
    may_have_more: bool,
}

struct Pack {
    executable: Option<PathBuf>,
    types: Option<Arc<ByName>>,
}

impl<'p> KnownTypes<'p> {
    pub fn new(registry: &Registry, packs: &'p dyn Packs) -> Self {
        let built_in = by_name(registry.iter().map(|node_type| node_type.description().clone()));
        KnownTypes { built_in: Arc::new(built_in), packs, asked: HashMap::new() }
    }

    /// The built-in types, and those of the packs that the file declares.
    pub fn of_file(&mut self, written: &Written<'_>, file: &SourceFile, findings: &mut Findings) -> Types {
        let uses = written.nodes.iter().filter_map(|node| node.uses.as_ref()).filter(|uses| !is_file(&uses.text));
        let mut used: BTreeSet<&str> =
            uses.filter_map(|uses| uses.text.split_once('/')).map(|(pack, _)| pack).collect();
        used.extend(meant(&used, written.packs.iter().map(|pack| pack.name.text.as_str())));
        let mut all = BTreeMap::new();
        for pack in &written.packs {
            if !used.contains(pack.name.text.as_str()) {
                let message = format!("no node uses the pack `{}`", pack.name.text);
                let help = format!("write `use: {}/type`, or take it out", pack.name.text);
                findings.add(Draft::new(rules::UNUSED_PACK, pack.name.span, message).help(help));
            }
            all.insert(pack.name.text.clone(), self.ask(pack, file, findings));
        }
        Types { built_in: Arc::clone(&self.built_in), packs: all, may_have_more: written.packs_are_unclear }
    }

    fn ask(&mut self, pack: &WrittenPack, file: &SourceFile, findings: &mut Findings) -> Pack {
        let Some(path) = &pack.path else { return Pack { executable: None, types: None } };
        let executable = file.dir().join(&path.text);
        let packs = self.packs;
        let program = std::fs::canonicalize(&executable).unwrap_or_else(|_| executable.clone());
        let answer = self.asked.entry(program).or_insert_with(|| match packs.describe(&executable) {
            Ok(description) => Ok(Arc::new(by_name(description.types.into_iter()))),
            Err(fault) => Err(Silence::new(&fault, &executable)),
        });
        if let Err(Silence { rule, cause, help, executable }) = answer {
            // Called as the file itself is called.
            let name = called(Path::new(path.text.as_str()), file);
            let cause = cause.replace(&executable.display().to_string(), &name.display().to_string());
            let mut message = format!("the pack `{}`: {cause}", pack.name.text);
            if rule.level == Level::Warning {
                message.push_str("; its nodes are not checked");
            }
            findings.add(Draft::new(*rule, path.span, message).help(*help));
        }
        Pack { executable: Some(executable), types: answer.as_ref().ok().cloned() }
    }
}

impl Silence {
    fn new(fault: &PackFault, executable: &Path) -> Self {
        let rule = match fault {
            PackFault::NotSaved { .. } => rules::NO_DESCRIPTION,
            _ => rules::BAD_PACK,
        };
        Silence { rule, cause: fault.to_string(), help: fault.help(), executable: executable.to_owned() }
    }
}

impl Types {
    /// The type that `uses` names. Where it names none, that is told, and the type is the one that it clearly means.
    pub fn find(&self, uses: &Word, findings: &mut Findings) -> Option<Found> {
        match uses.text.split_once('/') {
            None => self.find_built_in(uses, findings),
            Some((pack, name)) => self.find_in_pack(uses, pack, name, findings),
        }
    }

    fn find_built_in(&self, uses: &Word, findings: &mut Findings) -> Option<Found> {
        let built_in = |name: &str| Some(Found { pack: None, node_type: Some(Arc::clone(self.built_in.get(name)?)) });
        if let Some(found) = built_in(&uses.text) {
            return Some(found);
        }
        let near = findings.suggestion(|| suggest::meant(&uses.text, self.built_in.keys().map(String::as_str)));
        let (help, meant) = match (near, findings.suggestion(|| self.pack_with(&uses.text))) {
            (_, Some((pack, found))) => {
                (format!("the pack `{pack}` has it: write `{pack}/{}`", uses.text).into(), Some(found))
            }
            (Some(near), None) => {
                let meant = near.clearly().and_then(built_in);
                (near, meant)
            }
            (None, None) => ("`ezrun nodes` lists the node types".to_owned().into(), None),
        };
        let message = format!("there is no node type `{}`", uses.text);
        findings.add(Draft::new(rules::UNKNOWN_TYPE, uses.span, message).suggest(Some(help), Part::Whole));
        meant
    }

    fn find_in_pack(&self, uses: &Word, pack: &str, name: &str, findings: &mut Findings) -> Option<Found> {
        let (pack, Pack { executable, types }) = self.find_pack(uses, pack, findings)?;
        let found = |node_type| Some(Found { pack: executable.clone(), node_type });
        let Some(types) = types else { return found(None) };
        if let Some(node_type) = types.get(name) {
            return found(Some(Arc::clone(node_type)));
        }
        let names = || types.keys().map(String::as_str).collect::<Vec<&str>>();
        let help = findings.suggestion(|| suggest::help(name, &names(), "type"));
        let meant = help.as_ref().and_then(|help| types.get(help.clearly()?)).map(Arc::clone);
        let message = format!("the pack `{pack}` has no node type `{name}`");
        findings.add(Draft::new(rules::UNKNOWN_TYPE, uses.span, message).suggest(help, Part::Back));
        found(Some(meant?))
    }

    fn find_pack(&self, uses: &Word, name: &str, findings: &mut Findings) -> Option<(&SmolStr, &Pack)> {
        let found = self.packs.get_key_value(name);
        if found.is_some() || self.may_have_more {
            return found;
        }
        let names = || self.packs.keys().map(SmolStr::as_str).collect::<Vec<&str>>();
        let help = findings
            .suggestion(|| suggest::help(name, &names(), "pack"))
            .unwrap_or_else(|| format!("declare it: `packs: {{ {name}: ./path/to/executable }}`").into());
        let meant = help.clearly().and_then(|name| self.packs.get_key_value(name));
        let message = format!("there is no pack `{name}`");
        findings.add(Draft::new(rules::UNKNOWN_PACK, uses.span, message).suggest(Some(help), Part::Front));
        meant
    }

    /// The first pack that has a type called `name`, and that type.
    fn pack_with(&self, name: &str) -> Option<(&str, Found)> {
        self.packs.iter().find_map(|(pack, Pack { executable, types })| {
            let node_type = Some(Arc::clone(types.as_ref()?.get(name)?));
            Some((pack.as_str(), Found { pack: executable.clone(), node_type }))
        })
    }
}

/// Those of the `declared` packs that may be meant by the names of others.
fn meant<'w>(used: &BTreeSet<&str>, declared: impl Iterator<Item = &'w str>) -> Vec<&'w str> {
    let declared: BTreeSet<&str> = declared.collect();
    let others = used.difference(&declared).take(MAX_COMPARED);
    others.filter_map(|name| suggest::nearest(name, declared.iter().copied())).collect()
}

fn by_name(types: impl Iterator<Item = TypeDescription>) -> ByName {
    types.map(|node_type| (node_type.name.clone(), Arc::new(node_type))).collect()
}
