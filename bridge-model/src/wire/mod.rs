//! What stands in a frame: checked accessors over bytes that anybody may have sent. None of them
//! panics on any input.

pub mod bpdu;
pub mod ethernet;
pub mod lacpdu;
pub mod lldp;
pub mod reserved;
pub mod text;

mod bytes;
