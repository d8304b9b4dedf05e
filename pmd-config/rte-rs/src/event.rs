//! What drivers report on their own: a link that changed, a device that went away.
//!
//! DPDK calls back on its interrupt thread. The callback only stores, and the numbers are read when
//! somebody asks for the state of the link.

use crate::device::EthDevId;
use dpdk_sys::rte_eth_event_type;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const DEVICES_MAX: usize = dpdk_sys::RTE_MAX_ETHPORTS as usize;

struct Events {
    removed: AtomicBool,
    link_changes: AtomicU64,
}

static EVENTS: [Events; DEVICES_MAX] =
    [const { Events { removed: AtomicBool::new(false), link_changes: AtomicU64::new(0) } };
        DEVICES_MAX];

/// Forgets what happened to an earlier device of this number, and listens.
pub(crate) fn listen(device: EthDevId) {
    if let Some(events) = EVENTS.get(usize::from(device.0)) {
        events.removed.store(false, Ordering::Relaxed);
        events.link_changes.store(0, Ordering::Relaxed);
    }
    for event in
        [rte_eth_event_type::RTE_ETH_EVENT_INTR_LSC, rte_eth_event_type::RTE_ETH_EVENT_INTR_RMV]
    {
        // SAFETY: `happened` is a static function that ignores its argument. A refusal (no memory)
        // leaves the state of the link to be polled, which happens anyway.
        unsafe {
            dpdk_sys::rte_eth_dev_callback_register(
                device.0,
                event,
                Some(happened),
                std::ptr::null_mut(),
            )
        };
    }
}

/// Whether the driver reported the device as removed.
pub(crate) fn is_removed(device: EthDevId) -> bool {
    EVENTS.get(usize::from(device.0)).is_some_and(|events| events.removed.load(Ordering::Relaxed))
}

/// How often the driver reported a change of the link.
pub(crate) fn link_changes(device: EthDevId) -> u64 {
    EVENTS
        .get(usize::from(device.0))
        .map_or(0, |events| events.link_changes.load(Ordering::Relaxed))
}

extern "C" fn happened(
    device: u16,
    event: rte_eth_event_type::Type,
    _argument: *mut c_void,
    _detail: *mut c_void,
) -> c_int {
    if let Some(events) = EVENTS.get(usize::from(device)) {
        match event {
            rte_eth_event_type::RTE_ETH_EVENT_INTR_RMV => {
                events.removed.store(true, Ordering::Relaxed);
            }
            rte_eth_event_type::RTE_ETH_EVENT_INTR_LSC => {
                events.link_changes.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
    0
}
