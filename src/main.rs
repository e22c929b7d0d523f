//! The ezrun command.

fn main() -> std::process::ExitCode {
    ezrun::cli::run().into()
}
