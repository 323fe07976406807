//! The protobuf contracts in `proto/`, as Rust types with canonical JSON.
#![allow(clippy::all, clippy::pedantic, reason = "generated code")]

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

pub mod headway {
    pub mod common {
        pub mod v1 {
            tonic::include_proto!("headway.common.v1");
            include!(concat!(env!("OUT_DIR"), "/headway.common.v1.serde.rs"));
        }
    }
    pub mod journal {
        pub mod v1 {
            tonic::include_proto!("headway.journal.v1");
            include!(concat!(env!("OUT_DIR"), "/headway.journal.v1.serde.rs"));
        }
    }
    pub mod registry {
        pub mod v1 {
            tonic::include_proto!("headway.registry.v1");
            include!(concat!(env!("OUT_DIR"), "/headway.registry.v1.serde.rs"));
        }
    }
    pub mod intelligence {
        pub mod v1 {
            tonic::include_proto!("headway.intelligence.v1");
            include!(concat!(env!("OUT_DIR"), "/headway.intelligence.v1.serde.rs"));
        }
    }
    pub mod improvement {
        pub mod v1 {
            tonic::include_proto!("headway.improvement.v1");
            include!(concat!(env!("OUT_DIR"), "/headway.improvement.v1.serde.rs"));
        }
    }
}

pub use headway::{
    common::v1 as common, improvement::v1 as improvement, intelligence::v1 as intelligence,
    journal::v1 as journal, registry::v1 as registry,
};

/// Every contract with its options and comments, as a `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(DESCRIPTORS)
        .unwrap_or_else(|error| panic!("the build wrote these descriptors: {error}"))
});

/// The contracts as descriptors, for what works on any message: routes, OpenAPI, rendering events.
pub fn pool() -> &'static DescriptorPool {
    &POOL
}
