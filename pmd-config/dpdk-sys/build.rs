//! Finds libdpdk, compiles the shim and generates the bindings.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a build script reports to the person who builds by stopping"
)]

use std::{env, path::PathBuf};

/// The functions that `rte-rs` calls. Whatever is not named here does not exist for Rust.
const FUNCTIONS: &[&str] = &[
    "fopencookie",
    "rte_eal_get_runtime_dir",
    "rte_eal_hotplug_add",
    "rte_eal_hotplug_remove",
    "rte_eal_init",
    "rte_eth_allmulticast_enable",
    "rte_eth_dev_adjust_nb_rx_tx_desc",
    "rte_eth_dev_callback_register",
    "rte_eth_dev_close",
    "rte_eth_dev_configure",
    "rte_eth_dev_get_port_by_name",
    "rte_eth_dev_info_get",
    "rte_eth_dev_socket_id",
    "rte_eth_dev_start",
    "rte_eth_dev_stop",
    "rte_eth_link_get_nowait",
    "rte_eth_macaddr_get",
    "rte_eth_promiscuous_disable",
    "rte_eth_promiscuous_enable",
    "rte_eth_dev_default_mac_addr_set",
    "rte_eth_rx_queue_setup",
    "rte_eth_stats_get",
    "rte_eth_tx_queue_setup",
    "rte_eth_xstats_get",
    "rte_eth_xstats_get_names",
    "rte_get_tsc_hz",
    "rte_log_cur_msg_loglevel",
    "rte_log_set_global_level",
    "rte_log_set_level_pattern",
    "rte_mempool_avail_count",
    "rte_openlog_stream",
    "rte_pktmbuf_free_bulk",
    "rte_pktmbuf_pool_create",
    "rte_thread_register",
    "rte_thread_unregister",
    "rte_version",
    "sluice_.*",
];

const VARIABLES: &[&str] = &[
    "rte_eth_fp_ops",
    "RTE_ETH_NAME_MAX_LEN",
    "RTE_LOG_(EMERG|ALERT|CRIT|ERR|WARNING|NOTICE|INFO|DEBUG)",
    "RTE_MAX_ETHPORTS",
    "RTE_PKTMBUF_HEADROOM",
    "SLUICE_.*",
];

/// The libraries those functions live in. Drivers are loaded by the EAL from its own folder.
const LIBRARIES: &[&str] = &["rte_eal", "rte_ethdev", "rte_mempool", "rte_mbuf"];

fn main() {
    for input in ["build.rs", "wrapper.h", "shim.h", "shim.c"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let dpdk = pkg_config::Config::new()
        .cargo_metadata(false)
        .range_version("22.11".."22.12")
        .probe("libdpdk")
        .expect("libdpdk 22.11 is needed: `apt-get install libdpdk-dev pkg-config`");
    // pkg-config's parsed form has no place for these two, and DPDK's headers need both.
    let machine = ["-include", "rte_config.h", "-march=corei7"];

    let mut shim = cc::Build::new();
    shim.file("shim.c")
        .includes(&dpdk.include_paths)
        .warnings(true)
        .flag_if_supported("-std=gnu11");
    for flag in machine {
        shim.flag(flag);
    }
    shim.compile("sluice_dpdk_shim");

    for path in &dpdk.link_paths {
        println!("cargo::rustc-link-search=native={}", path.display());
    }
    for library in LIBRARIES {
        println!("cargo::rustc-link-lib=dylib={library}");
    }

    let mut bindings = bindgen::Builder::default()
        .header("wrapper.h")
        .clang_args(dpdk.include_paths.iter().map(|path| format!("-I{}", path.display())))
        .clang_args(machine)
        .use_core()
        .default_enum_style(bindgen::EnumVariation::ModuleConsts)
        .layout_tests(true)
        .derive_debug(false)
        .generate_comments(false)
        // Thread-local variables cannot be bound; packed wire formats have bit-fields that
        // bindgen cannot align.
        .blocklist_item("per_lcore_.*")
        .opaque_type("rte_arp_hdr")
        .opaque_type("rte_arp_ipv4")
        .opaque_type("rte_gtp_psc_generic_hdr")
        .opaque_type("rte_l2tpv2_combined_msg_hdr");
    for function in FUNCTIONS {
        bindings = bindings.allowlist_function(function);
    }
    for variable in VARIABLES {
        bindings = bindings.allowlist_var(variable);
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    bindings
        .generate()
        .expect("bindgen needs libclang: `apt-get install clang libclang-dev`")
        .write_to_file(out.join("bindings.rs"))
        .expect("OUT_DIR is writable");
}
