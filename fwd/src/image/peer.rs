//! The far end of a tunnel, with everything that goes in front of a frame for it.

use std::net::IpAddr;
use std::sync::Arc;

use bridge_model::compile::{Encapsulation, PathTable, PeerTable, UnderlayLinkTable};
use bridge_model::topology::{IpFamily, TunnelDscp};
use bridge_model::types::InterfaceId;
use bridge_model::wire::ip::{
    ETHER_TYPE_IPV4, ETHER_TYPE_IPV6, HOP_LIMIT, PROTOCOL_GRE, PROTOCOL_UDP,
};
use bridge_model::wire::tunnel::{GRE_ETHERNET, GRE_FLAG_KEY, VXLAN_FLAG_VNI};

use crate::counters::PortSlot;
use crate::underlay::{NextHop, PeerCell, UnderlayCells};

/// Octets of the longest header: Ethernet with a tag, IPv6, UDP, VXLAN.
pub(crate) const MAX_HEADER: usize = 18 + 40 + 8 + 8;

/// Tunnel kind, IP version, and whether there is a tag: what a header consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    VxlanV4,
    VxlanV4Tagged,
    VxlanV6,
    VxlanV6Tagged,
    GreV4,
    GreV4Tagged,
    GreV6,
    GreV6Tagged,
}

impl Format {
    const fn of(encapsulation: Encapsulation, family: IpFamily, is_tagged: bool) -> Self {
        match (encapsulation, family, is_tagged) {
            (Encapsulation::Vxlan { .. }, IpFamily::V4, false) => Self::VxlanV4,
            (Encapsulation::Vxlan { .. }, IpFamily::V4, true) => Self::VxlanV4Tagged,
            (Encapsulation::Vxlan { .. }, IpFamily::V6, false) => Self::VxlanV6,
            (Encapsulation::Vxlan { .. }, IpFamily::V6, true) => Self::VxlanV6Tagged,
            (Encapsulation::Gre, IpFamily::V4, false) => Self::GreV4,
            (Encapsulation::Gre, IpFamily::V4, true) => Self::GreV4Tagged,
            (Encapsulation::Gre, IpFamily::V6, false) => Self::GreV6,
            (Encapsulation::Gre, IpFamily::V6, true) => Self::GreV6Tagged,
        }
    }

    /// Octets of the header.
    pub(crate) const fn octets(self) -> usize {
        match self {
            Self::VxlanV4 => 14 + 20 + 8 + 8,
            Self::VxlanV4Tagged => 18 + 20 + 8 + 8,
            Self::VxlanV6 => 14 + 40 + 8 + 8,
            Self::VxlanV6Tagged => 18 + 40 + 8 + 8,
            Self::GreV4 => 14 + 20 + 8,
            Self::GreV4Tagged => 18 + 20 + 8,
            Self::GreV6 => 14 + 40 + 8,
            Self::GreV6Tagged => 18 + 40 + 8,
        }
    }
}

/// A peer as the packet path reads it: this line, one path (two lines) and the two cells.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct PeerImage {
    /// The ways to it; none if there is no route.
    pub(crate) paths: Box<[PathImage]>,
    pub(crate) cell: Arc<PeerCell>,
    /// What its frames count for.
    pub(crate) slot: PortSlot,
    /// The longest inner frame, in octets.
    pub(crate) max_frame: u16,
    /// The DSCP is that of the inner packet.
    pub(crate) copies_dscp: bool,
    /// The outer UDP checksum is computed.
    pub(crate) udp_checksum: bool,
    /// The sum of the addresses and the protocol of the UDP pseudo header, not folded.
    pub(crate) pseudo_sum: u32,
}

const _: () = assert!(size_of::<PeerImage>() == 64, "one cache line");

/// One way to a peer, with the header of every frame that takes it.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct PathImage {
    /// The header. In it are zero: the destination address, lengths, checksums, UDP source port, flow
    /// label, VNI, and a DSCP that is copied.
    pub(crate) header: [u8; MAX_HEADER],
    /// The device.
    pub(crate) interface: InterfaceId,
    /// The sum of the words of the IPv4 header, not folded.
    pub(crate) ip_sum: u32,
    /// Who is asked for the destination address.
    pub(crate) next_hop: Arc<NextHop>,
    pub(crate) format: Format,
}

const _: () = assert!(size_of::<PathImage>() == 128, "two cache lines");

