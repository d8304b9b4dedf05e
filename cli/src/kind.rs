//! The kinds of objects, as they are typed and as the API numbers them.

pub(crate) use bridge_model::topology::Kind;
use proto::v1::ResourceKind;

use crate::nearest::nearest;

/// A short form for the hurried.
const fn short(kind: Kind) -> &'static str {
    match kind {
        Kind::Host => "ho",
        Kind::Bridge => "br",
        Kind::GatewayBridge => "gw",
        Kind::Trunk => "tr",
        Kind::VlanLink => "vl",
        Kind::AccessPort => "ap",
        Kind::Lag => "lag",
        Kind::StaticMac => "sm",
        Kind::TunnelZone => "tz",
        Kind::Tunnel => "tn",
    }
}

/// The kind in the API.
pub(crate) const fn resource_kind(kind: Kind) -> ResourceKind {
    match kind {
        Kind::Host => ResourceKind::Host,
        Kind::Bridge => ResourceKind::Bridge,
        Kind::GatewayBridge => ResourceKind::GatewayBridge,
        Kind::Trunk => ResourceKind::Trunk,
        Kind::VlanLink => ResourceKind::VlanLink,
        Kind::AccessPort => ResourceKind::AccessPort,
        Kind::Lag => ResourceKind::Lag,
        Kind::StaticMac => ResourceKind::StaticMac,
        Kind::TunnelZone => ResourceKind::TunnelZone,
        Kind::Tunnel => ResourceKind::Tunnel,
    }
}

/// The resource name of the object that is called `name` within its kind.
pub(crate) fn resource_name(kind: Kind, name: &str) -> String {
    format!("{}/{name}", kind.collection())
}

/// Reads `vlanLinks`, `vlanlink`, `vlan-links`, `VLAN_LINK` or `vl`.
pub(crate) fn parse(text: &str) -> Result<Kind, String> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let given = plain(text);
    let found = Kind::ALL.iter().copied().find(|kind| {
        let plural = plain(kind.collection());
        let singular = plain(&kind.noun().replace(' ', ""));
        given == plural || given == singular || given == short(*kind)
    });
    found.ok_or_else(|| {
        let names = || Kind::ALL.iter().map(|kind| kind.collection());
        let hint = nearest(text, names()).map_or_else(
            || format!("expected one of {}", names().collect::<Vec<_>>().join(", ")),
            |name| format!("did you mean `{name}`?"),
        );
        format!("no such kind of object; {hint}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_understood_in_every_usual_spelling() {
        for text in ["vlanLinks", "vlanlink", "vlan-links", "VLAN_LINK", "vl"] {
            assert_eq!(parse(text), Ok(Kind::VlanLink), "{text}");
        }
        for kind in Kind::ALL {
            assert_eq!(parse(kind.collection()), Ok(*kind));
            assert_eq!(parse(short(*kind)), Ok(*kind));
        }
    }

    #[test]
    fn an_unknown_kind_is_answered_with_the_nearest() {
        let error = parse("birdges").unwrap_err();
        assert!(error.contains("did you mean `bridges`?"), "{error}");

        let error = parse("x").unwrap_err();
        assert!(error.contains("expected one of hosts, bridges"), "{error}");
    }
}
