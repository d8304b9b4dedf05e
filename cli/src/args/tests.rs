use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_consistent_in_itself() {
    Arguments::command().debug_assert();
}

#[test]
fn every_command_and_argument_says_what_it_is() {
    fn visit(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{} has no help", command.get_name());
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
        command.get_subcommands().for_each(visit);
    }
    visit(&Arguments::command());
}

/// Puts something in the place of the words in capitals that documents leave to the reader.
fn filled(line: &str) -> Vec<String> {
    let word = |word: &str| match word {
        "MAC" => "52:54:00:00:00:01".to_owned(),
        "KIND" => "bridges".to_owned(),
        "REASON" => "hairpin".to_owned(),
        "COMMAND" => "status".to_owned(),
        "..." | "…" => String::new(),
        other => other.to_owned(),
    };
    line.split_whitespace().map(word).filter(|word| !word.is_empty()).collect()
}

#[test]
fn every_command_in_the_documents_and_in_our_own_texts_exists() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut texts = vec![std::fs::read_to_string(format!("{root}/README.md")).unwrap_or_default()];
    for entry in std::fs::read_dir(format!("{root}/docs/ops")).unwrap() {
        texts.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    for topic in crate::explain::topics() {
        texts.push(format!("{} {}", topic.meaning, topic.remedy.unwrap_or_default()));
    }
    let mut seen = 0;
    for command in texts.iter().flat_map(|text| text.split('`')) {
        let Some(line) = command.strip_prefix("sluice ").filter(|line| !line.contains('\n')) else {
            continue;
        };
        seen += 1;
        let words = ["sluice".to_owned()].into_iter().chain(filled(line));
        if let Err(error) = Arguments::try_parse_from(words) {
            use clap::error::ErrorKind::{DisplayHelp, MissingRequiredArgument};
            // `sluice apply` in a sentence names the command.
            let is_name = line.split_whitespace().count() == 1;
            let kind = error.kind();
            let is_fine = kind == DisplayHelp || is_name && kind == MissingRequiredArgument;
            assert!(is_fine, "`sluice {line}`: {error}");
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn timeouts_have_units_and_limits() {
    for (text, millis) in [("500ms", 500), ("10s", 10_000), ("2m", 120_000), ("1.5", 1_500)] {
        assert_eq!(timeout(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for text in ["", "0", "0s", "-1s", "1y", "25h", "ms", "1e999s", "1.2.3s", "inf"] {
        assert!(timeout(text).is_err(), "{text}");
    }
}

#[test]
fn an_object_is_named_with_its_kind_or_after_it() {
    let whole = target("vlanLinks/gw/100").unwrap();
    assert_eq!((whole.kind, whole.name.as_deref()), (Kind::VlanLink, Some("gw/100")));

    let kind = target("bridge").unwrap();
    assert_eq!((kind.kind, kind.name), (Kind::Bridge, None));

    assert!(target("bridges/").is_err());
    assert!(target("/web").is_err());
}
