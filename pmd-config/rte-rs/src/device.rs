//! Devices: plugged at run time, configured, started, watched, stopped, unplugged.

mod open;
mod start;

use crate::devargs::{Backing, DeviceSpec};
use crate::eal::Eal;
use crate::errno::Errno;
use crate::event;
use crate::kernel::{LinkState, UnknownInterface};
use crate::mempool::Mempool;
use crate::queue::{RxQueue, TxQueue};
use crate::remedy::Diagnosis;
use crate::stats::{ExtendedStatistic, Statistics};
use dpdk_sys::{rte_eth_link, rte_eth_stats, rte_eth_xstat, rte_eth_xstat_name};
use open::Core;
use std::fmt;
use std::mem::MaybeUninit;
use std::sync::Arc;

/// DPDK's number of a device: dense, given out anew when a device is unplugged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EthDevId(pub(crate) u16);

impl EthDevId {
    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for EthDevId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EthDevId({})", self.0)
    }
}

/// What a driver may assume about buffers that it frees after sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitFree {
    /// All frames sent on a queue come from one pool: drivers free them in bulk.
    OnePool,
    /// Frames come from several pools.
    AnyPool,
}

/// How to run a device.
#[derive(Clone, Debug)]
pub struct DeviceConfig {
    /// Receive queues, and as many transmit queues.
    pub queues: u16,
    /// Descriptors per receive queue; drivers round to what they can.
    pub receive_descriptors: u16,
    /// Descriptors per transmit queue; drivers round to what they can.
    pub transmit_descriptors: u16,
    /// Layer-3 octets of the longest frame; two tags beside them.
    pub mtu: u16,
    /// Receive frames for every address, which a bridge needs.
    pub promiscuous: bool,
    /// What the driver may assume about buffers that it frees.
    pub transmit_free: TransmitFree,
}

impl DeviceConfig {
    /// One queue of 512 descriptors each way, promiscuous, all frames from one pool.
    pub const fn bridge(mtu: u16) -> Self {
        Self {
            queues: 1,
            receive_descriptors: 512,
            transmit_descriptors: 512,
            mtu,
            promiscuous: true,
            transmit_free: TransmitFree::OnePool,
        }
    }
}

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// DPDK's number of it.
    pub id: EthDevId,
    /// DPDK's name of it.
    pub name: String,
    /// The driver's name.
    pub driver: String,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// The most queue pairs that it can have.
    pub queues_max: u16,
    /// Its NUMA node, if it has one.
    pub numa_node: Option<u16>,
}

/// The queues of a started device: for the threads that poll them.
#[derive(Debug)]
pub struct Queues {
    /// One per queue index.
    pub receive: Vec<RxQueue>,
    /// One per queue index.
    pub transmit: Vec<TxQueue>,
}

/// Why a device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// It could not be plugged.
    #[error("cannot open device {device} ({errno}): {diagnosis}")]
    Plug {
        /// The device with its arguments.
        device: String,
        /// Why.
        errno: Errno,
        /// What DPDK logged, and what to do.
        diagnosis: Diagnosis,
    },
    /// The kernel interface that it should open does not exist.
    #[error(transparent)]
    Interface(#[from] UnknownInterface),
    /// A device of this name exists.
    #[error("device {device} is plugged already: two interfaces cannot share a device")]
    Plugged {
        /// The device.
        device: String,
    },
    /// More queues asked for than it has.
    #[error("device {device} has at most {most} queues, {asked} were asked for: use fewer workers")]
    Queues {
        /// The device.
        device: String,
        /// Queues asked for.
        asked: u16,
        /// Queues it can have.
        most: u16,
    },
    /// Frames of this MTU do not fit into the pool's buffers or the driver's rings.
    #[error(
        "an MTU of {mtu} needs buffers of {needed} octets, those for {device} have {room}: make the \
         pool for the largest MTU, or lower the MTU"
    )]
    DataRoom {
        /// The device.
        device: String,
        /// MTU asked for.
        mtu: u16,
        /// Octets needed.
        needed: u16,
        /// Octets there are.
        room: u16,
    },
    /// The driver or the kernel does not do this MTU.
    #[error("device {device} cannot have an MTU of {mtu} ({errno}): lower it")]
    Mtu {
        /// The device.
        device: String,
        /// MTU asked for.
        mtu: u16,
        /// Why.
        errno: Errno,
    },
    /// A step of bringing it up or down failed.
    #[error("cannot {step} device {device} ({errno}): {diagnosis}")]
    Step {
        /// What was attempted.
        step: &'static str,
        /// The device.
        device: String,
        /// Why.
        errno: Errno,
        /// What DPDK logged, and what to do.
        diagnosis: Diagnosis,
    },
    /// It runs already.
    #[error("device {device} is started already: stop it before it is started anew")]
    Started {
        /// The device.
        device: String,
    },
    /// Some thread still owns a queue of it.
    #[error("device {device} cannot stop: a worker still owns one of its queues")]
    QueuesInUse {
        /// The device.
        device: String,
    },
}

/// What keeps a device started: each queue holds a share.
#[derive(Debug)]
pub(crate) struct Lease {
    core: Arc<Core>,
    frame_octets_max: u32,
}

impl Lease {
    pub(crate) fn device(&self) -> EthDevId {
        self.core.id()
    }

    pub(crate) fn needs_gate(&self) -> bool {
        self.core.spec().unmaps_under_bursts()
    }

    pub(crate) const fn frame_octets_max(&self) -> u32 {
        self.frame_octets_max
    }
}

