//! What an operator has to know: a closed list, each with its effect and its remedy.
//!
//! A condition is derived from the facts each time it is asked for; only the moment it was first
//! seen is remembered ([`Since`]), so a condition can neither be forgotten nor outlive its cause.

use std::collections::HashMap;
use std::time::Duration;

/// How bad a condition is. The order is that of badness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Normal operation that explains what is seen.
    Info,
    /// Something does not work as configured, or soon will not.
    Warning,
    /// Frames are lost, or the configuration in force is not the one on disk.
    Error,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $severity:ident, $effect:literal, $remedy:literal;)*) => {
        /// Which condition it is. Documented in docs/ops/conditions.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason: of equal severity, the worse one first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word used in API and CLI.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// How bad it is.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            /// What it means for traffic.
            pub const fn effect(self) -> &'static str {
                match self { $(Self::$variant => $effect),* }
            }

            /// What to do.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy),* }
            }
        }
    };
}

reasons! {
    /// A worker does not run.
    WorkerStalled = "WORKER_STALLED", Error,
        "Frames on its interfaces are not forwarded.",
        "Find what took its CPU (`top -H`, `sluice check --host`); if it does not recover, restart sluiced and report the log.";
    /// The sums do not balance.
    AccountingDifference = "ACCOUNTING_DIFFERENCE", Error,
        "Frames ended without being counted.",
        "Report it with the output of `sluice drops -o json` and `sluice status -o json`.";
    /// The site file has mistakes, or cannot be compiled, so that the running configuration is older.
    SiteRefused = "SITE_REFUSED", Error,
        "The gateway runs the configuration that it had before; a restart would fail.",
        "Correct the site file (`sluice check -f FILE` shows the places), then reload it: `systemctl reload sluiced`.";
    /// A worker did not take the newest tables.
    NotProgrammed = "NOT_PROGRAMMED", Error,
        "Frames that this worker handles are forwarded by the configuration before the last change.",
        "If it lasts for more than a few seconds, restart sluiced and report the log.";
    /// A device of the node file was there and has vanished.
    InterfaceGone = "INTERFACE_GONE", Error,
        "Its ports carry nothing; other ports are not affected.",
        "Bring the device back and restart sluiced.";
    /// A device of the node file was not there at the start.
    InterfaceAbsent = "INTERFACE_ABSENT", Error,
        "Its ports carry nothing; other ports are not affected.",
        "Make the device available (`sluice check --host` says how) and restart sluiced, or remove the interface from the node file.";
    /// Drops that point to a bug are increasing.
    DropsBug = "DROPS_BUG", Error,
        "Frames are lost.",
        "See `sluice drops`, and report the reason with its sample frame.";
    /// A bound port has no carrier.
    LinkDown = "LINK_DOWN", Error,
        "The port carries nothing; stations behind it were forgotten.",
        "Plug in the cable, bring up the neighbour's port, or set `admin: down` if it is meant to be down.";
    /// This host is to tunnel and has no way onto the underlay: no link is configured, or its interface is not in the node file.
    UnderlayMissing = "UNDERLAY_MISSING", Error,
        "No frame reaches another host by that link.",
        "Set `underlay` on the host in the site file, or add the interface to the node file and restart sluiced.";
    /// Another station uses an underlay address of this host.
    AddressConflict = "ADDRESS_CONFLICT", Error,
        "Tunnels come and go: neighbours send to whichever station they heard last.",
        "Find the station by its MAC address on the switches; one of the two must get another address.";
    /// BFD says that a host or a tunnel's endpoint is out of reach.
    TunnelDown = "TUNNEL_DOWN", Error,
        "Nothing is sent to it and nothing is taken from it; the stations behind it were forgotten.",
        "See `sluice tunnels NAME -o wide`: look at the underlay between the two, and whether the other side runs and has BFD on (`bfd`).";
    /// There is no way to a host or a tunnel's endpoint.
    TunnelNoRoute = "TUNNEL_NO_ROUTE", Error,
        "Frames for it are dropped as `tunnel_no_route`.",
        "Bring up the underlay link, add a route to this host's `routes`, or an address of that network to a link of its `underlay`.";
    /// A next hop on the underlay does not answer.
    NeighborUnresolved = "NEIGHBOR_UNRESOLVED", Error,
        "Frames that it should pass on take another way if there is one; otherwise they are dropped as `neighbor_unresolved`.",
        "See `sluice underlay`: check the cable, the VLAN of the link and the address of the next hop.";
    /// The site binds a port to an interface that the node file does not have.
    PortWaiting = "PORT_WAITING", Warning,
        "The port carries nothing until the interface exists.",
        "Add the interface to the node file and restart sluiced, or correct `interface` in the site file.";
    /// The site does not know this host.
    HostUnknown = "HOST_UNKNOWN", Warning,
        "No port of the site is bound to this host, so it forwards nothing.",
        "Add the host to `hosts` in the site file, or correct `name` in the node file.";
    /// A bridge has ports on several hosts that do not tunnel to each other: it has no VNI, or the hosts share no tunnel zone.
    BridgeSplit = "BRIDGE_SPLIT", Warning,
        "Stations of the bridge on different hosts do not reach each other.",
        "Set `vni` on the bridge, and put the hosts into one of `tunnelZones`.";
    /// The site file was changed on disk and not loaded.
    SiteFileEdited = "SITE_FILE_EDITED", Warning,
        "The gateway runs the configuration that it had before; Apply is refused so that the edit is not lost.",
        "Load it: `systemctl reload sluiced`.";
    /// There is no site file.
    SiteFileMissing = "SITE_FILE_MISSING", Warning,
        "At the next start this host would have no ports.",
        "Create it with `sluice apply -f FILE`, or correct `site` in the node file.";
    /// The state directory cannot be written.
    StateNotWritable = "STATE_NOT_WRITABLE", Warning,
        "Changes are refused, and the revision may start over after a restart.",
        "Make the `state` directory of the node file writable for sluiced.";
    /// Ports of a bridge take larger packets than its tunnels carry.
    PathMtu = "PATH_MTU", Warning,
        "Larger packets are dropped as `mtu_exceeded` when they have to pass a tunnel; their senders are told by ICMP if they set DF or use IPv6.",
        "Lower the MTU of the stations to what the tunnels carry, or raise the MTU of the underlay; `mssClamp: true` on the bridge helps TCP alone.";
    /// Spanning tree frames arrive on an access port.
    BpduOnAccess = "BPDU_ON_ACCESS", Warning,
        "The frames go nowhere; other traffic of the port is not affected. If the port leads to the same network as a trunk, there is a loop that spanning tree cannot see.",
        "Find the sender (`sluice drops bpdu_on_access` shows a sample frame): turn off spanning tree there, or connect it to a trunk of a gateway bridge; until then, `admin: down` on the port.";
    /// Drops that point to an attack or a broken station are increasing.
    DropsAttack = "DROPS_ATTACK", Warning,
        "Such frames are dropped; other traffic of the port may be affected by their rate.",
        "See `sluice drops`: the sample frame names the sender.";
    /// Frames are lost because a limit is reached, and the number is increasing.
    DropsCapacity = "DROPS_CAPACITY", Warning,
        "Frames are lost.",
        "See `sluice drops` and `sluice ports`.";
    /// A driver lost frames because its worker was too slow.
    ReceiveMissed = "RECEIVE_MISSED", Warning,
        "Frames were lost before the gateway saw them; they are in no drop reason.",
        "Give the workers more CPUs (`cores` in the node file), or find what else runs on theirs.";
    /// The MAC table is nearly full.
    MacTableFull = "MAC_TABLE_FULL", Warning,
        "Ports with the most stations learn no more; frames to unlearned stations are flooded.",
        "Set `macLimit` on the port or bridge that learns the most (`sluice fdb show`).";
    /// Control frames or learn events were lost.
    ControlOverload = "CONTROL_OVERLOAD", Warning,
        "Some stations were learned later, or some control frames were not read.",
        "See `sluice drops` for a port that floods control frames.";
    /// The model knows it, and this release does not do it.
    NotActive = "NOT_ACTIVE", Warning,
        "It is accepted and has no effect.",
        "Remove it, or wait for a release that does it.";
    /// Other trunks of the gateway bridge forward all VLANs of this one.
    Standby = "STANDBY", Info,
        "None: this is what keeps the network free of loops.",
        "Nothing.";
    /// A port is administratively down.
    AdminDown = "ADMIN_DOWN", Info,
        "The port carries nothing, as configured.",
        "Set `admin: up` on the object to use it.";
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which.
    pub reason: Reason,
    /// The resource name of the object concerned; `host` for the host as a whole.
    pub object: String,
    /// What is the case.
    pub message: String,
}

