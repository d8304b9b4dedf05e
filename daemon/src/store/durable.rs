//! Replacing a file so that it is whole at any instant and on disk afterwards.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::WriteError;

/// Who may read a file that did not exist before: its owner and group.
const MODE: u32 = 0o640;

/// Replaces the content of `path`, which need not exist, by `octets`. A symbolic link stays, and the
/// file that it names is replaced; permission bits stay.
pub(super) fn replace(path: &Path, octets: &[u8]) -> Result<(), WriteError> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let error = |step| move |source| WriteError { path: path.to_owned(), step, source };
    let (directory, temporary) = beside(&target).map_err(error("name a file beside it"))?;
    let result = write_new(&temporary, &target, octets)
        .map_err(error("write the new content beside it"))
        .and_then(|()| fs::rename(&temporary, &target).map_err(error("rename")));
    if result.is_err() {
        // It may not exist; and if it cannot be removed, the next write replaces it.
        let _ = fs::remove_file(&temporary);
        return result;
    }
    // Without this, a power failure may undo the rename.
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(error("force its directory to disk"))
}

/// The directory of `target`, and a name in it for the new content. The name is fixed: what a crash
/// left there is overwritten.
fn beside(target: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let temporary = directory.join(format!(".{}.new", name.to_string_lossy()));
    Ok((directory, temporary))
}

fn write_new(temporary: &Path, target: &Path, octets: &[u8]) -> io::Result<()> {
    let mode = fs::metadata(target).map_or(MODE, |old| old.permissions().mode() & 0o7777);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(temporary)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(octets)?;
    file.sync_all()
}
