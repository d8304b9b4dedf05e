//! The headers between an outer IP header and the inner frame: VXLAN (RFC 7348) and GRE with a key
//! (RFC 2784, RFC 2890).

use super::bytes::{array, u16_at, u32_at};
use super::checksum::Sum;
use crate::types::Vni;

/// Octets of a VXLAN header.
pub const VXLAN_HEADER_LEN: usize = 8;
/// Octets of a GRE header with a key and nothing else.
pub const GRE_HEADER_LEN: usize = 8;
/// The protocol type of Ethernet in GRE (RFC 7637 section 3.2).
pub const GRE_ETHERNET: u16 = 0x6558;
/// Flag I: the VNI is valid.
pub const VXLAN_FLAG_VNI: u8 = 0x08;
/// Flag C of GRE: a checksum is present.
pub const GRE_FLAG_CHECKSUM: u16 = 0x8000;
/// Flag K of GRE: a key is present.
pub const GRE_FLAG_KEY: u16 = 0x2000;
/// Flag S of GRE: a sequence number is present.
pub const GRE_FLAG_SEQUENCE: u16 = 0x1000;
/// Bits of GRE that are ignored on receipt: 6 to 12 (RFC 2784 section 2.3).
const GRE_IGNORED: u16 = 0x03f8;

/// Why a tunnel header is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TunnelError {
    /// Truncated, a flag that is required is missing, or one is set that is not known.
    #[error("the tunnel header is broken")]
    Header,
    /// The checksum of GRE is wrong.
    #[error("the GRE checksum is wrong")]
    Checksum,
}

/// A tunnel header with what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inner<'p> {
    /// The number as it stands there; 0 and a GRE key above 24 bits are no VNI of ours.
    pub vni: u32,
    /// The inner frame.
    pub frame: &'p [u8],
}

impl Inner<'_> {
    /// As a VNI.
    pub fn vni(&self) -> Option<Vni> {
        Vni::new(self.vni).ok()
    }
}

/// Reads the payload of a VXLAN datagram. Flag I is required; other flags and reserved fields are
/// ignored on receipt (RFC 7348 section 5).
pub fn vxlan(bytes: &[u8]) -> Result<Inner<'_>, TunnelError> {
    let head: [u8; VXLAN_HEADER_LEN] = array(bytes, 0).ok_or(TunnelError::Header)?;
    if head[0] & VXLAN_FLAG_VNI == 0 {
        return Err(TunnelError::Header);
    }
    let vni = u32_at(bytes, 4).ok_or(TunnelError::Header)? >> 8;
    let frame = bytes.get(VXLAN_HEADER_LEN..).ok_or(TunnelError::Header)?;
    Ok(Inner { vni, frame })
}

/// The VXLAN header.
pub const fn vxlan_header(vni: Vni) -> [u8; VXLAN_HEADER_LEN] {
    let [_, high, middle, low] = vni.get().to_be_bytes();
    [VXLAN_FLAG_VNI, 0, 0, 0, high, middle, low, 0]
}

/// Reads the payload of a GRE packet. The key is required, checksum and sequence number are optional;
/// a flag of RFC 1701 that changes the header (routing, strict source route), a version other than 0
/// or a payload other than Ethernet is refused.
pub fn gre(bytes: &[u8]) -> Result<Inner<'_>, TunnelError> {
    let flags = u16_at(bytes, 0).ok_or(TunnelError::Header)?;
    let protocol = u16_at(bytes, 2).ok_or(TunnelError::Header)?;
    let known = GRE_FLAG_CHECKSUM | GRE_FLAG_KEY | GRE_FLAG_SEQUENCE | GRE_IGNORED;
    if flags & !known != 0 || flags & GRE_FLAG_KEY == 0 || protocol != GRE_ETHERNET {
        return Err(TunnelError::Header);
    }
    let key_at = if flags & GRE_FLAG_CHECKSUM == 0 { 4 } else { 8 };
    let vni = u32_at(bytes, key_at).ok_or(TunnelError::Header)?;
    let sequence = if flags & GRE_FLAG_SEQUENCE == 0 { 0 } else { 4 };
    let frame = bytes.get(key_at + 4 + sequence..).ok_or(TunnelError::Header)?;
    if flags & GRE_FLAG_CHECKSUM != 0 && !Sum::default().octets(bytes).is_correct() {
        return Err(TunnelError::Checksum);
    }
    Ok(Inner { vni, frame })
}

/// The GRE header: key, no checksum, no sequence number.
pub const fn gre_header(vni: Vni) -> [u8; GRE_HEADER_LEN] {
    let [a, b, c, d] = vni.get().to_be_bytes();
    let [flags, _] = GRE_FLAG_KEY.to_be_bytes();
    let [high, low] = GRE_ETHERNET.to_be_bytes();
    [flags, 0, high, low, a, b, c, d]
}
