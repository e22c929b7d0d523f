//! Which findings are told, and which fail: `--deny-warnings`, `--select`, `--ignore`, comments.

use crate::support::{BROKEN, COPYING, Folder, GOOD, WARNED};

fn folder() -> Folder {
    Folder::with(&[("good.yaml", GOOD), ("hint.yaml", COPYING), ("warning.yaml", WARNED), ("error.yaml", BROKEN)])
}

#[test]
fn errors_fail_and_warnings_fail_where_they_are_denied_and_hints_never() {
    let folder = folder();
    let cases = [("good.yaml", 0, 0), ("hint.yaml", 0, 0), ("warning.yaml", 0, 1), ("error.yaml", 1, 1)];
    for (file, code, denied) in cases {
        assert_eq!(folder.validate(&[file]).code, code, "{file}");
        assert_eq!(folder.validate(&[file, "--deny-warnings"]).code, denied, "{file}");
    }
    assert_eq!(folder.validate(&["nowhere.yaml", "error.yaml"]).code, 2);
    assert_eq!(folder.validate(&["error.yaml", "nowhere.yaml", "--deny-warnings"]).code, 2);
    assert_eq!(folder.validate(&["--no-such-flag", "good.yaml"]).code, 2);
}

#[test]
fn what_is_not_selected_or_is_ignored_is_neither_told_nor_counted() {
    let folder = folder();
    let files = ["hint.yaml", "warning.yaml", "--format", "concise", "--deny-warnings"];
    let told = |args: &[&str]| {
        let outcome = folder.validate(&[&files, args].concat());
        (outcome.code, outcome.concise())
    };
    let (hint, warning) = ("hint.yaml:3:24 delivery/needless-copy", "warning.yaml:4:3 flow/unread-output");
    assert_eq!(told(&[]), (1, vec![hint.to_owned(), warning.to_owned()]));
    assert_eq!(told(&["--select", "delivery"]), (0, vec![hint.to_owned()]));
    assert_eq!(told(&["--select", "flow/unread-output,types"]), (1, vec![warning.to_owned()]));
    assert_eq!(told(&["--ignore", "flow"]), (0, vec![hint.to_owned()]));
    assert_eq!(told(&["--ignore", "flow/unread-output", "--ignore", "delivery/needless-copy"]), (0, vec![]));
    assert_eq!(told(&["--select", "flow", "--ignore", "flow/unread-output"]), (0, vec![]));
}

