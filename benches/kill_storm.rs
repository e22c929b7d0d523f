//! `cargo bench --bench kill_storm [-- --kills 10000] [--seed 1]`: kills random processes of a busy graph with SIGKILL so
//! often, over sealed and over named segments, and prints what was lost, how long anybody waited, and what was left over.
//! Fails where anything is not as it should be.

#![allow(clippy::unwrap_used, reason = "a fault of the machine ends the measurement")]

#[path = "../tests/killing/mod.rs"]
mod killing;

use killing::storm::{Outcome, Storm};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// So many kills are made in one run.
const KILLS_PER_RUN: usize = 500;
/// Survivors must go on within this time.
const LIMIT: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    // The runner starts this executable as a pack.
    if killing::is_pack() {
        return ezrun::pack_main(killing::pack::registry());
    }
    let (kills, seed) =
        (killing::number_after("--kills").unwrap_or(1000), killing::number_after("--seed").unwrap_or(1));
    let began = Instant::now();
    let mut totals = Totals::default();
    for (at, segments) in (0..kills.div_ceil(KILLS_PER_RUN as u64)).zip(["sealed", "named"].into_iter().cycle()) {
        let mut storm = Storm::start(seed + at, segments, &std::env::current_exe().unwrap());
        storm.kill(KILLS_PER_RUN.min(kills as usize - totals.kills));
        totals.add(storm.finish(), segments);
    }
    println!("seeds {seed} and on; {:.0} s", began.elapsed().as_secs_f64());
    totals.print();
    if totals.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Totals {
    kills: usize,
    restarts: BTreeMap<String, u64>,
    /// For each edge: how it receives, and sent, received, dropped, and what kills may cost.
    edges: BTreeMap<String, (String, [u64; 3], Option<u64>)>,
    survivors: Vec<Duration>,
    everybody: Vec<Duration>,
    crowded: usize,
    faults: Vec<String>,
}

impl Totals {
    fn add(&mut self, outcome: Outcome, segments: &str) {
        println!("{} kills over {segments} segments: {:?}", outcome.seen.kills, outcome.before);
        println!("                                  -> {:?}", outcome.after);
        self.kills += outcome.seen.kills;
        self.survivors.extend(outcome.seen.survivors);
        self.everybody.extend(outcome.seen.everybody);
        self.crowded += outcome.crowded;
        for (backend, restarts) in outcome.restarts {
            *self.restarts.entry(backend).or_default() += restarts;
        }
        for edge in outcome.edges {
            let (_, counts, allowed) = self.edges.entry(edge.name).or_insert((edge.delivery, [0; 3], Some(0)));
            for (sum, count) in counts.iter_mut().zip([edge.sent, edge.received, edge.dropped]) {
                *sum += count;
            }
            *allowed = edge.allowed.and_then(|more| Some((*allowed)? + more));
        }
        outcome.faults.iter().for_each(|fault| println!("FAULT {fault}"));
        self.faults.extend(outcome.faults);
    }

    fn print(&mut self) {
        println!("{} kills: {:?}", self.kills, self.restarts);
        println!("{:26} {:9} {:>11} {:>11} {:>9}  kills may cost", "edge", "delivery", "sent", "received", "dropped");
        for (name, (delivery, [sent, received, dropped], allowed)) in &self.edges {
            let allowed = allowed.map_or("(its policy drops)".to_owned(), |allowed| allowed.to_string());
            println!("{name:26} {delivery:9} {sent:>11} {received:>11} {dropped:>9}  {allowed}");
        }
        describe("a witness that was not killed had the next message after", &mut self.survivors);
        describe("every witness, the killed ones too, after", &mut self.everybody);
        let late = self.survivors.iter().filter(|took| **took > LIMIT).count();
        println!("later than {LIMIT:?}: {late} of {} times", self.survivors.len());
        println!("started again only once others had taken what was sent: {} times", self.crowded);
        println!("faults (bytes, order, ledger, slots, descriptors, segments, processes): {}", self.faults.len());
    }
}

fn describe(what: &str, times: &mut [Duration]) {
    times.sort();
    if let Some(most) = times.last() {
        let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        println!("{what}: {median:.1?} median, {late:.1?} p99, {most:.1?} at most");
    }
}
