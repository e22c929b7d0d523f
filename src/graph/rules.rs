//! Every rule that a graph file is checked against, by name. Each is one function elsewhere in this module, and has its
//! documentation in `rules/GROUP/NAME.md`: the cause in plain words, a broken graph, a repaired one.

use super::finding::{Level, Rule};

macro_rules! rules {
    ($($name:ident = $level:ident $code:literal: $summary:literal;)*) => {
        $(
            #[doc = $summary]
            pub const $name: Rule = Rule {
                code: $code,
                level: Level::$level,
                summary: $summary,
                documentation: include_str!(concat!("rules/", $code, ".md")),
            };
        )*
        /// All rules.
        pub const ALL: &[Rule] = &[$($name),*];
    };
}

rules! {
    SYNTAX = Error "syntax/yaml": "the file is one YAML document";
    BAD_ALLOW = Warning "syntax/bad-allow": "a comment `ezrun: allow` names rules that can be allowed";
    UNUSED_ALLOW = Warning "syntax/unused-allow": "a comment `ezrun: allow` is needed";

    VERSION = Error "schema/version": "`ezrun:` names a format version that this ezrun reads";
    UNKNOWN_KEY = Error "schema/unknown-key": "every key is one that ezrun knows";
    DUPLICATE_KEY = Error "schema/duplicate-key": "a key stands once in its mapping";
    MISSING_KEY = Error "schema/missing-key": "every required key is there";
    WRONG_TYPE = Error "schema/wrong-type": "a value has the type that its key asks for";
    WRONG_VALUE = Error "schema/wrong-value": "a value is one of those that its key allows";
    OUT_OF_RANGE = Error "schema/out-of-range": "a number or a length is within its limits";
    BAD_NAME = Error "schema/bad-name": "names are made of letters, digits, `_` and `-`";
    EMPTY = Error "schema/empty": "graphs and backends have nodes";
    UNSUPPORTED = Error "schema/unsupported": "the file asks only for what this version can do";
    UNKNOWN_TYPE = Error "schema/unknown-type": "a node's type exists";
    UNKNOWN_PACK = Error "schema/unknown-pack": "a node type's pack is declared under `packs`";
    UNUSED_PACK = Warning "schema/unused-pack": "a declared pack is used";
    CIRCULAR_USE = Error "schema/circular-use": "a graph file is no part of itself";
    UNKNOWN_SETTING = Error "schema/unknown-setting": "a node's settings are those of its type";
    MISSING_SETTING = Error "schema/missing-setting": "settings without a default are given";
    BAD_SETTING = Error "schema/bad-setting": "settings make sense together";
    BAD_VARIABLE = Error "schema/bad-variable": "a variable is written `${name}` or `${env:NAME}`";
    UNKNOWN_PARAM = Error "schema/unknown-param": "`${name}` and `--set` name a param of the file";
    UNUSED_PARAM = Warning "schema/unused-param": "a param is used";

    UNKNOWN_NODE = Error "wiring/unknown-node": "edges and backends name nodes of the graph";
    UNKNOWN_PORT = Error "wiring/unknown-port": "an edge names ports that its nodes have";
    AMBIGUOUS_PORT = Error "wiring/ambiguous-port": "a port is named where a node has several";
    NO_OUTPUT = Error "wiring/no-output": "an edge does not leave a sink";
    NO_INPUT = Error "wiring/no-input": "an edge does not enter a source";
    SELF_EDGE = Error "wiring/self-edge": "an edge connects two nodes";
    DUPLICATE_EDGE = Error "wiring/duplicate-edge": "an output is connected to an input once";
    INPUT_TAKEN = Error "wiring/input-taken": "an input has one edge, unless its type takes any number";
    UNCONNECTED_INPUT = Error "wiring/unconnected-input": "a required input has an edge";

    TYPE_MISMATCH = Error "types/mismatch": "an input accepts what the output sends";
    MIXED_MESSAGES = Warning "types/mixed-messages": "an input that takes messages of one kind gets one kind";
    SETTING_MISMATCH = Error "types/setting-mismatch": "settings are possible with the signal that comes in";

    IN_PLACE_VIEW = Error "delivery/in-place-view": "an input that is written in place gets a copy";
    NEEDS_VIEWS = Error "delivery/needs-views": "an input that asks for views gets views";
    NEEDLESS_COPY = Hint "delivery/needless-copy": "an input that is only read needs no copy";
    SHALLOW_QUEUE = Hint "delivery/shallow-queue": "an edge that drops is as deep as its input keeps messages";
    LOSSY_RECORDING = Warning "delivery/lossy-recording": "nothing is dropped on the way to a node that records";
    TOO_LARGE = Warning "delivery/too-large": "an edge takes the messages that its output sends";
    SHORT_TIMEOUT = Warning "delivery/short-timeout": "an edge waits longer than its messages are apart";

    CYCLE = Error "flow/cycle": "a cycle has an edge with `feedback: true`";
    FEEDBACK_BLOCKS = Error "flow/feedback-blocks": "a feedback edge drops rather than waits";
    NO_FEEDBACK = Warning "flow/no-feedback": "an edge with `feedback: true` closes a cycle";
    UNREACHED = Warning "flow/unreached": "a source leads to every node";
    ONLY_FEEDBACK = Warning "flow/only-feedback": "a node has an edge into it that is no feedback";
    DIFFERING_CHANNELS = Warning "flow/differing-channels": "signals that become one stream have the same channels";
    DIFFERING_RATES = Warning "flow/differing-rates": "streams that are joined have one rate";
    DEADLOCK = Warning "flow/deadlock": "no node waits for a message that waits for that node";
    UNREAD_OUTPUT = Warning "flow/unread-output": "an output is read";

    PLACED_TWICE = Error "resources/placed-twice": "a node is in one backend";
    MIXED_PACKS = Error "resources/mixed-packs": "the nodes of a backend come from one pack";
    BACKEND_NAME = Error "resources/backend-name": "a backend's name is not that of a node outside it";
    PATH_TAKEN = Error "resources/path-taken": "a file that a sink writes is no other node's, and not the graph's own";
    MEMORY_BUDGET = Error "resources/memory-budget": "what the queues may hold fits into memory";
    STDIN_TAKEN = Error "resources/stdin-taken": "one node reads standard input";

    MISSING_ENV = Error "environment/missing-variable": "`${env:NAME}` is set or has a default";
    UNREADABLE_FILE = Error "environment/unreadable-file": "a graph file that is used can be read";
    MISSING_FILE = Error "environment/missing-file": "a file that a source reads is there";
    UNWRITABLE_FILE = Error "environment/unwritable-file": "a file that a sink writes can be written";
    MISSING_PROGRAM = Error "environment/missing-program": "a program that a node runs is there";
    MISSING_PROCESSOR = Error "environment/missing-processor": "a processor that a backend is bound to is there";
    WRITABLE_FILE = Warning "environment/writable-file": "not every user may write to a graph file";
    NO_DESCRIPTION = Warning "environment/no-description": "a pack has a description to check against";
    BAD_PACK = Error "environment/bad-pack": "a pack can be asked for its node types";
}