#[test]
fn no_option_lets_an_invalid_graph_pass() {
    let folder = folder();
    for args in [["--select", "flow"], ["--ignore", "wiring"]] {
        let outcome = folder.validate(&[&args[..], &["error.yaml", "--format", "concise"]].concat());
        assert_eq!((outcome.code, outcome.concise()), (1, vec!["error.yaml:3:17 wiring/unknown-node".to_owned()]));
    }
    let outcome = folder.validate(&["error.yaml", "--ignore", "wiring/unknown-node"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("is an error, which is always told"), "{}", outcome.stderr);
}

#[test]
fn a_missing_variable_is_a_warning_here_and_can_be_ignored() {
    let text = "ezrun: 1\nnodes:\n  a: { use: counter, with: { count: \"${env:EZRUN_TEST_NOT_SET}\" } }\n\
                \x20 b: { use: 'null' }\nedges: [{ from: a, to: b, zero_copy: true }]\n";
    let folder = Folder::with(&[("env.yaml", text)]);
    assert_eq!(folder.validate(&["env.yaml", "--deny-warnings"]).code, 1);
    let outcome = folder.validate(&["env.yaml", "--deny-warnings", "--ignore", "environment/missing-variable"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "no findings in env.yaml\n"));
    // A comment allows the warning, and no run: there it is an error.
    let allowed = text.replace("} }\n  b", "} } # ezrun: allow environment/missing-variable\n  b");
    assert_ne!(allowed, text);
    let folder = Folder::with(&[("env.yaml", &allowed)]);
    assert_eq!(folder.validate(&["env.yaml", "--deny-warnings"]).code, 0);
    let run = folder.ezrun(&["env.yaml"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("error[environment/missing-variable]"), "{}", run.stderr);
}

#[test]
fn unknown_codes_are_wrong_usage_with_a_suggestion() {
    let folder = folder();
    let cases = [
        ("wiring/unknown-nod", "did you mean `wiring/unknown-node`?"),
        ("wirin", "did you mean `wiring`?"),
        ("unread-output", "did you mean `flow/unread-output`?"),
        ("telescope", "`ezrun rules` lists them all"),
    ];
    for (code, help) in cases {
        for flag in ["--select", "--ignore"] {
            let outcome = folder.validate(&["good.yaml", flag, code]);
            assert_eq!(outcome.code, 2);
            assert!(outcome.stderr.contains(&format!("there is no rule `{code}`; {help}")), "{}", outcome.stderr);
        }
    }
}

#[test]
fn a_comment_allows_on_its_line_or_on_the_next_and_nowhere_else() {
    let graph =
        |edges: &str| format!("ezrun: 1\nnodes: {{ a: {{ use: counter }}, b: {{ use: check }} }}\nedges:\n{edges}");
    let (edge, comment) = ("  - { from: a, to: b }", "# ezrun: allow delivery/needless-copy");
    let allowed = [
        format!("{edge} {comment}\n"),
        format!("{comment}\n{edge}\n"),
        format!("  {comment} -- a reason\n  # and more\n{edge}\n"),
        format!("  {comment}\r\n{edge}\r\n"),
        format!("{comment}\n\n{edge}\n"),
        format!("{comment}\n  \n# and more\n\r\n\n{edge}\n"),
        "  - from: a\n    to: b   #ezrun: allow flow/cycle-x delivery/needless-copy\n".to_owned(),
    ];
    for (at, edges) in allowed.iter().enumerate() {
        let folder = Folder::with(&[("x.yaml", &graph(edges))]);
        let outcome = folder.validate(&["x.yaml", "--ignore", "syntax/bad-allow"]);
        assert_eq!(outcome.stdout, "no findings in x.yaml\n", "case {at}: {edges}");
    }
    let not_allowed = [format!("{edge}\n{comment}\n"), format!("{edge} # {comment}\n")];
    let within_a_text = format!(
        "{{ ezrun: 1, name: 'x {comment} ', nodes: {{ a: {{ use: counter }}, b: {{ use: check }} }}, \
         edges: [{{ from: a, to: b }}] }}\n"
    );
    for graph in not_allowed.iter().map(|edges| graph(edges)).chain([within_a_text]) {
        let folder = Folder::with(&[("x.yaml", &graph)]);
        let outcome = folder.validate(&["x.yaml"]);
        assert!(outcome.stdout.contains("hint[delivery/needless-copy]"), "{graph}{}", outcome.stdout);
    }
}

#[test]
fn a_run_heeds_the_same_comments() {
    let (warned, allowed) = (WARNED, WARNED.replace("  c: {", "  # ezrun: allow flow/unread-output\n  c: {"));
    let stops = |text: &str| text.replace("use: counter }", "use: counter, with: { count: 1 } }");
    let folder = Folder::with(&[("warned.yaml", &stops(warned)), ("allowed.yaml", &stops(&allowed))]);
    let (warned, allowed) = (folder.ezrun(&["warned.yaml"]), folder.ezrun(&["allowed.yaml"]));
    assert_eq!((warned.code, allowed.code), (0, 0), "{warned:?}{allowed:?}");
    assert!(warned.stderr.contains("warning[flow/unread-output]"), "{}", warned.stderr);
    assert!(!allowed.stderr.contains("warning"), "{}", allowed.stderr);
}

#[test]
fn a_comment_in_a_file_that_is_used_by_another_works_there() {
    let part = "ezrun: 1\nports: { inputs: { in: [held, kept] }, outputs: { out: held.out } }\nnodes:\n\
                \x20 held: { use: merge }\n  kept: { use: check }\n  more: { use: counter }\n\
                \x20 end: { use: check }\nedges:\n  - { from: more, to: end }COMMENT\n";
    let whole = "ezrun: 1\nnodes:\n  a: { use: counter }\n  part: { use: ./part.yaml }\n  b: { use: 'null' }\nedges:\n\
                 \x20 - { from: a, to: part, zero_copy: true }\n  - { from: part, to: b, zero_copy: true }\n";
    let told = |comment: &str| {
        let folder = Folder::with(&[("part.yaml", &part.replace("COMMENT", comment)), ("whole.yaml", whole)]);
        folder.validate(&["whole.yaml", "--format", "concise"]).concise()
    };
    assert_eq!(told(""), ["part.yaml:9:23 delivery/needless-copy"]);
    assert_eq!(told(" # ezrun: allow delivery/needless-copy"), Vec::<String>::new());
    // Alone it may be needed.
    assert_eq!(told(" # ezrun: allow delivery/needless-copy, flow/unread-output"), Vec::<String>::new());
    assert_eq!(told(" # ezrun: allow delivery/needless-copy flow"), ["part.yaml:9:67 syntax/bad-allow"]);
}

#[test]
fn a_comment_with_nothing_below_it_is_reported() {
    let folder = Folder::with(&[("x.yaml", &format!("{GOOD}# ezrun: allow delivery/needless-copy\n\n\n"))]);
    let outcome = folder.validate(&["x.yaml"]);
    assert!(outcome.stdout.contains("there is no `delivery/needless-copy` on line 5 to allow"), "{}", outcome.stdout);
}

#[test]
fn a_group_or_nothing_in_the_place_of_a_rule_says_what_to_name() {
    let folder = folder();
    let group = folder.ezrun(&["explain", "types"]);
    let expected = "error: `types` is a group of rules; name one of them: types/mismatch, types/mixed-messages, types/setting-mismatch\n";
    assert_eq!((group.code, group.stderr.as_str()), (2, expected));
    for flag in ["--select", "--ignore"] {
        let empty = folder.validate(&["good.yaml", flag, ""]);
        assert_eq!(empty.code, 2);
        assert!(empty.stderr.contains("the code of a rule is empty; `ezrun rules` lists them all"), "{}", empty.stderr);
    }
}