impl PeerImage {
    /// A peer whose frames count for `slot`. `link` finds an underlay link; `None` if there is no
    /// such link or an address does not fit.
    pub(crate) fn build<'l>(
        peer: &PeerTable,
        slot: PortSlot,
        cells: &UnderlayCells,
        link: impl Fn(&PathTable) -> Option<&'l UnderlayLinkTable>,
    ) -> Option<Self> {
        let mut sum = Words::default();
        sum.address(peer.local);
        sum.address(peer.remote);
        sum.0 += u32::from(PROTOCOL_UDP);
        let paths = peer
            .paths
            .iter()
            .map(|path| PathImage::build(peer, path, link(path)?, cells))
            .collect::<Option<_>>()?;
        Some(Self {
            paths,
            cell: cells.peer(&peer.name),
            slot,
            max_frame: peer.max_frame(),
            copies_dscp: peer.dscp == TunnelDscp::Copy,
            udp_checksum: matches!(peer.encapsulation, Encapsulation::Vxlan { checksum: true, .. }),
            pseudo_sum: sum.0,
        })
    }

    /// Frames are sent to it.
    #[inline]
    pub(crate) fn is_up(&self) -> bool {
        self.cell.is_up()
    }
}

impl PathImage {
    fn build(
        peer: &PeerTable,
        path: &PathTable,
        link: &UnderlayLinkTable,
        cells: &UnderlayCells,
    ) -> Option<Self> {
        let mut header = Vec::with_capacity(MAX_HEADER);
        header.extend([0; 6]);
        header.extend(link.mac.octets());
        if let Some(vlan) = link.vlan {
            header.extend([0x81, 0]);
            header.extend(vlan.get().to_be_bytes());
        }
        let protocol = match peer.encapsulation {
            Encapsulation::Vxlan { .. } => PROTOCOL_UDP,
            Encapsulation::Gre => PROTOCOL_GRE,
        };
        let dscp = match peer.dscp {
            TunnelDscp::Fixed(dscp) => dscp & 0x3f,
            TunnelDscp::Copy => 0,
        };
        let ip_at;
        match (peer.local, peer.remote) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                header.extend(ETHER_TYPE_IPV4.to_be_bytes());
                ip_at = header.len();
                header.extend([0x45, dscp << 2, 0, 0, 0, 0, 0x40, 0, HOP_LIMIT, protocol, 0, 0]);
                header.extend(local.octets());
                header.extend(remote.octets());
            }
            (IpAddr::V6(local), IpAddr::V6(remote)) => {
                header.extend(ETHER_TYPE_IPV6.to_be_bytes());
                ip_at = header.len();
                header.extend((6 << 28 | u32::from(dscp) << 22).to_be_bytes());
                header.extend([0, 0, protocol, HOP_LIMIT]);
                header.extend(local.octets());
                header.extend(remote.octets());
            }
            _ => return None,
        }
        let mut sum = Words::default();
        sum.octets(header.get(ip_at..)?);
        match peer.encapsulation {
            Encapsulation::Vxlan { port, .. } => {
                header.extend([0, 0]);
                header.extend(port.to_be_bytes());
                header.extend([0; 4]);
                header.extend([VXLAN_FLAG_VNI, 0, 0, 0, 0, 0, 0, 0]);
            }
            Encapsulation::Gre => {
                header.extend(GRE_FLAG_KEY.to_be_bytes());
                header.extend(GRE_ETHERNET.to_be_bytes());
                header.extend([0; 4]);
            }
        }
        let family = IpFamily::of(&peer.remote);
        let format = Format::of(peer.encapsulation, family, link.vlan.is_some());
        debug_assert_eq!(header.len(), format.octets(), "what the format says");
        header.resize(MAX_HEADER, 0);
        Some(Self {
            header: header.try_into().ok()?,
            interface: link.interface,
            ip_sum: sum.0,
            next_hop: cells.next_hop((link.interface, link.vlan, path.next_hop)),
            format,
        })
    }
}

/// Adds 16-bit words; a header has too few of them to overflow.
#[derive(Default)]
struct Words(u32);

impl Words {
    fn octets(&mut self, octets: &[u8]) {
        for word in octets.chunks_exact(2) {
            self.0 += word.try_into().map_or(0, |word| u32::from(u16::from_be_bytes(word)));
        }
    }

    fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => self.octets(&v4.octets()),
            IpAddr::V6(v6) => self.octets(&v6.octets()),
        }
    }
}
