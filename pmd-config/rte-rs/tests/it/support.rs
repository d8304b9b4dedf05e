//! A world for one test: its network namespace, its EAL, its frames.

use arrayvec::ArrayVec;
use nix::sched::{CloneFlags, unshare};
use rte_rs::{
    BURST, Device, DeviceConfig, DeviceSpec, Eal, EalOptions, LcoreThread, LinkState, Mbuf,
    Mempool, PoolOptions, RxQueue, TxQueue, data_room_for_mtu,
};
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than any of these tests waits for anything on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Moves the calling thread, and what it starts from now on, to a network namespace of its own. The
/// kernel removes it when the test exits.
pub(crate) fn enter_new_netns() {
    unshare(CloneFlags::CLONE_NEWNET).expect("tests of kernel devices run as root");
}

/// Runs `ip` with these words in the namespace of the caller.
#[track_caller]
pub(crate) fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An EAL and a pool with buffers for frames of an MTU.
pub(crate) struct World {
    pub(crate) eal: Eal,
    pub(crate) pool: Mempool,
    pub(crate) mtu: u16,
    _lcore: Option<LcoreThread>,
}

impl World {
    pub(crate) fn new(mtu: u16) -> Self {
        let eal = Eal::start(&EalOptions::ordinary(128)).unwrap();
        let pool = Mempool::new(
            &eal,
            &PoolOptions {
                name: "test".to_owned(),
                mbufs: 4095,
                data_room: data_room_for_mtu(mtu),
                cache: 256,
                numa_node: None,
            },
        )
        .unwrap();
        Self { eal, pool, mtu, _lcore: None }
    }

    pub(crate) fn start(&self, spec: &DeviceSpec) -> Port {
        let mut device = Device::plug(&self.eal, spec).unwrap();
        let mut queues = device.start(&DeviceConfig::bridge(self.mtu), &self.pool).unwrap();
        Port { device, rx: queues.receive.remove(0), tx: queues.transmit.remove(0) }
    }

    /// Sends `frames` one after another and waits until `to` has received them all, in order and
    /// byte for byte. Other frames (the kernel's own) are ignored if `to` sees them.
    #[track_caller]
    pub(crate) fn cross(&self, from: &mut Port, to: &mut Port, frames: &[Vec<u8>]) {
        let (from, to) = (&mut from.tx, &mut to.rx);
        self.cross_queues(from, to, frames);
    }

    #[track_caller]
    pub(crate) fn cross_queues(&self, from: &mut TxQueue, to: &mut RxQueue, frames: &[Vec<u8>]) {
        let deadline = Instant::now() + PATIENCE;
        let mut unsent = frames.iter();
        let mut expected = frames.iter();
        let mut next = expected.next();
        let mut out: ArrayVec<Mbuf, BURST> = ArrayVec::new();
        let mut got: ArrayVec<Mbuf, BURST> = ArrayVec::new();
        while let Some(wanted) = next {
            assert!(Instant::now() < deadline, "frame of {} octets did not arrive", wanted.len());
            if out.is_empty() {
                out.extend(unsent.next().map(|frame| self.pool.frame(frame).unwrap()));
            }
            from.transmit(&mut out);
            to.receive(&mut got);
            for mbuf in got.drain(..) {
                assert_eq!(mbuf.segments(), 1);
                // Room for the headers of a tunnel, whatever the driver.
                assert!(mbuf.headroom() >= 96, "{} octets in front", mbuf.headroom());
                if next.is_some_and(|wanted| mbuf.bytes() == wanted) {
                    next = expected.next();
                } else {
                    assert!(!is_ours(mbuf.bytes()), "changed on the way: {:02x?}", mbuf.bytes());
                }
            }
        }
    }
}

/// A started device with one queue each way.
pub(crate) struct Port {
    pub(crate) device: Device,
    pub(crate) rx: RxQueue,
    pub(crate) tx: TxQueue,
}

impl Port {
    /// Stops the device and unplugs it.
    pub(crate) fn close(self) {
        let Self { mut device, rx, tx } = self;
        drop((rx, tx));
        device.stop().unwrap();
    }

    /// Waits for the link to be as given, receiving meanwhile: some drivers connect in there.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, link: LinkState) {
        let deadline = Instant::now() + PATIENCE;
        while self.device.link() != link {
            assert!(Instant::now() < deadline, "the link stays {:?}", self.device.link());
            std::thread::yield_now();
        }
    }
}

/// The source address of the frames that tests send: locally administered, "Sluice".
const SOURCE: [u8; 6] = [0x02, b'S', b'l', b'u', b'i', b'c'];

fn is_ours(frame: &[u8]) -> bool {
    frame.get(6..12) == Some(&SOURCE[..])
}

/// A frame with these tags (TPID, TCI) and as many octets in all, header included, without FCS.
pub(crate) fn frame(octets: usize, tags: &[(u16, u16)]) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 0x01];
    frame.extend(SOURCE);
    for (tpid, tci) in tags {
        frame.extend(tpid.to_be_bytes());
        frame.extend(tci.to_be_bytes());
    }
    frame.extend(0x88b5_u16.to_be_bytes()); // local experimental EtherType
    let header = frame.len();
    frame.extend((header..octets).map(|at| u8::try_from(at * 7 % 251).unwrap()));
    frame
}

/// Frames of every kind that a bridge meets, up to the MTU: untagged, priority-tagged, one tag, two.
pub(crate) fn frames(mtu: u16) -> Vec<Vec<u8>> {
    let mtu = usize::from(mtu);
    [60, 64, 65, 127, 128, 512, 1514, mtu / 2, mtu + 14]
        .into_iter()
        .map(|octets| frame(octets, &[]))
        .chain([60, 64, mtu + 18].map(|octets| frame(octets, &[(0x8100, 0xa00a)])))
        .chain([frame(64, &[(0x8100, 0xe000)]), frame(64, &[(0x8100, 4094)])])
        .chain([64, mtu + 22].map(|octets| frame(octets, &[(0x8100, 100), (0x8100, 0x2007)])))
        .collect()
}

/// As [`frames`], with an 802.1ad service tag outside.
pub(crate) fn service_tagged(mtu: u16) -> Vec<Vec<u8>> {
    let mtu = usize::from(mtu);
    vec![
        frame(64, &[(0x88a8, 7)]),
        frame(64, &[(0x88a8, 7), (0x8100, 0xb00c)]),
        frame(mtu + 22, &[(0x88a8, 7), (0x8100, 12)]),
    ]
}

/// A fragment of a UDP packet, 1480 octets from `offset` on.
pub(crate) fn ip_fragment(offset: u16, more: bool) -> Vec<u8> {
    let mut ip =
        vec![0x45, 0, 0x05, 0xdc, 0x12, 0x34, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let field = (offset / 8) | if more { 0x2000 } else { 0 };
    ip[6..8].copy_from_slice(&field.to_be_bytes());
    let sum: u32 =
        ip.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    ip[10..12].copy_from_slice(&(!folded).to_be_bytes());
    let mut frame = frame(1514, &[]);
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14..34].copy_from_slice(&ip);
    frame
}
