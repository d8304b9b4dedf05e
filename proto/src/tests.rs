//! Claims about the generated code that clients rely on.

use prost::Message as _;

use crate::v1;

#[test]
fn in_json_64_bit_numbers_are_strings_and_names_are_camel_case() {
    let line = v1::AccountingLine { received: u64::MAX, difference: -1, ..Default::default() };
    let accounting = v1::Accounting { total: Some(line), ..Default::default() };

    let json = serde_json::to_value(&accounting).unwrap();

    assert_eq!(json["total"]["received"], "18446744073709551615");
    assert_eq!(json["total"]["difference"], "-1");
    let vlans = v1::ListPortsRequest { with_vlans: true, ..Default::default() };
    assert_eq!(serde_json::to_value(&vlans).unwrap()["withVlans"], true);
}

#[test]
fn in_json_zero_and_false_are_said_and_absence_is_not() {
    let json = serde_json::to_value(v1::AccountingLine::default()).unwrap();
    assert_eq!(json["difference"], "0");

    let json = serde_json::to_value(v1::Mac::default()).unwrap();
    assert!(json.get("vid").is_none(), "{json}");
    assert_eq!(json["port"], "");
    let json = serde_json::to_value(v1::ResourceStatus::default()).unwrap();
    assert_eq!(json["programmed"], false);
}

#[test]
fn times_and_durations_are_text_in_json_and_come_back() {
    let status = v1::Status {
        start_time: Some(pbjson_types::Timestamp { seconds: 0, nanos: 0 }),
        uptime: Some(pbjson_types::Duration { seconds: 3, nanos: 500_000_000 }),
        ..Default::default()
    };

    let json = serde_json::to_string(&status).unwrap();

    assert!(json.contains("1970-01-01T00:00:00"), "{json}");
    assert_eq!(serde_json::from_str::<v1::Status>(&json).unwrap(), status);
}

#[test]
fn an_older_client_reads_what_a_newer_daemon_says() {
    let json = r#"{"revision": "7", "aFieldOfTomorrow": {"x": 1}}"#;

    assert_eq!(serde_json::from_str::<v1::Status>(json).unwrap().revision, 7);
}

/// Only the names are read; field numbers from `descriptor.proto`.
#[derive(Clone, PartialEq, prost::Message)]
struct FileSet {
    #[prost(message, repeated, tag = "1")]
    file: Vec<File>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct File {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "6")]
    service: Vec<Service>,
}
#[derive(Clone, PartialEq, prost::Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
}

#[test]
fn the_descriptor_set_names_every_file_it_needs_and_both_services() {
    let set = FileSet::decode(crate::DESCRIPTORS).unwrap();

    let files: Vec<_> = set.file.iter().map(|file| file.name.as_str()).collect();
    assert!(files.contains(&"google/protobuf/timestamp.proto"), "{files:?}");
    let services: Vec<_> = set
        .file
        .iter()
        .flat_map(|file| &file.service)
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(services, ["GatewayConfig", "GatewayState"]);
}
