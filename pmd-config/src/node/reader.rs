//! Reads TOML tables key by key, and collects every error instead of stopping at the first.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{NodeError, NodeErrors};

/// The text being read and what was found wrong so far.
pub(super) struct Reader<'a> {
    source_name: &'a str,
    text: &'a str,
    errors: RefCell<Vec<NodeError>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source_name: &'a str, text: &'a str) -> Self {
        Self { source_name, text, errors: RefCell::default() }
    }

    pub(super) fn error(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let error = NodeError::new(self.source_name, self.text, span, message.into(), help.into());
        self.errors.borrow_mut().push(error);
    }

    /// The line, from 1, that `span` starts in.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.text.bytes().take(span.start).filter(|&b| b == b'\n').count() + 1
    }

    /// `value` unless something was found wrong.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, NodeErrors> {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|error| error.span.start);
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(NodeErrors(errors)),
        }
    }
}

/// One table of the file: keys are taken from it; what is left at the end is unknown.
pub(super) struct Fields<'r, 'a> {
    reader: &'r Reader<'a>,
    /// How messages name the table: empty at the top level, else with a trailing dot.
    prefix: String,
    span: Range<usize>,
    table: &'r DeTable<'a>,
    known: RefCell<Vec<&'static str>>,
}

/// A value and where it stands.
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<'r, 'a> Fields<'r, 'a> {
    pub(super) fn new(
        reader: &'r Reader<'a>,
        prefix: String,
        span: Range<usize>,
        table: &'r DeTable<'a>,
    ) -> Self {
        Self { reader, prefix, span, table, known: RefCell::default() }
    }

    pub(super) fn reader(&self) -> &'r Reader<'a> {
        self.reader
    }

    /// Where the table stands: its header or its key.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// How messages name `key` of this table.
    pub(super) fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.table.get(key).is_some()
    }

    fn take(&self, key: &'static str) -> Option<&'r Spanned<DeValue<'a>>> {
        self.known.borrow_mut().push(key);
        self.table.get(key)
    }

    pub(super) fn error(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.reader.error(span, message, help);
    }

    /// The text of `key`; anything else than text is an error with `help`.
    pub(super) fn text(&self, key: &'static str, help: &str) -> Option<At<&'r str>> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(At { value: text, span: value.span() }),
            other => {
                self.wrong_type(key, value.span(), other, "text", help);
                None
            }
        }
    }

    /// The text of `key`, read by `parse`; `help` says what to write.
    pub(super) fn parsed<T, E: ToString>(
        &self,
        key: &'static str,
        help: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<At<T>> {
        let At { value, span } = self.text(key, help)?;
        match parse(value) {
            Ok(value) => Some(At { value, span }),
            Err(error) => {
                self.error(span, format!("{}: {}", self.path(key), error.to_string()), help);
                None
            }
        }
    }

    /// The whole number of `key` if it lies in `range`.
    pub(super) fn number(
        &self,
        key: &'static str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<At<u32>> {
        let value = self.take(key)?;
        let help = format!("write a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(integer) = value.get_ref() else {
            self.wrong_type(key, value.span(), value.get_ref(), "a number", &help);
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.and_then(|number| u32::try_from(number).ok());
        match number {
            Some(found) if range.contains(&found) => Some(At { value: found, span: value.span() }),
            _ => {
                let path = self.path(key);
                let text = integer.as_str();
                self.error(value.span(), format!("{path}: {text} is out of range"), help);
                None
            }
        }
    }

    /// The absolute path of `key`, fit to be handed to a driver.
    pub(super) fn absolute_path(&self, key: &'static str, example: &str) -> Option<At<PathBuf>> {
        let help = format!("write an absolute path such as \"{example}\"");
        self.parsed(key, &help, |text| {
            if !Path::new(text).is_absolute() {
                return Err(format!("{text:?} is not an absolute path"));
            }
            // What DPDK splits its device arguments at, and what no path needs.
            match text.chars().find(|&c| {
                matches!(c, ',' | '=' | '[' | ']') || c.is_control() || c.is_whitespace()
            }) {
                Some(c) => Err(format!("{text:?} contains {c:?}, which no path here may contain")),
                None => Ok(PathBuf::from(text)),
            }
        })
    }

    /// The path of a Unix socket: an absolute path that fits in `sun_path`.
    pub(super) fn socket_path(&self, key: &'static str, example: &str) -> Option<At<PathBuf>> {
        let At { value, span } = self.absolute_path(key, example)?;
        let octets = value.as_os_str().len();
        if octets > MAX_SOCKET_PATH {
            let path = self.path(key);
            let message = format!(
                "{path}: the path has {octets} characters, a socket's at most {MAX_SOCKET_PATH}"
            );
            self.error(span, message, "choose a shorter folder, such as /run/sluice");
            return None;
        }
        Some(At { value, span })
    }

    /// The sub-table `key`.
    pub(super) fn table(&self, key: &'static str) -> Option<Self> {
        let value = self.take(key)?;
        let name_span = self.key_span(key);
        match value.get_ref() {
            DeValue::Table(table) => {
                Some(Self::new(self.reader, format!("{}.", self.path(key)), name_span, table))
            }
            other => {
                let help = format!("write a section [{}]", self.path(key));
                self.wrong_type(key, value.span(), other, "a section", &help);
                None
            }
        }
    }

    /// Every entry of this table in the order of the text.
    pub(super) fn entries(&self) -> Vec<(&'r str, Range<usize>, &'r Spanned<DeValue<'a>>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }

    /// Reports every key that nobody took.
    pub(super) fn refuse_the_rest(&self) {
        let mut known = self.known.borrow().clone();
        known.sort_unstable();
        known.dedup();
        for (key, span, _) in self.entries() {
            if known.contains(&key) {
                continue;
            }
            let message = format!("unknown key {:?}", self.path(key));
            let help = match nearest(key, &known) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("known here: {}", known.join(", ")),
            };
            self.error(span, message, help);
        }
    }

    pub(super) fn wrong_type(
        &self,
        key: &str,
        span: Range<usize>,
        found: &DeValue<'_>,
        expected: &str,
        help: &str,
    ) {
        let message = format!("{}: expected {expected}, found {}", self.path(key), kind_of(found));
        self.error(span, message, help);
    }

    pub(super) fn key_span(&self, key: &str) -> Range<usize> {
        self.table.get_key_value(key).map_or(self.span.clone(), |(key, _)| key.span())
    }

    /// The value of `key` whatever its type, which the caller judges.
    pub(super) fn any(&self, key: &'static str) -> Option<&'r Spanned<DeValue<'a>>> {
        self.take(key)
    }
}

/// `sun_path` holds 108 octets, the last of them zero.
pub(super) const MAX_SOCKET_PATH: usize = 107;

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list in brackets",
        DeValue::Table(_) => "a section",
    }
}

/// The candidate that `word` was probably meant to be: at most a third of its letters differ.
pub(super) fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let limit = word.chars().count().div_ceil(3);
    candidates
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Single-letter insertions, deletions, replacements and swaps of neighbours between two words
/// (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let replace = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}
