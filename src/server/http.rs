//! The part of the embedding API that is about HTTP and WebSocket.

use super::Builder;
use crate::web;

impl Builder {
    /// Listens on one more address for HTTP and WebSocket: `HOST:PORT` (port 0: the system chooses).
    pub fn listen_http(mut self, address: impl Into<String>) -> Builder {
        self.http_addresses.push((address.into(), web::HTTP_CALLER));
        self
    }

    /// Allows pages of one more origin, such as `https://example.org`, to use the hub. The hub's own page always may.
    /// It is compared by scheme, host and port. `null` allows all pages that have no origin of their own: files, and
    /// frames in a sandbox of any site. A text that is no origin allows nobody: see [`is_origin`](crate::is_origin).
    pub fn origin(mut self, origin: impl Into<String>) -> Builder {
        self.gateway.origins.push(origin.into());
        self
    }

    /// Whether HTTP callers on other machines may read rooms: their members and their history. By default they may not.
    pub fn http_read(mut self, allowed: bool) -> Builder {
        self.gateway.http_read = allowed;
        self
    }
}
