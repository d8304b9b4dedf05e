//! Counters that drivers keep.

/// A device's basic counters. Drivers count frames without FCS or with,
/// as they like, and what they drop in transmission not always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Frames received.
    pub received_frames: u64,
    /// Octets received.
    pub received_octets: u64,
    /// Frames that the device dropped because the host did not collect them in time.
    pub missed_frames: u64,
    /// Frames received damaged.
    pub receive_errors: u64,
    /// Frames lost because the pool had run dry.
    pub no_buffer: u64,
    /// Frames sent.
    pub sent_frames: u64,
    /// Octets sent.
    pub sent_octets: u64,
    /// Frames that the driver took and could not send.
    pub transmit_errors: u64,
}

impl From<&dpdk_sys::rte_eth_stats> for Statistics {
    fn from(raw: &dpdk_sys::rte_eth_stats) -> Self {
        Self {
            received_frames: raw.ipackets,
            received_octets: raw.ibytes,
            missed_frames: raw.imissed,
            receive_errors: raw.ierrors,
            no_buffer: raw.rx_nombuf,
            sent_frames: raw.opackets,
            sent_octets: raw.obytes,
            transmit_errors: raw.oerrors,
        }
    }
}

/// One of the counters that a driver names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedStatistic {
    /// The driver's name for it, such as `rx_good_packets`.
    pub name: String,
    /// Its value.
    pub value: u64,
}
