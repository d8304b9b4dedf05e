//! The gRPC contract of the gateway, package `sluice.v1`, and its conversions to and from the model.
//!
//! [`v1`] holds the generated messages, clients and servers; their JSON form is proto3 JSON (64-bit
//! numbers are strings). [`DESCRIPTORS`] is the encoded descriptor set that reflection serves.
//!
//! **Architecture invariant:** no logic. A conversion either yields a value of the model or names the
//! field that has none.
#![forbid(unsafe_code)]

pub mod failure;
pub mod field;
pub mod resource;

/// The generated code of package `sluice.v1`.
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    rustdoc::all,
    reason = "generated; the documentation is in the .proto files"
)]
pub mod v1 {
    tonic::include_proto!("sluice.v1");
    include!(concat!(env!("OUT_DIR"), "/sluice.v1.serde.rs"));
}

/// The encoded `google.protobuf.FileDescriptorSet` of the package.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

#[cfg(test)]
mod tests;
