//! `--format`: what each of them prints, held against the schemas and the readers that it is for.

use crate::support::{BROKEN, COPYING, Folder, GOOD, WARNED, project};
use serde_json::{Value, json};
use std::process::Command;

/// Finds a path of each kind: plain, with characters that a URI and a property encode, in a folder.
fn folder() -> Folder {
    Folder::with(&[("a.yaml", BROKEN), ("b/50% off, é: x.yaml", WARNED), ("hint.yaml", COPYING), ("good.yaml", GOOD)])
}

const FILES: [&str; 4] = ["a.yaml", "./b", "hint.yaml", "good.yaml"];

fn written(format: &str) -> String {
    let outcome = folder().validate(&[&FILES[..], &["--format", format]].concat());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, ""));
    outcome.stdout
}

#[test]
fn concise_has_one_line_for_each_finding() {
    let expected = "a.yaml:3:17: error[wiring/unknown-node]: there is no node `x`\n\
                    b/50% off, é: x.yaml:4:3: warning[flow/unread-output]: nobody reads the output `out` of `c`\n\
                    hint.yaml:3:24: hint[delivery/needless-copy]: `b.in` only reads, yet each message is copied for it: 64 bytes a message\n";
    assert_eq!(written("concise"), expected);
    // A line break in a name does not make a second line.
    let text = "ezrun: 1\nnodes: { a: { use: \"count\\ning\\x1b\" } }\n";
    let outcome = Folder::with(&[("x.yaml", text)]).validate(&["x.yaml", "--format", "concise"]);
    assert_eq!(outcome.stdout.lines().count(), 1, "{}", outcome.stdout);
    assert!(!outcome.stdout.contains('\u{1b}'), "{}", outcome.stdout);
}

