//! What checking large graphs costs: makes graphs, runs the real `ezrun validate` on each, and prints a table.
//!
//! `cargo bench --bench validate` runs five rounds, `cargo bench --bench validate -- 15` fifteen. Graphs take turns, so
//! that a machine that is slow for a while is slow for all of them.

use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Nodes of each graph; the first is what starting and ending a process costs.
const SIZES: [usize; 4] = [3, 1_000, 10_000, 100_000];
const EDGES_INTO_A_NODE: usize = 5;
const DEFAULT_ROUNDS: usize = 5;
const TITLES: [&str; 9] =
    ["nodes", "edges", "file", "CPU median", "min", "max", "CPU/edge", "launch to exit", "peak RSS"];

/// A graph file and what it holds.
struct Case {
    path: PathBuf,
    nodes: usize,
    edges: usize,
    file_bytes: u64,
}

/// What one process took.
struct Figures {
    cpu_us: u64,
    wall_us: u64,
    peak_rss_bytes: u64,
}

fn main() -> Result<()> {
    let rounds = rounds()?;
    let dir = tempfile::tempdir()?;
    let cases = SIZES.map(|nodes| Case::write(dir.path(), nodes)).into_iter().collect::<Result<Vec<_>>>()?;
    let mut measured: Vec<Vec<Figures>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (case, figures) in cases.iter().zip(&mut measured) {
            figures.push(validate(case, dir.path())?);
        }
    }
    let titles = TITLES.map(str::to_owned);
    let rows = cases.iter().zip(&measured).map(|(case, figures)| row(case, figures));
    print!("{}", table(&[titles].into_iter().chain(rows).collect::<Vec<_>>()));
    Ok(())
}

/// The number on the command line; cargo itself adds `--bench`.
fn rounds() -> Result<usize> {
    let given = std::env::args().skip(1).find(|arg| arg != "--bench");
    let rounds = match given {
        Some(given) => given.parse().with_context(|| format!("`{given}` is no number of rounds"))?,
        None => DEFAULT_ROUNDS,
    };
    ensure!(rounds > 0, "at least one round is needed");
    Ok(rounds)
}

impl Case {
    /// Written edge by edge: the kernel counts the largest this program has been into the peak of each that it starts.
    fn write(dir: &Path, nodes: usize) -> Result<Self> {
        let path = dir.join(format!("{nodes}.yaml"));
        let mut file = BufWriter::new(File::create(&path)?);
        write_nodes(&mut file, nodes)?;
        let edges = write_edges(&mut file, nodes)?;
        file.flush()?;
        let file_bytes = std::fs::metadata(&path)?.len();
        Ok(Case { path, nodes, edges, file_bytes })
    }
}

/// A source, nodes that pass on what they receive, and a sink, as a program would write them.
fn write_nodes(file: &mut impl Write, nodes: usize) -> Result<()> {
    writeln!(file, "ezrun: 1\nname: large\nnodes:\n  n0: {{ use: counter, with: {{ count: 10 }} }}")?;
    for at in 1..nodes - 1 {
        writeln!(file, "  n{at}: {{ use: merge }}")?;
    }
    writeln!(file, "  n{}: {{ use: \"null\" }}", nodes - 1)?;
    Ok(())
}

/// A chain of all nodes, and beside it edges from random earlier nodes to each but the sink. Returns how many.
fn write_edges(file: &mut impl Write, nodes: usize) -> Result<usize> {
    let mut random = 7u64;
    let mut below = |limit: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % limit
    };
    writeln!(file, "edges:")?;
    let mut edges = 0;
    for at in 1..nodes {
        let wanted = if at == nodes - 1 { 1 } else { at.min(EDGES_INTO_A_NODE) };
        let mut producers = vec![at - 1];
        while producers.len() < wanted {
            let producer = below(at);
            if !producers.contains(&producer) {
                producers.push(producer);
            }
        }
        for producer in &producers {
            writeln!(file, "  - {{ from: n{producer}, to: n{at}, zero_copy: true, max_message: 64 }}")?;
        }
        edges += producers.len();
    }
    Ok(edges)
}

/// Checks the graph in a process of its own. A finding would mean that something else was measured.
fn validate(case: &Case, dir: &Path) -> Result<Figures> {
    let told = dir.join("findings.txt");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ezrun"));
    command.args(["validate", "--format", "concise", "--max-file-size", "1GiB", "--memory-budget", "64TiB"]);
    command.arg(&case.path).stdin(Stdio::null()).stdout(File::create(&told)?);
    let launched = Instant::now();
    let child = command.spawn().context("cannot start ezrun")?;
    let (status, usage) = wait(child.id())?;
    let wall_us = u64::try_from(launched.elapsed().as_micros())?;
    let findings = std::fs::read_to_string(&told)?;
    if status != 0 || !findings.is_empty() {
        let first: Vec<&str> = findings.lines().take(3).collect();
        bail!("{} nodes: ezrun ended with wait status {status} and said\n{}", case.nodes, first.join("\n"));
    }
    let us = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    // macOS counts bytes, all others KiB.
    let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    let peak_rss_bytes = u64::try_from(usage.ru_maxrss)? * unit;
    Ok(Figures { cpu_us: us(usage.ru_utime) + us(usage.ru_stime), wall_us, peak_rss_bytes })
}

/// Waits for a child: its wait status, and what the kernel counted for it alone.
#[allow(unsafe_code, reason = "no safe call tells the use of a single child")]
fn wait(pid: u32) -> Result<(i32, libc::rusage)> {
    let pid = libc::pid_t::try_from(pid)?;
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to locals that live through the call, and the child is waited for nowhere else.
    let ended = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    ensure!(ended == pid, "cannot wait for ezrun: {}", std::io::Error::last_os_error());
    // SAFETY: numbers alone, for which zeros are values; wait4 has filled them in.
    Ok((status, unsafe { usage.assume_init() }))
}

fn row(case: &Case, figures: &[Figures]) -> [String; TITLES.len()] {
    let sorted = |pick: fn(&Figures) -> u64| {
        let mut values: Vec<u64> = figures.iter().map(pick).collect();
        values.sort_unstable();
        values
    };
    let (cpu, wall, rss) = (sorted(|f| f.cpu_us), sorted(|f| f.wall_us), sorted(|f| f.peak_rss_bytes));
    let median = figures.len() / 2;
    [
        case.nodes.to_string(),
        case.edges.to_string(),
        bytes(case.file_bytes),
        milliseconds(cpu[median]),
        milliseconds(cpu[0]),
        milliseconds(cpu[figures.len() - 1]),
        per_edge(cpu[median], case.edges),
        milliseconds(wall[median]),
        bytes(rss[figures.len() - 1]),
    ]
}

fn milliseconds(us: u64) -> String {
    format!("{:.1} ms", us as f64 / 1e3)
}

/// Nothing where starting the process is most of it.
fn per_edge(us: u64, edges: usize) -> String {
    if edges < 1_000 { "-".to_owned() } else { format!("{:.2} µs", us as f64 / edges as f64) }
}

fn bytes(bytes: u64) -> String {
    let (unit, name) = if bytes < 1 << 20 { (10, "KiB") } else { (20, "MiB") };
    format!("{:.1} {name}", bytes as f64 / f64::from(1 << unit))
}

fn table(rows: &[[String; TITLES.len()]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let line = |row: &[String; TITLES.len()]| -> String {
        let cells = row.iter().enumerate().map(|(at, cell)| format!("{cell:>width$}", width = width(at)));
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(|row| line(row) + "\n").collect()
}
