//! Addresses on the underlay: each is that of one machine, and of one only.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::check::{Errors, the};
use super::{
    Host, Kind, ObjectRef, OverlayError, Spot, Topology, TopologyError, unfit_for_host,
    unfit_for_link,
};

impl Topology {
    /// Tunnel endpoints, the addresses of links, and the remote ends of tunnels.
    pub(super) fn check_addresses(&self, errors: &mut Errors) {
        self.check_that_addresses_fit(errors);
        let vteps = self.check_vteps(errors);
        let on_links = self.check_links_addresses(&vteps, errors);
        self.check_remotes(&vteps, &on_links, errors);
    }

    fn check_that_addresses_fit(&self, errors: &mut Errors) {
        let mut refuse = |object: &ObjectRef, spot, address: IpAddr, why: Option<&'static str>| {
            let object = object.clone();
            if let Some(why) = why {
                errors.push(OverlayError::NotAHostAddress { object, spot, address, why }.into());
            }
        };
        for host in self.hosts.values() {
            let object = the(Kind::Host, &host.name);
            for address in host.vtep.addresses() {
                refuse(&object, Spot::of("vtep"), address, unfit_for_host(&address));
            }
            for (index, link) in host.underlay.iter().enumerate() {
                for address in &link.addresses {
                    let spot = Spot::link(index, "addresses");
                    refuse(&object, spot, address.addr(), unfit_for_link(address));
                }
            }
            for (index, route) in host.routes.iter().enumerate() {
                for via in &route.via {
                    refuse(&object, Spot::route(index, "via"), *via, unfit_for_host(via));
                }
            }
        }
        for tunnel in self.tunnels.values() {
            let object = the(Kind::Tunnel, &tunnel.name);
            refuse(&object, Spot::of("remote"), tunnel.remote, unfit_for_host(&tunnel.remote));
        }
    }

    /// Who has which tunnel endpoint address.
    fn check_vteps(&self, errors: &mut Errors) -> BTreeMap<IpAddr, ObjectRef> {
        let mut holders: BTreeMap<IpAddr, ObjectRef> = BTreeMap::new();
        for host in self.hosts.values() {
            for address in host.vtep.addresses() {
                let object = the(Kind::Host, &host.name);
                if let Some(other) = holders.get(&address).cloned() {
                    let field = "vtep";
                    errors.push(TopologyError::VtepTaken { object, field, address, other });
                } else {
                    holders.insert(address, object);
                }
            }
        }
        holders
    }

    /// Who has which address on a link. A host's tunnel endpoint may be one of them.
    fn check_links_addresses(
        &self,
        vteps: &BTreeMap<IpAddr, ObjectRef>,
        errors: &mut Errors,
    ) -> BTreeMap<IpAddr, ObjectRef> {
        let mut holders: BTreeMap<IpAddr, ObjectRef> = BTreeMap::new();
        let addresses = |host: &Host| {
            let links = host.underlay.iter().enumerate();
            let pairs: Vec<(usize, IpAddr)> = links
                .flat_map(|(index, link)| link.addresses.iter().map(move |a| (index, a.addr())))
                .collect();
            pairs
        };
        for host in self.hosts.values() {
            let object = the(Kind::Host, &host.name);
            for (index, address) in addresses(host) {
                let endpoint_of = vteps.get(&address).filter(|other| **other != object);
                if let Some(other) = endpoint_of.or(holders.get(&address)).cloned() {
                    let (object, spot) = (object.clone(), Spot::link(index, "addresses"));
                    let taken = OverlayError::AddressTaken { object, spot, address, other };
                    errors.push(taken.into());
                } else {
                    holders.insert(address, object.clone());
                }
            }
        }
        holders
    }

    /// A foreign endpoint is none of our hosts, and one tunnel leads to it.
    fn check_remotes(
        &self,
        vteps: &BTreeMap<IpAddr, ObjectRef>,
        on_links: &BTreeMap<IpAddr, ObjectRef>,
        errors: &mut Errors,
    ) {
        let mut holders: BTreeMap<IpAddr, ObjectRef> = BTreeMap::new();
        for tunnel in self.tunnels.values() {
            let (object, address) = (the(Kind::Tunnel, &tunnel.name), tunnel.remote);
            let field = "remote";
            if let Some(other) = vteps.get(&address).cloned() {
                errors.push(TopologyError::VtepTaken { object, field, address, other });
            } else if let Some(other) = on_links.get(&address).cloned() {
                let spot = Spot::of(field);
                let taken = OverlayError::AddressTaken { object, spot, address, other };
                errors.push(taken.into());
            } else if let Some(other) = holders.get(&address).cloned() {
                let remote = address;
                errors.push(OverlayError::RemoteTaken { object, remote, other }.into());
            } else {
                holders.insert(address, object);
            }
        }
    }
}
