//! The service `GatewayConfig`.

use std::sync::Arc;

use bridge_model::site;
use bridge_model::topology::{Kind, Prune, Topology};
use bridge_model::types::Name;
use proto::failure::Failure;
use proto::v1::gateway_config_server::GatewayConfig;
use proto::v1::{self, ErrorReason};
use proto::{field, resource};
use tokio::task::spawn_blocking;
use tonic::{Request, Response, Status};

use super::status::condition;
use super::{duration, page};
use crate::control::{Changed, ControlHandle, Edit, Terms, digest};
use crate::failures;
use crate::peers;
use crate::shared::{Shared, SiteView};
use crate::store::SITE_LIMIT;

/// Reads and changes the site.
#[derive(Debug)]
pub struct ConfigService {
    shared: Arc<Shared>,
    control: ControlHandle,
}

impl ConfigService {
    /// The service over `shared` and `control`.
    pub fn new(shared: Arc<Shared>, control: ControlHandle) -> Self {
        Self { shared, control }
    }

    /// The objects of one kind with their status.
    fn resources(&self, kind: Kind) -> (Vec<v1::Resource>, u64) {
        let site = self.shared.site();
        let now = self.shared.now();
        let conditions = crate::diagnosis::conditions(&self.shared, now);
        let observed = self.shared.observed.lock();
        let programmed = self.shared.runs(site.epoch);
        let mut resources = resource::resources(&site.topology, kind);
        for resource in &mut resources {
            let of_it = conditions.iter().filter(|condition| condition.object == resource.name);
            resource.status = Some(v1::ResourceStatus {
                revision: site.revision.0,
                programmed,
                conditions: of_it.map(|c| condition(c, &observed.since, now)).collect(),
                effective_mtu: effective_mtu(&site, &resource.name),
            });
        }
        (resources, site.revision.0)
    }
}

/// The effective MTU of the bridge with this resource name; `None` of other objects.
fn effective_mtu(site: &SiteView, name: &str) -> Option<u32> {
    let bridge: Name = name.strip_prefix("bridges/")?.parse().ok()?;
    peers::effective_mtu(&site.tables, &bridge).map(u32::from)
}

/// Reads a document. Without pruning it is laid over the site, so it may refer to what is there.
fn parse(source: &str, text: String, prune: Prune, base: &Topology) -> Result<Edit, Failure> {
    if text.len() > SITE_LIMIT {
        let why = format!("{} octets are more than the limit of {SITE_LIMIT}", text.len());
        return Err(field::bad("document", &why).into());
    }
    let parsed = match prune {
        Prune::Remove => site::parse(source, &text),
        Prune::Keep => site::parse_over(source, &text, base),
    };
    let topology = parsed.map_err(|errors| failures::site(&errors))?;
    Ok(Edit::Document { topology: Box::new(topology), text, prune })
}

#[tonic::async_trait]
impl GatewayConfig for ConfigService {
    async fn apply(
        &self,
        request: Request<v1::ApplyRequest>,
    ) -> Result<Response<v1::ApplyResponse>, Status> {
        let request = request.into_inner();
        let id = field::request_id("request_id", &request.request_id)?;
        // Not of the expected revision: whoever repeats a request has seen what it led to.
        let digest = digest(&(&request.document, request.prune, request.validate_only));
        let terms = Terms {
            validate_only: request.validate_only,
            expected_revision: Some(request.expected_revision).filter(|revision| *revision != 0),
            request: id.map(|id| (id.to_owned(), digest)),
        };
        let source = match request.source_name.as_str() {
            "" => "document".to_owned(),
            name => name.chars().take(256).collect(),
        };
        let prune = if request.prune { Prune::Remove } else { Prune::Keep };
        let base = Arc::clone(&self.shared.site().topology);
        // Reading a large document takes a while, and other requests are not to wait for it.
        let edit = spawn_blocking(move || parse(&source, request.document, prune, &base))
            .await
            .map_err(|error| Failure::new(ErrorReason::Internal, error.to_string()))??;
        let changed = self.control.change(edit, terms).await?;
        let Changed { revision, differences, notes, programmed, elapsed } = changed;
        Ok(Response::new(v1::ApplyResponse {
            revision: revision.0,
            differences: differences.iter().map(Into::into).collect(),
            programmed,
            elapsed: Some(duration(elapsed)),
            notes,
        }))
    }

    async fn reload(
        &self,
        request: Request<v1::ReloadRequest>,
    ) -> Result<Response<v1::ReloadResponse>, Status> {
        let changed = self.control.reload(request.into_inner().validate_only).await?;
        let Changed { revision, differences, notes, programmed, elapsed } = changed;
        Ok(Response::new(v1::ReloadResponse {
            revision: revision.0,
            differences: differences.iter().map(Into::into).collect(),
            programmed,
            elapsed: Some(duration(elapsed)),
            notes,
        }))
    }

    async fn export(
        &self,
        _request: Request<v1::ExportRequest>,
    ) -> Result<Response<v1::ExportResponse>, Status> {
        let site = self.shared.site();
        let document = site::to_yaml(&site.topology);
        Ok(Response::new(v1::ExportResponse { revision: site.revision.0, document }))
    }

    async fn get_resource(
        &self,
        request: Request<v1::GetResourceRequest>,
    ) -> Result<Response<v1::Resource>, Status> {
        let name = request.into_inner().name;
        let object = resource::object("name", &name)?;
        let (resources, _) = self.resources(object.kind);
        let found = resources.into_iter().find(|resource| resource.name == name);
        let resource = found.ok_or_else(|| failures::not_found(&name))?;
        Ok(Response::new(resource))
    }

    async fn list_resources(
        &self,
        request: Request<v1::ListResourcesRequest>,
    ) -> Result<Response<v1::ListResourcesResponse>, Status> {
        let request = request.into_inner();
        let kind = resource::kind("kind", request.kind)?;
        let len = field::page_len("page_size", request.page_size)?;
        let (mut resources, revision) = self.resources(kind);
        // The order of identities is not that of their texts ("gw/10" and "gw/9"), and a token holds
        // a text.
        resources.sort_by(|a, b| a.name.cmp(&b.name));
        let place = (request.page_token.as_str(), len);
        let key = |resource: &v1::Resource| resource.name.clone();
        let (resources, next_page_token) = page::page(resources, key, kind.collection(), place)?;
        Ok(Response::new(v1::ListResourcesResponse { resources, next_page_token, revision }))
    }
}
