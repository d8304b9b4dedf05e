//! Every input of the corpora, once.

use std::path::Path;

fn replay(target: fn(&[u8]), name: &str) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut inputs = 0;
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        target(&std::fs::read(path).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "{} is empty", corpus.display());
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
