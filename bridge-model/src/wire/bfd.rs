//! BFD control packets (RFC 5880 section 4.1).

use super::bytes::{array, u32_at};

/// UDP destination port of single-hop BFD (RFC 5881).
pub const PORT_SINGLE_HOP: u16 = 3784;
/// UDP destination port of multihop BFD (RFC 5883).
pub const PORT_MULTIHOP: u16 = 4784;
/// Octets of a control packet without authentication.
pub const PACKET_LEN: usize = 24;

/// The state of a session (RFC 5880 section 6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Held down by the administrator.
    AdminDown,
    /// Not there.
    #[default]
    Down,
    /// The other side has been heard.
    Init,
    /// Both sides hear each other.
    Up,
}

impl State {
    /// The word shown to users.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdminDown => "admin-down",
            Self::Down => "down",
            Self::Init => "init",
            Self::Up => "up",
        }
    }
}

/// Why a session is not up (RFC 5880 section 4.1); codes above 8 are kept as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Diagnostic(pub u8);

impl Diagnostic {
    /// Nothing to say.
    pub const NONE: Self = Self(0);
    /// Nothing was heard for the detection time.
    pub const TIME_EXPIRED: Self = Self(1);
    /// The other side says that it is down.
    pub const NEIGHBOR_DOWN: Self = Self(3);
    /// The administrator wants it so.
    pub const ADMIN_DOWN: Self = Self(7);
}

/// A control packet without authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the packet")]
pub struct Control {
    /// Why the sender is not up.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// Flag P: answer with F.
    pub poll: bool,
    /// Flag F: the answer to P.
    pub is_final: bool,
    /// Flag C: the sender's BFD does not share the fate of its control plane.
    pub control_plane_independent: bool,
    /// Flag D: the sender is in demand mode.
    pub demand: bool,
    /// How many packets may be lost in a row, at least 1.
    pub detect_multiplier: u8,
    /// The sender's discriminator, not 0.
    pub my_discriminator: u32,
    /// Ours, or 0 if the sender has not heard us.
    pub your_discriminator: u32,
    /// Between two packets at least, in microseconds.
    pub desired_min_tx_us: u32,
    /// What the sender can take, in microseconds.
    pub required_min_rx_us: u32,
    /// What the sender can take of echo packets, in microseconds; 0 is none.
    pub required_min_echo_rx_us: u32,
}

impl Control {
    /// Reads the payload of a datagram; `None` for what RFC 5880 section 6.8.6 tells to discard before
    /// a session is looked for: another version, wrong length, multiplier 0, flag M, no discriminator,
    /// or authentication, which is not in use here.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let head: [u8; 4] = array(bytes, 0)?;
        let length = usize::from(head[3]);
        let flags = head[1];
        let (authenticated, multipoint) = (flags & 0x04 != 0, flags & 0x01 != 0);
        if head[0] >> 5 != 1 || length < PACKET_LEN || length > bytes.len() {
            return None;
        }
        if head[2] == 0 || authenticated || multipoint {
            return None;
        }
        let state = match flags >> 6 {
            0 => State::AdminDown,
            1 => State::Down,
            2 => State::Init,
            _ => State::Up,
        };
        let packet = Self {
            diagnostic: Diagnostic(head[0] & 0x1f),
            state,
            poll: flags & 0x20 != 0,
            is_final: flags & 0x10 != 0,
            control_plane_independent: flags & 0x08 != 0,
            demand: flags & 0x02 != 0,
            detect_multiplier: head[2],
            my_discriminator: u32_at(bytes, 4)?,
            your_discriminator: u32_at(bytes, 8)?,
            desired_min_tx_us: u32_at(bytes, 12)?,
            required_min_rx_us: u32_at(bytes, 16)?,
            required_min_echo_rx_us: u32_at(bytes, 20)?,
        };
        let lost = packet.your_discriminator == 0 && matches!(state, State::Init | State::Up);
        (packet.my_discriminator != 0 && !lost).then_some(packet)
    }

    /// The payload of a datagram: 24 octets.
    pub fn build(&self) -> Vec<u8> {
        let state = match self.state {
            State::AdminDown => 0,
            State::Down => 1,
            State::Init => 2,
            State::Up => 3,
        };
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = state << 6
            | flag(self.poll, 0x20)
            | flag(self.is_final, 0x10)
            | flag(self.control_plane_independent, 0x08)
            | flag(self.demand, 0x02);
        let mut bytes = vec![1 << 5 | self.diagnostic.0 & 0x1f, flags, self.detect_multiplier];
        bytes.push(24);
        for field in [
            self.my_discriminator,
            self.your_discriminator,
            self.desired_min_tx_us,
            self.required_min_rx_us,
            self.required_min_echo_rx_us,
        ] {
            bytes.extend(field.to_be_bytes());
        }
        bytes
    }
}
