//! The host that frames are thrown at.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use bridge_model::compile::{Compiled, HostView, InterfaceView, Link, Numbering, compile};
use bridge_model::types::{InterfaceId, MacAddr, Name, Revision};

/// The interfaces of `site.yaml`, in the order of their numbers.
const INTERFACES: [&str; 6] = ["up0", "up1", "tap0", "vm0", "vm1", "vm2"];

/// How many interfaces there are.
pub(crate) const COUNT: usize = INTERFACES.len();

/// The address of an interface.
pub(crate) fn mac(interface: InterfaceId) -> MacAddr {
    let [high, low] = interface.0.to_be_bytes();
    MacAddr::new([2, 0, 0, 0, high, low])
}

fn name(text: &str) -> Name {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// The tables of host `h`.
pub(crate) fn compiled() -> &'static Compiled {
    static COMPILED: LazyLock<Compiled> = LazyLock::new(compile_site);
    &COMPILED
}

fn compile_site() -> Compiled {
    let site = bridge_model::site::parse("site.yaml", include_str!("site.yaml"));
    let topology = site.unwrap_or_else(|errors| panic!("{errors}"));
    if let Err(errors) = topology.check() {
        panic!("{errors:?}");
    }
    let interface = |(text, id): (&&str, u16)| InterfaceView {
        name: name(text),
        mtu: 1500,
        mac: mac(InterfaceId(id)),
        link: Link::Up,
    };
    let view = HostView::new(name("h"), INTERFACES.iter().zip(0..).map(interface).collect());
    let compiled = compile(&topology, &view, &mut Numbering::default(), Revision(1));
    compiled.unwrap_or_else(|error| panic!("{error}"))
}

/// Where the next hops of `site.yaml` are, in the eyes of the pipeline. One does not answer.
pub(crate) fn neighbors() -> BTreeMap<IpAddr, MacAddr> {
    ["192.0.2.2", "192.0.2.254", "2001:db8::2"]
        .iter()
        .zip(1..)
        .filter_map(|(text, last)| Some((text.parse().ok()?, MacAddr::new([6, 0, 0, 0, 0, last]))))
        .collect()
}
