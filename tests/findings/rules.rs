//! The documentation of the rules, held against the rules themselves.

use crate::support::{Folder, Outcome, project};
use ezrun::graph::rules;
use std::os::unix::fs::PermissionsExt as _;

/// The `yaml` blocks of a page, broken first.
fn blocks(page: &str) -> Vec<&str> {
    page.split("\n```yaml\n").skip(1).filter_map(|part| part.split("\n```").next()).collect()
}

/// Validates a block with the arguments of its line `# args …` and the rights of its line `# mode …`.
fn validate(block: &str) -> Outcome {
    let beside = |name: &str| std::fs::read_to_string(project().join(format!("tests/graphs/{name}"))).unwrap();
    let folder = Folder::with(&[
        ("graph.yaml", block),
        ("filter.yaml", &beside("parts/filter.yaml")),
        ("demo.ezrun.json", &beside("packs/demo.ezrun.json")),
        ("meet.ezrun.json", &beside("packs/meet.ezrun.json")),
        ("other.ezrun.json", &beside("packs/other.ezrun.json")),
    ]);
    let mode = block.lines().find_map(|line| line.strip_prefix("# mode ")).unwrap_or("644");
    let rights = std::fs::Permissions::from_mode(u32::from_str_radix(mode, 8).unwrap());
    std::fs::set_permissions(folder.path("graph.yaml"), rights).unwrap();
    let args = block.lines().find_map(|line| line.strip_prefix("# args ")).unwrap_or("");
    let args: Vec<&str> = ["graph.yaml", "--format", "json"].into_iter().chain(args.split_whitespace()).collect();
    folder.validate(&args)
}

fn codes(outcome: &Outcome) -> Vec<String> {
    let json = outcome.json();
    json["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_page_breaks_its_rule_and_repairs_it() {
    let mut wrong = String::new();
    for rule in rules::ALL {
        let pages = blocks(rule.documentation);
        let [broken, repaired] = pages.as_slice() else { panic!("{} has {} blocks", rule.code, pages.len()) };
        let (broken, repaired) = (validate(broken), validate(repaired));
        if !codes(&broken).iter().any(|code| code == rule.code) {
            wrong += &format!("{}: the broken graph has {:?}\n", rule.code, codes(&broken));
        }
        if repaired.code != 0 || codes(&repaired).iter().any(|code| code == rule.code) {
            wrong += &format!("{}: the repaired graph has {:?}\n", rule.code, codes(&repaired));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_page_begins_with_its_code_and_a_cause() {
    for rule in rules::ALL {
        let mut parts = rule.documentation.split("\n\n");
        assert_eq!(parts.next(), Some(format!("# {}", rule.code).as_str()));
        let cause = rule.cause();
        assert!(cause.ends_with('.') && cause.len() > 50 && !cause.contains('\n'), "{}: {cause}", rule.code);
    }
}

#[test]
fn each_page_belongs_to_a_rule() {
    let folder = project().join("src/graph/rules");
    let groups = std::fs::read_dir(&folder).unwrap().map(|group| group.unwrap().path());
    let pages: Vec<String> = groups
        .flat_map(|group| std::fs::read_dir(group).unwrap())
        .map(|page| page.unwrap().path().with_extension("").strip_prefix(&folder).unwrap().display().to_string())
        .collect();
    assert_eq!(pages.len(), rules::ALL.len());
    assert!(pages.iter().all(|page| rules::find(page).is_some()), "{pages:?}");
}

#[test]
fn rules_lists_every_rule_for_people_and_for_programs() {
    let folder = Folder::with(&[]);
    let text = folder.ezrun(&["rules"]);
    let json = folder.ezrun(&["rules", "--format", "json"]);
    assert_eq!((text.code, json.code), (0, 0));
    let listed = json.json()["rules"].as_array().unwrap().clone();
    assert_eq!((text.stdout.lines().count(), listed.len()), (rules::ALL.len(), rules::ALL.len()));
    for ((rule, line), listed) in rules::ALL.iter().zip(text.stdout.lines()).zip(&listed) {
        assert!(line.starts_with(rule.code) && line.ends_with(rule.summary), "{line}");
        assert!(line.contains(&format!(" {} ", rule.level)), "{line}");
        assert_eq!((&listed["code"], &listed["summary"]), (&rule.code.into(), &rule.summary.into()));
        assert_eq!(listed["level"], rule.level.to_string());
    }
}

#[test]
fn explain_tells_cause_example_and_repair() {
    let folder = Folder::with(&[]);
    let outcome = folder.ezrun(&["explain", "flow/cycle"]);
    assert_eq!(outcome.code, 0);
    let rule = rules::find("flow/cycle").unwrap();
    assert_eq!(outcome.stdout, format!("{}\nLevel: error.\n", rule.documentation));
}

#[test]
fn explain_suggests_the_rule_that_was_meant() {
    let folder = Folder::with(&[]);
    let cases = [
        ("flow/cycel", "did you mean `flow/cycle`?"),
        ("needless-copy", "did you mean `delivery/needless-copy`?"),
        ("telescope", "`ezrun rules` lists them all"),
    ];
    for (code, help) in cases {
        let outcome = folder.ezrun(&["explain", code]);
        assert_eq!(outcome.code, 2);
        assert_eq!(outcome.stderr, format!("error: there is no rule `{code}`; {help}\n"));
    }
}
