//! Every graph in `graphs/` that needs no pack, run as it is shipped, and judged by what it wrote.

#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions, but not in what they share")]

use serde_json::Value;
use std::f64::consts::FRAC_1_SQRT_2;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A copy of a shipped graph, with its data, in a folder that its output may go to.
struct Shipped {
    folder: TempDir,
    graph: PathBuf,
}

impl Shipped {
    fn new(name: &str) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
        let folder = TempDir::new().unwrap();
        let graph = folder.path().join(name);
        for (inner, file) in [("", name), ("data", "ecg.csv"), ("parts", "rhythm.yaml")] {
            let inner = Path::new(inner);
            std::fs::create_dir_all(folder.path().join(inner)).unwrap();
            std::fs::copy(source.join(inner).join(file), folder.path().join(inner).join(file)).unwrap();
        }
        Shipped { folder, graph }
    }

    fn run(&self, args: &[&str]) -> Output {
        let report = format!("json={}", self.path("report.json").display());
        let mut ezrun = Command::new(env!("CARGO_BIN_EXE_ezrun"));
        ezrun.arg(&self.graph).args(["--report", &report]).args(args).output().unwrap()
    }

    fn succeed(&self, args: &[&str]) {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The rows of a CSV file without its row of names, cell by cell.
    fn rows(&self, name: &str) -> Vec<Vec<String>> {
        self.text(name).lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    /// What the report says of the edge into `node`.
    fn edge_into(&self, node: &str) -> Value {
        let report: Value = serde_json::from_str(&self.text("report.json")).unwrap();
        let edges = report["edges"].as_array().unwrap();
        let into = |edge: &&Value| edge["to"].as_str().is_some_and(|to| to.split('.').next() == Some(node));
        edges.iter().find(into).unwrap_or_else(|| panic!("no edge into {node}")).clone()
    }
}

fn number(cell: &str) -> f64 {
    cell.parse().unwrap_or_else(|_| panic!("{cell} is no number"))
}

#[test]
fn rhythms_uses_one_part_twice_and_finds_the_rhythm_that_was_put_in() {
    let graph = Shipped::new("rhythms.yaml");
    graph.succeed(&[]);
    let levels = |name: &str| {
        let rows = graph.rows(&format!("out/rhythms/{name}.csv"));
        assert_eq!(rows.len(), 10, "{name}: one a second");
        // The filter has settled after the first second.
        rows[1..].iter().flat_map(|row| row[1..].iter().map(|cell| number(cell))).collect::<Vec<f64>>()
    };
    // The root mean square of a sine of amplitude 1.
    assert!(levels("alpha").iter().all(|level| (level - FRAC_1_SQRT_2).abs() < 0.05), "{:?}", levels("alpha"));
    assert!(levels("beta").iter().all(|level| *level < 0.1), "{:?}", levels("beta"));
    assert_eq!(graph.edge_into("alpha/band")["copies"], 100);
}

fn ecg_mv() -> Vec<f64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/data/ecg.csv");
    std::fs::read_to_string(path).unwrap().lines().skip(1).map(number).collect()
}

#[test]
fn ecg_finds_the_heart_rate_and_records_the_signal_untouched() {
    let graph = Shipped::new("ecg.yaml");
    graph.succeed(&[]);
    let raw: Vec<f64> = graph.rows("out/raw.csv").iter().map(|row| number(&row[1])).collect();
    assert_eq!(raw, ecg_mv(), "the filter beside it has not touched the recording");
    assert!(graph.text("out/raw.csv").starts_with("time_s,ecg_mv\n0,-0.245\n0.002777778,-0.215\n"));

    let rates: Vec<f64> = graph.rows("out/heart_rate.csv").iter().map(|row| number(&row[1])).collect();
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let theirs = beats_of_another_detector();
    let expected = 60.0 * (theirs.len() - 1) as f64 / (theirs[theirs.len() - 1] - theirs[0]);
    assert!((mean - expected).abs() < 2.0, "{mean} beats per minute, not {expected}, as the mean of {}", rates.len());
}

/// The times of the beats in the same recording, in seconds.
fn beats_of_another_detector() -> Vec<f64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/ecg_beats_s.npy");
    npyz::NpyFile::new(std::fs::File::open(path).unwrap()).unwrap().into_vec().unwrap()
}

