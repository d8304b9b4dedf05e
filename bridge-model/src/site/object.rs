//! A mapping that is read key by key, so that what nobody asked for is found.

use super::error::SiteError;
use super::node::{Node, Place, Value};
use super::values::Errors;

/// A mapping while it is read.
pub(super) struct Object<'n, 'e> {
    errors: &'e mut Errors,
    entries: &'n [(Place, String, Node)],
    place: &'n Place,
    what: &'static str,
    asked: Vec<&'static str>,
}

impl<'n, 'e> Object<'n, 'e> {
    /// Begins to read `node`, a `what`, which has to be a mapping.
    pub(super) fn open(errors: &'e mut Errors, node: &'n Node, what: &'static str) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            errors.push(SiteError::at(
                &node.place,
                "value",
                format!("expected a {what} with its keys, found {}", node.value.what()),
                "write a mapping: {key: value, ...}, or one `key: value` per line".to_owned(),
            ));
            return None;
        };
        Some(Self { errors, entries, place: &node.place, what, asked: Vec::new() })
    }

    /// The value of a key that may be missing. An empty value counts as missing.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Errors, &Node) -> Option<T>,
    ) -> Option<T> {
        self.asked.push(key);
        let node = self.node(key)?;
        read(self.errors, node)
    }

    /// The value of a key that has to be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Errors, &Node) -> Option<T>,
    ) -> Option<T> {
        if self.node(key).is_none() {
            self.asked.push(key);
            let message = format!("the {} has no `{key}`", self.what);
            self.refuse_whole("missing_key", message, format!("add `{key}`"));
            return None;
        }
        self.optional(key, read)
    }

    /// Whether a key is there and has a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.node(key).is_some()
    }

    /// Notes an error about one key, or about the whole if the key is not there.
    pub(super) fn refuse(&mut self, key: &str, message: &str, help: &str) {
        let place = self.node(key).map_or(self.place, |node| &node.place);
        self.errors.push(SiteError::at(place, "value", message.to_owned(), help.to_owned()));
    }

    /// Ends reading: every key that nobody asked for is an error.
    pub(super) fn close(self) {
        for (place, key, _) in self.entries {
            if self.asked.contains(&key.as_str()) {
                continue;
            }
            let help = match nearest(key, &self.asked) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("a {} has: {}", self.what, self.asked.join(", ")),
            };
            let message = format!("a {} has no key `{key}`", self.what);
            self.errors.push(SiteError::at(place, "unknown_key", message, help));
        }
    }

    fn refuse_whole(&mut self, code: &'static str, message: String, help: String) {
        // The mapping as such has no extent; its first key shows where it begins.
        let place = self.entries.first().map_or(self.place, |(place, _, _)| place);
        self.errors.push(SiteError::at(place, code, message, help));
    }

    fn node(&self, key: &str) -> Option<&'n Node> {
        let (_, _, node) = self.entries.iter().find(|(_, found, _)| found == key)?;
        (!matches!(node.value, Value::Null)).then_some(node)
    }
}

/// The known key that a mistyped one most likely stands for: at most two edits away, or a third of
/// its length.
fn nearest<'k>(typed: &str, known: &[&'k str]) -> Option<&'k str> {
    let typed = typed.to_lowercase();
    let (distance, best) = known
        .iter()
        .map(|key| (edit_distance(&typed, &key.to_lowercase()), *key))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= (best.len() / 3).max(2)).then_some(best)
}

/// Insertions, deletions and substitutions that turn `a` into `b`.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = *cell;
            left = substituted.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_finds_its_neighbour() {
        let known = ["name", "gatewayBridge", "host", "interface", "native"];
        assert_eq!(nearest("gatewaybridge", &known), Some("gatewayBridge"));
        assert_eq!(nearest("intreface", &known), Some("interface"));
        assert_eq!(nearest("nmae", &known), Some("name"));
        assert_eq!(nearest("completely-different", &known), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
    }
}
