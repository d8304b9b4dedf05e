//! Underlay links and routes: what they want of an interface is theirs alone, and every next hop can
//! be reached.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::check::{Errors, the};
use super::{
    Attachment, Binding, Host, IpFamily, Kind, ObjectRef, OverlayError, Route, Spot, Topology,
    TrunkPort, UnderlayLink, unfit_for_host,
};
use crate::types::{Name, Tpid};

/// The ports on one interface.
#[derive(Default)]
struct Ports<'a> {
    lag: Option<&'a Name>,
    trunk: Option<&'a TrunkPort>,
    access: Option<&'a super::AccessPort>,
}

impl Ports<'_> {
    /// One of them, if there is any.
    fn any(&self) -> Option<ObjectRef> {
        let lag = self.lag.map(|lag| the(Kind::Lag, lag));
        lag.or_else(|| self.trunk.map(|trunk| the(Kind::Trunk, &trunk.name)))
            .or_else(|| self.access.map(|port| the(Kind::AccessPort, &port.name)))
    }
}

impl Topology {
    /// The links and routes of every host.
    pub(super) fn check_underlay(&self, errors: &mut Errors) {
        let ports = self.ports_by_interface();
        for host in self.hosts.values() {
            self.check_links_of(host, &ports, errors);
            check_kernel(host, &ports, errors);
            check_routes(host, errors);
        }
    }

    fn ports_by_interface(&self) -> BTreeMap<&Binding, Ports<'_>> {
        let mut ports: BTreeMap<&Binding, Ports<'_>> = BTreeMap::new();
        for lag in self.lags.values() {
            for member in &lag.members {
                ports.entry(member).or_default().lag = Some(&lag.name);
            }
        }
        for trunk in self.trunks.values() {
            if let Some(Attachment::Interface(binding)) = &trunk.attachment {
                ports.entry(binding).or_default().trunk = Some(trunk);
            }
        }
        for port in self.access_ports.values() {
            if let Some(binding) = &port.binding {
                ports.entry(binding).or_default().access = Some(port);
            }
        }
        ports
    }

    fn check_links_of(
        &self,
        host: &Host,
        ports: &BTreeMap<&Binding, Ports<'_>>,
        errors: &mut Errors,
    ) {
        let mut seen = BTreeSet::new();
        for (index, link) in host.underlay.iter().enumerate() {
            let object = the(Kind::Host, &host.name);
            if !seen.insert((&link.interface, link.vlan)) {
                let (spot, label) = (Spot::link(index, "interface"), link.label());
                errors.push(OverlayError::UnderlayTwice { object, spot, label }.into());
                continue;
            }
            if link.addresses.is_empty() {
                let (spot, label) = (Spot::link(index, "addresses"), link.label());
                let object = object.clone();
                errors.push(OverlayError::UnderlayWithoutAddress { object, spot, label }.into());
            }
            let binding = Binding { host: host.name.clone(), interface: link.interface.clone() };
            if let Some(ports) = ports.get(&binding) {
                errors.extend(self.collision((index, link), binding, ports).map(Into::into));
            }
        }
    }

    /// What an underlay link wants of its interface and somebody else has.
    fn collision(
        &self,
        (index, link): (usize, &UnderlayLink),
        binding: Binding,
        ports: &Ports<'_>,
    ) -> Option<OverlayError> {
        let object = the(Kind::Host, &binding.host);
        let lag = ports.lag.map(|lag| the(Kind::Lag, lag));
        let Some(vlan) = link.vlan else {
            let native = ports.trunk.filter(|trunk| trunk.native.is_some());
            let other = lag
                .or_else(|| native.map(|trunk| the(Kind::Trunk, &trunk.name)))
                .or_else(|| ports.access.map(|port| the(Kind::AccessPort, &port.name)))?;
            let spot = Spot::link(index, "interface");
            return Some(OverlayError::UntaggedTaken { object, spot, binding, other });
        };
        let spot = Spot::link(index, "vlan");
        if let Some(trunk) = ports.trunk
            && lag.is_none()
        {
            let other = the(Kind::Trunk, &trunk.name);
            if trunk.native == Some(vlan) || self.carried_vids(trunk).contains(&vlan) {
                return Some(OverlayError::VlanTaken { object, spot, binding, vlan, other });
            }
            // The tags of one interface are told apart by VID, behind one TPID.
            if trunk.tpid != Tpid::CTag {
                return Some(OverlayError::UnderlayTpid { object, spot, binding, vlan, other });
            }
        }
        // What stations of a transparent bridge send leaves with whatever tags it has.
        let transparent = ports
            .access
            .filter(|port| self.bridges.get(&port.bridge).is_some_and(|bridge| bridge.transparent));
        let other = lag.or_else(|| transparent.map(|port| the(Kind::AccessPort, &port.name)))?;
        Some(OverlayError::VlanTaken { object, spot, binding, vlan, other })
    }
}

