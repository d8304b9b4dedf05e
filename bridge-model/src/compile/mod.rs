//! Topology to tables: what one host's data plane needs to know, as plain data.

mod tables;

pub use tables::{
    Class, FidTable, InterfaceTable, MacLimit, Member, MemberRoute, OverLimit, PortTable, PushTags,
    Relay, ReservedAction, ReservedTable, StormLimits, StormRate, Tables, TaggedClasses,
    VidClasses,
};
