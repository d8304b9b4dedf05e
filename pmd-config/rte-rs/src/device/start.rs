//! Configuring and starting a device.

use super::open::Core;
use super::{Backing, DeviceConfig, DeviceError, TransmitFree};
use crate::errno::Errno;
use crate::kernel::KernelInterface;
use crate::log;
use crate::mempool::{FRAME_OVERHEAD, Mempool};
use dpdk_sys::{
    SLUICE_DEV_INTR_LSC, SLUICE_RSS_IP, SLUICE_TX_FAST_FREE, rte_eth_conf, rte_eth_dev_info,
    rte_eth_rx_mq_mode,
};
use std::mem::MaybeUninit;

/// Octets that two tags add to a frame.
const TAGS: u16 = 8;
/// What drivers add to an MTU to make a frame length: header and FCS.
const HEADER_AND_FCS: u32 = 18;
/// The MTU that every driver takes.
const ETHERNET_MTU: u16 = 1500;
/// Octets of a slot in the rings of `net_af_packet` that hold no frame data (`TPACKET2_HDRLEN`).
const SLOT_HEADER: u16 = 52;

impl Core {
    /// Configures and starts; returns the octets of the longest frame that can be sent.
    pub(crate) fn start(&self, config: &DeviceConfig, pool: &Mempool) -> Result<u32, DeviceError> {
        let info = self.raw_info();
        let most = info.max_rx_queues.min(info.max_tx_queues);
        if config.queues == 0 || config.queues > most {
            let device = self.name().to_owned();
            return Err(DeviceError::Queues { device, asked: config.queues, most });
        }
        self.check_rooms(config.mtu, pool)?;
        self.configure(config, &info)?;
        let frame_octets_max = match self.kernel() {
            Some(kernel) => self.set_kernel_mtu(kernel, config.mtu)?,
            None => u32::from(config.mtu) + u32::from(FRAME_OVERHEAD),
        };
        self.set_up_queues(config, &info, pool)?;
        {
            let mut control = self.control();
            let mark = log::mark();
            // SAFETY: the device is plugged, configured, its queues are set up, and it is stopped.
            let code = unsafe { dpdk_sys::rte_eth_dev_start(self.id().0) };
            self.step_since("start", code, mark)?;
            control.started = true;
        }
        let finished = self.after_start(config);
        if finished.is_err() {
            // No queue object exists yet.
            drop(self.stop());
        }
        finished.map(|()| frame_octets_max)
    }

    /// Everything that a started device is still asked for.
    fn after_start(&self, config: &DeviceConfig) -> Result<(), DeviceError> {
        if let Some(kernel) = self.kernel() {
            let up = kernel.set_up();
            up.map_err(|errno| self.refusal("set up the kernel interface of", errno))?;
        }
        self.set_promiscuous(config.promiscuous)?;
        if config.promiscuous {
            let _control = self.control();
            // SAFETY: the device is plugged while `self` exists. Promiscuous mode includes groups
            // with most drivers; those that tell the two apart support this.
            unsafe { dpdk_sys::rte_eth_allmulticast_enable(self.id().0) };
        }
        Ok(())
    }

    fn refusal(&self, step: &'static str, errno: Errno) -> DeviceError {
        let diagnosis = crate::remedy::Diagnosis { lines: Vec::new(), remedy: None };
        DeviceError::Step { step, device: self.name().to_owned(), errno, diagnosis }
    }

    /// Frames must fit into one buffer, and into the slots of the driver's rings.
    fn check_rooms(&self, mtu: u16, pool: &Mempool) -> Result<(), DeviceError> {
        let too_small = |needed, room| {
            Err(DeviceError::DataRoom { device: self.name().to_owned(), mtu, needed, room })
        };
        let frame = mtu.saturating_add(FRAME_OVERHEAD);
        if pool.data_room() < frame {
            return too_small(frame, pool.data_room());
        }
        match self.spec().frame_slot() {
            Some(slot) if slot < frame.saturating_add(SLOT_HEADER) => {
                too_small(frame.saturating_add(SLOT_HEADER), slot)
            }
            // The driver copies whatever is in a slot, however long.
            Some(slot) if pool.data_room() < slot => too_small(slot, pool.data_room()),
            _ => Ok(()),
        }
    }

