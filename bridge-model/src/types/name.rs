//! Names of objects.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::VlanId;

/// The name of an object: 1 to 63 characters of `a-z A-Z 0-9 - _ .`, starting with a letter or digit.
///
/// Cheap to clone. A name is what users see everywhere; numbers stay inside.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// The text cannot name an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a name: expected 1 to 63 letters, digits, '-', '_' or '.', starting with a letter or digit"
)]
pub struct InvalidName {
    /// What was given.
    pub text: String,
}

impl Name {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 63;

    /// The name of the port by which a host, or a tunnel to a foreign endpoint, is reached: the
    /// object's name behind an `@`, which no object's own name can begin with.
    pub fn of_peer(object: &Self) -> Self {
        Self(format!("@{object}").into())
    }

    /// The name of the port that an underlay link counts for: its interface behind a `%`, and its VLAN
    /// behind a colon.
    pub fn of_underlay(interface: &Self, vlan: Option<VlanId>) -> Self {
        match vlan {
            None => Self(format!("%{interface}").into()),
            Some(vlan) => Self(format!("%{interface}:{vlan}").into()),
        }
    }

    /// The host or tunnel that is reached by the port of this name; `None` if it is not such a port.
    pub fn peer(&self) -> Option<&str> {
        self.0.strip_prefix('@')
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest =
            text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if starts && rest && text.len() <= Self::MAX_LEN {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName { text: text.to_owned() })
        }
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["a", "gw-a", "eth1.100", "0000_3b", &"x".repeat(63)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "-a", ".", "a b", "a/b", "grün", &"x".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }
}
