//! The ezrun command.

fn main() {}
