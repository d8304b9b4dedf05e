//! What was measured on what.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// The machine and the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// As the processor calls itself.
    pub cpu_model: String,
    /// Processors online.
    pub cpus: usize,
    /// Instruction sets that matter here, as the kernel lists them.
    pub cpu_flags: Vec<String>,
    /// Whether a hypervisor lies below.
    pub virtual_machine: bool,
    /// Page of ordinary memory, in octets; 0 if unknown.
    pub page_octets: u64,
    /// Transparent huge pages: the kernel's setting for ordinary memory.
    pub transparent_hugepages: String,
    /// The source revision, with `-dirty` if the tree had changes; empty if unknown.
    pub revision: String,
    /// The compiler's profile.
    pub profile: &'static str,
    /// Load average over one minute when the run began: other work on this machine disturbs.
    pub load: String,
}

const FLAGS: [&str; 8] =
    ["avx2", "bmi2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vbmi2", "constant_tsc"];

impl Manifest {
    /// Of this machine, now. What cannot be read stays empty.
    pub fn collect() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
        };
        let flags = field("flags").unwrap_or_default();
        let flags: Vec<&str> = flags.split_whitespace().collect();
        let hugepages = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            cpu_model: field("model name").unwrap_or_default(),
            cpus: cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
            cpu_flags: FLAGS
                .iter()
                .filter(|f| flags.contains(f))
                .map(ToString::to_string)
                .collect(),
            virtual_machine: flags.contains(&"hypervisor"),
            page_octets: page_octets(&fs::read_to_string("/proc/self/smaps").unwrap_or_default()),
            transparent_hugepages: hugepages.map(|text| chosen(&text)).unwrap_or_default(),
            revision: revision().unwrap_or_default(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            load: load.split_whitespace().next().unwrap_or_default().to_owned(),
        }
    }
}

/// The page size of the first mapping in the text of `/proc/self/smaps`, which is in KiB.
fn page_octets(smaps: &str) -> u64 {
    let line = smaps.lines().find_map(|line| line.strip_prefix("KernelPageSize:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// The word in brackets of `always [madvise] never`.
fn chosen(text: &str) -> String {
    let inside = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or_else(String::new, |(word, _)| word.to_owned())
}

fn revision() -> Option<String> {
    let folder = env!("CARGO_MANIFEST_DIR");
    let arguments = ["-C", folder, "describe", "--always", "--dirty", "--abbrev=12"];
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_size_is_read_in_kib() {
        assert_eq!(page_octets("Size: 4 kB\nKernelPageSize:       16 kB\n"), 16_384);
        assert_eq!(page_octets(""), 0);
    }

    #[test]
    fn the_chosen_hugepage_setting_is_the_one_in_brackets() {
        assert_eq!(chosen("always [madvise] never\n"), "madvise");
        assert_eq!(chosen(""), "");
    }
}
