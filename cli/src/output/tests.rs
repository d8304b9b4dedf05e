use std::time::Duration;

use proto::v1::VidRange;

use super::*;

#[test]
fn a_table_has_no_border_and_no_blank_at_the_end_of_a_line() {
    let mut table = Table::new(&["NAME", "FRAMES", "NOTE"]).right(&[1]);

    table.row(["trunk0".to_owned(), "1204".to_owned()]);
    table.row(["p1".to_owned(), "7".to_owned(), "two\nlines".to_owned()]);

    assert_eq!(
        table.text(),
        "NAME     FRAMES   NOTE\ntrunk0     1204   -\np1            7   two lines\n"
    );
}

#[test]
fn counts_are_grouped_in_thousands() {
    for (count, text) in
        [(0, "0"), (999, "999"), (1000, "1 000"), (1_234_567, "1 234 567"), (12_345, "12 345")]
    {
        assert_eq!(grouped(count), text);
    }
}

#[test]
fn rates_have_a_unit_that_fits() {
    for (value, text) in [
        (0.0, "0/s"),
        (0.5, "0.5/s"),
        (20.0, "20/s"),
        (3100.0, "3.1k/s"),
        (14_200_000.0, "14.2M/s"),
        (f64::NAN, "-"),
        (f64::INFINITY, "-"),
        (-1.0, "-"),
    ] {
        assert_eq!(rate(value), text);
    }
}

#[test]
fn octets_have_a_binary_unit() {
    for (count, text) in
        [(512, "512 B"), (1024, "1.0 KiB"), (1_572_864, "1.5 MiB"), (u64::MAX, "16777215.9 TiB")]
    {
        assert_eq!(octets(count), text);
    }
}

#[test]
fn durations_show_their_largest_units() {
    for (span, text) in [
        (Duration::ZERO, "0s"),
        (Duration::from_micros(40), "40us"),
        (Duration::from_micros(1_940), "1.9ms"),
        (Duration::from_millis(250), "250ms"),
        (Duration::from_secs(41), "41s"),
        (Duration::from_secs(300), "5m"),
        (Duration::from_secs(725), "12m5s"),
        (Duration::from_secs(3_720), "1h2m"),
        (Duration::from_secs(273_600), "3d4h"),
    ] {
        assert_eq!(duration(span), text);
    }
}

#[test]
fn vid_ranges_are_written_as_in_the_site_file() {
    let ranges = [VidRange { first: 10, last: 10 }, VidRange { first: 20, last: 30 }];

    assert_eq!(vid_ranges(&ranges), "10,20-30");
}

#[test]
fn no_color_and_a_pipe_both_turn_colour_off() {
    use clap::ColorChoice::{Always, Auto, Never};

    assert_eq!(Colour::choose(Auto, false, true), Colour::On);
    assert_eq!(Colour::choose(Auto, true, true), Colour::Off);
    assert_eq!(Colour::choose(Auto, false, false), Colour::Off);
    assert_eq!(Colour::choose(Never, false, true), Colour::Off);
    assert_eq!(Colour::choose(Always, true, false), Colour::On);
    assert_eq!(Colour::Off.paint(Tone::Bad, "x"), "x");
    assert_eq!(Colour::On.paint(Tone::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
}

#[test]
fn json_and_yaml_carry_the_same_value() {
    let value = serde_json::json!({"revision": "18446744073709551615", "names": ["a", "10", "no"]});

    let parsed: serde_json::Value = serde_saphyr::from_str(&yaml(&value).unwrap()).unwrap();

    assert_eq!(parsed, value);
    assert!(json(&value).unwrap().ends_with("}\n"));
}
