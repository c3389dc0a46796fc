//! What the operator allows HTTP and WebSocket clients to do.

/// What the operator allows HTTP and WebSocket clients to do.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Origins whose pages may use the hub, beside its own.
    pub origins: Vec<String>,
    /// Whether HTTP callers on other machines may read rooms.
    pub http_read: bool,
}
