//! DPDK's log goes into ours: it is captured, so a warning of a driver reaches nobody otherwise.

use rte_rs::{Eal, LogLevel, LogLine};

/// Passes on what DPDK logs.
#[derive(Debug)]
pub struct DpdkLog {
    eal: Eal,
    lost: u64,
}

impl DpdkLog {
    /// The log of `eal`.
    pub const fn new(eal: Eal) -> Self {
        Self { eal, lost: 0 }
    }

    /// Passes on what was logged since the last call: warnings and errors as warnings (what an error
    /// means for an interface is a condition of its own), the rest as detail.
    pub fn pass_on(&mut self) {
        for (line, times) in counted(self.eal.take_log()) {
            let text = line.text;
            match line.level {
                LogLevel::Error | LogLevel::Warning => tracing::warn!(text, times, "DPDK"),
                LogLevel::Notice | LogLevel::Info => tracing::debug!(text, times, "DPDK"),
            }
        }
        let lost = self.eal.log_lines_lost();
        if lost > self.lost {
            tracing::warn!(lines = lost - self.lost, "DPDK logged more than was kept");
            self.lost = lost;
        }
    }
}

/// Each line once, in the order of its first time, with how often it came: a driver that complains
/// of every frame says the same hundreds of times.
fn counted(lines: Vec<LogLine>) -> Vec<(LogLine, usize)> {
    let mut counted: Vec<(LogLine, usize)> = Vec::new();
    for line in lines {
        match counted.iter_mut().find(|(seen, _)| *seen == line) {
            Some((_, times)) => *times += 1,
            None => counted.push((line, 1)),
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: LogLevel, text: &str) -> LogLine {
        LogLine { level, text: text.to_owned() }
    }

    #[test]
    fn a_line_that_repeats_is_said_once_with_its_number() {
        let full = line(LogLevel::Warning, "PMD: ring full");
        let notice = line(LogLevel::Notice, "PMD: ring full");
        let gone = line(LogLevel::Error, "PMD: gone");

        let lines = [&full, &gone, &full, &notice, &full].map(Clone::clone).to_vec();

        assert_eq!(counted(lines), [(full, 3), (gone, 1), (notice, 1)]);
    }
}