#[test]
fn json_has_every_field_and_a_summary() {
    let text = "ezrun: 1\nnodes:\n  é: { use: counter }\n  b: { use: 'null' }\n  b: 1\nedges: []\n";
    let folder = Folder::with(&[("x.yaml", text)]);
    let outcome = folder.validate(&["x.yaml", "nowhere.yaml", "--format", "json", "--select", "schema"]);
    let json = outcome.json();
    let duplicate = json["findings"].as_array().unwrap().iter().find(|f| f["code"] == "schema/duplicate-key").unwrap();
    let related = json!([{
        "file": "x.yaml", "line": 4, "column": 3, "end_line": 4, "end_column": 4, "message": "first defined here",
    }]);
    let expected = json!({
        "code": "schema/duplicate-key", "level": "error", "message": "`nodes` has `b` twice",
        "help": "keep one of the two", "file": "x.yaml",
        "line": 5, "column": 3, "end_line": 5, "end_column": 4, "related": related, "fix": [], "count": 1,
    });
    assert_eq!(*duplicate, expected);
    let errors = json["findings"].as_array().unwrap().len();
    let summary = json!({ "files": 1, "unreadable": 1, "errors": errors, "warnings": 0, "hints": 0 });
    assert_eq!((&json["summary"], &json["version"]), (&summary, &json!(1)));
    let message = "cannot read nowhere.yaml: No such file or directory (os error 2)";
    assert_eq!(json["unreadable_files"], json!([{ "file": "nowhere.yaml", "message": message }]));
    assert_eq!(json["ezrun"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn json_of_every_broken_graph_fits_its_schema() {
    let schema = Folder::with(&[]).ezrun(&["schema", "findings"]).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let graphs = project().join("tests/graphs");
    let outcome = Folder::with(&[]).validate(&[graphs.to_str().unwrap(), "--format", "json"]);
    let json = outcome.json();
    assert!(json["findings"].as_array().unwrap().len() > 100);
    let without_help = json["findings"].as_array().unwrap().iter().filter(|finding| finding["help"].is_null());
    assert_eq!(without_help.collect::<Vec<_>>(), Vec::<&Value>::new(), "every finding has a way out");
    let faults: Vec<String> = validator.iter_errors(&json).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    // The schema is strict: nothing more, nothing less.
    for (path, value) in [("/findings/0/place", json!(1)), ("/extra", json!(1)), ("/findings/0/line", json!("1"))] {
        let mut wrong = json.clone();
        let (parent, key) = path.rsplit_once('/').unwrap();
        wrong.pointer_mut(parent).unwrap()[key] = value;
        assert!(!validator.is_valid(&wrong), "{path}");
    }
    let mut less = json.clone();
    less["findings"][0].as_object_mut().unwrap().remove("help");
    assert!(!validator.is_valid(&less));
}

#[test]
fn a_rule_with_too_many_findings_lists_some_and_counts_the_rest() {
    let hints = "  - { from: a, to: b, queue: 9 }\n".repeat(1500);
    let text = format!(
        "ezrun: 1\nnodes:\n  a: {{ use: counter }}\n  b: {{ use: 'null' }}\nedges:\n{}{hints}",
        "  - {}\n".repeat(1501)
    );
    let folder = Folder::with(&[("x.yaml", text.as_str())]);
    let of = |format: &str| folder.validate(&["x.yaml", "--format", format]);
    let json = of("json").json();
    let findings = json["findings"].as_array().unwrap();
    let of_rule: Vec<&Value> = findings.iter().filter(|finding| finding["code"] == "schema/missing-key").collect();
    let last = of_rule.last().unwrap();
    assert_eq!((of_rule.len(), &last["count"]), (1001, &json!(2002)));
    assert_eq!(last["message"], "2002 more of this kind, from here on, are not listed");
    let total: u64 = findings.iter().filter_map(|finding| finding["count"].as_u64()).sum();
    let summary = ["errors", "warnings", "hints"].map(|level| json["summary"][level].as_u64().unwrap());
    assert_eq!(total, summary.iter().sum::<u64>());
    for format in ["text", "concise", "github", "sarif", "junit"] {
        let outcome = of(format);
        let count = outcome.stdout.matches("2002 more of this kind").count();
        assert!(outcome.code == 1 && count >= 1, "{format}: {}, {count}", outcome.code);
    }
    assert!(of("text").stdout.contains(&format!("\n{} errors", summary[0])), "{summary:?}");
}

#[test]
fn comments_and_selections_hold_for_what_is_not_listed_too() {
    let edge = "  - { from: a, to: b } # ezrun: allow delivery/needless-copy\n";
    let nodes = "ezrun: 1\nnodes:\n  a: { use: counter }\n";
    let sinks: String = (0..1200).map(|at| format!("  b{at}: {{ use: 'null' }}\n")).collect();
    let edges: String = (0..1200).map(|at| edge.replace("to: b", &format!("to: b{at}"))).collect();
    let allowed = format!("{nodes}{sinks}edges:\n{edges}");
    let told = allowed.replace(" # ezrun: allow delivery/needless-copy", "");
    let folder = Folder::with(&[("allowed.yaml", allowed.as_str()), ("told.yaml", told.as_str())]);
    let lines = |args: &[&str]| folder.validate(&[args, &["--format", "concise"]].concat()).stdout.lines().count();
    assert_eq!(lines(&["allowed.yaml"]), 0);
    assert_eq!(lines(&["told.yaml"]), 1001);
    assert_eq!(lines(&["told.yaml", "--ignore", "delivery"]), 0);
    assert!(folder.validate(&["told.yaml"]).stdout.ends_with("\n1200 hints in told.yaml\n"));
}

#[test]
fn github_commands_are_escaped() {
    let help = "%0Ahelp: nodes are `a` and `b`\n";
    let expected = format!(
        "::error file=a.yaml,line=3,col=17,endLine=3,endColumn=18,title=wiring/unknown-node::there is no node `x`{help}"
    );
    let written = written("github");
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(format!("{}\n", lines[0]), expected);
    let start =
        "::warning file=b/50%25 off%2C é%3A x.yaml,line=4,col=3,endLine=4,endColumn=4,title=flow/unread-output::";
    assert!(lines[1].starts_with(start), "{}", lines[1]);
    assert!(lines[2].starts_with("::notice file=hint.yaml,line=3,"), "{}", lines[2]);
    assert_eq!(lines.len(), 3);
    // What is in the text of the file cannot become a command of its own.
    let text = "ezrun: 1\nnodes: { a: { use: \"100%\\r\\n::error::x\" } }\n";
    let outcome = Folder::with(&[("x.yaml", text)]).validate(&["x.yaml", "--format", "github"]);
    assert!(outcome.stdout.contains(r"`100%25\r\n::error::x`"), "{}", outcome.stdout);
    assert_eq!(outcome.stdout.lines().count(), 1);
    let outcome = Folder::with(&[]).validate(&["a,b.yaml", "--format", "github"]);
    assert!(outcome.stdout.starts_with("::error file=a%2Cb.yaml::cannot read a,b.yaml: "), "{}", outcome.stdout);
}

/// The official schema of SARIF 2.1.0, which a package of Cargo's brings along.
fn sarif_schema() -> jsonschema::Validator {
    let rustc = String::from_utf8(Command::new("rustc").arg("-vV").output().unwrap().stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host]);
    command.current_dir(project());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "serde-sarif").unwrap();
    let manifest = std::path::Path::new(package["manifest_path"].as_str().unwrap());
    let schema = std::fs::read_to_string(manifest.with_file_name("src/schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["properties"]["version"]["enum"], json!(["2.1.0"]));
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[test]
fn sarif_fits_the_official_schema() {
    let validator = sarif_schema();
    let graphs = project().join("tests/graphs");
    let everything = Folder::with(&[]).validate(&[graphs.to_str().unwrap(), "nowhere.yaml", "--format", "sarif"]);
    for text in [written("sarif"), everything.stdout] {
        let log: Value = serde_json::from_str(&text).unwrap();
        let faults: Vec<String> = validator.iter_errors(&log).map(|f| format!("{}: {f}", f.instance_path)).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
    let wrong: Value = serde_json::from_str(&written("sarif").replace("\"note\"", "\"hint\"")).unwrap();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn sarif_names_rules_regions_and_files() {
    let log: Value = serde_json::from_str(&written("sarif")).unwrap();
    let run = &log["runs"][0];
    assert_eq!((&log["version"], &run["columnKind"]), (&json!("2.1.0"), &json!("unicodeCodePoints")));
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    let (rules, results) = (&run["tool"]["driver"]["rules"], run["results"].as_array().unwrap());
    let codes = ["wiring/unknown-node", "flow/unread-output", "delivery/needless-copy"];
    let levels = ["error", "warning", "note"];
    assert_eq!(results.len(), 3);
    for ((result, code), level) in results.iter().zip(codes).zip(levels) {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!((&result["ruleId"], &rule["id"]), (&json!(code), &json!(code)));
        assert_eq!((&result["level"], &rule["defaultConfiguration"]["level"]), (&json!(level), &json!(level)));
        for text in ["shortDescription", "fullDescription", "help"] {
            assert!(rule[text]["text"].as_str().unwrap().len() > 10, "{rule}");
        }
    }
    let place = |at: usize| &results[at]["locations"][0]["physicalLocation"];
    let region = json!({ "startLine": 3, "startColumn": 17, "endLine": 3, "endColumn": 18 });
    assert_eq!(place(0)["region"], region);
    let artifact = json!({ "uri": "b/50%25%20off%2C%20%C3%A9%3A%20x.yaml", "uriBaseId": "%SRCROOT%" });
    assert_eq!(place(1)["artifactLocation"], artifact);
}

#[test]
fn sarif_tells_related_places_and_what_was_not_read() {
    let text = "ezrun: 1\nezrun: 1\nnodes: { a: { use: counter }, b: { use: 'null' } }\nedges: [{ from: a, to: b }]\n";
    let folder = Folder::with(&[("x/x.yaml", text), ("y/y.yaml", GOOD)]);
    let outcome = folder.validate(&["x/x.yaml", "x/../nowhere.yaml", "--format", "sarif"]);
    let log = outcome.json();
    let run = &log["runs"][0];
    let related = &run["results"][0]["relatedLocations"][0];
    assert_eq!(related["message"]["text"], "first defined here");
    assert_eq!(related["physicalLocation"]["region"]["startLine"], 1);
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let told = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert!(told.as_str().unwrap().starts_with("cannot read x/../nowhere.yaml"), "{told}");
    // A file elsewhere has an absolute URI.
    let elsewhere = folder.path("x/x.yaml");
    let outcome = Folder::with(&[]).validate(&[elsewhere.to_str().unwrap(), "--format", "sarif"]);
    let artifact = &outcome.json()["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
    let elsewhere = std::fs::canonicalize(elsewhere).unwrap();
    assert_eq!(*artifact, json!({ "uri": format!("file://{}", elsewhere.display()) }));
}

/// An element of XML: its name, and its attributes.
type Element = (String, Vec<(String, String)>);

/// All elements in their order, read by another half of the XML library than the one that writes.
fn elements(xml: &str) -> Vec<Element> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut elements: Vec<Element> = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => return elements,
            Event::Start(element) | Event::Empty(element) => {
                let attributes = element.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0).unwrap();
                    (attribute.key.0.to_owned(), value.into_owned())
                });
                elements.push((element.name().0.to_owned(), attributes.collect()));
            }
            _ => {}
        }
    }
}

fn attribute(element: &Element, name: &str) -> String {
    element.1.iter().find(|(key, _)| key == name).unwrap().1.clone()
}

#[test]
fn junit_has_a_suite_for_each_file_and_fails_where_ezrun_fails() {
    for (deny, warnings) in [(&[][..], 0), (&["--deny-warnings"][..], 1)] {
        let args = [&FILES[..], &["nowhere.yaml", "--format", "junit"], deny].concat();
        let xml = folder().validate(&args).stdout;
        let elements = elements(&xml);
        let named = |name: &str| elements.iter().filter(|element| element.0 == name).collect::<Vec<_>>();
        let suites: Vec<String> = named("testsuite").iter().map(|suite| attribute(suite, "name")).collect();
        assert_eq!(suites, ["nowhere.yaml", "a.yaml", "b/50% off, é: x.yaml", "hint.yaml", "good.yaml"]);
        let all = named("testsuites")[0];
        let counts = ["tests", "failures", "errors"].map(|key| attribute(all, key));
        assert_eq!(counts, ["5".to_owned(), (1 + warnings).to_string(), "1".to_owned()]);
        assert_eq!(named("testcase").len(), 5);
        assert_eq!((named("failure").len(), named("error").len()), (1 + warnings, 1));
        assert_eq!(attribute(named("failure")[0], "message"), "there is no node `x`");
    }
}

#[test]
fn junit_is_well_formed_whatever_a_file_says() {
    let text = "ezrun: 1\nnodes: { a: { use: \"<&>\\\"'\\x01\\x1b]]>\\uFFFF\" } }\n";
    let xml = Folder::with(&[("x.yaml", text)]).validate(&["x.yaml", "--format", "junit"]).stdout;
    let found = elements(&xml);
    let failure = found.iter().find(|element| element.0 == "failure").unwrap();
    assert_eq!(attribute(failure, "message"), "there is no node type `<&>\"'\\u{1}\\u{1b}]]>\u{fffd}`");
}

#[test]
fn one_check_writes_any_number_of_formats() {
    let folder = folder();
    let args = ["a.yaml", "--format", "github", "--format", "sarif=a.sarif", "--format", "text=a.txt"];
    let outcome = folder.validate(&args);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.starts_with("::error file=a.yaml,"), "{}", outcome.stdout);
    assert!(folder.read("a.sarif").contains("\"2.1.0\""));
    assert_eq!(folder.read("a.txt"), folder.validate(&["a.yaml"]).stdout);
}