#[test]
fn isolation_keeps_the_recording_although_a_sibling_writes_zeros() {
    let graph = Shipped::new("isolation.yaml");
    graph.succeed(&[]);
    let file = std::fs::File::open(graph.path("out/isolation/recording.npy")).unwrap();
    let recording: Vec<f64> = npyz::NpyFile::new(file).unwrap().into_vec().unwrap();
    assert_eq!(recording.len(), 400 * 25 * 8);
    let bytes: Vec<u8> = recording.iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(graph.text("out/isolation/recorded.txt"), format!("{} 400\n", blake3::hash(&bytes).to_hex()));
    assert_eq!(bytes, sine(), "the recording is what the source makes where nobody else listens");
    let zeros = vec![0; bytes.len()];
    assert_eq!(graph.text("out/isolation/muted.txt"), format!("{} 400\n", blake3::hash(&zeros).to_hex()));

    let copied = graph.edge_into("mute");
    assert_eq!(
        (copied["copies"].as_u64().unwrap() + copied["moves"].as_u64().unwrap(), &copied["views"]),
        (400, &0.into())
    );
    for node in ["recording", "recorded"] {
        let shared = graph.edge_into(node);
        assert_eq!((&shared["copies"], &shared["views"]), (&0.into(), &400.into()), "{node}");
    }
}

/// The bytes of the signal of `isolation.yaml`, made without a graph.
fn sine() -> Vec<u8> {
    let settings = serde_json::json!({
        "rate": 250, "channels": 8, "frequency": 10, "noise": 0.5, "seed": 1, "block": 25, "count": 400
    });
    let registry = ezrun::nodes::registry();
    let mut source = ezrun::node::testing::Harness::new(registry.get("sine").unwrap(), settings).unwrap();
    source.produce(401).unwrap();
    source.sent(0).iter().flat_map(|message| message.payload.to_vec()).collect()
}

#[test]
fn isolation_is_refused_where_the_writer_asks_for_a_view() {
    let graph = Shipped::new("isolation.yaml");
    let text = graph.text("isolation.yaml").replace("to: mute }", "to: mute, zero_copy: true }");
    std::fs::write(&graph.graph, text).unwrap();
    assert_eq!(graph.run(&[]).status.code(), Some(1));
}

#[test]
fn bandpower_finds_alpha_at_the_frequency_that_was_put_in() {
    let graph = Shipped::new("bandpower.yaml");
    for alpha in [10, 11] {
        graph.succeed(&["--set", &format!("alpha={alpha}")]);
        let bands = graph.rows("out/bandpower/bands.csv");
        assert_eq!(bands.len(), 4 * 29, "four bands, and a block of 2 s each second of 30");
        for block in bands.chunks(4) {
            let strongest = |channel: usize| {
                block.iter().max_by(|a, b| number(&a[channel]).total_cmp(&number(&b[channel]))).unwrap()[1].as_str()
            };
            // The first two columns are the time and the band.
            let alphas = (2..34).filter(|&channel| strongest(channel) == "alpha").count();
            assert!(alphas >= 31, "alpha is the strongest in {alphas} of 32 channels at {} s", block[0][0]);
        }
        let mut sums = std::collections::BTreeMap::new();
        for row in graph.rows("out/bandpower/spectrum.csv") {
            let power: f64 = row[2..].iter().map(|cell| number(cell)).sum();
            *sums.entry(row[1].clone()).or_insert(0.0) += power;
        }
        let peak = sums.iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        assert!((number(peak) - f64::from(alpha)).abs() < 0.1, "the peak of the spectrum is at {peak} Hz");
    }
}

#[test]
fn fanout_gives_every_reader_every_byte() {
    let graph = Shipped::new("fanout.yaml");
    graph.succeed(&[]);
    for node in ["copy_1", "copy_2"] {
        let edge = graph.edge_into(node);
        assert_eq!(edge["delivery"], "copy");
        assert_eq!((&edge["received"], &edge["copies"], &edge["views"]), (&10000.into(), &10000.into(), &0.into()));
    }
    for node in ["shared_1", "shared_2"] {
        let edge = graph.edge_into(node);
        assert_eq!(edge["delivery"], "zero_copy");
        assert_eq!((&edge["received"], &edge["copies"], &edge["views"]), (&10000.into(), &0.into(), &10000.into()));
    }
}

#[test]
fn command_lets_awk_measure_each_second() {
    let graph = Shipped::new("command.yaml");
    graph.succeed(&[]);
    let strengths: Vec<f64> = graph.text("out/strength.txt").lines().map(number).collect();
    assert_eq!(strengths.len(), 300);
    for (second, (strength, samples)) in strengths.iter().zip(ecg_mv().chunks(360)).enumerate() {
        let expected = (samples.iter().map(|x| x * x).sum::<f64>() / 360.0).sqrt();
        assert!((strength - expected).abs() < 1e-4 * expected, "second {second}: {strength}, not {expected}");
    }
}
