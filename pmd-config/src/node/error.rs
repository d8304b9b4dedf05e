//! What is wrong with a node file, and where.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong with a node file.
///
/// Displayed as `file:line:column: message`, the line with the place marked, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeError {
    /// The file's name as the caller gave it.
    pub source_name: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The place in the text, in octets.
    pub span: Range<usize>,
    /// The line's text.
    pub excerpt: String,
    /// What is wrong: names the key and the value.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl NodeError {
    pub(super) fn new(
        source_name: &str,
        text: &str,
        span: Range<usize>,
        message: String,
        help: String,
    ) -> Self {
        let at = floor_boundary(text, span.start);
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let excerpt = text[start..].lines().next().unwrap_or_default().to_owned();
        Self {
            source_name: source_name.to_owned(),
            line: text[..at].matches('\n').count() + 1,
            column: text[start..at].chars().count() + 1,
            span,
            excerpt,
            message,
            help,
        }
    }
}

/// The largest character boundary at or below `at`.
fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source_name, line, column, span, excerpt, message, help } = self;
        writeln!(f, "{source_name}:{line}:{column}: {message}")?;
        let gutter = line.to_string().len();
        let room = excerpt.chars().count().saturating_sub(column - 1).max(1);
        let carets = "^".repeat(span.len().clamp(1, room));
        // Tabs stay tabs, so that the caret stands below the place whatever their width.
        let indent: String =
            excerpt.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        writeln!(f, "{line} | {excerpt}")?;
        writeln!(f, "{:gutter$} | {indent}{carets}", "")?;
        write!(f, "{:gutter$} = help: {help}", "")
    }
}

/// Everything that is wrong with a node file, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeErrors(pub(super) Vec<NodeError>);

impl NodeErrors {
    /// The single errors.
    pub fn iter(&self) -> std::slice::Iter<'_, NodeError> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a NodeErrors {
    type Item = &'a NodeError;
    type IntoIter = std::slice::Iter<'a, NodeError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for NodeErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for NodeErrors {}
