//! sluiced, the gateway daemon.

fn main() {}
