//! The life of the process: start, ready, signals, watchdog, stop.

use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::control::ControlHandle;
use crate::diagnosis::STALLED;
use crate::engine::Engine;
use crate::exit::{Ending, Exit};
use crate::ports::PortState;
use crate::server;
use crate::shared::Shared;
use crate::{socket, systemd};

/// How long requests in progress may take after SIGTERM.
const LAST_REQUESTS: Duration = Duration::from_secs(1);
/// How often the status line of systemd is brought up to date.
const STATUS: Duration = Duration::from_secs(2);

fn error(why: &impl ToString) -> Ending {
    Ending::new(Exit::Error, why)
}

/// Runs the gateway of the node file until it is asked to stop.
///
/// # Errors
/// Why it could not start.
pub fn run(node_path: &Path) -> Result<(), Ending> {
    let engine = Engine::start(node_path)?;
    let (listener, socket) = socket::listen(&engine.socket).map_err(|why| error(&why))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("sluice-api")
        .enable_all()
        .build()
        .map_err(|why| error(&why))?;
    runtime.block_on(async {
        // Before anybody can know that we run: from here on SIGTERM is a clean stop.
        let signals = Signals::listen()?;
        let api = server::serve(&engine, listener).await.map_err(|why| error(&why))?;
        let line = status_line(&engine.shared);
        tracing::info!(socket = %engine.socket.display(), status = line, "ready");
        systemd::ready(&line);
        until_asked_to_stop(&engine.shared, &engine.control, signals).await;
        systemd::stopping();
        api.stop(LAST_REQUESTS).await;
        Ok(())
    })?;
    drop(socket);
    drop(runtime);
    report(&engine.stop());
    Ok(())
}

/// The last word on every frame.
fn report(total: &fwd::counters::Snapshot) {
    let sum = total.accounting();
    tracing::info!(
        received = sum.received,
        originated = sum.originated,
        copied = sum.copied,
        sent = sum.sent,
        consumed = sum.consumed,
        dropped = sum.dropped,
        difference = %sum.difference(),
        "stopped"
    );
}

/// What the outside may ask of the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Ending> {
        let listen = |kind| signal(kind).map_err(|why: std::io::Error| error(&why));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }
}

/// Until SIGTERM or SIGINT.
async fn until_asked_to_stop(shared: &Shared, control: &ControlHandle, mut signals: Signals) {
    let mut status = every(STATUS);
    let mut watchdog = systemd::watchdog_period().map(every);
    let mut shown = String::new();
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            received = next(&mut signals.hang_up) => if received { reload(control).await },
            _ = status.tick() => {
                let line = status_line(shared);
                if line != shown {
                    systemd::status(&line);
                    shown = line;
                }
            }
            () = tick(&mut watchdog) => if workers_are_alive(shared) { systemd::alive() },
        }
    }
    tracing::info!("asked to stop");
}

async fn next(signal: &mut Signal) -> bool {
    signal.recv().await.is_some()
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// The next tick, or never.
async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

async fn reload(control: &ControlHandle) {
    // What happened is logged where it happens.
    let _ = control.reload(false).await;
}

fn workers_are_alive(shared: &Shared) -> bool {
    shared.workers.iter().all(|worker| worker.silent_for() < STALLED)
}

/// What `systemctl status` shows.
fn status_line(shared: &Shared) -> String {
    let site = shared.site();
    let forwarding = site.ports.iter().filter(|port| port.state == PortState::Forwarding).count();
    format!(
        "{forwarding} of {} ports forwarding, {} VLAN links, revision {}",
        site.ports.len(),
        site.topology.vlan_links.len(),
        site.revision
    )
}
