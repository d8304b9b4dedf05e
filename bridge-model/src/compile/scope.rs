//! What a flush covers.

use super::{Domain, Place};
use crate::topology::Topology;
use crate::types::{Name, VlanId};

/// A set of places whose learned stations are forgotten together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One access port, one trunk with all its VIDs, or one peer by the name of its port
    /// ([`Name::of_peer`]).
    Port(Name),
    /// All trunks of a gateway bridge on this host. What was learned behind peers stays, even if they
    /// reach it by trunks of that gateway bridge: they alone know which stations these are.
    GatewayBridge {
        /// The gateway bridge.
        name: Name,
        /// Only this VID (outer, of pairs), or all.
        vid: Option<VlanId>,
    },
    /// All places of a bridge.
    Bridge(Name),
    /// Everything.
    All,
}

impl Scope {
    /// Whether `place`, as part of `domain`, is covered.
    pub fn covers(&self, topology: &Topology, domain: &Domain, place: &Place) -> bool {
        match self {
            Self::All => true,
            Self::Port(port) => place.port() == port,
            Self::Bridge(bridge) => match domain {
                Domain::Bridge(name) | Domain::Transparent(name) => name == bridge,
                Domain::Transit(..) => false,
            },
            Self::GatewayBridge { name, vid: wanted } => match place {
                Place::Access(_) | Place::Peer(_) => false,
                Place::Trunk { trunk, vid, .. } => {
                    wanted.is_none_or(|wanted| wanted == *vid)
                        && topology
                            .trunks
                            .get(trunk)
                            .is_some_and(|trunk| trunk.gateway_bridge == *name)
                }
            },
        }
    }
}
