//! The gRPC contract sluice.v1 and its conversions to and from the model.
