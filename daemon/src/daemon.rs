//! The life of the process: start, ready, signals, watchdog, stop.

use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::diagnosis::STALLED;
use crate::engine::Engine;
use crate::exit::{Ending, Exit};
use crate::ports::PortState;
use crate::server::{self, ApiServer};
use crate::shared::Shared;
use crate::{node, socket, systemd};

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
    let node = node::read(node_path)?;
    let (listener, socket) = socket::listen(&node.control_socket).map_err(|why| error(&why))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("sluice-api")
        .enable_all()
        .build()
        .map_err(|why| error(&why))?;
    runtime.block_on(async {
        let api = server::serve(&engine, listener).await.map_err(|why| error(&why))?;
        let line = status_line(&engine.shared);
        tracing::info!(socket = %node.control_socket.display(), status = line, "ready");
        systemd::ready(&line);
        let served = serve(&engine, api).await;
        systemd::stopping();
        served
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

/// Until SIGTERM or SIGINT.
async fn serve(engine: &Engine, api: ApiServer) -> Result<(), Ending> {
    let listen = |kind| signal(kind).map_err(|why: std::io::Error| error(&why));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    let mut status = every(STATUS);
    let mut watchdog = systemd::watchdog_period().map(every);
    let mut shown = String::new();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            received = next(&mut hang_up) => if received { reload(engine).await },
            _ = status.tick() => {
                let line = status_line(&engine.shared);
                if line != shown {
                    systemd::status(&line);
                    shown = line;
                }
            }
            () = tick(&mut watchdog) => if workers_are_alive(&engine.shared) { systemd::alive() },
        }
    }
    tracing::info!("asked to stop");
    api.stop(LAST_REQUESTS).await;
    Ok(())
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

async fn reload(engine: &Engine) {
    // What happened is logged where it happens.
    let _ = engine.control.reload(false).await;
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