    /// Sets the MTU of the interface behind the device and returns the longest frame that the
    /// kernel takes from us: it adds room for one 802.1Q tag and drops longer ones in silence.
    fn set_kernel_mtu(&self, kernel: &KernelInterface, mtu: u16) -> Result<u32, DeviceError> {
        let refused = |errno| DeviceError::Mtu { device: self.name().to_owned(), mtu, errno };
        if *self.spec().backing() == Backing::Made {
            kernel.set_mtu(mtu).map_err(refused)?;
            return Ok(u32::from(mtu) + u32::from(FRAME_OVERHEAD));
        }
        // Room for two tags if the interface can, for one if not. The first that it takes stays.
        let mut refusal = Ok(());
        for wanted in [mtu.saturating_add(TAGS), mtu.saturating_add(TAGS / 2), mtu] {
            refusal = kernel.set_mtu(wanted);
            if refusal.is_ok() {
                break;
            }
        }
        refusal.map_err(refused)?;
        Ok(kernel.mtu().map_err(refused)? + HEADER_AND_FCS)
    }

    fn configure(&self, config: &DeviceConfig, info: &rte_eth_dev_info) -> Result<(), DeviceError> {
        let conf = MaybeUninit::<rte_eth_conf>::zeroed();
        // SAFETY: zeroes are a valid configuration: no offload, no feature, automatic speed.
        let mut conf = unsafe { conf.assume_init() };
        let most = u32::from(info.max_mtu)
            .min(info.max_rx_pktlen.saturating_sub(HEADER_AND_FCS))
            .max(u32::from(ETHERNET_MTU));
        if most < u32::from(config.mtu) && !self.spec().understates_mtu() {
            let errno = Errno::check(-libc::EMSGSIZE).err().unwrap_or(Errno::NO_DEVICE);
            return Err(DeviceError::Mtu {
                device: self.name().to_owned(),
                mtu: config.mtu,
                errno,
            });
        }
        conf.rxmode.mtu = (u32::from(config.mtu) + u32::from(TAGS)).min(most);
        if config.queues > 1 && info.flow_type_rss_offloads & SLUICE_RSS_IP != 0 {
            conf.rxmode.mq_mode = rte_eth_rx_mq_mode::RTE_ETH_MQ_RX_RSS;
            conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & SLUICE_RSS_IP;
        }
        if config.transmit_free == TransmitFree::OnePool {
            conf.txmode.offloads = info.tx_offload_capa & SLUICE_TX_FAST_FREE;
        }
        if !info.dev_flags.is_null() {
            // SAFETY: not null, so it points to the device's flags, which live as long as it does.
            let flags = unsafe { *info.dev_flags };
            conf.intr_conf.set_lsc(u32::from(flags & SLUICE_DEV_INTR_LSC != 0));
        }
        let _control = self.control();
        let mark = log::mark();
        // SAFETY: the device is plugged and stopped, and DPDK copies `conf`.
        let code = unsafe {
            dpdk_sys::rte_eth_dev_configure(
                self.id().0,
                config.queues,
                config.queues,
                &raw const conf,
            )
        };
        self.step_since("configure", code, mark).map(drop)
    }

    fn set_up_queues(
        &self,
        config: &DeviceConfig,
        info: &rte_eth_dev_info,
        pool: &Mempool,
    ) -> Result<(), DeviceError> {
        let id = self.id().0;
        let _control = self.control();
        let (mut receive, mut transmit) = (config.receive_descriptors, config.transmit_descriptors);
        let mark = log::mark();
        // SAFETY: the device is plugged, and the two numbers are ours to change.
        let code = unsafe {
            dpdk_sys::rte_eth_dev_adjust_nb_rx_tx_desc(id, &raw mut receive, &raw mut transmit)
        };
        self.step_since("set the descriptors of", code, mark)?;
        // SAFETY: the device is plugged.
        let node = unsafe { dpdk_sys::rte_eth_dev_socket_id(id) }.cast_unsigned();
        let mut transmit_config = info.default_txconf;
        transmit_config.offloads = 0;
        for queue in 0..config.queues {
            // SAFETY: the device is configured with this queue, and the pool lives for good. A null
            // configuration means the driver's own.
            let code = unsafe {
                dpdk_sys::rte_eth_rx_queue_setup(
                    id,
                    queue,
                    receive,
                    node,
                    std::ptr::null(),
                    pool.as_raw(),
                )
            };
            self.step_since("set up a receive queue of", code, mark)?;
            // SAFETY: the device is configured with this queue, and DPDK copies the configuration.
            let code = unsafe {
                dpdk_sys::rte_eth_tx_queue_setup(
                    id,
                    queue,
                    transmit,
                    node,
                    &raw const transmit_config,
                )
            };
            self.step_since("set up a transmit queue of", code, mark)?;
        }
        Ok(())
    }
}
