//! The API as a client sees it, one call at a time.

use std::path::Path;

use hyper_util::rt::TokioIo;
use proto::v1;
use proto::v1::gateway_config_client::GatewayConfigClient;
use proto::v1::gateway_state_client::GatewayStateClient;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use crate::gateway::wait_for;

/// A connection to a daemon.
pub(crate) struct Client {
    runtime: Runtime,
    pub(crate) channel: Channel,
}

impl Client {
    /// Connects, if anybody listens.
    pub(crate) fn connect(socket: &Path) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let socket = socket.to_owned();
        let connector = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://sluiced");
        let channel = runtime.block_on(endpoint.connect_with_connector(connector)).ok()?;
        Some(Self { runtime, channel })
    }

    pub(crate) fn config<T, F>(
        &self,
        call: impl FnOnce(GatewayConfigClient<Channel>) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let client =
            GatewayConfigClient::new(self.channel.clone()).max_decoding_message_size(64 << 20);
        self.runtime.block_on(call(client)).map(Response::into_inner)
    }

    pub(crate) fn state<T, F>(
        &self,
        call: impl FnOnce(GatewayStateClient<Channel>) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let client = GatewayStateClient::new(self.channel.clone());
        self.runtime.block_on(call(client)).map(Response::into_inner)
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn apply(&self, request: v1::ApplyRequest) -> Result<v1::ApplyResponse, Status> {
        self.config(|mut client| async move { client.apply(request).await })
    }

    pub(crate) fn status(&self) -> v1::Status {
        self.state(|mut client| async move { client.get_status(v1::GetStatusRequest {}).await })
            .unwrap()
    }

    /// The reasons and objects of all conditions, worst first.
    pub(crate) fn conditions(&self) -> Vec<(String, String)> {
        self.status().conditions.into_iter().map(|c| (c.reason, c.object)).collect()
    }

    pub(crate) fn macs(&self, request: v1::ListMacsRequest) -> v1::ListMacsResponse {
        self.state(|mut client| async move { client.list_macs(request).await }).unwrap()
    }

    /// Every entry as `mac port vid`, in order.
    pub(crate) fn mac_lines(&self) -> Vec<String> {
        let line = |entry: v1::Mac| {
            let vid = entry.vid.map(|vid| format!(".{vid}")).unwrap_or_default();
            let fixed = if entry.origin() == v1::mac::Origin::Static { " static" } else { "" };
            format!("{} {} {}{vid}{fixed}", entry.bridge, entry.mac, entry.port)
        };
        self.macs(v1::ListMacsRequest::default()).macs.into_iter().map(line).collect()
    }

    /// (reason, port) and frames of everything that was dropped.
    pub(crate) fn drops(&self) -> Vec<v1::Drop> {
        let request = v1::ListDropsRequest::default();
        self.state(|mut client| async move { client.list_drops(request).await }).unwrap().drops
    }

    pub(crate) fn tunnels(&self) -> Vec<v1::Peer> {
        let request = v1::ListTunnelsRequest::default();
        self.state(|mut client| async move { client.list_tunnels(request).await }).unwrap().peers
    }

    pub(crate) fn underlay(&self) -> v1::ListUnderlayResponse {
        let request = v1::ListUnderlayRequest {};
        self.state(|mut client| async move { client.list_underlay(request).await }).unwrap()
    }

    /// Waits until the only peer is in this state.
    #[track_caller]
    pub(crate) fn wait_peer(&self, state: v1::peer::State, bfd: &str) -> v1::Peer {
        wait_for(&format!("the peer to be {state:?} and {bfd}"), || {
            let peer = self.tunnels().into_iter().next()?;
            let session = peer.bfd.as_ref().map_or("off", |bfd| bfd.state.as_str());
            (peer.state() == state && session == bfd).then_some(peer)
        })
    }

    pub(crate) fn accounting(&self) -> v1::AccountingLine {
        let request = v1::GetAccountingRequest {};
        let reply = self.state(|mut client| async move { client.get_accounting(request).await });
        reply.unwrap().total.unwrap()
    }

    /// Waits until this many ports forward.
    #[track_caller]
    pub(crate) fn wait_forwarding(&self, count: usize) {
        let is_up = |port: &&v1::Port| port.state() == v1::port::State::Forwarding;
        wait_for("ports to forward", || {
            let request = v1::ListPortsRequest::default();
            let reply = self.state(|mut c| async move { c.list_ports(request).await }).unwrap();
            (reply.ports.iter().filter(is_up).count() >= count).then_some(())
        });
    }
}
