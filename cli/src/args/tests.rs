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
