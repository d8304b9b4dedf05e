//! Dense indices that compiled tables are addressed by, and the counters that order changes.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        number! { $(#[$doc])* $name(u16) }

        impl $name {
            /// The value as a table index.
            #[inline]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

index! {
    /// A local interface (a DPDK device) in the order of the node file: what ingress tables are
    /// indexed by.
    InterfaceId;
}

index! {
    /// A *bridge port* (802.1Q) of this host, dense: what counters are indexed by. Not a DPDK port:
    /// that is a device, see [`InterfaceId`].
    PortId;
}

index! {
    /// A *Filtering Identifier* (802.1Q FID): the learning domain that a (bridge, VID) pair maps
    /// to. 0 is never allotted, so tables use it for "none".
    Fid;
}

index! {
    /// A tunnel end of this host's tables, dense: a host or a foreign endpoint.
    PeerId;
}

index! {
    /// An underlay link of this host's tables: an interface, or one VLAN of it.
    UnderlayId;
}

index! {
    /// A place that one learning domain can send a frame to: an access port, or one VLAN on one
    /// trunk. Numbered within its [`Fid`], so that few bits in a MAC table entry suffice. 0 is
    /// never allotted; at most [`MemberId::MAX`].
    MemberId;
}

impl MemberId {
    /// The largest member number: what fits in an entry of the smallest MAC table.
    pub const MAX: Self = Self(4095);
}

number! {
    /// The generation of a compiled image on this host.
    Epoch(u64)
}

number! {
    /// The generation of the topology that an image was compiled from.
    Revision(u64)
}
