//! The conditions that `sluice status` reports, by the word in brackets behind the message.
//!
//! The daemon sends effect and remedy with each; this is for those who meet the word in a log or an
//! alarm.

use super::{Sort, Topic};

const CONDITIONS: &[(&str, &str, &str)] = &[
    (
        "WORKER_STALLED",
        "A worker does not run, so frames on its interfaces are not forwarded.",
        "Find what took its CPU; if it does not recover, restart sluiced and report the log.",
    ),
    (
        "ACCOUNTING_DIFFERENCE",
        "Frames ended without being counted: a bug.",
        "Report it with the output of `sluice drops -o json` and `sluice status -o json`.",
    ),
    (
        "SITE_REFUSED",
        "The site file has mistakes or cannot be compiled; the gateway runs the configuration that it had before.",
        "Correct the places that `sluice check -f FILE` shows, then `systemctl reload sluiced`.",
    ),
    (
        "NOT_PROGRAMMED",
        "A worker did not take the newest tables and forwards by the ones before.",
        "If it lasts for more than a few seconds, restart sluiced and report the log.",
    ),
    (
        "INTERFACE_GONE",
        "A device of the node file was there and has vanished; its ports carry nothing.",
        "Bring the device back and restart sluiced.",
    ),
    (
        "INTERFACE_ABSENT",
        "A device of the node file was not there at the start; its ports carry nothing.",
        "Make it available, as `sluice check --host` says, and restart sluiced; or remove it from the node file.",
    ),
    (
        "DROPS_BUG",
        "Drops that point to a bug are increasing.",
        "See `sluice drops`, and report the reason with its sample frame.",
    ),
    (
        "LINK_DOWN",
        "A bound port has no carrier; stations behind it were forgotten.",
        "Plug in the cable, or set `admin: down` if it is meant to be down.",
    ),
    (
        "UNDERLAY_MISSING",
        "This host is to tunnel and has no way onto the underlay.",
        "Set `underlay` on the host, or add the link's interface to the node file and restart sluiced.",
    ),
    (
        "ADDRESS_CONFLICT",
        "Another station uses an underlay address of this host, so tunnels come and go.",
        "Find the station by its MAC address on the switches; one of the two must get another address.",
    ),
    (
        "TUNNEL_DOWN",
        "BFD says that a host or a tunnel's endpoint is out of reach; nothing is sent to it and its stations were forgotten.",
        "See `sluice tunnels NAME -o wide`; look at the underlay between the two, and whether the other side runs.",
    ),
    (
        "TUNNEL_NO_ROUTE",
        "No link with carrier and no route leads to a host or a tunnel's endpoint.",
        "Bring up the link, or add a route or an address to this host in the site file.",
    ),
    (
        "NEIGHBOR_UNRESOLVED",
        "A next hop on the underlay does not answer ARP or neighbour solicitations.",
        "See `sluice underlay`; check the cable, the VLAN of the link and the address of the next hop.",
    ),
    (
        "PORT_WAITING",
        "A port is bound to an interface that the node file does not have.",
        "Add the interface to the node file and restart sluiced, or correct `interface` in the site file.",
    ),
    (
        "HOST_UNKNOWN",
        "The site does not know this host, so no port is bound to it and it forwards nothing.",
        "Add the host to `hosts` in the site file, or correct `name` in the node file.",
    ),
    (
        "BRIDGE_SPLIT",
        "A bridge has ports on several hosts that do not tunnel to each other.",
        "Set `vni` on the bridge, and put the hosts into one of `tunnelZones`.",
    ),
    (
        "SITE_FILE_EDITED",
        "The site file was edited and not loaded; changes are refused so that the edit is not lost.",
        "Load it: `systemctl reload sluiced`.",
    ),
    (
        "SITE_FILE_MISSING",
        "There is no site file; at the next start this host would have no ports.",
        "Create it with `sluice apply -f FILE`, or correct `site` in the node file.",
    ),
    (
        "STATE_NOT_WRITABLE",
        "The state directory cannot be written, so changes are refused.",
        "Make the `state` directory of the node file writable for sluiced.",
    ),
    (
        "PATH_MTU",
        "Ports of a bridge take larger packets than its tunnels carry; those are dropped, and their senders told by ICMP.",
        "Lower the MTU of the stations, raise that of the underlay, or set `mssClamp: true` for TCP.",
    ),
    (
        "BPDU_ON_ACCESS",
        "Spanning tree frames arrive on an access port, which is no part of a spanning tree: something behind it is a bridge, and there may be a loop.",
        "Find the sender with `sluice drops bpdu_on_access`; turn off spanning tree there, or connect it to a trunk.",
    ),
    (
        "DROPS_ATTACK",
        "Drops that point to an attack or a broken station are increasing.",
        "See `sluice drops`: the sample frame names the sender.",
    ),
    (
        "DROPS_CAPACITY",
        "Frames are lost because a limit is reached, and their number is increasing.",
        "See `sluice drops` and `sluice ports`.",
    ),
    (
        "RECEIVE_MISSED",
        "A driver lost frames because its worker was too slow; they are in no drop reason.",
        "Give the workers more CPUs with `cores` in the node file, or find what else runs on theirs.",
    ),
    (
        "MAC_TABLE_FULL",
        "The MAC table is nearly full: the ports with the most stations learn no more.",
        "Set `macLimit` on the port or bridge that learns the most; see `sluice fdb show`.",
    ),
    (
        "CONTROL_OVERLOAD",
        "Control frames or learn events came faster than they were taken.",
        "See `sluice drops` for a port that floods control frames.",
    ),
    (
        "NOT_ACTIVE",
        "The object is accepted and has no effect in this release.",
        "Remove it, or wait for a release that does it.",
    ),
    (
        "STANDBY",
        "Other trunks of the gateway bridge forward all VLANs of this one, which keeps the network free of loops.",
        "Nothing.",
    ),
    (
        "ADMIN_DOWN",
        "The object is administratively down, as configured.",
        "Set `admin: up` on the object to use it.",
    ),
];

/// Every condition as a topic.
pub(super) fn topics() -> impl Iterator<Item = Topic> {
    CONDITIONS.iter().map(|(word, meaning, remedy)| Topic {
        remedy: Some(remedy),
        ..Topic::new(*word, Sort::Condition, meaning)
    })
}
