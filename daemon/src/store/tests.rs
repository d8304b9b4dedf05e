use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

struct Place {
    directory: tempfile::TempDir,
    store: SiteStore,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let store = SiteStore::new(&directory.path().join("site.yaml"), directory.path());
    Place { directory, store }
}

fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(place.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_written_is_read_with_its_revision_and_nothing_else_is_left() {
    let place = place();

    let fingerprint = place.store.write(Revision(7), "hosts: []\n").unwrap();

    assert_eq!(place.store.read().unwrap(), "hosts: []\n");
    assert_eq!(place.store.revision_of(fingerprint), Revision(7));
    assert_eq!(names(&place), ["revision", "site.yaml"]);
}

#[test]
fn a_file_edited_by_hand_gets_the_next_revision() {
    let place = place();
    place.store.write(Revision(7), "old").unwrap();

    assert_eq!(place.store.revision_of(Fingerprint::of("edited")), Revision(8));
}

#[test]
fn a_first_start_and_an_unreadable_note_count_from_1() {
    let place = place();
    assert_eq!(place.store.revision_of(Fingerprint::of("x")), Revision(1));

    fs::write(place.directory.path().join("revision"), "garbage").unwrap();
    assert_eq!(place.store.revision_of(Fingerprint::of("x")), Revision(1));
}

#[test]
fn a_symbolic_link_and_permission_bits_survive_a_replacement() {
    let place = place();
    let real = place.directory.path().join("real.yaml");
    fs::write(&real, "old").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&real, place.store.path()).unwrap();

    place.store.write(Revision(1), "new").unwrap();

    assert!(fs::symlink_metadata(place.store.path()).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), "new");
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_a_crash_left_beside_the_file_is_no_obstacle() {
    let place = place();
    fs::write(place.directory.path().join(".site.yaml.new"), "half a docum").unwrap();

    place.store.write(Revision(1), "whole").unwrap();

    assert_eq!(place.store.read().unwrap(), "whole");
    assert_eq!(names(&place), ["revision", "site.yaml"]);
}

#[test]
fn every_way_a_site_file_cannot_be_read_has_its_own_message() {
    let place = place();
    let message = || place.store.read().unwrap_err().to_string();
    assert!(message().contains("no such site file"), "{}", message());

    fs::write(place.store.path(), [0xff, 0xfe]).unwrap();
    assert!(message().contains("not UTF-8"), "{}", message());

    let file = fs::File::create(place.store.path()).unwrap();
    file.set_len(SITE_LIMIT as u64 + 1).unwrap();
    assert!(message().contains("too many"), "{}", message());

    fs::remove_file(place.store.path()).unwrap();
    fs::create_dir(place.store.path()).unwrap();
    assert!(message().contains("cannot read"), "{}", message());
}

#[test]
fn a_write_that_fails_leaves_the_old_file_and_no_other() {
    let place = place();
    place.store.write(Revision(1), "old").unwrap();
    // Renaming a file over a directory that is not empty fails whatever rights the test has.
    let store = SiteStore::new(&place.directory.path().join("blocked"), place.directory.path());
    fs::create_dir_all(store.path().join("child")).unwrap();

    let error = store.write(Revision(2), "new").unwrap_err();

    assert_eq!(error.step, "rename");
    assert_eq!(place.store.read().unwrap(), "old");
    assert_eq!(names(&place), ["blocked", "revision", "site.yaml"]);
}
