//! What the operator allows to those who use the web gateway.

/// What the operator allows to those who use the web gateway.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Origins whose pages may use the hub, beside its own.
    pub origins: Vec<String>,
    /// Whether HTTP callers on other machines may read rooms.
    pub http_read: bool,
}
