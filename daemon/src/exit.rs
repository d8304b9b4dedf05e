//! How `sluiced` ends.

use std::process::ExitCode;

/// Exit codes, the same as those of `sluice`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It stopped as asked.
    Ok = 0,
    /// Something failed.
    Error = 1,
    /// A file that was named does not exist.
    NotFound = 3,
    /// Another daemon holds what this one needs.
    Conflict = 4,
    /// The node file or the site file is invalid.
    Invalid = 5,
    /// The system does not permit it.
    Denied = 8,
    /// The host does not fit the node file.
    Problems = 12,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why `sluiced` ends, in words, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Ending {
    /// The exit code.
    pub exit: Exit,
    /// What happened and what to do.
    pub message: String,
}

impl Ending {
    /// The ending `exit`, because of `why`.
    pub fn new(exit: Exit, why: &impl ToString) -> Self {
        Self { exit, message: why.to_string() }
    }
}
