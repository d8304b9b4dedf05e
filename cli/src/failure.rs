//! What can go wrong, in words that say what to do, and the exit code that goes with it.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use proto::failure::Failure as ApiFailure;
use proto::v1::ErrorReason;
use tonic::{Code, Status};

use crate::exit::Exit;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The result cannot be written.
    #[error("cannot write the result to stdout: {0}")]
    Output(#[source] io::Error),
    /// The result has no such form.
    #[error("cannot write the result as {format}: {reason}")]
    Encode {
        /// Which form.
        format: &'static str,
        /// What the encoder said.
        reason: String,
    },
    /// The command line asks for something that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// An endpoint is written in a way that is not understood.
    #[error(
        "the endpoint {endpoint:?} is not understood: {reason}\n  \
         expected unix:/run/sluice/sluiced.sock or http://HOST:PORT, several separated by commas"
    )]
    Endpoint {
        /// As given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody listens at any endpoint.
    #[error("{}", no_daemon(.tried))]
    NoDaemon {
        /// Each endpoint and what happened there.
        tried: Vec<(String, String)>,
    },
    /// The socket exists, and may not be opened.
    #[error(
        "the control socket {endpoint} may not be opened by this user\n  \
         run the command as root, or join the group that owns the socket: ls -l {path}"
    )]
    SocketDenied {
        /// As given.
        endpoint: String,
        /// The path in it.
        path: String,
    },
    /// No answer in time.
    #[error(
        "{task}: no answer from {endpoint} within {}\n  \
         see `sluice status`, or allow more time with --timeout",
        crate::output::duration(*.limit)
    )]
    Timeout {
        /// What was being done.
        task: String,
        /// Where.
        endpoint: String,
        /// `--timeout`.
        limit: Duration,
    },
    /// The daemon refused or failed.
    #[error("{}", refused(.task, .status))]
    Api {
        /// What was being done.
        task: String,
        /// What it said.
        status: Box<Status>,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}{}", .path.display(), read_remedy(.source))]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}\n  choose a directory that you may write to", .path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is no text.
    #[error("{} is not a text file: octet {offset} is not UTF-8\n  save it as UTF-8", .path.display())]
    NotText {
        /// Which file.
        path: PathBuf,
        /// The first octet that is not.
        offset: usize,
    },
    /// The site document has mistakes; the text shows each with its place.
    #[error("{0}")]
    Site(String),
    /// Something named on the command line does not exist.
    #[error("{message}")]
    NotFound {
        /// What, and what comes close.
        message: String,
    },
    /// The change is made, and not in use by every worker.
    #[error(
        "revision {revision} is saved, but not every worker runs it yet\n  \
         see which with `sluice status`; wait for it with `sluice wait --for=programmed`"
    )]
    NotProgrammed {
        /// The revision after the change.
        revision: u64,
    },
    /// The flush is ordered, and not seen by every worker.
    #[error(
        "not every worker has forgotten the entries yet\n  \
         see which with `sluice status`; a flush may be repeated"
    )]
    NotFlushed,
    /// The host check could not be run, or said something that is not understood.
    #[error("cannot check this host: {reason}\n  {remedy}")]
    HostCheck {
        /// What happened.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The daemon's own check ended without a result; it has said why.
    #[error(
        "{} checked nothing and ended {}\n  its own message is above; `--config FILE` names another node file",
        .daemon.display(),
        .code.map_or_else(|| "by a signal".to_owned(), |code| format!("with exit code {code}"))
    )]
    DaemonRefused {
        /// The program that was run.
        daemon: PathBuf,
        /// Its exit code; none if a signal ended it.
        code: Option<i32>,
    },
    /// The runtime could not start.
    #[error("cannot start: {0}")]
    Runtime(#[source] io::Error),
}

impl Failure {
    /// The code that the program ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Output(_)
            | Self::Encode { .. }
            | Self::Write { .. }
            | Self::HostCheck { .. }
            | Self::Runtime(_) => Exit::Error,
            Self::Usage(_) | Self::Endpoint { .. } => Exit::Usage,
            Self::NoDaemon { .. } => Exit::Unavailable,
            Self::SocketDenied { .. } => Exit::Denied,
            Self::Timeout { .. } | Self::NotProgrammed { .. } | Self::NotFlushed => Exit::Timeout,
            Self::Api { status, .. } => of_status(status),
            Self::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Exit::NotFound,
                io::ErrorKind::PermissionDenied => Exit::Denied,
                _ => Exit::Error,
            },
            Self::NotText { .. } | Self::Site(_) => Exit::Invalid,
            Self::NotFound { .. } => Exit::NotFound,
            // The daemon ends with the codes of the same list.
            Self::DaemonRefused { code, .. } => Exit::ALL
                .iter()
                .copied()
                .find(|exit| Some(i32::from(exit.code())) == *code && *exit != Exit::Ok)
                .unwrap_or(Exit::Error),
        }
    }

    /// The API's own reason, if the daemon gave one.
    pub(crate) fn reason(&self) -> Option<ErrorReason> {
        match self {
            Self::Api { status, .. } => ApiFailure::from_status(status).map(|api| api.reason),
            _ => None,
        }
    }
}

