//! Project automation that is longer than 50 lines of shell.

fn main() {}
