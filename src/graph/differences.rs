//! What two trees do not have in common.

use super::source::Span;
use super::yaml::{Kind, Tree};
use std::collections::HashSet;

/// How many values differ between two trees, wherever they stand; an entry that only one of them has counts as one, and so
/// does what aliases repeat.
pub fn differences(one: &Tree, other: &Tree) -> usize {
    let mut places = Places::default();
    differ(one, other, &mut places);
    places.of_one.len() + places.added.len()
}

/// Where two trees differ: in the one, or in the other where only that one has something.
#[derive(Default)]
struct Places {
    of_one: HashSet<Span>,
    added: HashSet<Span>,
}

fn differ(one: &Tree, other: &Tree, places: &mut Places) {
    let is_same = match (&one.kind, &other.kind) {
        (Kind::Seq(items), Kind::Seq(others)) => {
            items.iter().zip(others).for_each(|(one, other)| differ(one, other, places));
            places.of_one.extend(items.iter().skip(others.len()).map(|item| item.span));
            places.added.extend(others.iter().skip(items.len()).map(|item| item.span));
            true
        }
        (Kind::Map(one), Kind::Map(other)) => {
            entries_differ(one, other, places);
            true
        }
        (Kind::Float(one), Kind::Float(other)) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    };
    if !is_same {
        places.of_one.insert(one.span);
    }
}

/// As [`differ`]; where the other has more entries, those that do not fit are the added ones.
fn entries_differ(one: &[(Tree, Tree)], other: &[(Tree, Tree)], places: &mut Places) {
    let mut added = other.len().saturating_sub(one.len());
    let mut others = other.iter();
    for (key, value) in one {
        let mut fitting = others.next();
        while let Some((other_key, _)) = fitting.filter(|(other, _)| added > 0 && differences(key, other) > 0) {
            places.added.insert(other_key.span);
            fitting = others.next();
            added -= 1;
        }
        match fitting {
            Some((other_key, other_value)) => {
                differ(key, other_key, places);
                differ(value, other_value, places);
            }
            None => {
                places.of_one.insert(key.span);
            }
        }
    }
    places.added.extend(others.map(|(key, _)| key.span));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::finding::Findings;
    use crate::graph::parse::parse;
    use crate::graph::source::SourceFile;
    use std::path::Path;

    #[test]
    fn each_value_that_is_another_and_each_entry_that_is_added_counts_as_one() {
        let cases = [
            ("{ a: 1, b: [x, y] }", "{ a: 1, b: [x, y] }", 0),
            ("a: 1\nb: [x, y]\n", "{ a: 1, \"b\": ['x', y] }", 0),
            ("{ a: 1, b: [x, y] }", "{ a: 2, b: [x, z] }", 2),
            ("{ a: 1, b: 2 }", "{ c: 1, b: 2 }", 1),
            ("{ a: 1, b: 2 }", "{ a: 1, c: 3, b: 2 }", 1),
            ("{ a: 1 }", "{ a: 1, b: 2 }", 1),
            ("{ a: 1, b: 2 }", "{ b: 2, a: 1 }", 4),
            ("[1]", "[1, 2]", 1),
            (".nan", ".nan", 0),
            ("1", "'1'", 1),
            ("a: &x { b: 1, c: 2 }\nd: *x\n", "a: &x { e: 1, c: 3 }\nd: *x\n", 2),
        ];
        let read = |text: &str| {
            let file = SourceFile::from_text("", Path::new(""), text);
            parse(&file, &mut Findings::default()).unwrap()
        };
        for (one, other, expected) in cases {
            assert_eq!(differences(&read(one), &read(other)), expected, "{one} and {other}");
        }
    }
}
