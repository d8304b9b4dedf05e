//! A daemon of cardboard: the generated service traits over canned answers, on a socket of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use proto::failure::{BadField, Failure};
use proto::v1::gateway_config_server::{GatewayConfig, GatewayConfigServer};
use proto::v1::gateway_state_server::{GatewayState, GatewayStateServer};
use proto::v1::*;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Code, Request, Response, Status as RpcStatus};

use crate::sluice::{Outcome, command, finish};
use crate::{canned, canned_overlay};

/// How the daemon behaves.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    /// It has something wrong, and says so.
    Degraded,
    /// All is well.
    Sound,
    /// Every request fails so.
    Refuse(ErrorReason),
    /// Every request fails with a bare code.
    Fail(Code),
    /// It never answers.
    Silent,
    /// Workers do not take the tables: never, or only after so many questions.
    Slow { questions: usize },
    /// A frame is missing.
    Unbalanced,
}

/// A running daemon. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    directory: TempDir,
    heard: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    pub(crate) fn start(mood: Mood) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let api = Api { mood, heard: Arc::clone(&heard) };
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = mpsc::channel();
        let socket = directory.path().join("sluiced.sock");
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = UnixListener::bind(socket).unwrap();
                ready.send(()).unwrap();
                let server = tonic::transport::Server::builder()
                    .add_service(GatewayConfigServer::new(api.clone()))
                    .add_service(GatewayStateServer::new(api))
                    .serve_with_incoming(UnixListenerStream::new(listener));
                tokio::select! {
                    ended = server => ended.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        is_ready.recv().unwrap();
        Self { directory, heard, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("sluiced.sock")
    }

    /// A place for the files of a test.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs the program against this daemon. The directory's name is hidden in what it says.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(arguments, "")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut command = command();
        command.env("SLUICE_ENDPOINTS", format!("unix:{}", self.socket().display()));
        command.args(arguments);
        let Outcome { code, stdout, stderr } = finish(command, input);
        let directory = self.directory.path().display().to_string();
        Outcome {
            code,
            stdout: stdout.replace(&directory, "DIRECTORY"),
            stderr: stderr.replace(&directory, "DIRECTORY"),
        }
    }

    /// What it was asked, in order.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl std::ops::Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

#[derive(Clone, Debug)]
struct Api {
    mood: Mood,
    heard: Arc<Mutex<Vec<String>>>,
}

type Answer<T> = Result<Response<T>, RpcStatus>;

impl Api {
    /// Notes the request, and fails if that is the mood.
    async fn hear<T: std::fmt::Debug>(&self, request: &Request<T>) -> Result<usize, RpcStatus> {
        let count = {
            let mut heard = self.heard.lock().unwrap();
            heard.push(format!("{:?}", request.get_ref()));
            heard.len()
        };
        match &self.mood {
            Mood::Refuse(reason) => Err(refusal(*reason)),
            Mood::Fail(code) => Err(RpcStatus::new(*code, "as the test wants it")),
            Mood::Silent => std::future::pending().await,
            Mood::Degraded | Mood::Sound | Mood::Slow { .. } | Mood::Unbalanced => Ok(count),
        }
    }

    fn is_programmed(&self, count: usize) -> bool {
        match self.mood {
            Mood::Slow { questions } => count > questions,
            _ => true,
        }
    }
}

fn refusal(reason: ErrorReason) -> RpcStatus {
    let field = BadField { field: "3:7".to_owned(), description: "no such bridge".to_owned() };
    let failure = Failure::new(reason, "the daemon says why");
    match reason {
        ErrorReason::SiteInvalid => failure.with_fields([field]).into(),
        _ => failure.into(),
    }
}

#[tonic::async_trait]
impl GatewayConfig for Api {
    async fn apply(&self, request: Request<ApplyRequest>) -> Answer<ApplyResponse> {
        let count = self.hear(&request).await?;
        let request = request.get_ref();
        let is_empty = request.document.is_empty();
        let mut answer = canned::plan(is_empty);
        if !request.validate_only && !is_empty {
            answer.revision += 1;
            answer.elapsed = Some(pbjson_types::Duration { seconds: 0, nanos: 1_900_000 });
        }
        answer.programmed = !request.validate_only && self.is_programmed(count);
        Ok(Response::new(answer))
    }

    async fn reload(&self, request: Request<ReloadRequest>) -> Answer<ReloadResponse> {
        self.hear(&request).await?;
        Ok(Response::new(ReloadResponse::default()))
    }

    /// Reading works while changes are refused.
    async fn export(&self, request: Request<ExportRequest>) -> Answer<ExportResponse> {
        match self.mood {
            Mood::Refuse(_) => {}
            _ => _ = self.hear(&request).await?,
        }
        Ok(Response::new(ExportResponse { revision: 57, document: canned::SITE.to_owned() }))
    }

    async fn get_resource(&self, request: Request<GetResourceRequest>) -> Answer<Resource> {
        let count = self.hear(&request).await?;
        let name = &request.get_ref().name;
        let found = canned::resources().into_iter().find(|resource| resource.name == *name);
        let mut resource = found.ok_or_else(|| {
            let message = format!("there is no {name}");
            RpcStatus::from(Failure::new(ErrorReason::ResourceNotFound, message))
        })?;
        if let Some(status) = resource.status.as_mut() {
            status.programmed &= self.is_programmed(count);
        }
        Ok(Response::new(resource))
    }

