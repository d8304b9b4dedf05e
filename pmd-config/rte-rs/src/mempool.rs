//! Pools of packet buffers.

use crate::eal::Eal;
use crate::errno::Errno;
use crate::log;
use crate::mbuf::{HEADROOM, Mbuf};
use crate::remedy::Diagnosis;
use arrayvec::ArrayVec;
use dpdk_sys::{rte_mbuf, rte_mempool};
use std::ffi::CString;
use std::ptr::NonNull;

/// A pool to make.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Name, unique in the process, at most 25 octets.
    pub name: String,
    /// How many buffers. One less than a power of two wastes no memory.
    pub mbufs: u32,
    /// Octets of frame that a buffer holds, beside [`HEADROOM`]: see [`data_room_for_mtu`].
    pub data_room: u16,
    /// Buffers that each lcore keeps at hand, at most 512 and two thirds of `mbufs`.
    pub cache: u16,
    /// NUMA node of the memory; `None`: any.
    pub numa_node: Option<u16>,
}

/// Why there is no pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The name cannot be given to DPDK.
    #[error("{name:?} cannot name a pool: expected 1 to 25 octets without NUL")]
    Name {
        /// The refused name.
        name: String,
    },
    /// The data room leaves no space for the headroom in 16 bits.
    #[error("a data room of {data_room} octets is too large: at most {max}", max = u16::MAX - HEADROOM)]
    DataRoom {
        /// The refused length.
        data_room: u16,
    },
    /// DPDK refused, mostly for want of memory.
    #[error("cannot make pool {name:?} of {mbufs} buffers, {mebibytes} MiB ({errno}): {diagnosis}")]
    Create {
        /// The pool.
        name: String,
        /// How many buffers were asked for.
        mbufs: u32,
        /// What they would take, rounded up.
        mebibytes: u64,
        /// Why.
        errno: Errno,
        /// What DPDK logged, and what to do.
        diagnosis: Diagnosis,
    },
}

/// A pool of equal buffers, for any thread; threads with an
/// [`LcoreThread`](crate::LcoreThread) have a cache in it. It lives as long as the process.
#[derive(Clone, Debug)]
pub struct Mempool {
    raw: NonNull<rte_mempool>,
    data_room: u16,
    mbufs: u32,
}

// SAFETY: the pool's ring takes several producers and consumers at once (no flag says otherwise
// when it is made), caches belong to one thread each, and it is never freed.
unsafe impl Send for Mempool {}
// SAFETY: as above; no method needs exclusive access.
unsafe impl Sync for Mempool {}

/// Octets of a frame beside the layer-3 packet: addresses, length or type, and two tags.
pub(crate) const FRAME_OVERHEAD: u16 = 14 + 8;

/// The data room with which every driver here delivers a frame of this MTU and two tags in one
/// buffer. A multiple of 512: 2048 for an MTU of 1500, 9728 for 9600.
pub const fn data_room_for_mtu(mtu: u16) -> u16 {
    // net_af_packet keeps about 80 octets of its own in each frame slot, whose length this also is.
    let wanted = mtu as u32 + FRAME_OVERHEAD as u32 + 80;
    let rounded = wanted.next_multiple_of(512);
    let least = if rounded < 2048 { 2048 } else { rounded };
    let most = (u16::MAX - HEADROOM) as u32 / 512 * 512;
    #[expect(clippy::cast_possible_truncation, reason = "limited by `most`")]
    if least < most { least as u16 } else { most as u16 }
}

