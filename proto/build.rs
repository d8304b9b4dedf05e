//! Generates the messages, services, JSON mapping and descriptor set of `sluice.v1`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message;

const FILES: [&str; 4] = ["config", "error", "resources", "state"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let files = FILES.map(|name| format!("proto/sluice/v1/{name}.proto"));

    let descriptors = protox::compile(&files, ["proto"])?;
    let encoded = descriptors.encode_to_vec();
    fs::write(out.join("descriptors.bin"), &encoded)?;

    tonic_prost_build::configure()
        .build_transport(true)
        .compile_well_known_types(true)
        .extern_path(".google.protobuf", "::pbjson_types")
        .bytes(".")
        .compile_fds(descriptors)?;
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)?
        .ignore_unknown_fields()
        // A script that asks for `difference` or `programmed` finds it when it is 0 or false, too.
        .emit_fields()
        .build(&[".sluice.v1"])?;
    Ok(())
}
