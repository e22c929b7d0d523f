//! `ezrun new`: a small graph to begin with.

use super::out_file::cannot_write;
use super::{exit, nodes};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Validates without a finding, and runs to its end at once.
const TEMPLATE: &str = include_str!("new.yaml");

/// Write a small graph to begin with.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write; it must not be there yet. `-` prints the graph.
    #[arg(value_name = "PATH", default_value = "graph.yaml")]
    path: PathBuf,
}

/// Writes the graph and returns the exit code.
pub fn run(args: &Args) -> u8 {
    if args.path == Path::new("-") {
        return nodes::print(TEMPLATE, exit::OK);
    }
    if let Err(e) = write(&args.path) {
        let path = args.path.display();
        nodes::complain(&match e.kind() {
            io::ErrorKind::AlreadyExists => format!("{path} is there already; give another path, or `-` to print it"),
            _ => cannot_write(&args.path, &e),
        });
        return exit::USAGE;
    }
    nodes::print(&format!("wrote {}; run it: ezrun {}\n", args.path.display(), in_a_shell(&args.path)), exit::OK)
}

/// The path as a shell reads it.
fn in_a_shell(path: &Path) -> String {
    let path = path.display().to_string();
    // What begins with a dash is read as an option.
    let path = if path.starts_with('-') { format!("./{path}") } else { path };
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// Never over a file that is there, even one that appears at this moment.
fn write(path: &Path) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(TEMPLATE.as_bytes())
}
