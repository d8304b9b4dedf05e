//! The devices of this host as control threads see them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bridge_model::types::{MacAddr, Name};
use pmd_config::bring_up::RunningDevice;
use rte_rs::{Device, DeviceError, ExtendedStatistic, LinkState, Statistics};

/// The kind of an interface that the kernel sees as one of its own.
const TAP: &str = "tap";

/// An interface of the node file.
#[derive(Debug)]
pub struct Interface {
    /// Its name in the node file.
    pub name: Name,
    /// Its kind in the node file.
    pub kind: &'static str,
    /// The largest layer 3 packet, in octets.
    pub mtu: u16,
    /// The DPDK driver; empty if the device is absent.
    pub driver: String,
    /// Its address.
    mac: AtomicU64,
    hardware: Hardware,
    up: AtomicBool,
    gone: AtomicBool,
}

/// The device behind an interface.
#[derive(Debug)]
enum Hardware {
    Started(RunningDevice),
    /// It was not there at the start.
    Absent(String),
}

/// Whether the device of an interface is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence<'a> {
    /// It is.
    Present,
    /// It was not there at the start, and why.
    Absent(&'a str),
    /// It was, and has vanished.
    Vanished,
}

impl Interface {
    /// An interface whose device was started.
    pub fn started(name: Name, kind: &'static str, mtu: u16, device: RunningDevice) -> Self {
        let info = device.info();
        Self {
            driver: info.driver,
            mac: AtomicU64::new(MacAddr::new(info.mac).to_u64()),
            ..Self::new(name, kind, mtu, Hardware::Started(device))
        }
    }

    /// An interface whose device is not there, because of `why`.
    pub fn absent(name: Name, kind: &'static str, mtu: u16, why: String) -> Self {
        Self::new(name, kind, mtu, Hardware::Absent(why))
    }

    fn new(name: Name, kind: &'static str, mtu: u16, hardware: Hardware) -> Self {
        Self {
            name,
            kind,
            mtu,
            driver: String::new(),
            mac: AtomicU64::new(0),
            hardware,
            up: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        }
    }

    /// Asks for the state of the link, and notes it. For the control thread: it may take a system
    /// call. A device that has vanished stays so: its number may name another one.
    pub fn look(&self) -> LinkState {
        let state = match &self.hardware {
            Hardware::Started(device) if !self.gone.load(Ordering::Relaxed) => device.link(),
            Hardware::Started(_) | Hardware::Absent(_) => LinkState::Removed,
        };
        self.gone.store(state == LinkState::Removed, Ordering::Relaxed);
        self.up.store(state == LinkState::Up, Ordering::Relaxed);
        state
    }

    /// Its address; all zero if the device is absent.
    pub fn mac(&self) -> MacAddr {
        MacAddr::from_u64(self.mac.load(Ordering::Relaxed))
    }

    /// Gives a tap the address of the underlay link that it shares with the kernel. False if it is no
    /// tap: then the far end is not ours to set.
    ///
    /// # Errors
    /// The driver or the kernel refuses.
    pub fn share_mac(&self, mac: MacAddr) -> Result<bool, DeviceError> {
        let Some(device) = self.device().filter(|_| self.kind == TAP) else { return Ok(false) };
        device.set_mac(mac.octets())?;
        self.mac.store(mac.to_u64(), Ordering::Relaxed);
        Ok(true)
    }

    /// The link was up when it was last looked at.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Whether the device is there.
    pub fn presence(&self) -> Presence<'_> {
        match &self.hardware {
            Hardware::Absent(why) => Presence::Absent(why),
            Hardware::Started(_) if self.gone.load(Ordering::Relaxed) => Presence::Vanished,
            Hardware::Started(_) => Presence::Present,
        }
    }

    /// The device is there.
    pub fn is_present(&self) -> bool {
        self.presence() == Presence::Present
    }

    fn device(&self) -> Option<&Device> {
        match &self.hardware {
            Hardware::Started(device) if self.is_present() => Some(device),
            Hardware::Started(_) | Hardware::Absent(_) => None,
        }
    }

    /// What the driver counted; zeroes when it does not say.
    pub fn statistics(&self) -> Statistics {
        self.device().and_then(|device| device.statistics().ok()).unwrap_or_default()
    }

    /// Every counter of the driver.
    pub fn extended_statistics(&self) -> Vec<ExtendedStatistic> {
        self.device().and_then(|device| device.extended_statistics().ok()).unwrap_or_default()
    }

    /// Frames that were lost before a worker saw them.
    pub fn missed(&self) -> u64 {
        let counted = self.statistics();
        counted.missed_frames + counted.no_buffer
    }
}