/// A plugged device: the handle of the thread that controls it. It is stopped, closed and unplugged
/// when this and its queues are dropped.
#[derive(Debug)]
pub struct Device {
    core: Arc<Core>,
    lease: Option<Arc<Lease>>,
}

impl Device {
    /// Plugs a device, at any time.
    pub fn plug(eal: &Eal, spec: &DeviceSpec) -> Result<Self, DeviceError> {
        Ok(Self { core: Arc::new(Core::plug(eal, spec)?), lease: None })
    }

    /// Configures and starts the device, whose frames arrive in buffers of `pool`. A kernel
    /// interface behind it is set up and to the MTU.
    pub fn start(&mut self, config: &DeviceConfig, pool: &Mempool) -> Result<Queues, DeviceError> {
        if self.lease.is_some() {
            return Err(DeviceError::Started { device: self.core.name().to_owned() });
        }
        let frame_octets_max = self.core.start(config, pool)?;
        let lease = Arc::new(Lease { core: Arc::clone(&self.core), frame_octets_max });
        // SAFETY: the device is started with `queues` queues and stays so while a lease exists (see
        // `stop` and `Core::drop`); it was stopped before, so no queue object existed.
        let receive = (0..config.queues).map(|index| unsafe { RxQueue::new(&lease, index) });
        // SAFETY: as above.
        let transmit = (0..config.queues).map(|index| unsafe { TxQueue::new(&lease, index) });
        let queues = Queues { receive: receive.collect(), transmit: transmit.collect() };
        self.lease = Some(lease);
        Ok(queues)
    }

    /// Stops the device, once every queue has been dropped. It can be started anew.
    pub fn stop(&mut self) -> Result<(), DeviceError> {
        let Some(lease) = self.lease.take() else { return Ok(()) };
        match Arc::try_unwrap(lease) {
            Ok(_) => self.core.stop(),
            Err(lease) => {
                self.lease = Some(lease);
                Err(DeviceError::QueuesInUse { device: self.core.name().to_owned() })
            }
        }
    }

    /// What the device is.
    pub fn info(&self) -> DeviceInfo {
        self.core.info()
    }

    /// Whether frames can cross the device now. Asks the driver or the kernel: for a control thread.
    pub fn link(&self) -> LinkState {
        let core = &*self.core;
        if event::is_removed(core.id()) {
            return LinkState::Removed;
        }
        if let Some(kernel) = core.kernel() {
            return kernel.link();
        }
        let link = MaybeUninit::<rte_eth_link>::zeroed();
        // SAFETY: zeroes are a valid link.
        let mut link = unsafe { link.assume_init() };
        let _control = core.control();
        // SAFETY: the device is plugged while `core` exists, and `link` is ours to fill in.
        let code = unsafe { dpdk_sys::rte_eth_link_get_nowait(core.id().0, &raw mut link) };
        if code == 0 && link.link_status() != 0 { LinkState::Up } else { LinkState::Down }
    }

    /// The driver's basic counters.
    pub fn statistics(&self) -> Result<Statistics, DeviceError> {
        let raw = MaybeUninit::<rte_eth_stats>::zeroed();
        // SAFETY: zeroes are valid counters.
        let mut raw = unsafe { raw.assume_init() };
        let _control = self.core.control();
        // SAFETY: the device is plugged while `core` exists, and `raw` is ours to fill in.
        let code = unsafe { dpdk_sys::rte_eth_stats_get(self.core.id().0, &raw mut raw) };
        self.core.step("read the counters of", code)?;
        Ok(Statistics::from(&raw))
    }

    /// The counters that the driver names itself.
    pub fn extended_statistics(&self) -> Result<Vec<ExtendedStatistic>, DeviceError> {
        const STEP: &str = "read the extended counters of";
        let id = self.core.id().0;
        let _control = self.core.control();
        // SAFETY: the device is plugged while `core` exists; 0 names no room, so null is allowed.
        let count = unsafe { dpdk_sys::rte_eth_xstats_get_names(id, std::ptr::null_mut(), 0) };
        let count = u32::try_from(self.core.step(STEP, count)?).unwrap_or(0);
        let mut names = vec![rte_eth_xstat_name { name: [0; 64] }; count as usize];
        let mut values = vec![rte_eth_xstat { id: 0, value: 0 }; count as usize];
        // SAFETY: `names` has room for `count`.
        let named = unsafe { dpdk_sys::rte_eth_xstats_get_names(id, names.as_mut_ptr(), count) };
        // SAFETY: `values` has room for `count`.
        let valued = unsafe { dpdk_sys::rte_eth_xstats_get(id, values.as_mut_ptr(), count) };
        let filled = self.core.step(STEP, named)?.min(self.core.step(STEP, valued)?);
        values.truncate(usize::try_from(filled).unwrap_or(0));
        let text = |name: &rte_eth_xstat_name| -> String {
            name.name
                .iter()
                .take_while(|&&c| c != 0)
                .map(|&c| char::from(c.cast_unsigned()))
                .collect()
        };
        Ok(values
            .iter()
            .filter_map(|stat| {
                let name = names.get(usize::try_from(stat.id).ok()?)?;
                Some(ExtendedStatistic { name: text(name), value: stat.value })
            })
            .collect())
    }

    /// Gives the device another address; a kernel interface that it made gets the same.
    pub fn set_mac(&self, mac: [u8; 6]) -> Result<(), DeviceError> {
        self.core.set_mac(mac)
    }

    /// Receive frames for every address, or only for the device's own.
    pub fn set_promiscuous(&self, promiscuous: bool) -> Result<(), DeviceError> {
        self.core.set_promiscuous(promiscuous)
    }
}
