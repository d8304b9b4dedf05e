//! Everything the product can say, explained: one catalogue of topics that `sluice explain` searches
//! and that the pages under `docs/ops` are printed from.

mod codes;
mod conditions;
mod fields;
mod markdown;
mod mistakes;

use bridge_model::reason::{DropReason, PuntReason};
use proto::v1::ErrorReason;
use serde::Serialize;

pub(crate) use self::markdown::drop_reasons;
use crate::exit::Exit;
use crate::nearest::nearest;

/// What sort of word a topic explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Sort {
    /// Why a frame was dropped.
    DropReason,
    /// Which protocol a consumed frame belonged to.
    ConsumedProtocol,
    /// A reason in an error of the API.
    Error,
    /// Something that `status` reports.
    Condition,
    /// The code of a mistake in a site document.
    Mistake,
    /// A number that a command ends with.
    ExitCode,
    /// A key in a site file.
    SiteField,
}

impl Sort {
    /// As people read it.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::DropReason => "drop reason",
            Self::ConsumedProtocol => "consumed protocol",
            Self::Error => "error of the API",
            Self::Condition => "condition in the status",
            Self::Mistake => "mistake in a site document",
            Self::ExitCode => "exit code",
            Self::SiteField => "field of the site file",
        }
    }
}

/// One word and what there is to know about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Topic {
    /// The word.
    pub(crate) name: String,
    /// What sort of word it is.
    pub(crate) sort: Sort,
    /// Drop reasons: where in the pipeline the frame ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stage: Option<&'static str>,
    /// Drop reasons: what it says about the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) severity: Option<&'static str>,
    /// Fields: what they hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) holds: Option<&'static str>,
    /// Fields: what leaving them out means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<&'static str>,
    /// What it means.
    pub(crate) meaning: &'static str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<&'static str>,
    /// Errors: the exit code of a command that meets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<u8>,
}

impl Topic {
    fn new(name: impl Into<String>, sort: Sort, meaning: &'static str) -> Self {
        Self {
            name: name.into(),
            sort,
            stage: None,
            severity: None,
            holds: None,
            default: None,
            meaning,
            remedy: None,
            exit_code: None,
        }
    }
}

/// What `severity` says about the network.
pub(crate) const fn severity_meaning(severity: bridge_model::reason::Severity) -> &'static str {
    use bridge_model::reason::Severity;

    match severity {
        Severity::Expected => "normal operation: a bridge has to drop such frames",
        Severity::Config => "something is configured wrongly, here or on the neighbour",
        Severity::Capacity => "a limit was reached",
        Severity::Attack => "a station behaves as an attacker or a broken one would",
        Severity::Bug => "it should not happen: report it",
    }
}

fn of_drop(reason: DropReason) -> Topic {
    Topic {
        stage: Some(reason.stage().name()),
        severity: Some(reason.severity().name()),
        remedy: Some(reason.remedy()),
        ..Topic::new(reason.name(), Sort::DropReason, reason.meaning())
    }
}

fn of_punt(reason: PuntReason) -> Topic {
    Topic::new(reason.name(), Sort::ConsumedProtocol, codes::consumed(reason))
}

fn of_error(reason: ErrorReason) -> Option<Topic> {
    let (meaning, remedy) = codes::error(reason)?;
    let status = tonic::Status::from(proto::failure::Failure::new(reason, ""));
    Some(Topic {
        remedy: Some(remedy),
        exit_code: Some(crate::failure::of_status(&status).code()),
        ..Topic::new(reason.word(), Sort::Error, meaning)
    })
}

fn of_exit(exit: Exit) -> Topic {
    Topic {
        remedy: Some(exit.action()),
        ..Topic::new(exit.code().to_string(), Sort::ExitCode, exit.meaning())
    }
}

/// Every topic: drop reasons, protocols, errors, conditions, mistakes, exit codes, fields.
pub(crate) fn topics() -> Vec<Topic> {
    let errors = (1..).map_while(|raw| ErrorReason::try_from(raw).ok());
    DropReason::ALL
        .iter()
        .map(|&reason| of_drop(reason))
        .chain(PuntReason::ALL.iter().map(|&reason| of_punt(reason)))
        .chain(errors.filter_map(of_error))
        .chain(conditions::topics())
        .chain(mistakes::topics())
        .chain(Exit::ALL.iter().map(|&exit| of_exit(exit)))
        .chain(fields::topics())
        .collect()
}

/// The topics that `name` may mean: usually one. A field such as `admin` belongs to several kinds of
/// objects, and a few words are both a condition and an error. The error is the nearest name, if
/// there is one.
pub(crate) fn find(name: &str) -> Result<Vec<Topic>, Option<String>> {
    let topics = topics();
    let exact: Vec<Topic> = topics.iter().filter(|topic| topic.name == name).cloned().collect();
    if !exact.is_empty() {
        return Ok(exact);
    }
    let alike: Vec<Topic> = topics.iter().filter(|topic| matches(topic, name)).cloned().collect();
    if !alike.is_empty() {
        return Ok(alike);
    }
    let is_last_part = |topic: &&Topic| {
        topic.sort == Sort::SiteField
            && topic.name.rsplit('.').next().is_some_and(|key| key.eq_ignore_ascii_case(name))
    };
    let parts: Vec<Topic> = topics.iter().filter(is_last_part).cloned().collect();
    if parts.is_empty() {
        return Err(
            nearest(name, topics.iter().map(|topic| topic.name.as_str())).map(str::to_owned)
        );
    }
    Ok(parts)
}

fn matches(topic: &Topic, name: &str) -> bool {
    if topic.name.eq_ignore_ascii_case(name) {
        return true;
    }
    match topic.sort {
        // `vlan-unknown` is how an option would be spelt.
        Sort::DropReason
        | Sort::ConsumedProtocol
        | Sort::Error
        | Sort::Condition
        | Sort::Mistake => topic.name.eq_ignore_ascii_case(&name.replace('-', "_")),
        Sort::ExitCode => {
            let digits = ["exit-", "exit_", "exit "].iter().find_map(|p| name.strip_prefix(p));
            let by_name = Exit::ALL.iter().find(|exit| exit.code().to_string() == topic.name);
            digits == Some(&topic.name) || by_name.is_some_and(|exit| exit.name() == name)
        }
        Sort::SiteField => false,
    }
}

#[cfg(test)]
mod tests;
