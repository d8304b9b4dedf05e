//! What arrives on the underlay: links, local addresses, peers by address, bridges by VNI.
//!
//! A frame in a tunnel is one lookup by source address and one by VNI, each in a small open-addressed
//! table that never changes, so that a probe needs no synchronisation.
//!
//! A table keyed by (VNI, peer) would be one lookup, but 4094 bridges with 1000 peers are four
//! million entries of 16 octets: main memory for each frame. Here the peer is a number, what belongs to
//! the bridge stands once in the entry of its VNI, and what is left is the member that the peer is in
//! it: two octets, in rows that bridges with the same numbering share. Both tables and the rows of an
//! ordinary host lie in the level 2 cache (4094 VNIs: 128 KiB), and a burst's lookups overlap.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use bridge_model::compile::{Encapsulation, PeerTable, UnderlayLinkTable, UnderlayTable, VniTable};
use bridge_model::types::{Fid, InterfaceId, MemberId, Tpid, UnderlayId, VlanId, Vni};

use super::build::BuildFacts;
use super::error::dangling;
use super::{
    ClassEntry, ClassWord, ImageError, MemberImage, MemberRange, PeerImage, Push, ReservedImage,
};
use crate::counters::PortSlot;
use crate::pipeline::is_reserved;
use crate::underlay::PeerCell;

/// The ingress side of the underlay.
#[derive(Debug)]
pub(crate) struct UnderlayImage {
    /// By [`UnderlayId`].
    pub(crate) links: Box<[LinkImage]>,
    /// By [`PeerId`](bridge_model::types::PeerId).
    pub(crate) sources: Box<[SourceImage]>,
    /// Our addresses, ascending.
    local: Box<[IpAddr]>,
    by_v4: Index<u32>,
    by_v6: Index<u128>,
    vnis: Box<[VniImage]>,
    /// Rows of member numbers by peer, one after the other; 0 is no member.
    members: Box<[MemberId]>,
    /// Ascending.
    vxlan_ports: Box<[u16]>,
    /// Some peer is reached by GRE.
    pub(crate) has_gre: bool,
    /// What happens to reserved destinations inside tunnels.
    pub(crate) reserved: Option<Box<ReservedImage>>,
}

/// A link as frames come in by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkImage {
    pub(crate) id: UnderlayId,
    /// What its packets count for.
    pub(crate) slot: PortSlot,
    /// Its own address.
    pub(crate) mac: u64,
    /// The same as its octets lie in memory, in the upper 48 bits of a little-endian word; if it could
    /// be a reserved one, a word that no frame begins with.
    pub(crate) raw_mac: u64,
    /// The device.
    pub(crate) interface: InterfaceId,
    /// The VLAN, or 0.
    pub(crate) vlan: u16,
    /// The place that stands for it as a way out, in the image's members.
    pub(crate) way_out: usize,
    /// The place that stands for the kernel.
    pub(crate) kernel: Option<usize>,
}

/// A peer as frames come in from it.
#[derive(Debug)]
pub(crate) struct SourceImage {
    pub(crate) cell: Arc<PeerCell>,
    /// Our address as its octets lie in a packet, in little-endian words. Of IPv4 all is in the first:
    /// the address, two octets of 0 in place of the source port, the UDP port of VXLAN.
    pub(crate) local: [u64; 2],
    /// What its frames count for.
    pub(crate) slot: PortSlot,
    /// The UDP port of VXLAN; 0 of GRE.
    pub(crate) vxlan_port: u16,
    /// A UDP checksum of zero is accepted: over IPv4 always.
    pub(crate) accepts_zero: bool,
    /// It is watched by BFD.
    pub(crate) has_bfd: bool,
}

const _: () = assert!(size_of::<SourceImage>() <= 32, "two to a cache line");

/// A bridge as frames for it come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(16))]
pub(crate) struct VniImage {
    /// `flags:8 | VNI:24`; 0 is an empty place.
    key: u32,
    /// Its first element in [`UnderlayImage::members`].
    row: u32,
    pub(crate) range: MemberRange,
    pub(crate) fid: Fid,
    /// TCP SYN segments announce what fits packets of so many octets; 0 is off.
    pub(crate) clamp_mtu: u16,
}

