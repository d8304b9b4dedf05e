//! The service `GatewayState`.

use std::sync::Arc;

use bridge_model::topology::Topology;
use bridge_model::types::Name;
use proto::failure::Failure;
use proto::v1::gateway_state_server::GatewayState;
use proto::{field, resource, v1};
use tonic::{Request, Response, Status};

use super::{accounting, drops, macs, neighbors, ports, status, tunnels};
use crate::control::{ControlHandle, Edit, Terms, digest};
use crate::failures;
use crate::shared::Shared;

/// Reads the state of this host, and changes its MAC tables.
#[derive(Debug)]
pub struct StateService {
    shared: Arc<Shared>,
    control: ControlHandle,
}

impl StateService {
    /// The service over `shared` and `control`.
    pub fn new(shared: Arc<Shared>, control: ControlHandle) -> Self {
        Self { shared, control }
    }

    /// Runs `read` where it may take a while: scanning a large MAC table is no work for a thread
    /// that serves connections.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || read(&shared))
            .await
            .map_err(|error| Failure::new(v1::ErrorReason::Internal, error.to_string()).into())
    }
}

/// A static MAC may name a trunk, an access port, or a tunnel to a foreign endpoint.
fn is_place(topology: &Topology, port: &Name) -> bool {
    topology.trunks.contains_key(port)
        || topology.access_ports.contains_key(port)
        || topology.tunnels.contains_key(port)
}

#[tonic::async_trait]
impl GatewayState for StateService {
    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::Status>, Status> {
        Ok(Response::new(self.read(status::status).await?))
    }

    async fn list_ports(
        &self,
        request: Request<v1::ListPortsRequest>,
    ) -> Result<Response<v1::ListPortsResponse>, Status> {
        let request = request.into_inner();
        let wanted = match request.port.as_str() {
            "" => None,
            text => Some(field::port_name("port", text)?),
        };
        let with_vlans = request.with_vlans;
        let response = self.read(move |shared| ports::list(shared, wanted.as_ref(), with_vlans));
        Ok(Response::new(response.await??))
    }

    async fn list_interfaces(
        &self,
        request: Request<v1::ListInterfacesRequest>,
    ) -> Result<Response<v1::ListInterfacesResponse>, Status> {
        let all = request.into_inner().with_driver_counters;
        let response = self.read(move |shared| {
            let site = shared.site();
            let interfaces = (0..shared.interfaces.len())
                .filter_map(|at| ports::interface((shared, &site), at, all))
                .collect();
            v1::ListInterfacesResponse { interfaces }
        });
        Ok(Response::new(response.await?))
    }

    async fn list_macs(
        &self,
        request: Request<v1::ListMacsRequest>,
    ) -> Result<Response<v1::ListMacsResponse>, Status> {
        let request = request.into_inner();
        let response = self.read(move |shared| macs::list(shared, &request)).await??;
        Ok(Response::new(response))
    }

    async fn add_mac(
        &self,
        request: Request<v1::AddMacRequest>,
    ) -> Result<Response<v1::AddMacResponse>, Status> {
        let request = request.into_inner();
        let wire = request.mac.ok_or_else(|| field::bad("mac", &"it is missing"))?;
        let entry = resource::static_mac("mac", &wire)?;
        let id = field::request_id("request_id", &request.request_id)?;
        let text = format!("add {wire:?} {}", request.validate_only);
        let terms = Terms {
            validate_only: request.validate_only,
            expected_revision: None,
            request: id.map(|id| (id.to_owned(), digest(&text))),
        };
        let topology = Arc::clone(&self.shared.site().topology);
        if !topology.bridges.contains_key(&entry.key.bridge) {
            return Err(failures::not_found(&format!("bridges/{}", entry.key.bridge)).into());
        }
        let port = &entry.port;
        if !is_place(&topology, port) {
            return Err(failures::not_found(&format!("port {port}")).into());
        }
        let mac = Some(v1::StaticMac::from(&entry));
        let changed = self.control.change(Edit::AddStatic(entry), terms).await?;
        Ok(Response::new(v1::AddMacResponse { mac, revision: changed.revision.0 }))
    }

    async fn delete_mac(
        &self,
        request: Request<v1::DeleteMacRequest>,
    ) -> Result<Response<v1::DeleteMacResponse>, Status> {
        let request = request.into_inner();
        let id = field::request_id("request_id", &request.request_id)?.map(ToOwned::to_owned);
        let digest = digest(&format!("delete {request:?}"));
        let allow_missing = request.allow_missing;
        let named = format!("{} in bridges/{}", request.mac, request.bridge);
        let (doomed, forgotten) = self
            .read(move |shared| {
                let doomed = macs::doomed(shared, &request)?;
                let mut learning = shared.learning.lock();
                let forget = |(fid, mac): &&(_, _)| learning.learner.forget(*fid, *mac);
                let forgotten = doomed.learned.iter().filter(forget).count();
                Ok::<_, Failure>((doomed.statics, forgotten))
            })
            .await??;
        let removed = u64::try_from(doomed.len() + forgotten).unwrap_or(u64::MAX);
        let mut revision = self.shared.site().revision.0;
        if !doomed.is_empty() {
            let request = id.map(|id| (id, digest));
            let terms = Terms { request, ..Terms::default() };
            revision = self.control.change(Edit::RemoveStatics(doomed), terms).await?.revision.0;
        } else if removed == 0 && !allow_missing {
            return Err(failures::not_found(&named).into());
        }
        Ok(Response::new(v1::DeleteMacResponse { removed, revision }))
    }

    async fn flush_macs(
        &self,
        request: Request<v1::FlushMacsRequest>,
    ) -> Result<Response<v1::FlushMacsResponse>, Status> {
        let request = request.into_inner();
        let (scope, flushed) = self
            .read(move |shared| {
                let site = shared.site();
                let scope = macs::scope(&site, &request)?;
                let flushed = macs::count_learned(shared, &site, &scope);
                Ok::<_, Failure>((scope, flushed))
            })
            .await??;
        let programmed = self.control.flush(scope).await?.programmed;
        Ok(Response::new(v1::FlushMacsResponse { flushed, programmed }))
    }

    async fn list_drops(
        &self,
        request: Request<v1::ListDropsRequest>,
    ) -> Result<Response<v1::ListDropsResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.read(move |shared| drops::drops(shared, &request)).await??))
    }

    async fn get_accounting(
        &self,
        _request: Request<v1::GetAccountingRequest>,
    ) -> Result<Response<v1::Accounting>, Status> {
        Ok(Response::new(self.read(accounting::accounting).await?))
    }

    async fn list_neighbors(
        &self,
        _request: Request<v1::ListNeighborsRequest>,
    ) -> Result<Response<v1::ListNeighborsResponse>, Status> {
        Ok(Response::new(self.read(neighbors::neighbors).await?))
    }

    async fn list_tunnels(
        &self,
        request: Request<v1::ListTunnelsRequest>,
    ) -> Result<Response<v1::ListTunnelsResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.read(move |shared| tunnels::tunnels(shared, &request)).await??))
    }

    async fn list_underlay(
        &self,
        _request: Request<v1::ListUnderlayRequest>,
    ) -> Result<Response<v1::ListUnderlayResponse>, Status> {
        Ok(Response::new(self.read(tunnels::underlay).await?))
    }
}