/// The exit code for an answer of the API: by its reason where the reason says more than the code.
pub(crate) fn of_status(status: &Status) -> Exit {
    match ApiFailure::from_status(status).map(|failure| failure.reason) {
        Some(ErrorReason::NotInThisRelease) => Exit::Invalid,
        Some(ErrorReason::RequestIdReused | ErrorReason::LimitExceeded) => Exit::Conflict,
        Some(ErrorReason::StorageReadOnly) => Exit::Error,
        _ => of_code(status.code()),
    }
}

fn of_code(code: Code) -> Exit {
    match code {
        Code::Ok => Exit::Ok,
        Code::InvalidArgument | Code::OutOfRange => Exit::Invalid,
        Code::NotFound => Exit::NotFound,
        Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => Exit::Conflict,
        Code::Unavailable => Exit::Unavailable,
        Code::DeadlineExceeded | Code::Cancelled => Exit::Timeout,
        Code::PermissionDenied | Code::Unauthenticated => Exit::Denied,
        Code::Unknown
        | Code::ResourceExhausted
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => Exit::Error,
    }
}

fn no_daemon(tried: &[(String, String)]) -> String {
    let mut text = String::new();
    for (endpoint, reason) in tried {
        _ = writeln!(text, "no daemon answers at {endpoint}: {reason}");
    }
    text + "  start it with `systemctl start sluiced`, or `sluiced --config /etc/sluice/sluice.toml`\n  \
     or name another endpoint with --endpoints or SLUICE_ENDPOINTS"
}

fn refused(task: &str, status: &Status) -> String {
    let Some(api) = ApiFailure::from_status(status) else {
        let hint = match status.code() {
            Code::Unimplemented => {
                "\n  the daemon does not offer this call: compare `sluice version`"
            }
            Code::Unavailable => "\n  the connection broke: see `sluice status` and try again",
            _ => "",
        };
        let message = match status.message() {
            "" => status.code().description(),
            message => message,
        };
        return format!("{task}: {message}{hint}");
    };
    let mut text = format!("{task}: {}", api.message);
    for bad in &api.fields {
        // A single violation usually repeats the message.
        if !api.message.contains(&bad.description) {
            _ = write!(text, "\n  {}: {}", bad.field, bad.description);
        }
    }
    _ = write!(text, "\n  for more: sluice explain {}", api.reason.word());
    text
}

fn read_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "\n  check the path given with -f; `-f -` reads stdin",
        io::ErrorKind::PermissionDenied => "\n  run the command as a user who may read it",
        io::ErrorKind::IsADirectory => "\n  name a file in it: a site is one document",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_api_has_the_exit_code_of_the_specification() {
        let expected = [
            (Code::Ok, 0),
            (Code::Cancelled, 7),
            (Code::Unknown, 1),
            (Code::InvalidArgument, 5),
            (Code::DeadlineExceeded, 7),
            (Code::NotFound, 3),
            (Code::AlreadyExists, 4),
            (Code::PermissionDenied, 8),
            (Code::ResourceExhausted, 1),
            (Code::FailedPrecondition, 4),
            (Code::Aborted, 4),
            (Code::OutOfRange, 5),
            (Code::Unimplemented, 1),
            (Code::Internal, 1),
            (Code::Unavailable, 6),
            (Code::DataLoss, 1),
            (Code::Unauthenticated, 8),
        ];
        for (code, exit) in expected {
            assert_eq!(of_status(&Status::new(code, "")).code(), exit, "{code:?}");
        }
    }

    #[test]
    fn a_reason_of_the_api_says_more_than_its_code() {
        let expected = [
            (ErrorReason::SiteInvalid, 5),
            (ErrorReason::FieldInvalid, 5),
            (ErrorReason::NotInThisRelease, 5),
            (ErrorReason::RevisionMismatch, 4),
            (ErrorReason::SiteFileChanged, 4),
            (ErrorReason::RequestIdReused, 4),
            (ErrorReason::LimitExceeded, 4),
            (ErrorReason::ResourceNotFound, 3),
            (ErrorReason::SiteFileMissing, 3),
            (ErrorReason::Stopping, 6),
            (ErrorReason::StorageFull, 1),
            (ErrorReason::StorageReadOnly, 1),
            (ErrorReason::StorageFailed, 1),
            (ErrorReason::Internal, 1),
        ];
        for (reason, exit) in expected {
            let status = Status::from(ApiFailure::new(reason, "x"));
            assert_eq!(of_status(&status).code(), exit, "{reason:?}");
        }
    }
}