#[test]
fn outputs_that_would_overwrite_each_other_or_a_graph_are_refused() {
    let folder = folder();
    let before = folder.read("a.yaml");
    let cases: [(&[&str], &str); 6] = [
        (&["--format", "json", "--format", "github"], "one format goes to standard output"),
        (&["--format", "json=b/x", "--format", "sarif=b/../b/x"], "b/../b/x is read or written already"),
        (&["--format", "json=a.yaml"], "a.yaml is read or written already"),
        (&["--format", "json="], "the path after `=` is empty"),
        (&["--format", "json=nowhere/x"], "cannot write nowhere/x: "),
        (&["--format", "sariff"], "there is no format `sariff`; did you mean `sarif`?"),
    ];
    for (args, message) in cases {
        let outcome = folder.validate(&[&["./a.yaml"], args].concat());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{args:?}");
        assert!(outcome.stderr.contains(message), "{args:?}: {}", outcome.stderr);
    }
    assert_eq!(folder.read("a.yaml"), before);
    let full = folder.validate(&["good.yaml", "--format", "json=/dev/full"]);
    assert_eq!(full.code, 2);
    assert!(full.stderr.starts_with("error: cannot write /dev/full: "), "{}", full.stderr);
}

const PART: &str = "ezrun: 1\nports: { inputs: { in: end } }\nnodes: { end: { use: 'null' } }\n";
const WHOLE: &str = "ezrun: 1\nnodes: { a: { use: counter, with: { count: 1 } }, b: { use: ./part.yaml } }\n\
                     edges: [{ from: a, to: b, zero_copy: true }]\n";