    /// One object to a page, so that paging is exercised.
    async fn list_resources(
        &self,
        request: Request<ListResourcesRequest>,
    ) -> Answer<ListResourcesResponse> {
        self.hear(&request).await?;
        let request = request.get_ref();
        let start: usize = request.page_token.parse().unwrap_or(0);
        let kind = request.kind();
        let all: Vec<Resource> = canned::resources()
            .into_iter()
            .filter(|resource| canned::kind(resource) == kind)
            .collect();
        let next_page_token =
            if start + 1 < all.len() { (start + 1).to_string() } else { String::new() };
        let resources = all.into_iter().skip(start).take(1).collect();
        Ok(Response::new(ListResourcesResponse { resources, next_page_token, revision: 57 }))
    }
}

#[tonic::async_trait]
impl GatewayState for Api {
    async fn get_status(&self, request: Request<GetStatusRequest>) -> Answer<Status> {
        let count = self.hear(&request).await?;
        let mut status = match self.mood {
            Mood::Sound => canned::sound_status(),
            _ => canned::degraded_status(),
        };
        if !self.is_programmed(count) {
            status.applied_revision -= 1;
        }
        Ok(Response::new(status))
    }

    async fn list_ports(&self, request: Request<ListPortsRequest>) -> Answer<ListPortsResponse> {
        self.hear(&request).await?;
        let request = request.get_ref();
        let mut ports = canned::ports();
        ports.retain(|port| request.port.is_empty() || port.name.ends_with(&request.port));
        if !request.with_vlans {
            for port in &mut ports {
                port.vlans.clear();
            }
        }
        Ok(Response::new(ListPortsResponse { ports, revision: 57 }))
    }

    async fn list_interfaces(
        &self,
        request: Request<ListInterfacesRequest>,
    ) -> Answer<ListInterfacesResponse> {
        self.hear(&request).await?;
        Ok(Response::new(ListInterfacesResponse { interfaces: canned::interfaces() }))
    }

    async fn list_macs(&self, request: Request<ListMacsRequest>) -> Answer<ListMacsResponse> {
        self.hear(&request).await?;
        let start: usize = request.get_ref().page_token.parse().unwrap_or(0);
        let all = canned::macs();
        let total_size = all.len() as u64;
        let next_page_token =
            if start + 2 < all.len() { (start + 2).to_string() } else { String::new() };
        let macs = all.into_iter().skip(start).take(2).collect();
        Ok(Response::new(ListMacsResponse { macs, next_page_token, total_size, revision: 57 }))
    }

    async fn add_mac(&self, request: Request<AddMacRequest>) -> Answer<AddMacResponse> {
        self.hear(&request).await?;
        let mac = request.get_ref().mac.clone();
        Ok(Response::new(AddMacResponse { mac, revision: 58 }))
    }

    async fn delete_mac(&self, request: Request<DeleteMacRequest>) -> Answer<DeleteMacResponse> {
        self.hear(&request).await?;
        let removed = u64::from(!request.get_ref().allow_missing);
        Ok(Response::new(DeleteMacResponse { removed, revision: 58 }))
    }

    async fn flush_macs(&self, request: Request<FlushMacsRequest>) -> Answer<FlushMacsResponse> {
        let count = self.hear(&request).await?;
        let programmed = self.is_programmed(count);
        Ok(Response::new(FlushMacsResponse { flushed: 1204, programmed }))
    }

    async fn list_drops(&self, request: Request<ListDropsRequest>) -> Answer<ListDropsResponse> {
        self.hear(&request).await?;
        let drops = if matches!(self.mood, Mood::Sound) { Vec::new() } else { canned::drops() };
        Ok(Response::new(ListDropsResponse { drops }))
    }

    async fn get_accounting(&self, request: Request<GetAccountingRequest>) -> Answer<Accounting> {
        self.hear(&request).await?;
        let mut accounting = canned::accounting();
        if matches!(self.mood, Mood::Unbalanced) {
            for line in accounting.total.iter_mut().chain(&mut accounting.workers) {
                line.sent -= 1;
                line.difference += 1;
            }
        }
        Ok(Response::new(accounting))
    }

    async fn list_neighbors(
        &self,
        request: Request<ListNeighborsRequest>,
    ) -> Answer<ListNeighborsResponse> {
        self.hear(&request).await?;
        Ok(Response::new(ListNeighborsResponse { neighbors: canned::neighbors() }))
    }

    async fn list_tunnels(
        &self,
        request: Request<ListTunnelsRequest>,
    ) -> Answer<ListTunnelsResponse> {
        self.hear(&request).await?;
        let wanted = &request.get_ref().peer;
        let mut peers = canned_overlay::peers();
        peers.retain(|peer| wanted.is_empty() || peer.name.ends_with(wanted));
        Ok(Response::new(ListTunnelsResponse { peers, revision: 57 }))
    }

    async fn list_underlay(
        &self,
        request: Request<ListUnderlayRequest>,
    ) -> Answer<ListUnderlayResponse> {
        self.hear(&request).await?;
        Ok(Response::new(canned_overlay::underlay()))
    }
}
