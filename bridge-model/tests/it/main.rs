//! The forwarding rules, rule by rule: each test names its rule, and every frame of every test goes
//! through the oracle and through the compiled tables, which have to agree.

mod admission;
mod classify;
mod compiled;
mod conformance;
mod corpus;
mod forwarding;
mod generated;
mod learning;
mod limits;
mod machine;
mod parsers;
mod reserved;
mod topology;
mod world;
