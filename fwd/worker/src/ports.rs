//! Which worker polls which queue, and who sends for whom.

use crate::frame::MbufFrame;
use bridge_model::types::InterfaceId;
use fwd::counters::Note;
use rte_rs::{Queues, RxQueue, TxQueue};
use rtrb::{Consumer, Producer, RingBuffer};

/// Frames that can wait for the owner of a transmit queue: as many as one turn of a worker makes for
/// one device several times over.
pub(crate) const HAND_OVER: usize = 512;

/// A started device with its queues.
#[derive(Debug)]
pub struct PortPlan {
    /// Its number.
    pub interface: InterfaceId,
    /// All its queues.
    pub queues: Queues,
}

/// How a worker sends by one device.
#[derive(Debug)]
pub(crate) enum Transmit {
    /// By a queue of its own.
    Own(TxQueue),
    /// By handing the frames to the queue's owner.
    HandOver(Producer<HandedOver>),
}

/// A frame on its way to the owner of a transmit queue, which counts its end as the note says.
#[derive(Debug)]
pub(crate) struct HandedOver {
    pub(crate) frame: MbufFrame,
    pub(crate) note: Note,
}

/// Frames that other workers want sent by a queue of ours.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) interface: InterfaceId,
    pub(crate) ring: Consumer<HandedOver>,
}

/// One worker's share of one device.
#[derive(Debug)]
pub struct Attachment {
    pub(crate) interface: InterfaceId,
    pub(crate) receive: Vec<RxQueue>,
    pub(crate) transmit: Option<Transmit>,
    pub(crate) inbound: Vec<Inbound>,
}

impl Attachment {
    /// The device's number.
    pub const fn interface(&self) -> InterfaceId {
        self.interface
    }
}

/// Everything that one worker polls and sends by.
#[derive(Debug, Default)]
pub struct WorkerPorts {
    pub(crate) attachments: Vec<Attachment>,
}

impl WorkerPorts {
    /// Its share of each device, to be given to a running worker.
    pub fn into_attachments(self) -> Vec<Attachment> {
        self.attachments
    }

    /// The interfaces that this worker receives from.
    pub fn receives(&self) -> impl Iterator<Item = InterfaceId> {
        let polled = self.attachments.iter().filter(|one| !one.receive.is_empty());
        polled.map(|one| one.interface)
    }
}

/// Shares devices out among `workers` workers: receive queues in turn, so that each worker polls
/// about as many; a transmit queue for each worker where the device has enough, hand-over rings to
/// their owners where it has not.
pub fn distribute(workers: usize, devices: Vec<PortPlan>) -> Vec<WorkerPorts> {
    let workers = workers.max(1);
    let mut shares: Vec<WorkerPorts> = (0..workers).map(|_| WorkerPorts::default()).collect();
    let mut next = 0;
    for device in devices {
        for (worker, attachment) in share(workers, &mut next, device).into_iter().enumerate() {
            if let Some(ports) = shares.get_mut(worker) {
                ports.attachments.push(attachment);
            }
        }
    }
    shares
}

/// One device's attachments, one for each worker. `next` is the worker whose turn it is to poll.
fn share(workers: usize, next: &mut usize, device: PortPlan) -> Vec<Attachment> {
    let interface = device.interface;
    let empty = |_| Attachment { interface, receive: vec![], transmit: None, inbound: vec![] };
    let mut attachments: Vec<_> = (0..workers).map(empty).collect();
    let first = *next % workers;
    for queue in device.queues.receive {
        if let Some(attachment) = attachments.get_mut(*next % workers) {
            attachment.receive.push(queue);
        }
        *next += 1;
    }
    // The workers that poll the device own its transmit queues: their caches know its buffers.
    let owners = device.queues.transmit.len().min(workers);
    for (turn, queue) in device.queues.transmit.into_iter().take(workers).enumerate() {
        if let Some(attachment) = attachments.get_mut((first + turn) % workers) {
            attachment.transmit = Some(Transmit::Own(queue));
        }
    }
    for turn in owners..workers {
        let Some(owner) = (turn - owners).checked_rem(owners) else { break };
        let (producer, ring) = RingBuffer::new(HAND_OVER);
        if let Some(attachment) = attachments.get_mut((first + turn) % workers) {
            attachment.transmit = Some(Transmit::HandOver(producer));
        }
        if let Some(attachment) = attachments.get_mut((first + owner) % workers) {
            attachment.inbound.push(Inbound { interface, ring });
        }
    }
    attachments
}
