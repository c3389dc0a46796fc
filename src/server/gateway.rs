//! The gateway of a server: `web` if the feature `ws` is on, and otherwise none, so that all sessions are native.

#[cfg(not(feature = "ws"))]
pub use crate::hub::{NativeOnly as GatewayPolicy, NativeOnly as ServerGateway};
#[cfg(feature = "ws")]
pub use crate::web::{Policy as GatewayPolicy, Web as ServerGateway};
