//! How an object is named across kinds: `vlanLinks/gw/10`.

use std::fmt;

/// The kinds of objects, in the order of the site file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`super::Host`]
    Host,
    /// [`super::Bridge`]
    Bridge,
    /// [`super::GatewayBridge`]
    GatewayBridge,
    /// [`super::Lag`]
    Lag,
    /// [`super::TrunkPort`]
    Trunk,
    /// [`super::VlanLink`]
    VlanLink,
    /// [`super::AccessPort`]
    AccessPort,
    /// [`super::StaticMac`]
    StaticMac,
    /// [`super::TunnelZone`]
    TunnelZone,
    /// [`super::Tunnel`]
    Tunnel,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Host,
        Self::Bridge,
        Self::GatewayBridge,
        Self::Lag,
        Self::Trunk,
        Self::VlanLink,
        Self::AccessPort,
        Self::StaticMac,
        Self::TunnelZone,
        Self::Tunnel,
    ];

    /// The key of the list in a site file, which is also the collection in the API and CLI.
    pub const fn collection(self) -> &'static str {
        match self {
            Self::Host => "hosts",
            Self::Bridge => "bridges",
            Self::GatewayBridge => "gatewayBridges",
            Self::Lag => "lags",
            Self::Trunk => "trunks",
            Self::VlanLink => "vlanLinks",
            Self::AccessPort => "accessPorts",
            Self::StaticMac => "staticMacs",
            Self::TunnelZone => "tunnelZones",
            Self::Tunnel => "tunnels",
        }
    }

    /// The word for one of them in a sentence.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Bridge => "bridge",
            Self::GatewayBridge => "gateway bridge",
            Self::Lag => "lag",
            Self::Trunk => "trunk",
            Self::VlanLink => "VLAN link",
            Self::AccessPort => "access port",
            Self::StaticMac => "static MAC",
            Self::TunnelZone => "tunnel zone",
            Self::Tunnel => "tunnel",
        }
    }

    /// The kind whose collection is `text`.
    pub fn from_collection(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.collection() == text)
    }
}

/// An object by kind and identity. Its text form is what users type: `bridges/web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The kind.
    pub kind: Kind,
    /// The identity within the kind: a name, `gw/10`, `gw/10.20`, `web/52:54:00:00:00:01`.
    pub id: String,
}

impl ObjectRef {
    /// The object `id` of `kind`.
    pub fn new(kind: Kind, id: impl fmt::Display) -> Self {
        Self { kind, id: id.to_string() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.collection(), self.id)
    }
}
