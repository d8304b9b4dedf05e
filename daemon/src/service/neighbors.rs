//! Who is at the other end of the trunks.

use proto::v1;

use super::duration;
use crate::shared::Shared;

/// `ListNeighbors`.
pub(super) fn neighbors(shared: &Shared) -> v1::ListNeighborsResponse {
    let now = shared.now();
    let site = shared.site();
    let observed = shared.observed.lock();
    let neighbors = observed.neighbors.iter().map(|heard| {
        let interface = shared.interfaces.get(heard.interface.index());
        let port = heard.port.as_ref().and_then(|name| {
            site.ports.iter().find(|port| port.name == *name).map(|port| port.object().to_string())
        });
        let said = &heard.neighbor;
        v1::Neighbor {
            port: port.unwrap_or_default(),
            interface: interface.map(|interface| interface.name.to_string()).unwrap_or_default(),
            chassis_id: said.chassis.text.clone(),
            port_id: said.port.text.clone(),
            port_description: said.port_description.clone().unwrap_or_default(),
            system_name: said.system_name.clone().unwrap_or_default(),
            system_description: said.system_description.clone().unwrap_or_default(),
            last_seen: Some(duration(now.saturating_sub(heard.last_seen))),
            ttl: Some(duration(said.time_to_live)),
        }
    });
    v1::ListNeighborsResponse { neighbors: neighbors.collect() }
}
