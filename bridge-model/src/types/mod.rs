//! One meaning, one type. A value that has no meaning cannot be built.

mod ids;
mod mac;
mod name;
mod vlan;
mod vni;

pub use ids::{Epoch, Fid, InterfaceId, MemberId, PeerId, PortId, Revision, UnderlayId};
pub use mac::{IndividualMac, MacAddr, NotIndividual, ParseMacError};
pub use name::{InvalidName, Name};
pub use vlan::{InvalidVlanId, Pcp, Priority, Tpid, VlanId, VlanTag};
pub use vni::{InvalidVni, Vni};
