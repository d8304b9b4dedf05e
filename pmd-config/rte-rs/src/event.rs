//! What drivers report on their own: a device that went away.
//!
//! DPDK calls back on its interrupt thread. The callback only stores, and the flag is read when
//! somebody asks for the state of the link.

use crate::device::EthDevId;
use dpdk_sys::rte_eth_event_type;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

const DEVICES_MAX: usize = dpdk_sys::RTE_MAX_ETHPORTS as usize;

static REMOVED: [AtomicBool; DEVICES_MAX] = [const { AtomicBool::new(false) }; DEVICES_MAX];

/// Forgets what happened to an earlier device of this number, and listens.
pub(crate) fn listen(device: EthDevId) {
    if let Some(removed) = REMOVED.get(usize::from(device.0)) {
        removed.store(false, Ordering::Relaxed);
    }
    // SAFETY: `happened` is a static function that ignores its argument. A refusal (no memory)
    // leaves the state of the link to be polled, which happens anyway.
    unsafe {
        dpdk_sys::rte_eth_dev_callback_register(
            device.0,
            rte_eth_event_type::RTE_ETH_EVENT_INTR_RMV,
            Some(happened),
            std::ptr::null_mut(),
        )
    };
}

/// Whether the driver reported the device as removed.
pub(crate) fn is_removed(device: EthDevId) -> bool {
    REMOVED.get(usize::from(device.0)).is_some_and(|removed| removed.load(Ordering::Relaxed))
}

extern "C" fn happened(
    device: u16,
    event: rte_eth_event_type::Type,
    _argument: *mut c_void,
    _detail: *mut c_void,
) -> c_int {
    if event == rte_eth_event_type::RTE_ETH_EVENT_INTR_RMV
        && let Some(removed) = REMOVED.get(usize::from(device))
    {
        removed.store(true, Ordering::Relaxed);
    }
    0
}
