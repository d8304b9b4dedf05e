//! The environment abstraction layer: DPDK's start in this process.

use crate::errno::Errno;
use crate::log::{self, LogLine};
use crate::remedy::Diagnosis;
use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where packet buffers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Hugepages, taken at start; nothing stays in hugetlbfs when the process ends.
    Hugepages {
        /// Amount in MiB.
        mebibytes: u32,
    },
    /// Ordinary pages: works everywhere, slower, and no device can do DMA.
    Ordinary {
        /// Amount in MiB, a hard limit: it cannot grow later.
        mebibytes: u32,
    },
}

/// Which PCI devices DPDK looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pci {
    /// None, not even the list: the PCI bus stays unread.
    Ignore,
    /// None at start; [`Device::plug`](crate::Device::plug) adds those it is asked for.
    OnDemand,
}

/// How DPDK starts.
#[derive(Clone, Debug)]
pub struct EalOptions {
    /// Where packet buffers come from.
    pub memory: Memory,
    /// CPUs for the calling thread and DPDK's own service threads; empty: those that the calling
    /// thread may run on now. Workers are pinned apart from this.
    pub control_cpus: Vec<u16>,
    /// Which PCI devices DPDK looks at.
    pub pci: Pci,
    /// What keeps this process's files apart from those of other DPDK processes; `None`: made from
    /// the process id.
    pub file_prefix: Option<String>,
}

impl EalOptions {
    /// Ordinary memory, no PCI, every CPU of the calling thread: what runs anywhere.
    pub const fn ordinary(mebibytes: u32) -> Self {
        Self {
            memory: Memory::Ordinary { mebibytes },
            control_cpus: Vec::new(),
            pci: Pci::Ignore,
            file_prefix: None,
        }
    }
}

/// Why DPDK did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EalError {
    /// Once per process is all that DPDK allows, also after a failed start.
    #[error(
        "DPDK was already started in this process and cannot be started twice: restart the process \
         (tests: `cargo nextest run`, which gives each test a process of its own)"
    )]
    AlreadyStarted,
    /// A name that DPDK cannot take.
    #[error("{value:?} cannot be a file prefix: expected letters, digits, `-`, `_` and `.`")]
    FilePrefix {
        /// The refused prefix.
        value: String,
    },
    /// The kernel would not say where this thread may run.
    #[error("cannot read the CPUs of this thread: {0}")]
    Affinity(#[source] Errno),
    /// DPDK refused.
    #[error("DPDK did not start ({errno}): {diagnosis}")]
    Init {
        /// DPDK's error number, which is often 0.
        errno: Errno,
        /// What it logged, and what to do.
        diagnosis: Diagnosis,
    },
}

/// The proof that DPDK runs in this process. It never stops before the process does, so whatever
/// was made from it stays valid.
#[derive(Clone, Debug)]
pub struct Eal(());

static TRIED: AtomicBool = AtomicBool::new(false);

impl Eal {
    /// Starts DPDK. The calling thread becomes its main lcore and stays where it may run now,
    /// unless `control_cpus` says otherwise.
    ///
    /// Nothing is shared with other processes: no configuration file, no socket, no telemetry.
    pub fn start(options: &EalOptions) -> Result<Self, EalError> {
        let arguments = arguments(options)?;
        if TRIED.swap(true, Ordering::SeqCst) {
            return Err(EalError::AlreadyStarted);
        }
        log::capture();
        let mark = log::mark();
        // DPDK keeps the pointers (for a later `rte_eal_get_configuration`), so the strings stay.
        let mut pointers: Vec<*mut c_char> = arguments.into_iter().map(CString::into_raw).collect();
        let count = c_int::try_from(pointers.len()).unwrap_or(c_int::MAX);
        // SAFETY: `pointers` holds `count` C strings that are never freed, nobody started the EAL
        // before (`TRIED`), and DPDK only permutes the array during the call.
        let code = unsafe { dpdk_sys::rte_eal_init(count, pointers.as_mut_ptr()) };
        Errno::check(code).map_err(|errno| EalError::Init {
            errno,
            diagnosis: Diagnosis::of(log::since(mark)),
        })?;
        remove_runtime_folder();
        log::follow_memif();
        Ok(Self(()))
    }

    /// What DPDK logged since the last call, oldest first.
    pub fn take_log(&self) -> Vec<LogLine> {
        log::take()
    }

    /// Lines of DPDK's log that were lost since the start because nobody took them in time.
    pub fn log_lines_lost(&self) -> u64 {
        log::lost()
    }

    /// DPDK's version, such as `DPDK 22.11.11`.
    pub fn version() -> &'static str {
        // SAFETY: returns a static C string.
        let version = unsafe { dpdk_sys::rte_version() };
        // SAFETY: as above: static and terminated.
        unsafe { CStr::from_ptr(version) }.to_str().unwrap_or("DPDK")
    }
}

/// The command line that DPDK reads.
fn arguments(options: &EalOptions) -> Result<Vec<CString>, EalError> {
    let prefix =
        options.file_prefix.clone().unwrap_or_else(|| format!("sluice-{}", std::process::id()));
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if prefix.is_empty() || prefix.starts_with('.') || !prefix.chars().all(allowed) {
        return Err(EalError::FilePrefix { value: prefix });
    }
    let cpus = if options.control_cpus.is_empty() {
        crate::lcore::allowed_cpus().map_err(EalError::Affinity)?
    } else {
        options.control_cpus.clone()
    };
    let cpus: Vec<_> = cpus.iter().map(u16::to_string).collect();

    let mut words = vec![
        "sluice".to_owned(),
        format!("--lcores=0@({})", cpus.join(",")),
        format!("--file-prefix={prefix}"),
        "--no-telemetry".to_owned(),
    ];
    match options.memory {
        Memory::Hugepages { mebibytes } => {
            words.extend(["--in-memory".to_owned(), format!("-m{mebibytes}")]);
        }
        // DPDK 22.11 refuses `--in-memory` here and blames `--legacy-mem`.
        Memory::Ordinary { mebibytes } => words.extend([
            "--no-huge".to_owned(),
            "--no-shconf".to_owned(),
            format!("-m{mebibytes}"),
        ]),
    }
    match options.pci {
        Pci::Ignore => words.push("--no-pci".to_owned()),
        // An allow-list that matches nothing: DPDK scans the bus and probes no device.
        Pci::OnDemand => words.push("--allow=ffff:ff:1f.7".to_owned()),
    }
    // None of the words can hold a NUL: numbers, fixed text and the checked prefix.
    Ok(words.into_iter().filter_map(|word| CString::new(word).ok()).collect())
}

/// Removes the folder that DPDK makes even when it has nothing to put there, and the one above it
/// if that was the last.
fn remove_runtime_folder() {
    // SAFETY: returns a static C string once the EAL has started.
    let path = unsafe { dpdk_sys::rte_eal_get_runtime_dir() };
    if path.is_null() {
        return;
    }
    // SAFETY: checked above; terminated and static.
    let path = unsafe { CStr::from_ptr(path) };
    let path = Path::new(OsStr::from_bytes(path.to_bytes()));
    // `remove_dir` refuses a folder that holds anything, which is what makes this safe to try.
    if std::fs::remove_dir(path).is_ok()
        && let Some(parent) = path.parent()
    {
        drop(std::fs::remove_dir(parent));
    }
}
