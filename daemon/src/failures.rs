//! What can go wrong with a change, as errors of the API.

use std::io;

use bridge_model::compile::CompileError;
use bridge_model::site::SiteErrors;
use bridge_model::topology::TopologyError;
use fwd::ImageError;
use proto::failure::{BadField, Failure};
use proto::v1::ErrorReason;

use crate::requests::Reused;
use crate::store::{ReadError, WriteError};

/// The document has mistakes.
pub fn site(errors: &SiteErrors) -> Failure {
    let field = |error: &bridge_model::site::SiteError| BadField {
        field: format!("{}:{}", error.line, error.column),
        description: format!("{} ({})", error.message, error.help),
    };
    Failure::new(ErrorReason::SiteInvalid, errors.to_string())
        .with("source", &errors.source_name())
        .with("mistakes", &errors.len())
        .with_fields(errors.iter().map(field))
}

/// The objects contradict each other.
pub fn topology(errors: &[TopologyError]) -> Failure {
    let field = |error: &TopologyError| BadField {
        field: error.object().to_string(),
        description: error.to_string(),
    };
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    Failure::new(ErrorReason::SiteInvalid, lines.join("\n"))
        .with("mistakes", &errors.len())
        .with_fields(errors.iter().map(field))
}

/// The site cannot be compiled for this host.
pub fn compile(error: &CompileError) -> Failure {
    let reason = match error {
        CompileError::MlagUnsupported { .. } | CompileError::LagUnsupported { .. } => {
            ErrorReason::NotInThisRelease
        }
        CompileError::TooManyTransparentBridges { .. }
        | CompileError::FidsExhausted { .. }
        | CompileError::MembersExhausted { .. }
        | CompileError::TooManyPorts { .. } => ErrorReason::LimitExceeded,
    };
    Failure::new(reason, error.to_string())
}

/// The tables do not fit an image.
pub fn image(error: &ImageError) -> Failure {
    let reason = match error {
        ImageError::Dangling { .. } => ErrorReason::Internal,
        ImageError::TooMany { .. } => ErrorReason::LimitExceeded,
    };
    Failure::new(reason, error.to_string())
}

/// The site file cannot be read.
pub fn read(error: &ReadError) -> Failure {
    let reason = match error {
        ReadError::Missing { .. } => ErrorReason::SiteFileMissing,
        ReadError::TooLong { .. } | ReadError::NotText { .. } => ErrorReason::SiteInvalid,
        ReadError::Io { .. } => ErrorReason::StorageFailed,
    };
    Failure::new(reason, error.to_string())
}

/// The site file cannot be written.
pub fn write(error: &WriteError) -> Failure {
    let (reason, remedy) = match error.source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorReason::StorageFull, "make room on that file system and try again")
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => (
            ErrorReason::StorageReadOnly,
            "make its directory writable for sluiced (ReadWritePaths= in the systemd unit)",
        ),
        _ => (ErrorReason::StorageFailed, "see the system log for errors of that file system"),
    };
    Failure::new(reason, format!("{error}; nothing was changed: {remedy}"))
        .with("path", &error.path.display())
}

/// A request id was used twice for different things.
pub fn reused(error: Reused) -> Failure {
    let field = BadField { field: "request_id".to_owned(), description: error.to_string() };
    Failure::new(ErrorReason::RequestIdReused, error.to_string()).with_fields([field])
}

/// The site is not at the revision that the request expects.
pub fn revision(expected: u64, actual: u64) -> Failure {
    let message = format!(
        "the site is at revision {actual}, not {expected}: somebody else changed it; read it again and repeat the change"
    );
    Failure::new(ErrorReason::RevisionMismatch, message)
        .with("expected_revision", &expected)
        .with("revision", &actual)
}

/// There is no such object.
pub fn not_found(object: &str) -> Failure {
    Failure::new(ErrorReason::ResourceNotFound, format!("{object} does not exist"))
        .with("object", &object)
}

/// More requests wait than the control thread can answer soon.
pub fn busy() -> Failure {
    Failure::new(ErrorReason::Stopping, "too many requests are waiting: try again in a moment")
}

/// The daemon does not take requests any more.
pub fn stopping() -> Failure {
    Failure::new(ErrorReason::Stopping, "sluiced is stopping: try again when it is back")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_read_only_one_are_told_apart() {
        let failure = |kind: io::ErrorKind| {
            write(&WriteError { path: "/x".into(), step: "rename", source: kind.into() })
        };

        assert_eq!(failure(io::ErrorKind::StorageFull).reason, ErrorReason::StorageFull);
        assert_eq!(failure(io::ErrorKind::QuotaExceeded).reason, ErrorReason::StorageFull);
        assert_eq!(failure(io::ErrorKind::PermissionDenied).reason, ErrorReason::StorageReadOnly);
        assert_eq!(failure(io::ErrorKind::Other).reason, ErrorReason::StorageFailed);
        assert!(failure(io::ErrorKind::Other).message.contains("nothing was changed"));
    }
}
