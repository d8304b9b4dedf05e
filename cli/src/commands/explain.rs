//! `sluice explain`: what a word means.

use std::fmt::Write as _;
use std::io::Write;

use crate::args::{Explain, Page};
use crate::exit::{self, Exit};
use crate::explain::{Topic, drop_reasons, find, topics};
use crate::failure::Failure;
use crate::output::{Output, Report, Table};

/// Explains one word, lists all, or prints a page.
pub(super) fn run<W: Write>(given: &Explain, out: &mut Output<W>) -> Result<Exit, Failure> {
    match (given.markdown, given.name.as_deref()) {
        (Some(Page::DropReasons), _) => out.raw(&drop_reasons())?,
        (Some(Page::ExitCodes), _) => out.raw(&exit::markdown())?,
        (None, None) => list(out)?,
        (None, Some(name)) => one(name, out)?,
    }
    Ok(Exit::Ok)
}

fn list<W: Write>(out: &mut Output<W>) -> Result<(), Failure> {
    let topics = topics();
    let mut table = Table::new(&["NAME", "SORT", "MEANING"]);
    for topic in &topics {
        let name = topic.name.clone();
        table.row([name, topic.sort.words().to_owned(), topic.meaning.to_owned()]);
    }
    let names = topics.iter().map(|topic| topic.name.clone()).collect();
    out.report(&Report { value: &topics, names, text: table.text() })
}

fn one<W: Write>(name: &str, out: &mut Output<W>) -> Result<(), Failure> {
    let found = find(name).map_err(|near| {
        let hint = near.map_or_else(
            || "see `sluice explain --list`".to_owned(),
            |near| format!("did you mean `{near}`? See `sluice explain --list` for all"),
        );
        Failure::NotFound { message: format!("nothing is called {name:?}\n  {hint}") }
    })?;
    let text = found.iter().map(text).collect::<Vec<_>>().join("\n");
    let names = found.iter().map(|topic| topic.name.clone()).collect();
    // One topic is an object; a key that several kinds of objects have is a list.
    match found.as_slice() {
        [topic] => out.report(&Report { value: topic, names, text }),
        several => out.report(&Report { value: &several, names, text }),
    }
}

fn text(topic: &Topic) -> String {
    let mut text = format!("{}   {}\n", topic.name, topic.sort.words());
    let exit = topic.exit_code.map(|code| code.to_string());
    let lines = [
        ("stage", topic.stage),
        ("severity", topic.severity),
        ("holds", topic.holds),
        ("default", topic.default),
        ("meaning", Some(topic.meaning)),
        ("do", topic.remedy),
        ("exit", exit.as_deref()),
    ];
    for (label, words) in lines {
        if let Some(words) = words {
            _ = writeln!(text, "  {label:<8}  {words}");
        }
    }
    text
}
