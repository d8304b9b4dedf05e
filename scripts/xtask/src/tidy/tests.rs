use super::*;

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn the_tree_is_tidy() {
    assert_eq!(findings().unwrap(), Vec::<String>::new());
}

#[test]
fn unsafe_is_found_outside_its_home_only() {
    let code = "fn f() { unsafe { g() } }";
    assert_eq!(unsafe_outside_its_home(&file("fwd/src/burst.rs", code)).len(), 1);
    assert!(unsafe_outside_its_home(&file("fwd/src/mac/kernel/avx2.rs", code)).is_empty());
    assert!(unsafe_outside_its_home(&file("pmd-config/rte-rs/src/mbuf.rs", code)).is_empty());
    let talk = "// unsafe\n#![forbid(unsafe_code)]\nlet s = \"unsafe\";";
    assert!(unsafe_outside_its_home(&file("fwd/src/lib.rs", talk)).is_empty());
}

#[test]
fn a_file_of_900_lines_is_too_long_and_one_of_899_is_not() {
    assert_eq!(too_long(&file("a.rs", &"x\n".repeat(900))).len(), 1);
    assert!(too_long(&file("a.rs", &"x\n".repeat(899))).is_empty());
    assert!(too_long(&file("Cargo.lock", &"x\n".repeat(900))).is_empty());
}

#[test]
fn left_overs_and_machine_paths_are_named_with_their_line() {
    let bad = file("a.rs", &format!("ok\n// {}\n", LEFT_OVERS[0]));
    assert!(left_overs(&bad)[0].starts_with("a.rs:2: "));
    let bad = file("README.md", &format!("cd {}x\n", MACHINE_PATHS[0]));
    assert!(machine_paths(&bad)[0].starts_with("README.md:1: "));
}

#[test]
fn a_reason_that_the_page_does_not_name_is_found() {
    let source = "    A = \"one\", Admission, Attack,\n    B = \"two\", Learn, Bug,\n";
    assert_eq!(declared_reasons(source).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(undocumented_reasons(source, "### `one`\n").len(), 1);
    assert!(undocumented_reasons("", "").len() == 1, "an empty list means a broken check");
}

#[test]
fn a_decision_without_link_is_found() {
    let files = [file("docs/adr/0001-x.md", ""), file("docs/adr/README.md", "")];
    assert_eq!(unlinked_decisions(&files, "").len(), 1);
    assert!(unlinked_decisions(&files, "[x](0001-x.md)").is_empty());
}
