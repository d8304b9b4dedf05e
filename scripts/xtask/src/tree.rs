//! The files of the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Why the tree could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    /// `git ls-files` did not run: no git, or not a clone.
    #[error("cannot list the files of the repository: {0}; run this inside a git clone")]
    List(String),
    /// `cargo metadata` did not run.
    #[error("cannot read the workspace: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    /// A file that every check needs is missing.
    #[error("{path} cannot be read: {error}")]
    Read {
        /// Path relative to the root.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// A text file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// Path relative to the root, with forward slashes.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

/// The root of the repository: this crate lies two folders below it.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file that is tracked, or would be if it were added, and is text.
pub(crate) fn files() -> Result<Vec<File>, TreeError> {
    let root = root();
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .map_err(|error| TreeError::List(error.to_string()))?;
    if !listed.status.success() {
        return Err(TreeError::List(String::from_utf8_lossy(&listed.stderr).trim().to_owned()));
    }
    let mut paths: Vec<_> = String::from_utf8_lossy(&listed.stdout)
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    // A path that is listed but absent was deleted in the work tree; one that is not UTF-8 is data.
    Ok(paths
        .into_iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(root.join(&path)).ok()?;
            Some(File { path, text })
        })
        .collect())
}

/// One file that has to exist.
pub(crate) fn read(path: &str) -> Result<String, TreeError> {
    std::fs::read_to_string(root().join(path))
        .map_err(|error| TreeError::Read { path: path.to_owned(), error })
}
