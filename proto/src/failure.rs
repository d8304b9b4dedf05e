//! Errors as they travel: `google.rpc.Status` with an `ErrorInfo` and field violations.
//!
//! They travel in HTTP/2 headers, which a client refuses beyond 16 KiB, so the parts are bounded
//! here: a site document with a thousand mistakes still arrives as an error that can be read.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::v1::ErrorReason;

/// The domain of every `ErrorInfo` of this package.
pub const DOMAIN: &str = "sluice";

/// The longest message that is sent, in octets: headers escape up to three octets for one.
pub const MESSAGE_LIMIT: usize = 2048;

/// How many field violations are sent.
pub const VIOLATION_LIMIT: usize = 12;

/// The longest description of a field violation, in octets.
pub const DESCRIPTION_LIMIT: usize = 200;

/// The longest field path or metadata value, in octets.
const WORD_LIMIT: usize = 64;

/// A field of a request that has no acceptable value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField {
    /// Its path in the request, for example `mac.vid`; `line:column` within a site document.
    pub field: String,
    /// What is wrong with it and what was expected.
    pub description: String,
}

/// An error of the API, before it becomes a [`Status`] and after it was one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The canonical code of the reason.
    pub code: Code,
    /// Which case of the closed list.
    pub reason: ErrorReason,
    /// What happened and what to do, for people.
    pub message: String,
    /// The fields concerned.
    pub fields: Vec<BadField>,
    /// Facts for programs.
    pub metadata: BTreeMap<String, String>,
}

impl ErrorReason {
    /// The canonical code that goes with the reason.
    pub const fn code(self) -> Code {
        match self {
            Self::FieldInvalid | Self::SiteInvalid | Self::RequestIdReused => Code::InvalidArgument,
            Self::RevisionMismatch | Self::SiteFileChanged => Code::Aborted,
            Self::SiteFileMissing | Self::ResourceNotFound => Code::NotFound,
            Self::NotInThisRelease => Code::Unimplemented,
            Self::LimitExceeded | Self::StorageReadOnly => Code::FailedPrecondition,
            Self::StorageFull => Code::ResourceExhausted,
            Self::Stopping => Code::Unavailable,
            Self::StorageFailed | Self::Internal | Self::Unspecified => Code::Internal,
        }
    }

    /// The word in `ErrorInfo.reason`, for example `SITE_INVALID`.
    pub fn word(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix("ERROR_REASON_").unwrap_or(name)
    }

    /// The reason that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::from_str_name(&format!("ERROR_REASON_{word}"))
    }
}

impl Failure {
    /// A failure for `reason` that says `message`.
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self {
            code: reason.code(),
            reason,
            message: message.into(),
            fields: Vec::new(),
            metadata: BTreeMap::new(),
        }
    }

    /// The same with a fact for programs.
    #[must_use]
    pub fn with(mut self, key: &str, value: &impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// The same with the fields concerned.
    #[must_use]
    pub fn with_fields(mut self, fields: impl IntoIterator<Item = BadField>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// The failure that `status` carries, if this package made it.
    pub fn from_status(status: &Status) -> Option<Self> {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN)?;
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice());
        Some(Self {
            code: status.code(),
            reason: ErrorReason::from_word(&info.reason).unwrap_or_default(),
            message: status.message().to_owned(),
            fields: violations
                .unwrap_or_default()
                .iter()
                .map(|violation| BadField {
                    field: violation.field.clone(),
                    description: violation.description.clone(),
                })
                .collect(),
            metadata: info.metadata.clone().into_iter().collect(),
        })
    }
}

impl From<BadField> for Failure {
    fn from(bad: BadField) -> Self {
        let message = format!("{}: {}", bad.field, bad.description);
        Self::new(ErrorReason::FieldInvalid, message).with_fields([bad])
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let mut details = ErrorDetails::new();
        let metadata = failure.metadata.iter();
        let metadata: HashMap<_, _> =
            metadata.map(|(key, value)| (key.clone(), shortened(value, WORD_LIMIT))).collect();
        details.set_error_info(failure.reason.word(), DOMAIN, metadata);
        for bad in failure.fields.iter().take(VIOLATION_LIMIT) {
            let description = shortened(&bad.description, DESCRIPTION_LIMIT);
            details.add_bad_request_violation(shortened(&bad.field, WORD_LIMIT), description);
        }
        let mut message = shortened(&failure.message, MESSAGE_LIMIT);
        let unsent = failure.fields.len().saturating_sub(VIOLATION_LIMIT);
        if unsent > 0 {
            // Writing to a String does not fail.
            let _ = write!(message, "\n(and {unsent} more that are not listed)");
        }
        Self::with_error_details(failure.code, message, details)
    }
}

impl From<BadField> for Status {
    fn from(bad: BadField) -> Self {
        Failure::from(bad).into()
    }
}

/// `text`, cut at a character boundary so that it has at most `limit` octets.
fn shortened(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mark = " …";
    let mut end = limit.saturating_sub(mark.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{mark}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_journey_as_a_status() {
        let failure = Failure::new(ErrorReason::RevisionMismatch, "the site is at revision 7")
            .with("revision", &7)
            .with_fields([BadField { field: "expected_revision".into(), description: "6".into() }]);

        let status = Status::from(failure.clone());

        assert_eq!(status.code(), Code::Aborted);
        assert_eq!(Failure::from_status(&status), Some(failure));
    }

    #[test]
    fn a_status_of_somebody_else_is_no_failure_of_ours() {
        assert_eq!(Failure::from_status(&Status::unavailable("no connection")), None);
    }

    #[test]
    fn every_reason_has_a_word_and_a_code_and_is_found_again() {
        let reasons: Vec<_> = (1..).map_while(|raw| ErrorReason::try_from(raw).ok()).collect();

        assert!(reasons.len() >= 14);
        for reason in reasons {
            assert_eq!(ErrorReason::from_word(reason.word()), Some(reason));
            assert_ne!(reason.code(), Code::Ok);
        }
    }

    #[test]
    fn a_thousand_long_mistakes_fit_into_the_headers_of_a_response() {
        let bad = |index: usize| BadField {
            field: format!("{index}:{}", "é".repeat(500)),
            description: "ü".repeat(5000),
        };
        let failure = Failure::new(ErrorReason::SiteInvalid, "ß".repeat(50_000))
            .with("file", &"x".repeat(10_000))
            .with_fields((0..1000).map(bad));

        let status = Status::from(failure);

        let escaped = status.message().len() * 3;
        let encoded = status.details().len().div_ceil(3) * 4;
        assert!(escaped + encoded < 16 * 1024 - 1024, "{escaped} + {encoded}");
        assert!(status.message().ends_with("(and 988 more that are not listed)"));
    }
}
