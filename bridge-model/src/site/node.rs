//! The text as a tree of values, each with its place, before anything is known of their meaning.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::error::SiteError;

/// Where something stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Line, from 1.
    pub(super) line: usize,
    /// Column in characters, from 1.
    pub(super) column: usize,
    /// Octets of the text.
    pub(super) span: Range<usize>,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    /// A text, number or truth value, as it is written (of a quoted one, what it says).
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Place, String, Node)>),
}

impl Value {
    /// What it is, for messages.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Reads a text as YAML, of which JSON is a part.
pub(super) fn read(text: &str) -> Result<Node, Box<SiteError>> {
    let mut options = serde_saphyr::Options::default();
    if let Some(budget) = &mut options.budget {
        // A site of 4094 VLANs, each with a bridge and its ports, has some 100 000 values; the
        // defaults of the reader guard against texts that are built to explode, and still do.
        budget.max_nodes = 4_000_000;
        budget.max_events = 8_000_000;
        budget.max_total_scalar_bytes = 256 << 20;
    }
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(node(text, raw)),
        Err(error) => Err(Box::new(syntax_error(text, &error))),
    }
}

fn syntax_error(text: &str, error: &serde_saphyr::Error) -> SiteError {
    let error = error.without_snippet();
    let place = error
        .location()
        .map_or(Place { line: 1, column: 1, span: 0..0 }, |location| place(text, &location));
    let (message, help) = match error {
        serde_saphyr::Error::DuplicateMappingKey { key, .. } => (
            format!("key {} stands twice in one mapping", key.as_deref().unwrap_or_default()),
            "remove one of the two".to_owned(),
        ),
        serde_saphyr::Error::MultipleDocuments { .. } => (
            "a second document begins here".to_owned(),
            "a site file holds one document: join them under one set of keys".to_owned(),
        ),
        // The place stands in front of every message, so it need not be repeated behind it.
        other => (
            other.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
            "a site file is YAML or JSON: check indentation, colons, quotes and brackets up to \
             this place"
                .to_owned(),
        ),
    };
    SiteError::at(&place, "syntax", message, help)
}

fn place(text: &str, location: &Location) -> Place {
    let to_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (line, column) = (to_usize(location.line()).max(1), to_usize(location.column()).max(1));
    let span = location.span();
    // Some errors come with line and column only.
    let start = span.byte_offset().map_or_else(|| offset(text, line, column), to_usize);
    let start = start.min(text.len());
    let end = start.saturating_add(span.byte_len().map_or(0, to_usize)).min(text.len());
    // The span of a collection may reach into the next line.
    let slice = text.get(start..end).unwrap_or_default();
    let end = start + slice.trim_end().len();
    Place { line, column, span: start..end }
}

/// The octet at which a line and column stand.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines_before = text.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>();
    let rest = text.get(lines_before..).unwrap_or_default();
    lines_before + rest.chars().take(column - 1).map(char::len_utf8).sum::<usize>()
}

/// A value as the reader delivers it.
enum Raw {
    Null,
    /// A text that was decoded.
    Text(String),
    /// A number or truth value, whose text is in the source.
    Typed,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Key>, Spanned<Raw>)>),
}

/// A key of a mapping: a text, or anything that can be written as one.
struct Key(String);

fn node(text: &str, raw: Spanned<Raw>) -> Node {
    let used = place(text, &raw.referenced);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(text) => Value::Scalar(text),
        Raw::Typed => {
            let defined = place(text, &raw.defined);
            Value::Scalar(text.get(defined.span).unwrap_or_default().to_owned())
        }
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(text, item)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (place(text, &key.referenced), key.value.0, node(text, value)))
                .collect(),
        ),
    };
    Node { place: used, value }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}
