//! What tests of every kind share, and what is never shipped: the feature `testing` is for this package's own tests.
//!
//! The bodies of the fuzz targets, and a naive model of the hub.

pub mod fuzz;
mod model;