/// Errors only to a run, or only where a limit was given.
const MAY_BE_LESS: &[Rule] =
    &[MISSING_ENV, MISSING_FILE, UNWRITABLE_FILE, MISSING_PROGRAM, MISSING_PROCESSOR, MEMORY_BUDGET];

/// The rule with this code.
#[must_use]
pub fn find(code: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.code == code)
}

/// The groups of the rules, in the order of [`ALL`].
#[must_use]
pub fn groups() -> Vec<&'static str> {
    let mut groups: Vec<&str> = ALL.iter().map(Rule::group).collect();
    groups.dedup();
    groups
}

/// The rules of `group`; nothing where that is none.
#[must_use]
pub fn in_group(group: &str) -> Option<Vec<&'static Rule>> {
    let rules: Vec<&Rule> = ALL.iter().filter(|rule| rule.group() == group).collect();
    (!rules.is_empty()).then_some(rules)
}

impl Rule {
    /// What stands before the slash of the code.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.code.split('/').next().unwrap_or(self.code)
    }

    /// Why a breach is one, in plain words.
    #[must_use]
    pub fn cause(&self) -> String {
        self.documentation.split("\n\n").nth(1).unwrap_or(self.summary).replace('\n', " ")
    }

    /// Whether a breach is an error wherever the graph is checked, and however.
    #[must_use]
    pub fn is_always_an_error(&self) -> bool {
        self.level == Level::Error && !MAY_BE_LESS.contains(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, groups};

    #[test]
    fn codes_are_unique_and_grouped() {
        let expected = ["syntax", "schema", "wiring", "types", "delivery", "flow", "resources", "environment"];
        assert_eq!(groups(), expected, "the rules of a group stand together");
        for (i, rule) in ALL.iter().enumerate() {
            let (_, name) = rule.code.split_once('/').unwrap();
            assert!(!name.is_empty(), "{}", rule.code);
            assert!(ALL[..i].iter().all(|other| other.code != rule.code), "{} stands twice", rule.code);
        }
    }
}
