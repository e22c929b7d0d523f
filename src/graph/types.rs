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
        let used: BTreeSet<&str> = uses.filter_map(|uses| uses.text.split_once('/')).map(|(pack, _)| pack).collect();
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
    /// The type that `uses` names.
    pub fn find(&self, uses: &Word, findings: &mut Findings) -> Option<Found> {
        match uses.text.split_once('/') {
            None => self.find_built_in(uses, findings),
            Some((pack, name)) => self.find_in_pack(uses, pack, name, findings),
        }
    }

    fn find_built_in(&self, uses: &Word, findings: &mut Findings) -> Option<Found> {
        if let Some(node_type) = self.built_in.get(uses.text.as_str()) {
            return Some(Found { pack: None, node_type: Some(Arc::clone(node_type)) });
        }
        let near = findings.suggestion(|| suggest::meant(&uses.text, self.built_in.keys().map(String::as_str)));
        let help = match (near, findings.suggestion(|| self.pack_with(&uses.text))) {
            (_, Some(pack)) => format!("the pack `{pack}` has it: write `{pack}/{}`", uses.text).into(),
            (Some(near), _) => near,
            (None, None) => "`ezrun nodes` lists the node types".to_owned().into(),
        };
        let message = format!("there is no node type `{}`", uses.text);
        findings.add(Draft::new(rules::UNKNOWN_TYPE, uses.span, message).suggest(Some(help), Part::Whole));
        None
    }

    fn find_in_pack(&self, uses: &Word, pack: &str, name: &str, findings: &mut Findings) -> Option<Found> {
        let Some(found) = self.packs.get(pack) else {
            if self.may_have_more {
                return None;
            }
            let names = || self.packs.keys().map(SmolStr::as_str).collect::<Vec<&str>>();
            let help = findings
                .suggestion(|| suggest::help(pack, &names(), "pack"))
                .unwrap_or_else(|| format!("declare it: `packs: {{ {pack}: ./path/to/executable }}`").into());
            let message = format!("there is no pack `{pack}`");
            findings.add(Draft::new(rules::UNKNOWN_PACK, uses.span, message).suggest(Some(help), Part::Front));
            return None;
        };
        let executable = found.executable.clone();
        let Some(types) = &found.types else { return Some(Found { pack: executable, node_type: None }) };
        let Some(node_type) = types.get(name) else {
            let names = || types.keys().map(String::as_str).collect::<Vec<&str>>();
            let help = findings.suggestion(|| suggest::help(name, &names(), "type"));
            let message = format!("the pack `{pack}` has no node type `{name}`");
            findings.add(Draft::new(rules::UNKNOWN_TYPE, uses.span, message).suggest(help, Part::Back));
            return None;
        };
        Some(Found { pack: executable, node_type: Some(Arc::clone(node_type)) })
    }

    fn pack_with(&self, name: &str) -> Option<&str> {
        let has = |pack: &Pack| pack.types.as_ref().is_some_and(|types| types.contains_key(name));
        self.packs.iter().find(|(_, pack)| has(pack)).map(|(name, _)| name.as_str())
    }
}

fn by_name(types: impl Iterator<Item = TypeDescription>) -> ByName {
    types.map(|node_type| (node_type.name.clone(), Arc::new(node_type))).collect()
}
