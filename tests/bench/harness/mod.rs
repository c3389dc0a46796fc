//! What the benchmarks share: servers in processes of their own, the program `cubby bench` that drives them, and the
//! samples that come of its JSON. Each benchmark includes this module once and uses what it needs.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

pub mod generator;
pub mod options;
pub mod pin;
pub mod sample;
pub mod server;
