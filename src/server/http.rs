//! The part of the embedding API that is about HTTP and WebSocket.

use super::Builder;
use crate::web;

impl Builder {
    /// Listens on one more address for HTTP and WebSocket: `HOST:PORT` (port 0: the system chooses).
    pub fn listen_http(mut self, address: impl Into<String>) -> Builder {
        self.http_addresses.push((address.into(), web::HTTP_CALLER));
        self
    }

    /// Lets pages of one more origin use the hub, as in `https://example.org`. The hub's own page always may.
    pub fn origin(mut self, origin: impl Into<String>) -> Builder {
        self.gateway.origins.push(origin.into());
        self
    }

    /// Whether HTTP callers on other machines may look into rooms: who is in them, and what they remember. By default
    /// they may not.
    pub fn http_read(mut self, allowed: bool) -> Builder {
        self.gateway.http_read = allowed;
        self
    }
}