#[test]
fn no_output_takes_the_place_of_a_file_that_a_graph_is_read_from() {
    let folder = Folder::with(&[("whole.yaml", WHOLE), ("part.yaml", PART), ("broken.yaml", BROKEN)]);
    std::os::unix::fs::symlink("part.yaml", folder.path("link.yaml")).unwrap();
    std::fs::hard_link(folder.path("part.yaml"), folder.path("twin.yaml")).unwrap();
    let commands = ["validate whole.yaml --format json=", "run whole.yaml --report json=", "graph whole.yaml -o "];
    for command in commands {
        for output in ["whole.yaml", "part.yaml", "link.yaml", "twin.yaml", "./part.yaml"] {
            let line = format!("{command}{output}");
            let outcome = folder.ezrun(&line.split(' ').collect::<Vec<_>>());
            assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{line}");
            let message = format!("error: {output} is read or written already; give another file\n");
            assert!(outcome.stderr.ends_with(&message), "{line}: {}", outcome.stderr);
        }
    }
    assert_eq!((folder.read("whole.yaml"), folder.read("part.yaml")), (WHOLE.to_owned(), PART.to_owned()));
    let outcome = folder.validate(&["broken.yaml", "--format", "json=out.json"]);
    assert_eq!(outcome.code, 1);
    let long = folder.read("out.json");
    assert_eq!(folder.validate(&["whole.yaml", "--format", "json=out.json"]).code, 0);
    let short = folder.read("out.json");
    assert!(short.len() < long.len() && short.ends_with("}\n"), "{short}");
}