impl Condition {
    /// The condition `reason` of `object`.
    pub fn new(reason: Reason, object: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, object: object.into(), message: message.into() }
    }
}

/// Sorts conditions: worst first, and equal ones by object.
pub fn sort(conditions: &mut [Condition]) {
    conditions.sort_by(|a, b| {
        let severity = b.reason.severity().cmp(&a.reason.severity());
        severity.then(a.reason.cmp(&b.reason)).then_with(|| a.object.cmp(&b.object))
    });
}

/// Since when each condition has been seen without a break.
#[derive(Debug, Default)]
pub struct Since {
    seen: HashMap<(Reason, String), Duration>,
}

/// What changed between two looks at the conditions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New ones.
    pub appeared: Vec<Condition>,
    /// Those that are over.
    pub ended: Vec<(Reason, String)>,
}

impl Since {
    /// Takes note of the conditions at `now`, and says what changed.
    pub fn update(&mut self, now: Duration, conditions: &[Condition]) -> Changes {
        let mut seen = HashMap::with_capacity(conditions.len());
        let mut appeared = Vec::new();
        for condition in conditions {
            let key = (condition.reason, condition.object.clone());
            let since = self.seen.remove(&key).unwrap_or_else(|| {
                appeared.push(condition.clone());
                now
            });
            seen.insert(key, since);
        }
        let before = std::mem::replace(&mut self.seen, seen);
        Changes { appeared, ended: before.into_keys().collect() }
    }

