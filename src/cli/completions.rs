//! `ezrun completions`: what a shell needs to complete ezrun's command line.

use super::{exit, nodes};
use clap_complete::Shell;

/// Print a completion script, as in `ezrun completions bash > ~/.local/share/bash-completion/completions/ezrun`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// For which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script that completes `command` and returns the exit code.
pub fn run(args: &Args, command: clap::Command) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut verbs_first(&command), "ezrun", &mut script);
    let script = String::from_utf8_lossy(&script);
    nodes::print(&graphs_beside_verbs(args.shell, &script), exit::OK)
}

/// The command without its own graph, for which zsh would take every first word: it would complete no verb.
fn verbs_first(command: &clap::Command) -> clap::Command {
    let flags = command.get_arguments().filter(|arg| !arg.is_positional()).cloned();
    clap::Command::new("ezrun")
        .version(env!("CARGO_PKG_VERSION"))
        .args(flags)
        .subcommands(command.get_subcommands().cloned())
}

/// The first word may be a graph as well as a verb. All shells but zsh offer files by themselves.
fn graphs_beside_verbs(shell: Shell, script: &str) -> String {
    let (verbs, both) = ("\":: :_ezrun_commands\"", "\":: :{ _ezrun_commands; _files }\"");
    if shell == Shell::Zsh { script.replacen(verbs, both, 1) } else { script.to_owned() }
}