/// What ezrun prints onto a terminal, and its exit code.
fn on_a_terminal(folder: &Folder, args: &[&str], no_color: Option<&str>) -> (Option<i32>, String) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::io::Read;
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = std::fs::File::options().read(true).write(true).open(name).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ezrun"));
    command.current_dir(folder.path("")).args(args).stdout(terminal);
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    if let Some(value) = no_color {
        command.env("NO_COLOR", value);
    }
    let code = command.status().unwrap().code();
    drop(command);
    let mut printed = Vec::new();
    // Reading ends with an error once nobody holds the other side.
    let _ = std::fs::File::from(master).read_to_end(&mut printed);
    (code, String::from_utf8(printed).unwrap())
}

#[test]
fn a_manual_page_is_not_written_onto_a_terminal() {
    assert_eq!(on_a_terminal(&folder(), &["man"], None), (Some(2), String::new()));
}

#[test]
fn colours_are_for_terminals_and_for_those_who_want_them() {
    let folder = folder();
    let (code, coloured) = on_a_terminal(&folder, &["validate", "a.yaml"], None);
    assert_eq!(code, Some(1));
    assert!(coloured.contains("\u{1b}[1m") && coloured.contains("wiring/unknown-node"), "{coloured:?}");
    let (_, plain) = on_a_terminal(&folder, &["validate", "a.yaml"], Some("1"));
    assert!(!plain.contains('\u{1b}') && plain.contains("wiring/unknown-node"), "{plain:?}");
    assert!(!folder.validate(&["a.yaml"]).stdout.contains('\u{1b}'));
}

#[test]
fn standard_output_by_another_name_is_still_one() {
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "-"] {
        let json = format!("json={name}");
        let both = folder().validate(&["good.yaml", "--format", "text", "--format", &json]);
        assert_eq!((both.code, both.stdout.as_str()), (2, ""), "{name}");
        assert!(both.stderr.starts_with("error: one format goes to standard output"), "{}", both.stderr);
        assert_eq!(folder().validate(&["good.yaml", "--format", &json]).json()["summary"]["files"], 1, "{name}");
    }
}

#[test]
fn an_output_below_a_folder_that_is_missing_says_so() {
    let folder = folder();
    let outcomes = [
        folder.validate(&["good.yaml", "--format", "sarif=missing/x"]),
        folder.ezrun(&["graph", "good.yaml", "-o", "missing/x"]),
        folder.ezrun(&["good.yaml", "--report", "json=missing/x"]),
    ];
    for outcome in outcomes {
        let expected = "error: cannot write missing/x: there is no folder missing; make it first\n";
        assert_eq!((outcome.code, outcome.stderr.as_str()), (2, expected));
    }
}

