//! Checks of the tree that no compiler makes.
//!
//! Each check is a function from files to findings, so that a test can hand it a bad file.

use std::path::Path;

use crate::tree::{self, File, TreeError};

/// The length at which a source file is too long, in lines; aim for half of it.
const LONGEST_FILE: usize = 900;

/// Where `unsafe` may stand: the bindings, and the kernels that need an instruction set.
const UNSAFE_HOME: &[&str] = &["pmd-config/", "fwd/src/mac/kernel", "fwd/src/isa.rs"];

/// Words that mark unfinished work, split so that this file does not find itself.
const LEFT_OVERS: &[&str] =
    &[concat!("FIX", "ME"), concat!("XX", "X"), concat!("to", "do!("), concat!("db", "g!(")];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/tmp/", "team"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

/// What is wrong with the tree.
pub(crate) fn findings() -> Result<Vec<String>, TreeError> {
    let files = tree::files()?;
    let mut found = Vec::new();
    for file in &files {
        found.extend(unsafe_outside_its_home(file));
        found.extend(too_long(file));
        found.extend(left_overs(file));
        found.extend(machine_paths(file));
    }
    found.extend(undocumented_reasons(
        &tree::read("bridge-model/src/reason.rs")?,
        &tree::read("docs/ops/drop-reasons.md")?,
    ));
    found.extend(unlinked_decisions(&files, &tree::read("docs/adr/README.md")?));
    Ok(found)
}

fn extension(path: &str) -> &str {
    Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

fn is_rust(path: &str) -> bool {
    extension(path) == "rs"
}

fn is_source(path: &str) -> bool {
    ["rs", "py", "sh", "proto", "c", "h"].contains(&extension(path))
        || (extension(path).is_empty()
            && (path.starts_with("scripts/") || path.starts_with(".ci/")))
}

/// `path:line: what`, for every line that `judge` finds something in.
fn per_line(file: &File, judge: impl Fn(&str) -> Option<String>) -> Vec<String> {
    file.text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            judge(line).map(|what| format!("{}:{}: {what}", file.path, index + 1))
        })
        .collect()
}

fn unsafe_outside_its_home(file: &File) -> Vec<String> {
    if !is_rust(&file.path) || UNSAFE_HOME.iter().any(|home| file.path.starts_with(home)) {
        return Vec::new();
    }
    per_line(file, |line| {
        has_word(code_of(line), "unsafe").then(|| {
            format!("`unsafe` belongs to {} only: find a safe way", UNSAFE_HOME.join(", "))
        })
    })
}

/// The line up to its comment or its first string literal.
fn code_of(line: &str) -> &str {
    let end = line.find("//").into_iter().chain(line.find('"')).min().unwrap_or(line.len());
    &line[..end]
}

/// Whether a word stands in the text, not as part of a longer identifier.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|found| found == word)
}

fn too_long(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if is_source(&file.path) && lines >= LONGEST_FILE {
        vec![format!("{}: {lines} lines; split it, the limit is {LONGEST_FILE}", file.path)]
    } else {
        Vec::new()
    }
}

fn left_overs(file: &File) -> Vec<String> {
    if !is_source(&file.path) {
        return Vec::new();
    }
    per_line(file, |line| {
        LEFT_OVERS.iter().find(|word| line.contains(*word)).map(|word| {
            format!("`{word}` marks unfinished work: finish it, or open an issue and say TODO(#n)")
        })
    })
}

fn machine_paths(file: &File) -> Vec<String> {
    per_line(file, |line| {
        MACHINE_PATHS
            .iter()
            .find(|path| line.contains(*path))
            .map(|path| format!("`{path}` is a path of one machine: make it relative or an option"))
    })
}

/// Names declared in a closed list: lines such as `Malformed = "malformed", Admission, Attack,`.
fn declared_reasons(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let (variant, rest) = line.trim().split_once(" = \"")?;
        let (name, rest) = rest.split_once('"')?;
        (variant.chars().all(char::is_alphanumeric) && rest.starts_with(", ")).then_some(name)
    })
}

fn undocumented_reasons(source: &str, page: &str) -> Vec<String> {
    let mut names = declared_reasons(source).peekable();
    if names.peek().is_none() {
        return vec!["bridge-model/src/reason.rs: no drop reason found in it".to_owned()];
    }
    names
        .filter(|name| !page.contains(&format!("`{name}`")))
        .map(|name| format!("docs/ops/drop-reasons.md: `{name}` is missing"))
        .collect()
}

fn unlinked_decisions(files: &[File], index: &str) -> Vec<String> {
    files
        .iter()
        .filter_map(|file| file.path.strip_prefix("docs/adr/"))
        .filter(|name| *name != "README.md" && !index.contains(&format!("({name})")))
        .map(|name| format!("docs/adr/README.md: no link to {name}"))
        .collect()
}

#[cfg(test)]
mod tests;
