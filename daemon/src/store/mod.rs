//! The site file, and the number of its revision.
//!
//! A new site is written beside the old one, forced to disk and renamed over it, so that a reader, a
//! crash or a full disk finds the old file or the new one, never a part. The revision file goes
//! first: a crash between the two costs a number, never gives one twice.

mod durable;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bridge_model::types::Revision;

/// The largest site file that is read, in octets. A full site of 4094 VLAN links takes a twentieth.
pub const SITE_LIMIT: usize = 8 << 20;

/// What the site file held when it was read or written: FNV-1a of its octets. It tells an edited
/// file from an unchanged one; it is no protection against forgery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Of this text.
    pub fn of(text: &str) -> Self {
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash)
    }
}

/// What tells, without reading it, that a file may have changed: modification time in nanoseconds,
/// length and inode.
pub type Stamp = (i128, u64, u64);

/// The site file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It does not exist.
    #[error("{path}: there is no such site file: create it, or correct `site` in the node file", path = path.display())]
    Missing {
        /// Its path.
        path: PathBuf,
    },
    /// It is too long to be a site file.
    #[error(
        "{path}: {octets} octets are too many for a site file: the limit is {SITE_LIMIT}",
        path = path.display()
    )]
    TooLong {
        /// Its path.
        path: PathBuf,
        /// Its length.
        octets: u64,
    },
    /// It is not UTF-8.
    #[error("{path}: not UTF-8 text", path = path.display())]
    NotText {
        /// Its path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{path}: cannot read the site file: {source}", path = path.display())]
    Io {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A file could not be written. What was there before is still there.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {step}: {source}", path = path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What was being done.
    pub step: &'static str,
    /// Why it failed.
    pub source: io::Error,
}

/// Where a site lives on disk.
#[derive(Debug)]
pub struct SiteStore {
    site: PathBuf,
    revision: PathBuf,
}

impl SiteStore {
    /// The site file `site`, with its revision noted in the directory `state`.
    pub fn new(site: &Path, state: &Path) -> Self {
        Self { site: site.to_owned(), revision: state.join("revision") }
    }

    /// The path of the site file.
    pub fn path(&self) -> &Path {
        &self.site
    }

    /// The stamp of the site file; `None` if it cannot be looked at.
    pub fn stamp(&self) -> Option<Stamp> {
        let data = fs::metadata(&self.site).ok()?;
        let time = i128::from(data.mtime()) * 1_000_000_000 + i128::from(data.mtime_nsec());
        Some((time, data.len(), data.ino()))
    }

    /// The text of the site file.
    pub fn read(&self) -> Result<String, ReadError> {
        let path = || self.site.clone();
        let missing = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => ReadError::Missing { path: path() },
            _ => ReadError::Io { path: path(), source },
        };
        let octets = fs::metadata(&self.site).map_err(missing)?.len();
        if octets > SITE_LIMIT as u64 {
            return Err(ReadError::TooLong { path: path(), octets });
        }
        let octets = fs::read(&self.site).map_err(missing)?;
        String::from_utf8(octets).map_err(|_| ReadError::NotText { path: path() })
    }

    /// The revision of a site file with this fingerprint: the one that was noted for it, or the next
    /// if the file was changed in the meantime.
    pub fn revision_of(&self, fingerprint: Fingerprint) -> Revision {
        let Some((revision, noted)) = self.noted() else { return Revision(1) };
        if noted == fingerprint { revision } else { Revision(revision.0 + 1) }
    }

    /// Notes that `revision` is the site file with this fingerprint.
    pub fn note(&self, revision: Revision, fingerprint: Fingerprint) -> Result<(), WriteError> {
        let text = format!("{revision} {:016x}\n", fingerprint.0);
        durable::replace(&self.revision, text.as_bytes())
    }

    /// Replaces the site file by `text` and makes that `revision`.
    pub fn write(&self, revision: Revision, text: &str) -> Result<Fingerprint, WriteError> {
        let fingerprint = Fingerprint::of(text);
        self.note(revision, fingerprint)?;
        durable::replace(&self.site, text.as_bytes())?;
        Ok(fingerprint)
    }

    fn noted(&self) -> Option<(Revision, Fingerprint)> {
        let text = fs::read_to_string(&self.revision).ok()?;
        let (revision, fingerprint) = text.trim_end().split_once(' ')?;
        let fingerprint = u64::from_str_radix(fingerprint, 16).ok()?;
        Some((Revision(revision.parse().ok()?), Fingerprint(fingerprint)))
    }
}

#[cfg(test)]
mod tests;
