use std::collections::BTreeSet;

use super::*;

#[test]
fn every_topic_has_a_name_of_its_own_and_a_meaning() {
    let topics = topics();
    let names: BTreeSet<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();

    assert_eq!(names.len(), topics.len());
    for topic in &topics {
        assert!(topic.meaning.ends_with('.'), "{}: {}", topic.name, topic.meaning);
        assert_eq!(find(&topic.name).map(|found| found.len()), Ok(1), "{}", topic.name);
    }
}

#[test]
fn the_catalogue_is_complete() {
    let count = |sort| topics().iter().filter(|topic| topic.sort == sort).count();

    assert_eq!(count(Sort::DropReason), DropReason::COUNT);
    assert_eq!(count(Sort::ConsumedProtocol), PuntReason::COUNT);
    assert_eq!(count(Sort::ExitCode), Exit::ALL.len());
    let sent = (1..).map_while(|raw| ErrorReason::try_from(raw).ok()).count();
    assert_eq!(count(Sort::Error), sent);
}

#[test]
fn a_name_is_found_in_the_spellings_that_people_use() {
    for (spelt, name) in [
        ("VLAN_UNKNOWN", "vlan_unknown"),
        ("vlan-unknown", "vlan_unknown"),
        ("site-invalid", "SITE_INVALID"),
        ("exit-12", "12"),
        ("problems", "12"),
        ("trunks.NATIVE", "trunks.native"),
    ] {
        let names: Vec<String> = find(spelt).unwrap().into_iter().map(|topic| topic.name).collect();
        assert_eq!(names, [name], "{spelt}");
    }
}

#[test]
fn a_bare_key_finds_it_in_every_object() {
    let names: Vec<String> =
        find("macLimit").unwrap().into_iter().map(|topic| topic.name).collect();

    assert_eq!(names, ["bridges.macLimit", "trunks.macLimit", "accessPorts.macLimit"]);
}

#[test]
fn an_unknown_name_finds_the_nearest() {
    assert_eq!(find("vlan_unkown"), Err(Some("vlan_unknown".to_owned())));
    assert_eq!(find("complete nonsense"), Err(None));
}
