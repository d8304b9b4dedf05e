//! What the reasons of the API's errors mean, and what happens to frames that were consumed.

use bridge_model::reason::PuntReason;
use proto::v1::ErrorReason;

/// What an error means and what to do; nothing for the value that is never sent.
pub(super) const fn error(reason: ErrorReason) -> Option<(&'static str, &'static str)> {
    Some(match reason {
        ErrorReason::Unspecified => return None,
        ErrorReason::FieldInvalid => (
            "A field of the request has no acceptable value.",
            "Correct the field that the message names.",
        ),
        ErrorReason::SiteInvalid => (
            "The site document contains mistakes. Nothing was changed.",
            "See all of them, each with its place, with `sluice check -f FILE`.",
        ),
        ErrorReason::RevisionMismatch => (
            "The site is not at the expected revision: somebody changed it meanwhile.",
            "Look at `sluice diff -f FILE` again, then repeat `sluice apply`.",
        ),
        ErrorReason::SiteFileChanged => (
            "The site file was edited since the daemon last read it; applying would overwrite the edit.",
            "Load the edit with `systemctl reload sluiced`, or undo it, then apply again.",
        ),
        ErrorReason::SiteFileMissing => (
            "There is no site file to read.",
            "Create the file that `site` in the node file names, or use `sluice apply`.",
        ),
        ErrorReason::RequestIdReused => (
            "The request id was used for another request.",
            "Leave `--request-id` out, or choose a new one for each change.",
        ),
        ErrorReason::ResourceNotFound => {
            ("The object does not exist.", "See what exists with `sluice get KIND`.")
        }
        ErrorReason::NotInThisRelease => (
            "The site model knows this, the data plane of this release does not do it yet.",
            "Leave it out; the message names the object.",
        ),
        ErrorReason::LimitExceeded => (
            "The change exceeds a limit of this host.",
            "Make the site smaller, or give the host more memory; the message names the limit.",
        ),
        ErrorReason::StorageFull => (
            "The site file could not be written because no space is left. Nothing was changed.",
            "Free space on the file system of the site file, then repeat.",
        ),
        ErrorReason::StorageReadOnly => (
            "The site file may not be written. Nothing was changed.",
            "Make its directory writable for the daemon, or edit the file and reload.",
        ),
        ErrorReason::StorageFailed => (
            "The site file could not be read or written.",
            "See the message and the daemon's log: `journalctl -u sluiced`.",
        ),
        ErrorReason::Stopping => {
            ("The daemon is stopping and takes no more requests.", "Start it again, then repeat.")
        }
        ErrorReason::Internal => (
            "The daemon did something it should not: a bug.",
            "Report it with the daemon's log: `journalctl -u sluiced`.",
        ),
    })
}

/// What becomes of frames that the control plane takes.
pub(super) const fn consumed(reason: PuntReason) -> &'static str {
    match reason {
        PuntReason::Bpdu => {
            "A spanning tree frame of any IEEE version, taken from a trunk. A topology change in it flushes the MACs learned behind the trunks of its gateway bridge."
        }
        PuntReason::Pvst => {
            "A per-VLAN spanning tree frame (PVST+), taken from a trunk. A topology change in it flushes the MACs of its VLAN."
        }
        PuntReason::SlowProtocol => {
            "A slow protocol frame (LACP, marker, OAM), taken from a trunk and never forwarded."
        }
        PuntReason::Lldp => {
            "A link layer discovery frame, taken from a trunk for the neighbour table: `sluice ports --neighbors`."
        }
        PuntReason::UnderlayNeighbor => {
            "ARP or neighbour discovery on the underlay: how this host and its tunnel peers find each other's MAC."
        }
        PuntReason::UnderlayIcmp => {
            "ICMP or ICMPv6 for an underlay address of this host: ping, and routers that report a smaller MTU."
        }
        PuntReason::Bfd => {
            "A BFD control packet of a tunnel peer: `sluice tunnels` shows the session."
        }
        PuntReason::NeighborSuppressed => {
            "An ARP request or neighbour solicitation that was answered where it arrived instead of being flooded (`neighborSuppression`)."
        }
    }
}
