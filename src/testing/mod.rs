//! Code that several kinds of tests share. It is never shipped: the feature `testing` is for this package's own tests.
//!
//! The bodies of the fuzz targets, a naive model of the hub, and a virtual operating system.

pub mod fuzz;
pub mod model;
pub mod system;
