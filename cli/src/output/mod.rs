//! How results reach stdout: one value, in the format that was asked for.
//!
//! Every command builds a [`Report`]: the value itself, which becomes JSON or YAML unchanged, and the
//! text that a person reads. So no format can say more than another by accident.

mod table;
mod text;

use std::io::{self, Write};

use serde::Serialize;

pub(crate) use self::table::Table;
use self::text::one_line;
pub(crate) use self::text::{duration, grouped, octets, rate, span, vid_ranges, word, yes};
use crate::failure::Failure;

/// The format of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Columns for a terminal.
    #[default]
    Table,
    /// As `table`, with further columns.
    Wide,
    /// The names only, one per line.
    Name,
    /// JSON: 64-bit numbers are strings, names are camelCase.
    Json,
    /// YAML with the same content as JSON.
    Yaml,
}

impl Format {
    /// Whether the text for people is asked for.
    pub(crate) const fn is_text(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// Whether text may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Escape sequences are understood.
    On,
    /// Plain text only.
    Off,
}

/// A meaning that colour may underline; it never carries information of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// All is well, or something was added.
    Good,
    /// Something needs attention, or was changed.
    Warning,
    /// Something is broken, or was removed.
    Bad,
}

impl Colour {
    /// Decides from the choice on the command line, `NO_COLOR`, and where stdout leads.
    pub(crate) fn choose(choice: clap::ColorChoice, no_color: bool, is_terminal: bool) -> Self {
        match choice {
            clap::ColorChoice::Always => Self::On,
            clap::ColorChoice::Auto if is_terminal && !no_color => Self::On,
            clap::ColorChoice::Auto | clap::ColorChoice::Never => Self::Off,
        }
    }

    /// `text` in the colour of `tone`.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match (self, tone) {
            (Self::Off, _) => return text.to_owned(),
            (Self::On, Tone::Good) => 32,
            (Self::On, Tone::Warning) => 33,
            (Self::On, Tone::Bad) => 31,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// A result in all its formats.
#[derive(Debug)]
pub(crate) struct Report<'a, T> {
    /// What JSON and YAML show.
    pub(crate) value: &'a T,
    /// What `-o name` shows, one per line.
    pub(crate) names: Vec<String>,
    /// What `-o table` and `-o wide` show, with its final newline.
    pub(crate) text: String,
}

/// Where results go, and how.
#[derive(Debug)]
pub(crate) struct Output<W> {
    writer: W,
    /// The format that was asked for.
    pub(crate) format: Format,
    /// Whether text may be coloured.
    pub(crate) colour: Colour,
}

impl<W: Write> Output<W> {
    /// Results go to `writer`.
    pub(crate) const fn new(writer: W, format: Format, colour: Colour) -> Self {
        Self { writer, format, colour }
    }

    /// Writes a report in the format that was asked for.
    pub(crate) fn report<T: Serialize>(&mut self, report: &Report<'_, T>) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table | Format::Wide => report.text.clone(),
            Format::Name => lines(&report.names),
            Format::Json => json(report.value)?,
            Format::Yaml => yaml(report.value)?,
        };
        self.raw(&text)
    }

    /// Writes `text` as it is.
    pub(crate) fn raw(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Writes `octets` as they are.
    pub(crate) fn bytes(&mut self, octets: &[u8]) -> Result<(), Failure> {
        let written = self.writer.write_all(octets).and_then(|()| self.writer.flush());
        match written {
            // The reader has seen enough, for example `head`: not an error of ours.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(Failure::Output),
        }
    }
}

fn lines(names: &[String]) -> String {
    names.iter().fold(String::new(), |text, name| text + &one_line(name) + "\n")
}

fn json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| Failure::Encode { format: "JSON", reason: error.to_string() })
}

fn yaml<T: Serialize>(value: &T) -> Result<String, Failure> {
    let mut text = serde_saphyr::to_string(value)
        .map_err(|error| Failure::Encode { format: "YAML", reason: error.to_string() })?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
