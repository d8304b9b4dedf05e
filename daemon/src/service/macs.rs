//! The MAC tables: listing, and what a request to change them means.

use bridge_model::compile::{Location, Scope};
use bridge_model::topology::{Kind, ObjectRef, StaticKey};
use bridge_model::types::{Fid, IndividualMac, MacAddr, Name, VlanId};
use fwd::mac::EntryView;
use proto::failure::{BadField, Failure};
use proto::v1::flush_macs_request::Scope as WireScope;
use proto::{field, v1};

use super::{duration, page};
use crate::failures;
use crate::shared::{Shared, SiteView};

/// Steps in which the data plane notes idleness: sixths of the ageing time.
const IDLE_STEPS: u32 = 6;

/// Which entries are asked for.
#[derive(Debug, Default)]
struct Filter {
    bridge: Option<Name>,
    port: Option<Name>,
    vid: Option<VlanId>,
    mac: Option<MacAddr>,
    is_static: Option<bool>,
}

impl Filter {
    fn parse(request: &v1::ListMacsRequest) -> Result<Self, BadField> {
        let port = match request.port.as_str() {
            "" => None,
            text => Some(field::port_name("port", text)?),
        };
        let mac = match request.mac.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|why| field::bad("mac", &why))?),
        };
        let is_static = match v1::mac::Origin::try_from(request.origin) {
            Ok(v1::mac::Origin::Unspecified) => None,
            Ok(v1::mac::Origin::Learned) => Some(false),
            Ok(v1::mac::Origin::Static) => Some(true),
            Err(_) => return Err(field::bad("origin", &format!("{} is none", request.origin))),
        };
        Ok(Self {
            bridge: field::optional_name("bridge", &request.bridge)?,
            port,
            vid: field::optional_vid("vid", request.vid)?,
            mac,
            is_static,
        })
    }

    /// What is asked for exists.
    fn check(&self, site: &SiteView) -> Result<(), Failure> {
        let topology = &site.topology;
        if let Some(bridge) = &self.bridge
            && !topology.bridges.contains_key(bridge)
            && !topology.gateway_bridges.contains_key(bridge)
        {
            return Err(failures::not_found(&ObjectRef::new(Kind::Bridge, bridge).to_string()));
        }
        self.port.as_ref().map_or(Ok(()), |port| port_exists(site, port))
    }

    fn takes_entry(&self, entry: &EntryView) -> bool {
        self.mac.is_none_or(|mac| mac.to_u64() == entry.mac)
            && self.is_static.is_none_or(|wanted| wanted == entry.is_static)
    }

    fn takes_location(&self, location: &Location) -> bool {
        self.bridge.as_ref().is_none_or(|bridge| *bridge == location.owner)
            && self.port.as_ref().is_none_or(|port| *port == location.port)
            && self.vid.is_none_or(|vid| Some(vid) == location.vid)
    }
}

fn port_exists(site: &SiteView, port: &Name) -> Result<(), Failure> {
    let topology = &site.topology;
    if topology.trunks.contains_key(port) || topology.access_ports.contains_key(port) {
        return Ok(());
    }
    Err(failures::not_found(&format!("port {port}")))
}

/// An entry with what its numbers stand for.
struct Found {
    location: Location,
    payload_vid: Option<VlanId>,
    entry: EntryView,
}

impl Found {
    fn key(&self) -> String {
        let vid = self.location.vid.map_or(0, VlanId::get);
        format!("{}/{vid:04}/{:012x}", self.location.owner, self.entry.mac)
    }

    fn message(&self, site: &SiteView) -> v1::Mac {
        let origin =
            if self.entry.is_static { v1::mac::Origin::Static } else { v1::mac::Origin::Learned };
        let ageing = site.tables.fids.get(self.entry.fid.index()).map(|fid| fid.ageing);
        let idle = ageing
            .map(|ageing| duration(ageing * (u32::from(self.entry.idle_steps) + 1) / IDLE_STEPS));
        let raw = |vid: VlanId| u32::from(vid.get());
        let vid = if self.payload_vid.is_some() { None } else { self.location.vid };
        v1::Mac {
            bridge: self.location.owner.to_string(),
            mac: MacAddr::from_u64(self.entry.mac).to_string(),
            vid: vid.map(raw),
            port: self.location.port.to_string(),
            origin: origin.into(),
            idle_max: idle.filter(|_| !self.entry.is_static),
            payload_vid: self.payload_vid.map(raw),
        }
    }
}