/// A part with a misspelt type, and with a setting that is wrong for one of those who use it.
fn with_a_part() -> Folder {
    let part = "ezrun: 1\nparams: { count: 3 }\nports: { outputs: { out: numbers.out } }\nnodes:\n\
                \x20 numbers: { use: counter, with: { coutn: 1, bytes: \"${count}\" } }\n";
    let using = |with: &str| {
        format!(
            "ezrun: 1\nnodes:\n  a: {{ use: ./parts/part.yaml{with} }}\n  b: {{ use: 'null' }}\n\
             edges: [{{ from: a.out, to: b, zero_copy: true }}]\n"
        )
    };
    Folder::with(&[("a.yaml", &using("")), ("b.yaml", &using(", with: { count: -1 }")), ("parts/part.yaml", part)])
}

#[test]
fn what_is_wrong_with_a_part_is_told_once_with_all_who_use_it() {
    let folder = with_a_part();
    let json = folder.validate(&[".", "--format", "json"]).json();
    let findings = json["findings"].as_array().unwrap();
    let told: Vec<String> = findings.iter().map(|f| format!("{} {}", f["file"], f["code"]).replace('"', "")).collect();
    // What only the use in `b.yaml` makes wrong stays apart.
    assert_eq!(told, ["parts/part.yaml schema/unknown-setting", "parts/part.yaml schema/out-of-range"], "{json:#}");
    let uses = |finding: &Value| {
        let related = finding["related"].as_array().unwrap().iter();
        related
            .map(|related| format!("{} {}", related["file"], related["message"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(uses(&findings[0]), ["a.yaml used here", "b.yaml used here"]);
    assert_eq!(uses(&findings[1]), ["b.yaml `count` is given here", "b.yaml used here"]);
    assert_eq!((&json["summary"]["errors"], &json["summary"]["files"]), (&json!(2), &json!(3)));
    for (format, mark) in [("github", "::error"), ("concise", "error["), ("sarif", "\"ruleId\""), ("junit", "<failure")]
    {
        let written = folder.validate(&[".", "--format", format]).stdout;
        assert_eq!(written.matches(mark).count(), 2, "{format}: {written}");
        // One line has to name both files.
        if ["github", "concise"].contains(&format) {
            assert_eq!(written.matches(" (used at a.yaml:3:13, b.yaml:3:13)").count(), 1, "{format}: {written}");
            assert_eq!(written.matches(" (used at b.yaml:3:13)").count(), 1, "{format}: {written}");
        }
    }
    let text = folder.validate(&["."]).stdout;
    let summaries: Vec<&str> = text.lines().filter(|line| line.contains(" in ")).collect();
    let expected = [
        "1 error in a.yaml",
        "1 error in b.yaml, beside 1 told above",
        "no findings in parts/part.yaml, beside 1 told above",
    ];
    assert_eq!(summaries, expected, "{text}");
    assert!(text.contains("::: b.yaml:3:13"), "{text}");
}

#[test]
fn what_fix_would_change_is_told_to_editors() {
    let text = "ezrun: 1\nnodes:\n  a: { use: conter }\n  b: { use: 'null' }\nedges:\n  - from: a\n    to: b\n";
    let folder = Folder::with(&[("x.yaml", text)]);
    let misspelt = json!([{ "line": 3, "column": 13, "end_line": 3, "end_column": 19, "text": "counter" }]);
    let json = folder.validate(&["x.yaml", "--format", "json"]).json();
    assert_eq!(json["findings"][0]["fix"], misspelt, "{json:#}");
    let sarif = folder.validate(&["x.yaml", "--format", "sarif"]).json();
    let change = &sarif["runs"][0]["results"][0]["fixes"][0]["artifactChanges"][0];
    let expected = json!({
        "artifactLocation": { "uri": "x.yaml", "uriBaseId": "%SRCROOT%" },
        "replacements": [{
            "deletedRegion": { "startLine": 3, "startColumn": 13, "endLine": 3, "endColumn": 19 },
            "insertedContent": { "text": "counter" },
        }],
    });
    assert_eq!(*change, expected, "{sarif:#}");
    // An edge in block style gets a line more.
    std::fs::write(folder.path("x.yaml"), text.replace("conter", "counter")).unwrap();
    let json = folder.validate(&["x.yaml", "--format", "json"]).json();
    let added = json!([{ "line": 7, "column": 10, "end_line": 7, "end_column": 10, "text": "\n    zero_copy: true" }]);
    assert_eq!(json["findings"][0]["fix"], added, "{json:#}");
}
