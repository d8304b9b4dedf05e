//! The gRPC services: requests in, replies out. No decision is made here.

mod accounting;
mod config;
mod drops;
mod macs;
mod neighbors;
mod page;
mod ports;
mod state;
mod status;
mod tunnels;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use config::ConfigService;
pub use state::StateService;

/// A duration on the wire.
fn duration(value: Duration) -> pbjson_types::Duration {
    pbjson_types::Duration {
        seconds: i64::try_from(value.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(value.subsec_nanos()).unwrap_or(0),
    }
}

/// A moment on the wire.
fn timestamp(moment: SystemTime) -> pbjson_types::Timestamp {
    let since = duration(moment.duration_since(UNIX_EPOCH).unwrap_or_default());
    pbjson_types::Timestamp { seconds: since.seconds, nanos: since.nanos }
}