/// Every entry that `filter` takes, in the order of bridge, VID and address.
fn find(shared: &Shared, site: &SiteView, filter: &Filter) -> Vec<Found> {
    let entries: Vec<EntryView> = {
        let learning = shared.learning.lock();
        learning.learner.entries().filter(|entry| filter.takes_entry(entry)).collect()
    };
    let mut found: Vec<Found> = entries
        .into_iter()
        .filter_map(|entry| {
            let location = site.numbering.locate(entry.fid, entry.member)?;
            let payload_vid = site.numbering.domain_of(entry.fid).and_then(|(_, vid)| vid);
            filter.takes_location(&location).then_some(Found { location, payload_vid, entry })
        })
        .collect();
    found.sort_by_cached_key(Found::key);
    found
}

/// `ListMacs`.
pub(super) fn list(
    shared: &Shared,
    request: &v1::ListMacsRequest,
) -> Result<v1::ListMacsResponse, Failure> {
    let filter = Filter::parse(request)?;
    let len = field::page_len("page_size", request.page_size)?;
    let site = shared.site();
    filter.check(&site)?;
    let found = find(shared, &site, &filter);
    let total_size = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let (page, next_page_token) =
        page::page(found, Found::key, "macs", (request.page_token.as_str(), len))?;
    Ok(v1::ListMacsResponse {
        macs: page.iter().map(|found| found.message(&site)).collect(),
        next_page_token,
        total_size,
        revision: site.revision.0,
    })
}

/// What a request to flush covers.
pub(super) fn scope(site: &SiteView, request: &v1::FlushMacsRequest) -> Result<Scope, Failure> {
    let topology = &site.topology;
    match &request.scope {
        Some(WireScope::Port(port)) => {
            let port = field::port_name("port", port)?;
            port_exists(site, &port)?;
            Ok(Scope::Port(port))
        }
        Some(WireScope::Bridge(bridge)) => {
            let bridge = field::name("bridge", bridge)?;
            if topology.bridges.contains_key(&bridge) {
                return Ok(Scope::Bridge(bridge));
            }
            Err(failures::not_found(&format!("bridges/{bridge}")))
        }
        Some(WireScope::GatewayBridge(scope)) => {
            let name = field::name("gateway_bridge.gateway_bridge", &scope.gateway_bridge)?;
            let vid = field::optional_vid("gateway_bridge.vid", scope.vid)?;
            if topology.gateway_bridges.contains_key(&name) {
                return Ok(Scope::GatewayBridge { name, vid });
            }
            Err(failures::not_found(&format!("gatewayBridges/{name}")))
        }
        Some(WireScope::All(_)) => Ok(Scope::All),
        None => Err(field::bad("scope", &"say what to flush: a port, a bridge, or all").into()),
    }
}

/// How many learned entries `scope` covers now.
pub(super) fn count_learned(shared: &Shared, site: &SiteView, scope: &Scope) -> u64 {
    let filter = Filter { is_static: Some(false), ..Filter::default() };
    let covered = |found: &Found| match scope {
        Scope::All => true,
        Scope::Port(port) => found.location.port == *port,
        Scope::Bridge(bridge) => found.location.owner == *bridge,
        Scope::GatewayBridge { name, vid } => {
            let trunk = site.topology.trunks.get(&found.location.port);
            trunk.is_some_and(|trunk| trunk.gateway_bridge == *name)
                && vid.is_none_or(|vid| found.location.vid == Some(vid))
        }
    };
    let count = find(shared, site, &filter).iter().filter(|found| covered(found)).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// What a request to delete an entry means.
pub(super) struct Doomed {
    /// Static entries of the site.
    pub(super) statics: Vec<StaticKey>,
    /// Learned entries of the table.
    pub(super) learned: Vec<(Fid, IndividualMac)>,
}

/// The entries that a request to delete names.
pub(super) fn doomed(shared: &Shared, request: &v1::DeleteMacRequest) -> Result<Doomed, Failure> {
    let site = shared.site();
    let mac = field::mac("mac", &request.mac)?;
    let filter = Filter {
        bridge: Some(field::name("bridge", &request.bridge)?),
        vid: field::optional_vid("vid", request.vid)?,
        mac: Some(mac.get()),
        ..Filter::default()
    };
    filter.check(&site)?;
    let named = |key: &&StaticKey| {
        key.mac == mac
            && Some(&key.bridge) == filter.bridge.as_ref()
            && (filter.vid.is_none() || key.payload_vid == filter.vid)
    };
    let statics = site.topology.static_macs.iter().filter(|(key, entry)| {
        named(key)
            || Some(&key.bridge) == filter.bridge.as_ref()
                && key.mac == mac
                && entry.vid.map(|(vid, _)| vid) == filter.vid
    });
    let statics = statics.map(|(key, _)| key.clone()).collect();
    let learned = find(shared, &site, &filter)
        .iter()
        .filter(|found| !found.entry.is_static)
        .map(|found| (found.entry.fid, mac))
        .collect();
    Ok(Doomed { statics, learned })
}
