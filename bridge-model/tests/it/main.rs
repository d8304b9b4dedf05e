//! The forwarding rules, rule by rule: each test names its rule, and every frame of every test goes
//! through the oracle and through the compiled tables, which have to agree.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod classify;
#[cfg(test)]
mod compiled;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod learning;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod overlay;
#[cfg(test)]
mod overlay_sites;
#[cfg(test)]
mod parsers;
#[cfg(test)]
mod reserved;
#[cfg(test)]
mod topology;
#[cfg(test)]
mod underlay_addresses;
#[cfg(test)]
mod underlay_bfd;
#[cfg(test)]
mod underlay_bfd_packets;
#[cfg(test)]
mod underlay_echo;
#[cfg(test)]
mod underlay_neighbor;
#[cfg(test)]
mod underlay_path_mtu;
#[cfg(test)]
mod underlay_properties;
#[cfg(test)]
mod underlay_suppress;
#[cfg(test)]
mod underlay_world;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod world;
