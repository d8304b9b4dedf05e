//! One thing that was looked at, and what to do about it.

use std::fmt;

use serde::Serialize;

/// How a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Severity {
    /// As it should be.
    #[serde(rename = "ok")]
    Ok,
    /// Works, but not as well as it could.
    #[serde(rename = "warn")]
    Warn,
    /// Does not work: the daemon refuses to start.
    #[serde(rename = "FAIL")]
    Fail,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        })
    }
}

/// One thing that was looked at. Displayed on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it weighs.
    pub severity: Severity,
    /// What was looked at: `CPU`, `memory`, `interface eth1`.
    pub subject: String,
    /// What was found.
    pub text: String,
    /// The command or edit that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, subject, text, fix } = self;
        write!(f, " {severity:<5} {subject:<16} {text}")?;
        match fix {
            Some(fix) => write!(f, "   fix: {fix}"),
            None => Ok(()),
        }
    }
}

/// Collects findings.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn ok(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.push(Severity::Ok, subject, text, None);
    }

    pub(crate) fn warn(
        &mut self,
        subject: impl Into<String>,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(Severity::Warn, subject, text, Some(fix.into()));
    }

    pub(crate) fn fail(
        &mut self,
        subject: impl Into<String>,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(Severity::Fail, subject, text, Some(fix.into()));
    }

    fn push(
        &mut self,
        severity: Severity,
        subject: impl Into<String>,
        text: impl Into<String>,
        fix: Option<String>,
    ) {
        let (subject, text) = (subject.into(), text.into());
        self.0.push(Finding { severity, subject, text, fix });
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Fail)
    }

    pub(crate) fn into_vec(self) -> Vec<Finding> {
        self.0
    }
}
