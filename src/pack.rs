//! What ezrun's own executable and every pack answer to ezrun: what types they have, and work as a backend.

#[cfg(target_os = "linux")]
use crate::backend;
use crate::node::{Registry, check, describe, description_path};
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// The `main` of a pack: offers the types of `registry`, and the built-in ones, to graphs.
///
/// A pack answers `describe` (what types it has, as JSON; `describe --save` writes that beside the executable, for
/// validation without running anything) and `check` (whether settings make sense together), and runs as a backend when
/// ezrun starts it.
#[must_use]
pub fn pack_main(registry: Registry) -> ExitCode {
    answer_ezrun(|| registry).unwrap_or_else(|| {
        eprintln!("this is a pack of node types for ezrun: name it under `packs:` in a graph, and run the graph");
        eprintln!("usage: describe [--save]");
        ExitCode::from(2)
    })
}

/// Does what ezrun starts its own executable and packs for, with the types of `registry`, if that is what this process was
/// started for.
#[must_use]
pub fn answer_ezrun(registry: impl FnOnce() -> Registry) -> Option<ExitCode> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = args.iter().map_while(|arg| arg.to_str()).collect();
    match words.as_slice() {
        ["describe"] => Some(said("describe this pack", print_description(&registry()))),
        ["check"] => Some(said("check settings", check_settings(registry()))),
        ["describe", "--save"] => Some(said("save the description of this pack", save_description(&registry()))),
        #[cfg(target_os = "linux")]
        ["backend", "--parent", parent] => Some(backend::serve(registry(), parent)),
        #[cfg(target_os = "linux")]
        ["guard", "--parent", parent, "--", ..] => Some(backend::guard(parent, &args[4..])),
        _ => None,
    }
}

fn print_description(registry: &Registry) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(&describe(registry))?;
    Ok(writeln!(std::io::stdout(), "{json}")?)
}

fn save_description(registry: &Registry) -> anyhow::Result<()> {
    let path: PathBuf = description_path(&std::env::current_exe()?);
    std::fs::write(&path, serde_json::to_string_pretty(&describe(registry))? + "\n")?;
    Ok(writeln!(std::io::stdout(), "{}", path.display())?)
}

/// Reads a list of settings from standard input, and prints what is wrong with each.
fn check_settings(registry: Registry) -> anyhow::Result<()> {
    let settings = serde_json::from_reader(std::io::stdin())?;
    let verdicts = check(&registry.with_all(crate::nodes::registry()), settings);
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&verdicts)?)?)
}

fn said(what: &str, result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("cannot {what}: {e:#}");
            ExitCode::FAILURE
        }
    }
}
