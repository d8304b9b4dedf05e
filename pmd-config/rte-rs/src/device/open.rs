//! A plugged device: its number, and what undoes the plugging.

use super::{Backing, DeviceError, DeviceInfo, DeviceSpec, EthDevId};
use crate::eal::Eal;
use crate::errno::Errno;
use crate::event;
use crate::fragments;
use crate::kernel::KernelInterface;
use crate::log;
use crate::remedy::Diagnosis;
use dpdk_sys::{rte_eth_dev_info, rte_ether_addr};
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the control lock protects.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) started: bool,
}

/// A plugged device. Dropped when its handle and all its queues are.
#[derive(Debug)]
pub(crate) struct Core {
    id: EthDevId,
    spec: DeviceSpec,
    kernel: Option<KernelInterface>,
    /// DPDK's control functions of one device must not run at the same time.
    control: Mutex<Control>,
}

/// Plugging and unplugging change lists that all devices share.
static HOT_PLUG: Mutex<()> = Mutex::new(());

impl Core {
    pub(crate) fn plug(_eal: &Eal, spec: &DeviceSpec) -> Result<Self, DeviceError> {
        let kernel = open_kernel_interface(spec)?;
        let mark = log::mark();
        let refused = |errno| DeviceError::Plug {
            device: spec.to_string(),
            errno,
            diagnosis: Diagnosis::of(log::since(mark)),
        };
        let (bus, name, arguments) = spec.words();
        let exclusive = HOT_PLUG.lock().unwrap_or_else(PoisonError::into_inner);
        // DPDK answers "done" when it is asked to plug what is plugged.
        if number_of(&name).is_ok() {
            return Err(DeviceError::Plugged { device: spec.name().to_owned() });
        }
        let add = || {
            // SAFETY: the EAL runs, and the three are C strings that DPDK copies.
            unsafe {
                dpdk_sys::rte_eal_hotplug_add(bus.as_ptr(), name.as_ptr(), arguments.as_ptr())
            }
        };
        let code = match spec.backing() {
            Backing::Opened(_) if spec.is_alone() => fragments::without_fan_out(add),
            Backing::None | Backing::Made | Backing::Opened(_) => add(),
        };
        Errno::check(code).map_err(refused)?;
        let id = match number_of(&name) {
            Ok(id) => id,
            Err(errno) => {
                let error = refused(errno);
                // SAFETY: as for plugging; this takes back what was done above.
                unsafe { dpdk_sys::rte_eal_hotplug_remove(bus.as_ptr(), name.as_ptr()) };
                return Err(error);
            }
        };
        // Dropping `core` unplugs, and takes the lock for that.
        drop(exclusive);
        let mut core =
            Self { id, spec: spec.clone(), kernel, control: Mutex::new(Control::default()) };
        event::listen(core.id);
        if *spec.backing() == Backing::Made {
            core.kernel = Some(KernelInterface::open(core.raw_info().if_index).map_err(refused)?);
        }
        Ok(core)
    }

    pub(crate) const fn id(&self) -> EthDevId {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        self.spec.name()
    }

    pub(crate) const fn spec(&self) -> &DeviceSpec {
        &self.spec
    }

    pub(crate) const fn kernel(&self) -> Option<&KernelInterface> {
        self.kernel.as_ref()
    }

    pub(crate) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error of a control function that returned `code`, if it is one.
    pub(crate) fn step(&self, step: &'static str, code: i32) -> Result<i32, DeviceError> {
        self.step_since(step, code, log::mark())
    }

    /// As [`step`](Self::step), with what DPDK logged since `mark`.
    pub(crate) fn step_since(
        &self,
        step: &'static str,
        code: i32,
        mark: log::Mark,
    ) -> Result<i32, DeviceError> {
        Errno::check(code).map_err(|errno| DeviceError::Step {
            step,
            device: self.name().to_owned(),
            errno,
            diagnosis: Diagnosis::of(log::since(mark)),
        })
    }

    /// What the driver says it can do; all zero if it says nothing.
    pub(crate) fn raw_info(&self) -> rte_eth_dev_info {
        let info = MaybeUninit::<rte_eth_dev_info>::zeroed();
        // SAFETY: zeroes are valid: integers, null pointers and enumerations that have a zero.
        let mut info = unsafe { info.assume_init() };
        let _control = self.control();
        // SAFETY: the device is plugged while `self` exists, and `info` is ours to fill in.
        unsafe { dpdk_sys::rte_eth_dev_info_get(self.id.0, &raw mut info) };
        info
    }

