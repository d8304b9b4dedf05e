//! The MAC tables: listing, and what a request to change them means.

use bridge_model::compile::{Domain, Location, Scope};
use bridge_model::topology::{Kind, ObjectRef, StaticKey, StaticMac};
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

    fn asks_for_location(&self) -> bool {
        self.bridge.is_some() || self.port.is_some() || self.vid.is_some()
    }

    fn takes_location(&self, location: &Location) -> bool {
        self.bridge.as_ref().is_none_or(|bridge| *bridge == location.owner)
            && self.port.as_ref().is_none_or(|port| *port == location.port)
            && self.vid.is_none_or(|vid| Some(vid) == location.vid)
    }
}

fn port_exists(site: &SiteView, port: &Name) -> Result<(), Failure> {
    let topology = &site.topology;
    let exists = match port.peer() {
        Some(peer) => topology.tunnels.contains_key(peer) || topology.hosts.contains_key(peer),
        None => topology.trunks.contains_key(port) || topology.access_ports.contains_key(port),
    };
    if exists {
        return Ok(());
    }
    Err(failures::not_found(&format!("port {port}")))
}

/// The learning domains in the order of a listing: by bridge, then by VID of the payload (of a
/// gateway bridge: of the VLAN in transit).
struct Order {
    domains: Vec<(Name, u16)>,
    /// By fid: the place in `domains`.
    ranks: Vec<Option<u32>>,
}

/// Where an entry stands in a listing.
type Rank = (u32, u64);

impl Order {
    fn new(site: &SiteView) -> Self {
        let key = |fid: Fid| {
            let (domain, payload_vid) = site.numbering.domain_of(fid)?;
            let vid = match domain {
                Domain::Transit(_, vid) => Some(*vid),
                Domain::Bridge(_) | Domain::Transparent(_) => payload_vid,
            };
            Some((domain.owner().clone(), vid.map_or(0, VlanId::get)))
        };
        let count = u16::try_from(site.tables.fids.len()).unwrap_or(u16::MAX);
        let mut keyed: Vec<_> =
            (1..count).map(Fid).filter_map(|fid| Some((key(fid)?, fid))).collect();
        keyed.sort();
        let mut ranks = vec![None; site.tables.fids.len()];
        let mut domains = Vec::with_capacity(keyed.len());
        for (rank, (key, fid)) in (0_u32..).zip(keyed) {
            domains.push(key);
            if let Some(slot) = ranks.get_mut(fid.index()) {
                *slot = Some(rank);
            }
        }
        Self { domains, ranks }
    }

    fn rank(&self, entry: &EntryView) -> Option<Rank> {
        let domain = self.ranks.get(entry.fid.index()).copied().flatten()?;
        Some((domain, entry.mac))
    }

    /// The token of the page after the entry of this rank.
    fn token(&self, (domain, mac): Rank) -> String {
        let at = usize::try_from(domain).ok().and_then(|at| self.domains.get(at));
        at.map(|(owner, vid)| format!("macs:{owner}/{vid}/{mac:012x}")).unwrap_or_default()
    }

    /// What stands before the page of this token: everything up to that rank. The domain may have
    /// gone since.
    fn before(&self, token: &str) -> Result<Option<Rank>, BadField> {
        if token.is_empty() {
            return Ok(None);
        }
        let parsed = token.strip_prefix("macs:").and_then(|key| {
            let mut words = key.split('/');
            let owner: Name = words.next()?.parse().ok()?;
            let vid: u16 = words.next()?.parse().ok()?;
            let mac = u64::from_str_radix(words.next()?, 16).ok()?;
            Some(((owner, vid), mac))
        });
        let (key, mac) = parsed.ok_or_else(page::foreign_token)?;
        Ok(match self.domains.binary_search(&key) {
            Ok(at) => Some((u32::try_from(at).unwrap_or(u32::MAX), mac)),
            Err(0) => None,
            Err(at) => Some((u32::try_from(at - 1).unwrap_or(u32::MAX), u64::MAX)),
        })
    }
}