const _: () = assert!(size_of::<VniImage>() == 16, "four to a cache line");

const TRANSPARENT: u32 = 1 << 24;
const UP: u32 = 1 << 25;
const VNI: u32 = 0xff_ffff;

impl VniImage {
    const EMPTY: Self =
        Self { key: 0, row: 0, range: MemberRange::EMPTY, fid: Fid(0), clamp_mtu: 0 };

    /// The tags of inner frames are payload.
    #[inline]
    pub(crate) const fn is_transparent(&self) -> bool {
        self.key & TRANSPARENT != 0
    }

    /// The bridge is administratively up.
    #[inline]
    pub(crate) const fn is_up(&self) -> bool {
        self.key & UP != 0
    }

    /// The class of an untagged frame that came from `member`.
    #[inline]
    pub(crate) const fn class(&self, member: MemberId) -> ClassEntry {
        ClassEntry {
            word: ClassWord::forward(self.fid, member),
            members: self.range,
            vid_counter: 0,
            group: bridge_model::compile::TUNNEL_GROUP,
        }
    }
}

impl UnderlayImage {
    /// Encodes `table`. Places for kernel interfaces and for links are added to the members.
    pub(super) fn build(table: &UnderlayTable, facts: BuildFacts<'_>) -> Result<Self, ImageError> {
        let BuildFacts { tables, slots, fids, members: places, peers, interfaces, reserved } =
            facts;
        let slot = |port: bridge_model::types::PortId| {
            let slot = slots.get(port.index()).copied();
            slot.ok_or_else(|| dangling("the underlay", "port", port))
        };
        let mut links = Vec::with_capacity(table.links.len());
        for (index, link) in table.links.iter().enumerate() {
            let number = u16::try_from(index).map_err(|_| ImageError::TooMany {
                what: "underlay links",
                count: table.links.len(),
                limit: usize::from(u16::MAX),
            })?;
            let id = UnderlayId(number);
            links.push(link_image(id, link, slot(link.port)?, tables, interfaces, places)?);
        }
        let sources =
            table.peers.iter().zip(peers).map(|(peer, image)| source(peer, image)).collect();
        let remotes = || table.peers.iter().enumerate();
        let v4 = remotes().filter_map(|(peer, table)| match table.remote {
            IpAddr::V4(address) => Some((u32::from_le_bytes(address.octets()), peer)),
            IpAddr::V6(_) => None,
        });
        let v6 = remotes().filter_map(|(peer, table)| match table.remote {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some((address.to_bits(), peer)),
        });
        let mut rows = Rows { peers: table.peers.len(), ..Rows::default() };
        let vnis = table
            .vnis
            .iter()
            .map(|(vni, bridge)| {
                let row = rows.row(*vni, bridge)?;
                let fid = fids.get(bridge.fid.index());
                let fid = fid.ok_or_else(|| dangling(format!("VNI {vni}"), "fid", bridge.fid))?;
                Ok(VniImage {
                    key: vni.get()
                        | if bridge.transparent { TRANSPARENT } else { 0 }
                        | if bridge.is_up { UP } else { 0 },
                    row,
                    range: fid.members,
                    fid: bridge.fid,
                    clamp_mtu: fid.clamp_mtu,
                })
            })
            .collect::<Result<Vec<_>, ImageError>>()?;
        let mut local = table.local.clone();
        local.sort_unstable();
        let mut vxlan_ports = table.vxlan_ports.clone();
        vxlan_ports.sort_unstable();
        Ok(Self {
            links: links.into(),
            sources,
            local: local.into(),
            by_v4: Index::new(v4.collect()),
            by_v6: Index::new(v6.collect()),
            vnis: hashed(vnis),
            members: rows.members.into(),
            vxlan_ports: vxlan_ports.into(),
            has_gre: table.peers.iter().any(|peer| peer.encapsulation == Encapsulation::Gre),
            reserved,
        })
    }

    /// The link of a class; `None` if the image has no such link.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "in the loop over a burst")]
    pub(crate) fn link(&self, link: UnderlayId) -> Option<&LinkImage> {
        self.links.get(link.index())
    }

