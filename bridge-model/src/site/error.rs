//! Errors in a site file, shown with the line they are about.

use std::fmt;
use std::ops::Range;

use super::node::Place;

/// A second place in the file that an error is about: where the other object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherPlace {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Octets of the text.
    pub span: Range<usize>,
    /// What is there.
    pub label: String,
}

/// One error in a site file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The octets of the text that are at fault.
    pub span: Range<usize>,
    /// A stable name for the kind of error.
    pub code: &'static str,
    /// What is wrong: the object, the value, the other object.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// The other object, if it stands in the same file.
    pub other: Option<OtherPlace>,
}

impl SiteError {
    pub(super) fn at(place: &Place, code: &'static str, message: String, help: String) -> Self {
        let Place { line, column, span } = place.clone();
        Self { line, column, span, code, message, help, other: None }
    }
}

/// All errors of a site file, in the order of their places. Its display shows each with file, line,
/// column, the line itself, a caret and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteErrors {
    source_name: String,
    text: String,
    errors: Vec<SiteError>,
}

impl SiteErrors {
    pub(super) fn new(source_name: &str, text: &str, mut errors: Vec<SiteError>) -> Self {
        errors.sort_by_key(|error| (error.span.start, error.span.end));
        Self { source_name: source_name.to_owned(), text: text.to_owned(), errors }
    }

    /// The errors, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &SiteError> {
        self.errors.iter()
    }

    /// How many there are: at least one.
    pub fn len(&self) -> usize {
        self.errors.len()
    }

    /// Whether there is none, which does not happen.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The name of the file.
    pub fn source_name(&self) -> &str {
        &self.source_name
    }

    fn show_place(
        &self,
        f: &mut fmt::Formatter<'_>,
        (line, column): (usize, usize),
        span: &Range<usize>,
        label: &str,
    ) -> fmt::Result {
        let text = self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let marked = self.text.get(span.clone()).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default().chars().count().max(1);
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs keep their width under the line, so that the caret stands where it should.
        let indent: String = text
            .chars()
            .chain(std::iter::repeat(' '))
            .take(column.saturating_sub(1))
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let carets = "^".repeat(marked);
        writeln!(f, "{number} | {text}")?;
        let label = if label.is_empty() { String::new() } else { format!(" {label}") };
        writeln!(f, "{gutter} | {indent}{carets}{label}")
    }
}

impl fmt::Display for SiteErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let SiteError { line, column, span, code, message, help, other } = error;
            writeln!(f, "{}:{line}:{column}: {message} [{code}]", self.source_name)?;
            self.show_place(f, (*line, *column), span, "")?;
            if let Some(other) = other {
                self.show_place(f, (other.line, other.column), &other.span, &other.label)?;
            }
            writeln!(f, "  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SiteErrors {}
