//! The connection to a daemon.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use proto::v1::gateway_config_client::GatewayConfigClient;
use proto::v1::gateway_state_client::GatewayStateClient;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Error as TransportError, Uri};
use tonic::{Response, Status};

use crate::failure::Failure;

/// Where the daemon of this host listens.
pub(crate) const DEFAULT_ENDPOINT: &str = "unix:/run/sluice/sluiced.sock";

/// The largest answer that is accepted: a site document of 8 MiB with room to spare.
const MESSAGE_OCTETS_MAX: usize = 64 << 20;

/// A daemon to talk to.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    channel: Channel,
    /// Where it listens, as given.
    pub(crate) endpoint: String,
    limit: Duration,
}

impl Client {
    /// Connects to the first of the comma-separated `endpoints` that answers.
    pub(crate) async fn connect(endpoints: &str, limit: Duration) -> Result<Self, Failure> {
        let mut tried = Vec::new();
        let mut late = None;
        for endpoint in endpoints.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let attempt = tokio::time::timeout(limit, open(endpoint)).await;
            let error = match attempt {
                Err(_) => {
                    let (task, endpoint) = ("connect".to_owned(), endpoint.to_owned());
                    late = Some(Failure::Timeout { task, endpoint, limit });
                    continue;
                }
                Ok(Err(failure)) => return Err(failure),
                Ok(Ok(Ok(channel))) => {
                    return Ok(Self { channel, endpoint: endpoint.to_owned(), limit });
                }
                Ok(Ok(Err(error))) => error,
            };
            let cause = io_cause(&error);
            if let (Some(io::ErrorKind::PermissionDenied), Some(path)) =
                (cause.map(io::Error::kind), endpoint.strip_prefix("unix:"))
            {
                let (endpoint, path) = (endpoint.to_owned(), path.to_owned());
                return Err(Failure::SocketDenied { endpoint, path });
            }
            tried.push((endpoint.to_owned(), reason(&error)));
        }
        if let Some(late) = late {
            return Err(late);
        }
        if tried.is_empty() {
            let reason = "it is empty".to_owned();
            return Err(Failure::Endpoint { endpoint: endpoints.to_owned(), reason });
        }
        Err(Failure::NoDaemon { tried })
    }

    /// The configuration part of the API.
    pub(crate) fn config(&self) -> GatewayConfigClient<Channel> {
        GatewayConfigClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_OCTETS_MAX)
            .max_encoding_message_size(MESSAGE_OCTETS_MAX)
    }

    /// The state part of the API.
    pub(crate) fn state(&self) -> GatewayStateClient<Channel> {
        GatewayStateClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_OCTETS_MAX)
    }

    /// Waits for an answer, no longer than `--timeout`. `task` says in the error what was tried.
    pub(crate) async fn call<T>(
        &self,
        task: &str,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.limit, answer).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(Failure::Api { task: task.to_owned(), status: status.into() }),
            Err(_) => Err(self.late(task)),
        }
    }

    /// `--timeout`.
    pub(crate) const fn limit(&self) -> Duration {
        self.limit
    }

    /// `task` took longer than `--timeout`.
    pub(crate) fn late(&self, task: &str) -> Failure {
        let endpoint = self.endpoint.clone();
        Failure::Timeout { task: task.to_owned(), endpoint, limit: self.limit }
    }
}

/// Opens one endpoint; the outer error is a mistake in its text.
async fn open(endpoint: &str) -> Result<Result<Channel, TransportError>, Failure> {
    let refuse = |reason: String| Failure::Endpoint { endpoint: endpoint.to_owned(), reason };
    if let Some(path) = endpoint.strip_prefix("unix:") {
        // "unix:///run/x" is how gRPC writes an absolute path.
        let path = path.strip_prefix("//").unwrap_or(path).to_owned();
        if path.is_empty() {
            return Err(refuse("the path is missing".to_owned()));
        }
        let connector = tower::service_fn(move |_: Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        // The authority is not looked up: the connector above ignores it.
        let target = Endpoint::from_static("http://localhost");
        return Ok(target.connect_with_connector(connector).await);
    }
    if endpoint.starts_with("https:") {
        return Err(refuse("TLS is not in this release".to_owned()));
    }
    if endpoint.starts_with('/') {
        return Err(refuse(format!("for a socket write unix:{endpoint}")));
    }
    let url =
        if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") };
    let target = Endpoint::from_shared(url).map_err(|error| refuse(error.to_string()))?;
    Ok(target.connect().await)
}

/// The operating system's error at the bottom of `error`.
fn io_cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    causes(error).find_map(|cause| cause.downcast_ref::<io::Error>())
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn reason(error: &TransportError) -> String {
    match io_cause(error).map(|cause| (cause.kind(), cause)) {
        Some((io::ErrorKind::NotFound, _)) => "the socket does not exist".to_owned(),
        Some((io::ErrorKind::ConnectionRefused, _)) => "nobody listens there".to_owned(),
        Some((_, cause)) => cause.to_string(),
        None => causes(error).last().map_or_else(String::new, ToString::to_string),
    }
}
