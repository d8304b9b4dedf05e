//! The API on the control socket: our services, health and reflection.

use std::io;
use std::os::unix::net::UnixListener;

use proto::v1::gateway_config_server::GatewayConfigServer;
use proto::v1::gateway_state_server::GatewayStateServer;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::engine::Engine;
use crate::service::{ConfigService, StateService};
use crate::store::SITE_LIMIT;

/// The largest request: a site document and something around it, in octets.
const REQUEST_LIMIT: usize = SITE_LIMIT + 64 * 1024;
/// Streams of one connection that are served at once.
const STREAMS: u32 = 256;

/// The API while it is served.
#[derive(Debug)]
pub struct ApiServer {
    health: HealthReporter,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
}

/// The names under which health is asked for; the empty one is the daemon as a whole.
const SERVICES: [&str; 3] = ["", "sluice.v1.GatewayConfig", "sluice.v1.GatewayState"];

/// Serves the API of `engine` on `listener`. Call it within the runtime.
///
/// # Errors
/// The listener or the descriptors cannot be used.
pub async fn serve(engine: &Engine, listener: UnixListener) -> io::Result<ApiServer> {
    listener.set_nonblocking(true)?;
    let incoming = UnixListenerStream::new(tokio::net::UnixListener::from_std(listener)?);
    let (shared, control) = (&engine.shared, &engine.control);
    let config = GatewayConfigServer::new(ConfigService::new(shared.clone(), control.clone()))
        .max_decoding_message_size(REQUEST_LIMIT);
    let state = GatewayStateServer::new(StateService::new(shared.clone(), control.clone()));
    let (health, health_service) = tonic_health::server::health_reporter();
    for service in SERVICES {
        health.set_service_status(service, ServingStatus::Serving).await;
    }
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let router = Server::builder()
        .max_concurrent_streams(STREAMS)
        .add_service(config)
        .add_service(state)
        .add_service(health_service)
        .add_service(reflection().build_v1().map_err(invalid)?);
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(router.serve_with_incoming_shutdown(incoming, async {
        // That the other end is gone means the same as a signal.
        let _ = stopped.await;
    }));
    Ok(ApiServer { health, stop, task })
}

impl ApiServer {
    /// Stops taking requests, and lets those in progress end for as long as `limit`.
    pub async fn stop(self, limit: std::time::Duration) {
        for service in SERVICES {
            self.health.set_service_status(service, ServingStatus::NotServing).await;
        }
        let _ = self.stop.send(());
        let abort = self.task.abort_handle();
        match tokio::time::timeout(limit, self.task).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the API ended with an error"),
            Ok(Err(error)) => tracing::error!(%error, "the API ended in a panic"),
            // A client that watches health or holds a stream open is no reason to wait.
            Err(_) => abort.abort(),
        }
    }
}
