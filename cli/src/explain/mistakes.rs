//! The mistakes that a site document can have, by the code in brackets behind the message.
//!
//! The message itself names the objects and says what to do about them; this is the rule behind it.

use super::{Sort, Topic};

const MISTAKES: &[(&str, &str)] = &[
    ("syntax", "The text is neither YAML nor JSON."),
    ("unknown_key", "A key is not known. A misspelt key would be ignored silently otherwise."),
    ("missing_key", "A key without default is missing."),
    ("value", "A value is of the wrong kind or out of range."),
    ("duplicate", "Two objects of one kind have the same name."),
    ("missing_reference", "An object names another one that does not exist."),
    (
        "port_name_taken",
        "A trunk and an access port have the same name. Ports are named in one space, so that a name says which one is meant.",
    ),
    (
        "vni_taken",
        "Two bridges have the same VNI, which would make them one network on the overlay.",
    ),
    ("vtep_taken", "Two tunnel endpoints have the same address."),
    (
        "vlan_taken",
        "A VID is linked as a whole and by pairs of tags at once. One VID of a gateway bridge leads to one bridge, since a second path for the same frames would be a loop.",
    ),
    (
        "join_needed",
        "A bridge has two links to one gateway bridge. That joins two VLANs into one network, so it has to be asked for with `join: true`.",
    ),
    ("interface_taken", "Two trunks, or two access ports, are bound to one interface."),
    ("lag_taken", "Two trunks are bound to one aggregation."),
    (
        "untagged_taken",
        "Untagged frames of one interface are claimed by the native VLAN of a trunk and by an access port.",
    ),
    ("native_not_allowed", "The native VID of a trunk is not in its allowed list."),
    ("mlag_needs_lag", "A trunk of a gateway bridge in mode `mlag` is not on an aggregation."),
    ("transparent_link", "A VLAN link leads to a transparent bridge, whose tags are payload."),
    (
        "transit_needs_mode",
        "`transit` is set outside mode `stp-transparent`, where nothing passes from trunk to trunk.",
    ),
    (
        "pass_needs_mode",
        "A reserved address is to pass between trunks that lead to one segment, where it would come back.",
    ),
    (
        "no_policy_address",
        "A policy names an address whose fate the standard fixes, or one that is not reserved.",
    ),
    ("static_elsewhere", "A static MAC names a port that does not lead to its bridge."),
    ("static_needs_vid", "A static MAC behind a trunk does not say behind which VID."),
    (
        "static_wrong_vid",
        "A static MAC names a VID that does not lead to its bridge on that trunk.",
    ),
    ("no_payload_vid", "A static MAC has a payload VID, but its bridge is not transparent."),
    ("host_without_vtep", "A host of a tunnel zone has no tunnel endpoint address."),
    ("bridge_without_vni", "A bridge on a tunnel has no VNI."),
];

/// Every mistake as a topic.
pub(super) fn topics() -> impl Iterator<Item = Topic> {
    MISTAKES.iter().map(|(code, meaning)| Topic {
        remedy: Some(
            "Follow the help below the message: `sluice check -f FILE` shows every place.",
        ),
        exit_code: Some(crate::exit::Exit::Invalid.code()),
        ..Topic::new(*code, Sort::Mistake, meaning)
    })
}