    /// Whether packets for `address` are for us.
    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        self.local.binary_search(&address).is_ok()
    }

    /// Whether VXLAN is expected at a UDP port.
    pub(crate) fn is_vxlan(&self, port: u16) -> bool {
        self.vxlan_ports.binary_search(&port).is_ok()
    }

    /// The peer with this address, by its number.
    pub(crate) fn peer(&self, address: IpAddr) -> Option<(u16, &SourceImage)> {
        match address {
            IpAddr::V4(address) => self.peer_v4(u32::from_le_bytes(address.octets())),
            IpAddr::V6(address) => self.peer_v6(address),
        }
    }

    /// The same for IPv4; the octets of the address are a little-endian word.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "in the loop over a burst")]
    pub(crate) fn peer_v4(&self, address: u32) -> Option<(u16, &SourceImage)> {
        let peer = self.by_v4.find(address)?;
        self.sources.get(usize::from(peer)).map(|source| (peer, source))
    }

    /// The same for IPv6.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "in the loop over a burst")]
    pub(crate) fn peer_v6(&self, address: Ipv6Addr) -> Option<(u16, &SourceImage)> {
        let peer = self.by_v6.find(address.to_bits())?;
        self.sources.get(usize::from(peer)).map(|source| (peer, source))
    }

    /// The bridge with a VNI (of which the low 24 bits count).
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "in the loop over a burst")]
    pub(crate) fn vni(&self, vni: u32) -> Option<&VniImage> {
        let places = self.vnis.len();
        let mut at = place(u64::from(vni & VNI), places);
        loop {
            let image = self.vnis.get(at)?;
            if image.key & VNI == vni & VNI && image.key != 0 {
                return Some(image);
            }
            if image.key == 0 {
                return None;
            }
            at = (at + 1) & (places - 1);
        }
    }

    /// The member that a peer is in a bridge; `None` if it has no business there.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "in the loop over a burst")]
    pub(crate) fn member(&self, vni: &VniImage, peer: u16) -> Option<MemberId> {
        let member = *self.members.get(vni.row as usize + usize::from(peer))?;
        (member != MemberId(0)).then_some(member)
    }
}

/// The first place of a key in a table of `places`, a power of two: Fibonacci hashing. Keys are
/// configured, and at least half of the places are empty, so that a key which is not there, which a
/// stranger may choose, ends after a few steps, too.
#[inline]
fn place(key: u64, places: usize) -> usize {
    let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = (hash >> 32) as usize;
    hash & places.wrapping_sub(1)
}

/// Places for `count` keys: a power of two, at most half of them in use.
fn places(count: usize) -> usize {
    (count * 2).next_power_of_two().max(2)
}

fn hashed(entries: Vec<VniImage>) -> Box<[VniImage]> {
    let mut table = vec![VniImage::EMPTY; places(entries.len())].into_boxed_slice();
    for entry in entries {
        let mut at = place(u64::from(entry.key & VNI), table.len());
        while table[at].key != 0 {
            at = (at + 1) & (table.len() - 1);
        }
        table[at] = entry;
    }
    table
}

/// Peers by their address.
#[derive(Debug)]
struct Index<A> {
    /// Address and number of the peer, or [`NO_PEER`].
    places: Box<[(A, u16)]>,
}

const NO_PEER: u16 = u16::MAX;

impl<A: Address> Index<A> {
    fn new(peers: Vec<(A, usize)>) -> Self {
        let mut table = vec![(A::default(), NO_PEER); places(peers.len())].into_boxed_slice();
        for (address, peer) in peers {
            let mut at = place(address.fold(), table.len());
            while table[at].1 != NO_PEER {
                at = (at + 1) & (table.len() - 1);
            }
            table[at] = (address, u16::try_from(peer).unwrap_or(NO_PEER));
        }
        Self { places: table }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "in the loop over a burst")]
    fn find(&self, address: A) -> Option<u16> {
        let mut at = place(address.fold(), self.places.len());
        loop {
            match self.places.get(at)? {
                (_, NO_PEER) => return None,
                (key, peer) if *key == address => return Some(*peer),
                _ => at = (at + 1) & (self.places.len() - 1),
            }
        }
    }
}

trait Address: Copy + Default + PartialEq {
    fn fold(self) -> u64;
}