impl Mempool {
    /// Makes a pool.
    pub fn new(_eal: &Eal, options: &PoolOptions) -> Result<Self, PoolError> {
        let name = CString::new(options.name.as_str())
            .ok()
            .filter(|name| (1..26).contains(&name.as_bytes().len()))
            .ok_or_else(|| PoolError::Name { name: options.name.clone() })?;
        let room = options
            .data_room
            .checked_add(HEADROOM)
            .ok_or(PoolError::DataRoom { data_room: options.data_room })?;
        let cache = u32::from(options.cache).min(512).min(options.mbufs * 2 / 3);
        let node = options.numa_node.map_or(-1, i32::from);
        let mark = log::mark();
        // SAFETY: the EAL runs and `name` is a C string that DPDK copies.
        let raw = unsafe {
            dpdk_sys::rte_pktmbuf_pool_create(name.as_ptr(), options.mbufs, cache, 0, room, node)
        };
        let raw = NonNull::new(raw).ok_or_else(|| {
            let octets = u64::from(options.mbufs) * (u64::from(room) + 192);
            let mut diagnosis = Diagnosis::of(log::since(mark));
            diagnosis.remedy.get_or_insert("give DPDK more memory, or use fewer buffers or queues");
            PoolError::Create {
                name: options.name.clone(),
                mbufs: options.mbufs,
                mebibytes: octets.div_ceil(1 << 20),
                errno: Errno::of_thread(),
                diagnosis,
            }
        })?;
        Ok(Self { raw, data_room: options.data_room, mbufs: options.mbufs })
    }

    /// Octets of frame that a buffer holds.
    pub const fn data_room(&self) -> u16 {
        self.data_room
    }

    /// How many buffers the pool has in all.
    pub const fn capacity(&self) -> u32 {
        self.mbufs
    }

    /// How many buffers are free now, those in caches included. Walks the caches: not for the
    /// packet path.
    pub fn available(&self) -> u32 {
        // SAFETY: the pool is never freed.
        unsafe { dpdk_sys::rte_mempool_avail_count(self.raw.as_ptr()) }
    }

    pub(crate) const fn as_raw(&self) -> *mut rte_mempool {
        self.raw.as_ptr()
    }

    /// One empty buffer, unless the pool has run dry.
    #[inline]
    pub fn allocate(&self) -> Option<Mbuf> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: the pool is never freed and `raw` has room for one pointer.
        let code = unsafe { dpdk_sys::sluice_mbuf_alloc_bulk(self.as_raw(), &raw mut raw, 1) };
        let raw = NonNull::new(raw).filter(|_| code == 0)?;
        // SAFETY: fresh from the pool, with a reference count of one.
        Some(unsafe { Mbuf::from_raw(raw) })
    }

    /// Appends `count` empty buffers, limited by the room in `burst`, with one call: all or none.
    #[inline]
    #[must_use = "false when the pool has run dry"]
    pub fn allocate_bulk<F: From<Mbuf>, const N: usize>(
        &self,
        burst: &mut ArrayVec<F, N>,
        count: usize,
    ) -> bool {
        let count = count.min(burst.remaining_capacity());
        let mut raw = [std::ptr::null_mut::<rte_mbuf>(); N];
        #[expect(clippy::cast_possible_truncation, reason = "at most N, a burst")]
        let wanted = count as u32;
        // SAFETY: the pool is never freed and `raw` has room for `count` <= N pointers.
        let code =
            unsafe { dpdk_sys::sluice_mbuf_alloc_bulk(self.as_raw(), raw.as_mut_ptr(), wanted) };
        if code != 0 {
            return false;
        }
        for raw in raw.into_iter().take(count).filter_map(NonNull::new) {
            // SAFETY: fresh from the pool, with a reference count of one.
            burst.push(F::from(unsafe { Mbuf::from_raw(raw) }));
        }
        true
    }

    /// A copy of a frame in one part, with the full headroom. `None` if the pool has run dry or the
    /// frame is longer than a buffer of this pool.
    #[inline]
    pub fn copy(&self, frame: &Mbuf) -> Option<Mbuf> {
        if frame.frame_len() > u32::from(self.data_room) {
            return None;
        }
        let mut copy = self.allocate()?;
        let mut fits = true;
        frame.for_each_part(|part| fits &= copy.append(part));
        fits.then_some(copy)
    }

    /// A buffer that holds `frame`. `None` as for [`copy`](Self::copy).
    pub fn frame(&self, frame: &[u8]) -> Option<Mbuf> {
        let mut mbuf = self.allocate()?;
        mbuf.append(frame).then_some(mbuf)
    }
}
