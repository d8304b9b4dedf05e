//! Reading `/sys` and `/proc` below a folder of the caller's choice.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// The folder that stands for `/`: the real one, or a made-up host in a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self(PathBuf::from("/"))
    }
}

impl Root {
    /// The host below `folder`.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Where `path`, absolute or not, is below this root.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file without white space at its ends; `None` when it cannot be read.
    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = fs::read_to_string(self.path(path)).ok()?;
        Some(text.trim().to_owned())
    }

    /// The number in a file.
    pub fn number<T: std::str::FromStr>(&self, path: impl AsRef<Path>) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// The names in a folder, sorted; none when it cannot be read.
    pub fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The last component of what a symbolic link points to.
    pub fn link_name(&self, path: impl AsRef<Path>) -> Option<String> {
        let target = fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// Whether there is anything at `path`.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// Whether this process may read and write `path`.
    pub fn may_use(&self, path: impl AsRef<Path>) -> bool {
        access(&self.path(path), AccessFlags::R_OK | AccessFlags::W_OK).is_ok()
    }

    /// Whether this process may read `path`.
    pub fn may_read(&self, path: impl AsRef<Path>) -> bool {
        access(&self.path(path), AccessFlags::R_OK).is_ok()
    }

    /// Whether this process may make files in `folder`.
    pub fn may_make_files(&self, folder: impl AsRef<Path>) -> bool {
        let path = self.path(folder);
        path.is_dir() && access(&path, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
    }
}
