//! What arrives on the underlay: links, local addresses, peers by address, bridges by VNI.

use bridge_model::compile::UnderlayTable;

use super::ImageError;
use super::build::BuildFacts;

/// The ingress side of the underlay.
#[derive(Debug)]
pub(crate) struct UnderlayImage {}

impl UnderlayImage {
    pub(super) fn build(_: &UnderlayTable, _: BuildFacts<'_>) -> Result<Self, ImageError> {
        Ok(Self {})
    }
}