fn message(site: &SiteView, entry: &EntryView) -> Option<v1::Mac> {
    let location = site.numbering.locate(entry.fid, entry.member)?;
    let payload_vid = site.numbering.domain_of(entry.fid).and_then(|(_, vid)| vid);
    let origin = if entry.is_static { v1::mac::Origin::Static } else { v1::mac::Origin::Learned };
    let ageing = site.tables.fids.get(entry.fid.index()).map(|fid| fid.ageing);
    let idle =
        ageing.map(|ageing| duration(ageing * (u32::from(entry.idle_steps) + 1) / IDLE_STEPS));
    let raw = |vid: VlanId| u32::from(vid.get());
    let vid = if payload_vid.is_some() { None } else { location.vid };
    Some(v1::Mac {
        bridge: location.owner.to_string(),
        mac: MacAddr::from_u64(entry.mac).to_string(),
        vid: vid.map(raw),
        port: location.port.to_string(),
        origin: origin.into(),
        idle_max: idle.filter(|_| !entry.is_static),
        payload_vid: payload_vid.map(raw),
    })
}

/// Every entry that `filter` takes, in no order.
fn find(shared: &Shared, site: &SiteView, filter: &Filter) -> Vec<EntryView> {
    let mut entries: Vec<EntryView> = {
        let learning = shared.learning.lock();
        learning.learner.entries().filter(|entry| filter.takes_entry(entry)).collect()
    };
    // Names are looked up only if they are asked for: it takes a while for a million entries.
    if filter.asks_for_location() {
        entries.retain(|entry| {
            let location = site.numbering.locate(entry.fid, entry.member);
            location.is_some_and(|location| filter.takes_location(&location))
        });
    }
    entries
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
    let order = Order::new(&site);
    let before = order.before(&request.page_token)?;
    let mut ranked: Vec<(Rank, EntryView)> = find(shared, &site, &filter)
        .into_iter()
        .filter_map(|entry| Some((order.rank(&entry)?, entry)))
        .collect();
    let total_size = u64::try_from(ranked.len()).unwrap_or(u64::MAX);
    ranked.retain(|(rank, _)| before.is_none_or(|before| *rank > before));
    let is_last = ranked.len() <= len;
    if !is_last {
        ranked.select_nth_unstable_by_key(len, |(rank, _)| *rank);
        ranked.truncate(len);
    }
    ranked.sort_unstable_by_key(|(rank, _)| *rank);
    let next = ranked.last().filter(|_| !is_last).map(|(rank, _)| order.token(*rank));
    Ok(v1::ListMacsResponse {
        macs: ranked.iter().filter_map(|(_, entry)| message(&site, entry)).collect(),
        next_page_token: next.unwrap_or_default(),
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
    let covered = |location: &Location| match scope {
        Scope::All => true,
        Scope::Port(port) => location.port == *port,
        Scope::Bridge(bridge) => location.owner == *bridge,
        Scope::GatewayBridge { name, vid } => {
            let trunk = site.topology.trunks.get(&location.port);
            trunk.is_some_and(|trunk| trunk.gateway_bridge == *name)
                && vid.is_none_or(|vid| location.vid == Some(vid))
        }
    };
    let filter = Filter { is_static: Some(false), ..Filter::default() };
    let is_covered = |entry: &&EntryView| {
        *scope == Scope::All
            || site.numbering.locate(entry.fid, entry.member).is_some_and(|at| covered(&at))
    };
    let count = find(shared, site, &filter).iter().filter(is_covered).count();
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
    let is_named = |key: &StaticKey, entry: &StaticMac| {
        let outer = entry.vid.map(|(vid, _)| vid);
        key.mac == mac
            && filter.bridge.as_ref() == Some(&key.bridge)
            && filter.vid.is_none_or(|vid| [key.payload_vid, outer].contains(&Some(vid)))
    };
    let statics = site.topology.static_macs.iter().filter(|(key, entry)| is_named(key, entry));
    let statics = statics.map(|(key, _)| key.clone()).collect();
    let learned = find(shared, &site, &filter)
        .iter()
        .filter(|entry| !entry.is_static)
        .map(|entry| (entry.fid, mac))
        .collect();
    Ok(Doomed { statics, learned })
}

#[cfg(test)]
mod tests;
