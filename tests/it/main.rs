//! The real daemon, the real client and the embedding API over real sockets, checked by literal bytes.

mod addresses;
mod bad_input;
mod bench;
mod chat;
mod command_line;
mod corpus;
#[cfg(feature = "ws")]
mod cors;
mod daemon;
mod dead_line;
mod direct;
mod embed;
#[cfg(feature = "ws")]
mod encodings;
mod event_log;
mod faults;
mod host;
mod hostile_hub;
#[cfg(feature = "ws")]
mod http;
#[cfg(feature = "ws")]
mod http_pages;
mod limits;
mod memory;
mod names;
mod paused;
#[cfg(feature = "ws")]
mod proxy;
mod readme;
mod relay;
mod rooms;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "ws")]
mod ws;
#[cfg(feature = "ws")]
mod ws_client;
#[cfg(feature = "ws")]
mod ws_json;
