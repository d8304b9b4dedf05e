//! Benchmarks of the data plane, each with what is needed to judge the figure: the machine, the
//! revision, the raw samples and the cost of the empty loop in the same run.

pub mod clock;
pub mod fwd;
pub mod manifest;
pub mod report;
pub mod stats;