/// An interface to the kernel serves one link and carries nothing else.
fn check_kernel(host: &Host, ports: &BTreeMap<&Binding, Ports<'_>>, errors: &mut Errors) {
    let links: BTreeSet<&Name> = host.underlay.iter().map(|link| &link.interface).collect();
    let mut seen = BTreeSet::new();
    for (index, link) in host.underlay.iter().enumerate() {
        let Some(kernel) = &link.kernel else { continue };
        let object = the(Kind::Host, &host.name);
        let binding = Binding { host: host.name.clone(), interface: kernel.clone() };
        let is_own = !seen.insert(kernel) || links.contains(kernel);
        let other =
            if is_own { Some(object.clone()) } else { ports.get(&binding).and_then(Ports::any) };
        if let Some(other) = other {
            let spot = Spot::link(index, "kernel");
            errors.push(OverlayError::KernelTaken { object, spot, binding, other }.into());
        }
    }
}

fn check_routes(host: &Host, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, route) in host.routes.iter().enumerate() {
        let object = || the(Kind::Host, &host.name);
        if route.to != route.to.trunc() {
            errors.push(
                OverlayError::OutOfRange {
                    object: object(),
                    spot: Spot::route(index, "to"),
                    value: route.to.to_string(),
                    expected: "a prefix without bits behind its length, such as 198.51.100.0/24",
                }
                .into(),
            );
        }
        if !seen.insert(route.to.trunc()) {
            let (spot, to) = (Spot::route(index, "to"), route.to);
            errors.push(OverlayError::RouteTwice { object: object(), spot, to }.into());
        }
        check_next_hops(host, index, route, errors);
    }
}

fn check_next_hops(host: &Host, index: usize, route: &Route, errors: &mut Errors) {
    let object = || the(Kind::Host, &host.name);
    let (spot, to) = (Spot::route(index, "via"), route.to);
    let count = route.via.len();
    if !(1..=Route::MAX_NEXT_HOPS).contains(&count) {
        errors.push(OverlayError::NextHopCount { object: object(), spot, to, count }.into());
    }
    let links = || host.underlay.iter().flat_map(|link| &link.addresses);
    let mut seen = BTreeSet::new();
    for &via in &route.via {
        let is_own = host.vtep.addresses().chain(links().map(IpNet::addr)).any(|own| own == via);
        let object = object();
        let error = if !seen.insert(via) {
            OverlayError::ListedTwice { object, spot, value: format!("next hop {via}") }
        } else if unfit_for_host(&via).is_some() {
            // Named among the addresses.
            continue;
        } else if IpFamily::of(&via) != IpFamily::of(&to.addr()) {
            OverlayError::NextHopFamily { object, spot, to, via }
        } else if is_own {
            OverlayError::NextHopOwn { object, spot, to, via }
        } else if !links().any(|link| link.contains(&via)) {
            OverlayError::NextHopOffLink { object, spot, to, via }
        } else {
            continue;
        };
        errors.push(error.into());
    }
}