    pub(crate) fn info(&self) -> DeviceInfo {
        let raw = self.raw_info();
        let driver = if raw.driver_name.is_null() {
            String::new()
        } else {
            // SAFETY: not null, so it is the driver's static name.
            unsafe { CStr::from_ptr(raw.driver_name) }.to_string_lossy().into_owned()
        };
        let mut mac = rte_ether_addr { addr_bytes: [0; 6] };
        // SAFETY: the device is plugged while `self` exists, and `mac` is ours to fill in.
        unsafe { dpdk_sys::rte_eth_macaddr_get(self.id.0, &raw mut mac) };
        // SAFETY: the device is plugged while `self` exists.
        let node = unsafe { dpdk_sys::rte_eth_dev_socket_id(self.id.0) };
        DeviceInfo {
            id: self.id,
            name: self.name().to_owned(),
            driver,
            mac: mac.addr_bytes,
            queues_max: raw.max_rx_queues.min(raw.max_tx_queues),
            numa_node: u16::try_from(node).ok(),
        }
    }

    pub(crate) fn set_promiscuous(&self, promiscuous: bool) -> Result<(), DeviceError> {
        let _control = self.control();
        let mark = log::mark();
        let code = if promiscuous {
            // SAFETY: the device is plugged while `self` exists.
            unsafe { dpdk_sys::rte_eth_promiscuous_enable(self.id.0) }
        } else {
            // SAFETY: as above.
            unsafe { dpdk_sys::rte_eth_promiscuous_disable(self.id.0) }
        };
        match self.step_since("set promiscuous mode of", code, mark) {
            // Software links have no filter to switch off.
            Err(DeviceError::Step { errno, .. }) if errno.get() == libc::ENOTSUP => Ok(()),
            other => other.map(drop),
        }
    }

    pub(crate) fn set_mac(&self, mac: [u8; 6]) -> Result<(), DeviceError> {
        let _control = self.control();
        let mark = log::mark();
        let mut mac = rte_ether_addr { addr_bytes: mac };
        // SAFETY: the device is plugged while `self` exists, and DPDK copies `mac`.
        let code = unsafe { dpdk_sys::rte_eth_dev_default_mac_addr_set(self.id.0, &raw mut mac) };
        self.step_since("set the address of", code, mark).map(drop)
    }

    pub(crate) fn stop(&self) -> Result<(), DeviceError> {
        let mut control = self.control();
        if !control.started {
            return Ok(());
        }
        control.started = false;
        let mark = log::mark();
        // SAFETY: the device is plugged while `self` exists, and no queue of it exists any more: the
        // caller held the only lease.
        let code = unsafe { dpdk_sys::rte_eth_dev_stop(self.id.0) };
        self.step_since("stop", code, mark).map(drop)
    }
}

/// The kernel interface that the driver is going to open, set up.
///
/// Before the driver binds its sockets: on an interface that is down they start with an error
/// pending, which the first transmission collects instead of sending its frames.
fn open_kernel_interface(spec: &DeviceSpec) -> Result<Option<KernelInterface>, DeviceError> {
    let Backing::Opened(name) = spec.backing() else { return Ok(None) };
    let kernel = KernelInterface::named(name)?;
    kernel.set_up().map_err(|errno| DeviceError::Step {
        step: "set up the kernel interface of",
        device: spec.name().to_owned(),
        errno,
        diagnosis: Diagnosis { lines: Vec::new(), remedy: Some("grant CAP_NET_ADMIN") },
    })?;
    // Not every interface knows the setting; where it does not, nothing merges.
    let _ = kernel.disable_receive_merging();
    Ok(Some(kernel))
}

/// DPDK's number of the device with this name.
fn number_of(name: &CStr) -> Result<EthDevId, Errno> {
    let mut id = 0;
    // SAFETY: `name` is a C string and `id` is ours to fill in.
    let code = unsafe { dpdk_sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &raw mut id) };
    Errno::check(code).map(|_| EthDevId(id))
}

impl Drop for Core {
    fn drop(&mut self) {
        // No queue exists: each holds a share of this. Errors leave nothing to be done.
        drop(self.stop());
        if matches!(self.spec.backing(), Backing::Opened(_)) {
            drop(self.set_promiscuous(false));
        }
        let _all = HOT_PLUG.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the device is stopped, and nothing refers to it after this.
        unsafe { dpdk_sys::rte_eth_dev_close(self.id.0) };
        let (bus, name, _) = self.spec.words();
        // SAFETY: the two are C strings; DPDK looks the device up by name.
        unsafe { dpdk_sys::rte_eal_hotplug_remove(bus.as_ptr(), name.as_ptr()) };
    }
}
