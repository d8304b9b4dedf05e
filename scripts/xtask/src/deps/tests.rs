use super::*;

fn check(from: &str, to: &str, inside: bool, expected: Option<&str>) {
    let members = BTreeSet::from([from.to_owned()]);
    let edges = BTreeSet::from([Edge { from: from.to_owned(), to: to.to_owned(), inside }]);
    let found = judge(&members, &edges);
    match expected {
        None => assert_eq!(found, Vec::<String>::new()),
        Some(part) => assert!(found.iter().any(|text| text.contains(part)), "{found:?}"),
    }
}

#[test]
fn this_workspace_keeps_the_dependency_rule() {
    assert_eq!(findings().unwrap(), Vec::<String>::new());
}

#[test]
fn an_allowed_edge_is_silent_and_its_reverse_is_named() {
    check("fwd", "bridge-model", true, None);
    check("bridge-model", "fwd", true, Some("bridge-model -> fwd: forbidden"));
    check("cli", "fwd", true, Some("may depend on bridge-model, proto"));
}

#[test]
fn only_rte_rs_and_the_composition_root_see_the_raw_bindings() {
    check("rte-rs", "dpdk-sys", true, None);
    check("daemon", "dpdk-sys", true, None);
    check("fwd-worker", "dpdk-sys", true, Some("forbidden"));
}

#[test]
fn an_executor_on_the_packet_path_is_refused_with_the_reason() {
    check("fwd", "tokio", false, Some("packet path"));
    check("daemon", "tokio", false, None);
}

#[test]
fn a_crate_without_a_row_is_refused() {
    check("newcomer", "serde", false, Some("give it a row"));
}

#[test]
fn the_rule_itself_has_no_cycle() {
    // Repeatedly remove the crates that depend on nothing that is left.
    let mut left: Vec<_> = ALLOWED.to_vec();
    loop {
        let names: Vec<_> = left.iter().map(|(name, _)| *name).collect();
        let before = left.len();
        left.retain(|(_, to)| to.iter().any(|name| names.contains(name)));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "a cycle among {left:?}");
}
