//! The fields of a site file.
//!
//! A test writes a document with every field of this list and has the model parse it, and checks that
//! no field that the model writes is missing here.

use super::{Sort, Topic};

/// One field: path, what it holds, what leaving it out means, meaning.
struct Field {
    path: &'static str,
    holds: &'static str,
    default: Option<&'static str>,
    meaning: &'static str,
}

const fn required(path: &'static str, holds: &'static str, meaning: &'static str) -> Field {
    Field { path, holds, default: None, meaning }
}

const fn optional(
    path: &'static str,
    holds: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Field {
    Field { path, holds, default: Some(default), meaning }
}

const NAME: &str = "a name: letters, digits, `-`, `_` and `.`";
const UP_DOWN: &str = "`up` or `down`";
const COUNT: &str = "a whole number from 1";
const POLICY: &str = "`forward` or `drop`";
const RATE: &str = "frames per second, or {framesPerSecond: N, burst: N}";
const VID: &str = "1 to 4094";
const NO_LIMIT: &str = "no limit";

const BFD: &str = "`off`, or {interval: 100ms, multiplier: 3}";
const INTERVAL: &str = "10ms to 60s";
const INTERVAL_MEANING: &str =
    "How often BFD control packets are sent, and the fastest that the other end may send them.";
const MULTIPLIER: &str = "1 to 255";
const MULTIPLIER_MEANING: &str =
    "How many intervals may pass without a packet before the other end counts as down.";

const STORM: &str = "Limits on broadcast, multicast and unknown unicast frames that arrive here; frames beyond are dropped as storm_broadcast, storm_multicast or storm_unknown.";
const LIMIT: &str = "How many stations may be learned; static entries do not count.";
const OVER: &str = "What happens to frames of stations beyond macLimit: forwarded unlearned, or dropped as mac_limit.";
const HOST: &str = "The host that the port is on, together with `interface`.";
const INTERFACE: &str =
    "The interface that carries the port, by its name in that host's node file.";

const FIELDS: &[Field] = &[
    optional("hosts", "a list", "empty", "The machines that run the daemon."),
    required("hosts.name", NAME, "Name of the host: the `name` of its node file."),
    optional(
        "hosts.vtep",
        "an IP address, or a list of one IPv4 and one IPv6 address",
        "none",
        "Addresses of its tunnel endpoint: what other hosts send tunnels to. Each is an address of an underlay link, or one that the fabric routes to this host.",
    ),
    optional(
        "hosts.underlay",
        "a list",
        "empty",
        "The interfaces, or VLANs of them, on which the host speaks IP for its tunnels. It answers ARP, neighbour discovery and ping there.",
    ),
    required(
        "hosts.underlay.interface",
        NAME,
        "The interface, by its name in the host's node file. It may carry a trunk at once, so that a host with one card needs no second.",
    ),
    optional(
        "hosts.underlay.vlan",
        VID,
        "untagged",
        "The VLAN of the interface that the underlay is on; its tag is 0x8100. No port of the interface may carry the same VLAN.",
    ),
    required(
        "hosts.underlay.addresses",
        "an address with its prefix, such as 192.0.2.1/24, or a list of them",
        "The host's own addresses on the link, IPv4 or IPv6. What is within their prefixes is reached without a router.",
    ),
    optional(
        "hosts.underlay.kernel",
        NAME,
        "none",
        "An interface of the node file, of kind `tap`, that leads to the kernel of the host. Everything on the link that is neither a tunnel's nor BFD of a peer goes there, and what comes from there goes out by the link. The kernel then owns the addresses, so that SSH or a routing daemon can share them.",
    ),
    optional(
        "hosts.routes",
        "a list",
        "empty",
        "Ways to addresses that are on none of the host's links; the longest prefix counts.",
    ),
    required(
        "hosts.routes.to",
        "a prefix, such as 198.51.100.0/24",
        "The destination; 0.0.0.0/0 and ::/0 are the default routes.",
    ),
    required(
        "hosts.routes.via",
        "an address, or a list of 1 to 8",
        "Routers on the host's links. Flows are spread over all of them that answer.",
    ),
    optional(
        "bridges",
        "a list",
        "empty",
        "VLAN-agnostic layer 2 networks, each with one MAC table.",
    ),
    required("bridges.name", NAME, "Name of the bridge."),
    optional(
        "bridges.vni",
        "1 to 16777215",
        "none",
        "Its number on the overlay, unique in the site.",
    ),
    optional(
        "bridges.ageing",
        "10s to 24h, such as 300s or 5m",
        "300s",
        "How long a learned entry may stay idle before it is forgotten.",
    ),
    optional("bridges.macLimit", COUNT, NO_LIMIT, LIMIT),
    optional("bridges.macLimitPolicy", POLICY, "forward", OVER),
    optional(
        "bridges.transparent",
        "true or false",
        "false",
        "Tags that arrive on access ports are payload, and the MAC table is keyed by the outer VID too. Otherwise such frames are dropped as tagged_on_access.",
    ),
    optional(
        "bridges.neighborSuppression",
        "true or false",
        "false",
        "ARP requests and IPv6 neighbour solicitations for addresses that are known are answered where they arrive and not flooded. Gratuitous ARP, probes for unknown addresses, duplicate address detection, RARP and unsolicited advertisements always pass.",
    ),
    optional(
        "bridges.mssClamp",
        "true or false",
        "false",
        "The segment size that TCP peers announce to each other through a tunnel is lowered to what fits the bridge's effective MTU.",
    ),
    optional(
        "bridges.admin",
        UP_DOWN,
        "up",
        "Whether it works; frames are dropped as admin_down otherwise.",
    ),
    optional(
        "gatewayBridges",
        "a list",
        "empty",
        "VLAN-aware devices: each owns trunks and says which VLAN leads to which bridge.",
    ),
    required("gatewayBridges.name", NAME, "Name of the gateway bridge."),
    optional(
        "gatewayBridges.mode",
        "`lease`, `stp-transparent` or `mlag`",
        "lease",
        "How several trunks to one physical network share the work: one forwards each VLAN; or all do, and the network's own spanning tree cuts the loop; or they are one multi-chassis aggregation (not in this release).",
    ),
    optional(
        "gatewayBridges.transit",
        "true or false",
        "false",
        "In mode `stp-transparent`: data, too, passes from trunk to trunk.",
    ),
    optional(
        "gatewayBridges.admin",
        UP_DOWN,
        "up",
        "Whether it works; frames are dropped as admin_down otherwise.",
    ),
    optional(
        "gatewayBridges.reserved",
        "a list",
        "empty",
        "Exceptions for reserved destination addresses, which are dropped as `reserved` otherwise.",
    ),
    required(
        "gatewayBridges.reserved.address",
        "01:80:c2:00:00:0X or :2X",
        "The reserved address.",
    ),
    required(
        "gatewayBridges.reserved.action",
        "`pass` or `drop`",
        "Whether frames to it pass from trunk to trunk.",
    ),
    optional("trunks", "a list", "empty", "Ports of gateway bridges; they carry tagged frames."),
    required("trunks.name", NAME, "Name of the trunk, unique among all ports."),
    required("trunks.gatewayBridge", NAME, "The gateway bridge that it belongs to."),
    optional("trunks.host", NAME, "not bound", HOST),
    optional("trunks.interface", NAME, "not bound", INTERFACE),
    optional(
        "trunks.lag",
        NAME,
        "none",
        "The aggregation that carries it, instead of `host` and `interface`; not in this release.",
    ),
    optional(
        "trunks.allowed",
        "VIDs and ranges, such as [10, \"20-30\"]",
        "every VID that has a VLAN link",
        "The VIDs that it carries; frames of others are dropped as vlan_unknown.",
    ),
    optional(
        "trunks.native",
        VID,
        "none",
        "The VID that untagged frames belong to; without it they are dropped as untagged_on_trunk.",
    ),
    optional(
        "trunks.tpid",
        "0x8100 or 0x88a8",
        "0x8100",
        "The type of the outer tag; frames with the other one are dropped as bad_tpid.",
    ),
    optional(
        "trunks.admin",
        UP_DOWN,
        "up",
        "Whether it works; frames are dropped as admin_down otherwise.",
    ),
    optional("trunks.macLimit", COUNT, NO_LIMIT, LIMIT),
    optional("trunks.macLimitPolicy", POLICY, "forward", OVER),
    optional("trunks.stormControl", "a mapping", NO_LIMIT, STORM),
    optional(
        "trunks.stormControl.broadcast",
        RATE,
        NO_LIMIT,
        "Limit on frames to ff:ff:ff:ff:ff:ff.",
    ),
    optional(
        "trunks.stormControl.multicast",
        RATE,
        NO_LIMIT,
        "Limit on frames to other group addresses.",
    ),
    optional(
        "trunks.stormControl.unknownUnicast",
        RATE,
        NO_LIMIT,
        "Limit on frames to stations that are in no MAC table.",
    ),
    optional(
        "trunks.stormControl.perVlan",
        "a mapping with the same three keys",
        NO_LIMIT,
        "The same limits for each VID on its own.",
    ),
    optional(
        "vlanLinks",
        "a list",
        "empty",
        "Which VID of a gateway bridge leads into which bridge.",
    ),
    required("vlanLinks.gatewayBridge", NAME, "The gateway bridge; it has one link per VID."),
    required("vlanLinks.vid", VID, "The VID; of a pair of tags the outer one."),
    optional(
        "vlanLinks.innerVid",
        VID,
        "one tag only",
        "The VID of the inner tag, where a pair of service and customer tag leads to one bridge.",
    ),
    required("vlanLinks.bridge", NAME, "The bridge."),
    optional(
        "vlanLinks.join",
        "true or false",
        "false",
        "The bridge may have further links to the same gateway bridge, which joins their VLANs into one.",
    ),
    optional("accessPorts", "a list", "empty", "Ports of bridges; they carry untagged frames."),
    required("accessPorts.name", NAME, "Name of the access port, unique among all ports."),
    required("accessPorts.bridge", NAME, "The bridge that it belongs to."),
    optional("accessPorts.host", NAME, "not bound", HOST),
    optional("accessPorts.interface", NAME, "not bound", INTERFACE),
    optional(
        "accessPorts.admin",
        UP_DOWN,
        "up",
        "Whether it works; frames are dropped as admin_down otherwise.",
    ),
    optional("accessPorts.macLimit", COUNT, NO_LIMIT, LIMIT),
    optional("accessPorts.macLimitPolicy", POLICY, "forward", OVER),
    optional(
        "accessPorts.stormControl",
        "a mapping with broadcast, multicast, unknownUnicast",
        NO_LIMIT,
        STORM,
    ),
    optional(
        "lags",
        "a list",
        "empty",
        "Link aggregations; accepted and checked, not used in this release.",
    ),
    required("lags.name", NAME, "Name of the aggregation."),
    required(
        "lags.members",
        "a list of {host, interface}",
        "Its member links, of one host or of several.",
    ),
    optional(
        "staticMacs",
        "a list",
        "empty",
        "Stations whose place is fixed; they win over learned entries.",
    ),
    required("staticMacs.bridge", NAME, "The bridge that the station is in."),
    required("staticMacs.mac", "an individual MAC address", "The station."),
    required(
        "staticMacs.port",
        NAME,
        "The trunk, access port or tunnel behind which it is; of any host.",
    ),
    optional(
        "staticMacs.vid",
        VID,
        "none",
        "The VID of the link that leads there, if the port is a trunk.",
    ),
    optional(
        "staticMacs.innerVid",
        VID,
        "none",
        "The inner VID of the link that leads there, if it has one.",
    ),
    optional(
        "staticMacs.payloadVid",
        VID,
        "untagged",
        "In a transparent bridge: the VID of the payload's outer tag.",
    ),
    optional(
        "tunnelZones",
        "a list",
        "empty",
        "Hosts that reach each other by tunnels of one kind: each has one to each other.",
    ),
    required("tunnelZones.name", NAME, "Name of the zone."),
    required(
        "tunnelZones.kind",
        "`vxlan` or `gre`",
        "How its hosts wrap frames: VXLAN with the bridge's `vni`, or GRE with the `vni` as key.",
    ),
    optional(
        "tunnelZones.hosts",
        "a list of names",
        "empty",
        "Its hosts, each with a `vtep`. A host may be in several zones, two hosts share at most one.",
    ),
    optional(
        "tunnelZones.ipVersion",
        "`auto`, `ipv4` or `ipv6`",
        "auto",
        "The IP version of tunnels between its hosts; auto is IPv4 between two hosts that both have such a `vtep`, else IPv6.",
    ),
    optional(
        "tunnelZones.udpChecksum",
        "`auto`, `zero` or `computed`",
        "auto",
        "The outer UDP checksum of VXLAN: auto is zero over IPv4 and computed over IPv6; zero sends and accepts none over either (RFC 6935); computed sends one over both. A wrong checksum that arrives is always dropped as tunnel_bad_checksum.",
    ),
    optional(
        "tunnelZones.udpPort",
        "1 to 65535, but not 3784 or 4784",
        "4789",
        "The UDP port of VXLAN; older Linux devices use 8472.",
    ),
    optional(
        "tunnelZones.dscp",
        "0 to 63, or `copy`",
        "0",
        "The DSCP of the outer header: a fixed one, or that of the packet inside.",
    ),
    optional(
        "tunnelZones.bfd",
        BFD,
        "{interval: 100ms, multiplier: 3}",
        "How hosts watch each other: a host that is not heard is sent nothing, and what was learned behind it is forgotten.",
    ),
    optional("tunnelZones.bfd.interval", INTERVAL, "100ms", INTERVAL_MEANING),
    optional("tunnelZones.bfd.multiplier", MULTIPLIER, "3", MULTIPLIER_MEANING),
    optional(
        "tunnels",
        "a list",
        "empty",
        "Tunnels of the hosts of a zone to endpoints that do not run this daemon, such as a Linux or Open vSwitch VXLAN port.",
    ),
    required("tunnels.name", NAME, "Name of the tunnel, unique among all ports and hosts."),
    required("tunnels.zone", NAME, "The zone whose hosts use it, and whose properties it has."),
    required(
        "tunnels.remote",
        "an IP address",
        "The remote endpoint. Hosts without a `vtep` of its IP version do not use the tunnel.",
    ),
    optional(
        "tunnels.bridges",
        "a list of names",
        "empty",
        "The bridges that it carries, each with a `vni`. Frames of others are dropped as vtep_unknown.",
    ),
    optional("tunnels.bfd", BFD, "off", "How the endpoint is watched; it has to speak BFD then."),
    optional("tunnels.bfd.interval", INTERVAL, "100ms", INTERVAL_MEANING),
    optional("tunnels.bfd.multiplier", MULTIPLIER, "3", MULTIPLIER_MEANING),
];

/// Every field as a topic.
pub(super) fn topics() -> impl Iterator<Item = Topic> {
    FIELDS.iter().map(|field| Topic {
        holds: Some(field.holds),
        default: Some(field.default.unwrap_or("required")),
        ..Topic::new(field.path, Sort::SiteField, field.meaning)
    })
}
