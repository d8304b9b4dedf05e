//! Every input of the corpora, once.

#![expect(clippy::panic, clippy::print_stderr, reason = "a test")]

use std::path::Path;

fn replay(target: fn(&[u8]), name: &str) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let inputs: Vec<_> = std::fs::read_dir(&corpus)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .unwrap_or_default();
    assert!(!inputs.is_empty(), "{} is empty", corpus.display());
    for path in inputs {
        // Shown if the target panics.
        eprintln!("{}", path.display());
        let input = std::fs::read(&path).unwrap_or_else(|error| panic!("{error}"));
        target(&input);
    }
}

#[test]
fn wire_formats_hold_on_every_input_of_the_corpus() {
    replay(fuzz::wire, "wire");
}

#[test]
fn protocols_hold_on_every_input_of_the_corpus() {
    replay(fuzz::protocols, "protocols");
}

#[test]
fn the_pipeline_holds_on_every_input_of_the_corpus() {
    replay(fuzz::pipeline, "pipeline");
}

#[test]
fn site_files_hold_on_every_input_of_the_corpus() {
    replay(fuzz::site, "site");
}
