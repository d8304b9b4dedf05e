//! Quantities as people read them.

use std::fmt::Write as _;
use std::time::Duration;

use proto::v1::VidRange;

/// A count with thin grouping: `1 204 331`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A rate in events per second: `20/s`, `3.1k/s`, `14.2M/s`; `-` when it is not a number.
pub(crate) fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second < 0.0 {
        return "-".to_owned();
    }
    match per_second {
        0.0 => "0/s".to_owned(),
        below if below < 10.0 => format!("{below:.1}/s"),
        below if below < 1e3 => format!("{below:.0}/s"),
        below if below < 1e6 => format!("{:.1}k/s", below / 1e3),
        _ => format!("{:.1}M/s", per_second / 1e6),
    }
}

/// A number of octets in binary units: `512 B`, `1.5 MiB`.
pub(crate) fn octets(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut unit = 0;
    let mut scaled = count;
    while scaled >= 1024 * 1024 && unit + 1 < UNITS.len() {
        scaled /= 1024;
        unit += 1;
    }
    let tenths = scaled % 1024 * 10 / 1024;
    format!("{}.{tenths} {}", scaled / 1024, UNITS.get(unit).unwrap_or(&""))
}

/// A time span in its two largest units: `3d4h`, `12m5s`, `41s`, `1.9ms`.
pub(crate) fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match seconds {
        0 if span.as_millis() >= 10 => format!("{}ms", span.as_millis()),
        0 if span.as_micros() >= 1000 => {
            format!("{}.{}ms", span.as_micros() / 1000, span.as_micros() / 100 % 10)
        }
        0 if span.is_zero() => "0s".to_owned(),
        0 => format!("{}us", span.as_micros()),
        1..60 => format!("{seconds}s"),
        60..3600 => two((minutes, 'm'), (seconds % 60, 's')),
        3600..86_400 => two((hours, 'h'), (minutes, 'm')),
        _ => two((days, 'd'), (hours, 'h')),
    }
}

/// Two units, the smaller one only if there is something of it.
fn two((large, its_unit): (u64, char), (small, unit): (u64, char)) -> String {
    if small == 0 {
        return format!("{large}{its_unit}");
    }
    format!("{large}{its_unit}{small}{unit}")
}

/// VIDs as a list: `10,20-30`.
pub(crate) fn vid_ranges(ranges: &[VidRange]) -> String {
    let mut text = String::new();
    for range in ranges {
        if !text.is_empty() {
            text.push(',');
        }
        _ = write!(text, "{}", range.first);
        if range.last > range.first {
            _ = write!(text, "-{}", range.last);
        }
    }
    text
}

/// A time span of the API as text; `-` if there is none.
pub(crate) fn span(given: Option<&pbjson_types::Duration>) -> String {
    let known = given.and_then(|given| {
        let seconds = u64::try_from(given.seconds).ok()?;
        let nanos = u32::try_from(given.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        Some(Duration::new(seconds, nanos))
    });
    known.map_or_else(|| "-".to_owned(), duration)
}

/// Whether something holds, in a column.
pub(crate) const fn yes(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}

/// The word of a protobuf enum value without its prefix: `STATE_LINK_DOWN` is `link-down`.
pub(crate) fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase().replace('_', "-")
}

/// `text` with blanks for control characters.
pub(super) fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
