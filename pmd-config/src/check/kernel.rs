//! Checks of the kinds that go through the kernel: packet sockets and taps.

use super::{Context, Findings, subject};
use crate::node::Interface;
use crate::probe::{Capability, Host};

const PACKET_SOCKET: &[Capability] = &[Capability::NetRaw, Capability::NetAdmin];
const TAP: &[Capability] = &[Capability::NetAdmin];

/// Whether the process may do what the kind needs.
fn permitted(
    host: &Host,
    interface: &Interface,
    needed: &[Capability],
    findings: &mut Findings,
) -> bool {
    let names = |list: &[Capability]| {
        list.iter().map(|capability| capability.as_str()).collect::<Vec<_>>().join(" ")
    };
    let missing: Vec<Capability> =
        needed.iter().copied().filter(|capability| !host.process.has(*capability)).collect();
    if missing.is_empty() {
        return true;
    }
    findings.fail(
        subject(interface),
        format!("{} needs {}, which this process lacks", interface.kind.as_str(), names(&missing)),
        format!("run as root, or set AmbientCapabilities={} in the service unit", names(needed)),
    );
    false
}

pub(super) fn af_packet(
    context: &Context<'_>,
    interface: &Interface,
    name: &str,
    findings: &mut Findings,
) -> bool {
    let host = context.host;
    let subject = subject(interface);
    if !host.root.exists("/proc/thread-self/net/packet") {
        findings.fail(subject, "this kernel has no packet sockets", "modprobe af_packet");
        return false;
    }
    let Some(kernel) = host.interface(name) else {
        let (text, fix) = absent(host, name);
        findings.fail(subject, text, fix);
        return false;
    };
    if name == "lo" {
        let fix = "name an Ethernet interface in interface =";
        findings.fail(subject, "lo is the loopback interface, which carries no Ethernet", fix);
        return false;
    }
    if !permitted(host, interface, PACKET_SOCKET, findings) {
        return false;
    }
    let Some(detail) = &kernel.detail else {
        findings.ok(subject, format!("af_packet {name}: functional, not fast"));
        return true;
    };
    if let Some(master) = &detail.master {
        findings.fail(
            subject,
            format!("{name} is a member of {master}, which takes its frames"),
            format!("ip link set {name} nomaster"),
        );
        return false;
    }
    let down = if detail.is_up { "" } else { "; is down, will be set up" };
    let text = format!("af_packet {name}: functional, not fast{down}");
    findings.ok(subject.clone(), text);
    if let Some(reason) = host.management.reason(name) {
        findings.warn(
            subject,
            format!("{name} carries {reason}: its frames will be bridged as well"),
            "use an interface of its own for the gateway",
        );
    }
    true
}

/// An interface is not there: what to say and what to do.
fn absent(host: &Host, name: &str) -> (String, String) {
    let there: Vec<&str> = host
        .interfaces
        .iter()
        .map(|interface| interface.name.as_str())
        .filter(|name| *name != "lo")
        .collect();
    let text = format!("there is no kernel interface {name} in this network namespace");
    let fix = if there.is_empty() {
        format!("make one, such as: ip link add {name} type veth peer name peer0")
    } else {
        format!("set interface = to one of: {}", there.join(", "))
    };
    (text, fix)
}

pub(super) fn tap(
    context: &Context<'_>,
    interface: &Interface,
    name: &str,
    findings: &mut Findings,
) -> bool {
    const TUN: &str = "/dev/net/tun";
    let host = context.host;
    let subject = subject(interface);
    if !host.root.exists(TUN) {
        findings.fail(subject, format!("{TUN} is missing"), "modprobe tun");
        return false;
    }
    if !host.root.may_use(TUN) {
        let fix = "chmod 666 /dev/net/tun, or DeviceAllow=/dev/net/tun rw in the service unit";
        findings.fail(subject, format!("this process may not open {TUN}"), fix);
        return false;
    }
    if !permitted(host, interface, TAP, findings) {
        return false;
    }
    // A running daemon's own tap is no obstacle to the one it would be restarted as.
    let existing = host.interface(name).filter(|_| context.holder.is_none());
    let is_tap =
        existing.and_then(|kernel| kernel.detail.as_ref()).is_none_or(|detail| detail.is_tap);
    match existing {
        Some(_) if !is_tap => {
            findings.fail(
                subject,
                format!("the kernel has an interface {name} already, and it is not a tap"),
                "set interface = to a free name",
            );
            return false;
        }
        Some(_) => {
            findings.ok(subject, format!("tap {name}: there already, will be used"));
        }
        None => findings.ok(subject, format!("tap {name}: functional, not fast")),
    }
    true
}
