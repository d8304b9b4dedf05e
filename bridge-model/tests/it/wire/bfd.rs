//! BFD control packets (RFC 5880 section 4.1), and which of them are discarded unseen (6.8.6).

use bridge_model::wire::bfd::{Control, Diagnostic, State};
use proptest::prelude::*;
use proptest::sample::select;

use crate::parsers::hex;

/// Up, poll, multiplier 3, 300 ms both ways, echo 50 ms: as bfdd sends them.
const UP: &str = "20 e0 03 18 00000001 00000002 000493e0 000493e0 0000c350";

fn up() -> Control {
    Control {
        diagnostic: Diagnostic::NONE,
        state: State::Up,
        poll: true,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_multiplier: 3,
        my_discriminator: 1,
        your_discriminator: 2,
        desired_min_tx_us: 300_000,
        required_min_rx_us: 300_000,
        required_min_echo_rx_us: 50_000,
    }
}

#[test]
fn a_packet_is_read_and_written_as_the_standard_draws_it() {
    assert_eq!(Control::parse(&hex(UP)), Some(up()));
    assert_eq!(up().build(), hex(UP));
    let flags = |octet: u8| {
        let mut bytes = hex(UP);
        bytes[1] = octet;
        Control::parse(&bytes)
    };
    assert!(flags(0xd0).is_some_and(|p| p.is_final && !p.poll));
    assert!(flags(0xc8).is_some_and(|p| p.control_plane_independent));
    assert!(flags(0xc2).is_some_and(|p| p.demand));
    assert_eq!(flags(0x00).map(|p| p.state), Some(State::AdminDown));
    assert_eq!(flags(0x40).map(|p| p.state), Some(State::Down));
    assert_eq!(flags(0x80).map(|p| p.state), Some(State::Init));
    // A longer datagram has something else behind the packet.
    let longer = [hex(UP), vec![0xff; 4]].concat();
    assert_eq!(Control::parse(&longer), Some(up()));
}

#[test]
fn rfc_5880_6_8_6_what_is_discarded_before_a_session_is_looked_for() {
    let discarded: [(&[(usize, u8)], &str); 9] = [
        (&[(0, 0x00)], "version 0"),
        (&[(0, 0x40)], "version 2"),
        (&[(3, 23)], "a length too short"),
        (&[(3, 25)], "a length beyond the datagram"),
        (&[(2, 0)], "multiplier 0"),
        (&[(1, 0xc1)], "flag M"),
        (&[(1, 0xc4)], "authentication, which is not in use"),
        (&[(7, 0)], "no discriminator of its own"),
        (&[(11, 0)], "up without having heard us"),
    ];
    for (changes, why) in discarded {
        let mut bytes = hex(UP);
        for (at, value) in changes {
            bytes[*at] = *value;
        }
        assert_eq!(Control::parse(&bytes), None, "{why}");
    }
    for end in 0..24 {
        assert_eq!(Control::parse(&hex(UP)[..end]), None, "cut to {end}");
    }
    // Down and held down it need not have heard us; on the way up it has.
    for (flags, accepted) in [(0x00, true), (0x40, true), (0x80, false)] {
        let mut bytes = hex(UP);
        bytes[1] = flags;
        bytes[8..12].fill(0);
        assert_eq!(Control::parse(&bytes).is_some(), accepted, "{flags:#x}");
    }
}

fn control() -> impl Strategy<Value = Control> {
    let state = select(vec![State::AdminDown, State::Down, State::Init, State::Up]);
    let numbers = (1..=u32::MAX, 1..=u32::MAX, any::<u32>(), any::<u32>(), any::<u32>());
    let flags = any::<(bool, bool, bool, bool)>();
    (state, 0..32_u8, 1..=u8::MAX, numbers, flags).prop_map(
        |(state, diagnostic, multiplier, (my, your, tx, rx, echo), (p, f, c, d))| Control {
            diagnostic: Diagnostic(diagnostic),
            state,
            poll: p,
            is_final: f,
            control_plane_independent: c,
            demand: d,
            detect_multiplier: multiplier,
            my_discriminator: my,
            your_discriminator: your,
            desired_min_tx_us: tx,
            required_min_rx_us: rx,
            required_min_echo_rx_us: echo,
        },
    )
}

proptest! {
    #[test]
    fn every_packet_is_read_back(packet in control()) {
        prop_assert_eq!(packet.build().len(), 24);
        prop_assert_eq!(Control::parse(&packet.build()), Some(packet));
    }

    #[test]
    fn arbitrary_octets_are_a_packet_that_would_be_written_alike_or_none(
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        version in any::<bool>(),
    ) {
        let mut bytes = bytes;
        if version && bytes.len() > 3 {
            bytes[0] = bytes[0] & 0x1f | 0x20;
            bytes[3] = 24;
        }
        if let Some(packet) = Control::parse(&bytes)
            && bytes[3] == 24
        {
            prop_assert_eq!(&packet.build()[..], &bytes[..24]);
        }
    }
}