    /// Since when `condition` has been seen; `now` if it is new.
    pub fn of(&self, now: Duration, condition: &Condition) -> Duration {
        let key = (condition.reason, condition.object.clone());
        self.seen.get(&key).copied().unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(reason: Reason, object: &str) -> Condition {
        Condition::new(reason, object, "")
    }

    #[test]
    fn the_worst_condition_comes_first() {
        let mut conditions = vec![
            condition(Reason::Standby, "trunks/a"),
            condition(Reason::PortWaiting, "trunks/b"),
            condition(Reason::LinkDown, "trunks/z"),
            condition(Reason::LinkDown, "trunks/c"),
            condition(Reason::WorkerStalled, "host"),
        ];

        sort(&mut conditions);

        let order: Vec<_> = conditions.iter().map(|c| (c.reason.word(), &*c.object)).collect();
        assert_eq!(
            order,
            [
                ("WORKER_STALLED", "host"),
                ("LINK_DOWN", "trunks/c"),
                ("LINK_DOWN", "trunks/z"),
                ("PORT_WAITING", "trunks/b"),
                ("STANDBY", "trunks/a"),
            ]
        );
    }

    #[test]
    fn the_documentation_says_of_every_condition_what_it_means_and_what_to_do() {
        let page = include_str!("../../docs/ops/conditions.md");
        let sections: Vec<&str> = page.split("\n### ").collect();
        for reason in Reason::ALL {
            let section =
                sections.iter().find(|section| section.lines().next() == Some(reason.word()));
            let section = section.unwrap_or_else(|| panic!("no section {}", reason.word()));
            assert!(section.contains(reason.effect()), "effect of {}", reason.word());
            assert!(section.contains(reason.remedy()), "remedy of {}", reason.word());
        }
        assert_eq!(sections.len(), Reason::ALL.len() + 1);
    }

    #[test]
    fn the_list_is_in_the_order_of_badness() {
        assert!(Reason::ALL.is_sorted_by(|a, b| a.severity() >= b.severity()));
    }

    #[test]
    fn a_condition_keeps_its_beginning_until_it_ends() {
        let at = Duration::from_secs;
        let down = condition(Reason::LinkDown, "trunks/a");
        let mut since = Since::default();

        assert_eq!(since.update(at(1), std::slice::from_ref(&down)).appeared.len(), 1);
        assert_eq!(since.update(at(5), std::slice::from_ref(&down)), Changes::default());
        assert_eq!(since.of(at(6), &down), at(1));

        let ended = since.update(at(7), &[]).ended;
        assert_eq!(ended, [(Reason::LinkDown, "trunks/a".to_owned())]);
        assert_eq!(since.of(at(8), &down), at(8));
    }
}
