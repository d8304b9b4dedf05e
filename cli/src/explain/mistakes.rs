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
        "A trunk, an access port and a tunnel, or a tunnel and a host, have the same name. Each is named in one space with the others, so that a name says which one is meant.",
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
    ("out_of_range", "A number is out of the range that its field has."),
    (
        "not_a_host_address",
        "An address of the underlay is a multicast, broadcast, loopback or link-local one, or that of a prefix, and so not that of one machine.",
    ),
    (
        "address_taken",
        "Two machines, or two links of one, have the same address. A host's own tunnel endpoint may be an address of one of its links.",
    ),
    ("listed_twice", "A list names the same thing twice."),
    ("underlay_twice", "A host has two underlay links on the same VLAN of one interface."),
    ("underlay_without_address", "An underlay link has no address, so nothing can be sent by it."),
    (
        "underlay_untagged_taken",
        "An untagged underlay link is on an interface whose untagged frames belong to an access port, to a trunk's native VLAN or to an aggregation.",
    ),
    (
        "underlay_vlan_taken",
        "An underlay link is on a VLAN that a port of the same interface carries: a trunk by its allowed list, a VLAN link or its native VLAN; an access port of a transparent bridge; or an aggregation.",
    ),
    (
        "underlay_tpid",
        "An underlay VLAN, which is tagged 0x8100, is next to a trunk whose tags are 0x88a8. One interface speaks one of the two.",
    ),
    (
        "kernel_taken",
        "The interface to the kernel of an underlay link carries a port, another underlay link, or serves two links.",
    ),
    ("route_twice", "A host has two routes to the same prefix."),
    ("next_hop_count", "A route has no next hop, or more than eight."),
    ("next_hop_family", "The next hop of a route is of the other IP version than its prefix."),
    (
        "next_hop_off_link",
        "The next hop of a route is within no prefix of the host's underlay links, so it cannot be reached.",
    ),
    ("next_hop_own", "The next hop of a route is an address of the host itself."),
    (
        "zones_overlap",
        "Two hosts are in two tunnel zones together. They would have two tunnels to each other, and every flooded frame would arrive twice.",
    ),
    (
        "host_without_family",
        "A host of a tunnel zone has no tunnel endpoint address of the zone's IP version.",
    ),
    (
        "no_common_family",
        "Two hosts of a tunnel zone have no IP version in common, so they cannot reach each other.",
    ),
    (
        "udp_needs_vxlan",
        "A tunnel zone of kind `gre` has a UDP port or checksum, but GRE has no UDP header.",
    ),
    (
        "remote_taken",
        "Two tunnels lead to the same endpoint, so it could not be told by which a frame came.",
    ),
    (
        "remote_unreachable",
        "No host of the tunnel's zone has a tunnel endpoint address of the remote's IP version.",
    ),
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