impl Address for u32 {
    #[inline]
    fn fold(self) -> u64 {
        u64::from(self)
    }
}

impl Address for u128 {
    #[inline]
    fn fold(self) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "both halves")]
        {
            self as u64 ^ ((self >> 64) as u64).wrapping_mul(0xd6e8_feb8_6659_fd93)
        }
    }
}

/// Rows of members by peer. Equal ones are kept once.
#[derive(Default)]
struct Rows {
    peers: usize,
    members: Vec<MemberId>,
    known: BTreeMap<Vec<MemberId>, u32>,
}

impl Rows {
    fn row(&mut self, vni: Vni, bridge: &VniTable) -> Result<u32, ImageError> {
        let mut row = vec![MemberId(0); self.peers];
        for (peer, member) in &bridge.members {
            let place = row.get_mut(peer.index());
            *place.ok_or_else(|| dangling(format!("VNI {vni}"), "peer", peer))? = *member;
        }
        if let Some(known) = self.known.get(&row) {
            return Ok(*known);
        }
        let first = u32::try_from(self.members.len()).map_err(|_| ImageError::TooMany {
            what: "pairs of bridge and peer",
            count: self.members.len(),
            limit: u32::MAX as usize,
        })?;
        self.members.extend(&row);
        self.known.insert(row, first);
        Ok(first)
    }
}

fn link_image(
    id: UnderlayId,
    link: &UnderlayLinkTable,
    slot: PortSlot,
    tables: &bridge_model::compile::Tables,
    interfaces: &[super::InterfaceImage],
    places: &mut Vec<MemberImage>,
) -> Result<LinkImage, ImageError> {
    let name = || format!("underlay link {id}");
    let mtu_of = |interface: InterfaceId| {
        let table = tables.interfaces.get(interface.index());
        table.map(|table| table.mtu).ok_or_else(|| dangling(name(), "interface", interface))
    };
    let mut add = |place| {
        places.push(place);
        places.len() - 1
    };
    let push = link.vlan.map_or(Push::NONE, |vlan| Push::one(Tpid::CTag, vlan));
    let out = MemberImage::new((link.interface, mtu_of(link.interface)?), (slot, 0), push, 0);
    let kernel = match link.kernel {
        None => None,
        Some(kernel) => {
            let mtu = mtu_of(kernel)?;
            let own = interfaces.get(kernel.index()).map(|image| image.untagged_port);
            let own = own.unwrap_or(PortSlot::UNATTRIBUTED);
            Some(add(MemberImage::new((kernel, mtu), (own, 0), Push::NONE, 0)))
        }
    };
    let mac = link.mac.to_u64();
    // The lower 16 bits are none of an address.
    let raw_mac = if is_reserved(mac) { 1 } else { mac.swap_bytes() & !0xffff };
    let (interface, vlan) = (link.interface, link.vlan.map_or(0, VlanId::get));
    Ok(LinkImage { id, slot, mac, raw_mac, interface, vlan, way_out: add(out), kernel })
}

fn source(peer: &PeerTable, image: &PeerImage) -> SourceImage {
    let (vxlan_port, accepts_zero) = match peer.encapsulation {
        Encapsulation::Vxlan { port, accept_zero, .. } => {
            (port, accept_zero || peer.remote.is_ipv4())
        }
        Encapsulation::Gre => (0, true),
    };
    SourceImage {
        cell: Arc::clone(&image.cell),
        local: match peer.local {
            IpAddr::V4(local) => {
                let address = u64::from(u32::from_le_bytes(local.octets()));
                // Not those two octets of 0: no port 0 is taken for VXLAN.
                let no_vxlan = if vxlan_port == 0 { 1 << 32 } else { 0 };
                [address | no_vxlan | u64::from(vxlan_port.swap_bytes()) << 48, 0]
            }
            IpAddr::V6(local) => {
                let [high, low] = [local.to_bits() >> 64, local.to_bits()];
                #[expect(clippy::cast_possible_truncation, reason = "both halves")]
                [high as u64, low as u64].map(u64::swap_bytes)
            }
        },
        slot: image.slot,
        vxlan_port,
        accepts_zero,
        has_bfd: peer.bfd.is_some(),
    }
}
