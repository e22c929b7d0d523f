//! What two trees do not have in common.

use super::yaml::{Kind, Tree};

/// How many values differ between two trees, wherever they stand; an entry that only one of them has counts as one.
pub fn differences(one: &Tree, other: &Tree) -> usize {
    match (&one.kind, &other.kind) {
        (Kind::Seq(one), Kind::Seq(other)) => {
            let both = one.iter().zip(other).map(|(one, other)| differences(one, other)).sum::<usize>();
            both + one.len().abs_diff(other.len())
        }
        (Kind::Map(one), Kind::Map(other)) => entry_differences(one, other),
        (Kind::Float(one), Kind::Float(other)) => usize::from(one.to_bits() != other.to_bits()),
        (one, other) => usize::from(one != other),
    }
}

/// As [`differences`]; where the other has more entries, those that do not fit are the added ones.
fn entry_differences(one: &[(Tree, Tree)], other: &[(Tree, Tree)]) -> usize {
    let mut added = other.len().saturating_sub(one.len());
    let mut others = other.iter();
    let mut count = one.len().abs_diff(other.len());
    for (key, value) in one {
        let mut fitting = others.next();
        while added > 0 && fitting.is_some_and(|(other, _)| differences(key, other) > 0) {
            fitting = others.next();
            added -= 1;
        }
        let Some((other_key, other_value)) = fitting else { break };
        count += differences(key, other_key) + differences(value, other_value);
    }
    count
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
