//! What stands in a frame: checked accessors over bytes that anybody may have sent. None of them
//! panics on any input.

pub mod bfd;
pub mod bpdu;
pub mod checksum;
pub mod ethernet;
pub mod icmp;
pub mod inner;
pub mod ip;
pub mod lacpdu;
pub mod lldp;
pub mod neighbor;
pub mod reserved;
pub mod text;
pub mod tunnel;

mod bytes;
