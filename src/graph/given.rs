//! What a file that stands for a node is given.

use super::source::{SourceFile, Span};
use super::yaml::{Kind, Tree};
use std::collections::HashMap;

/// The values of params where a file stands for a node.
pub(super) struct Given {
    /// The node, and the place of its key.
    pub node: String,
    pub at: Span,
    /// What stands under `with:`: names, their places, and values with the variables of the outer file filled in.
    pub values: Vec<(String, Span, Tree)>,
    /// The values by their names; of two with one name the first counts.
    pub by_name: HashMap<String, usize>,
    /// Whether it is known what is given: not where `with:` is no mapping, or a variable that is not known.
    pub is_known: bool,
}

impl Given {
    /// What `with`, a mapping in the file `outer`, gives to the node called `node`.
    pub fn new(node: &str, at: Span, with: Option<&Tree>, outer: &SourceFile) -> Self {
        let (entries, is_known) = match with.map(|with| &with.kind) {
            Some(Kind::Map(entries)) => (&**entries, true),
            None | Some(Kind::Null) => (&[][..], true),
            Some(_) => (&[][..], false),
        };
        let values = entries.iter().map(|(key, value)| {
            let mut value = value.clone();
            keep_texts(&mut value, outer);
            (key.text(outer).to_owned(), key.span, value)
        });
        let values: Vec<(String, Span, Tree)> = values.collect();
        let by_name = values.iter().enumerate().rev().map(|(at, (name, ..))| (name.clone(), at)).collect();
        Given { node: node.to_owned(), at, values, by_name, is_known }
    }
}

/// Keeps the text of every key and scalar of `tree`, which is in `file`: once it is elsewhere, no text is found by its place.
pub(super) fn keep_texts(tree: &mut Tree, file: &SourceFile) {
    match &mut tree.kind {
        Kind::Seq(items) => items.iter_mut().for_each(|item| keep_texts(item, file)),
        Kind::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
            if !matches!(key.kind, Kind::Seq(_) | Kind::Map(_) | Kind::Unknown) {
                key.kind = Kind::String(key.text(file).into());
            }
            keep_texts(value, file);
        }),
        Kind::String(_) | Kind::Unknown | Kind::Null => {}
        _ if tree.substituted.is_none() => tree.substituted = Some(Box::new(tree.text(file).into())),
        _ => {}
    }
}
