//! The encodings that the web gateway adds to the hub, and the subprotocols that choose one.

use crate::hub::Encoding;

/// Native frames, each in a binary message of a WebSocket.
pub const BINARY: Encoding = Encoding::of_codec(0);

/// JSON objects, each in a text message of a WebSocket.
pub const JSON: Encoding = Encoding::of_codec(1);

/// HTTP responses.
pub const HTTP: Encoding = Encoding::of_codec(2);

/// The WebSocket subprotocols and their encodings.
pub const SUBPROTOCOLS: [(&str, Encoding); 2] = [("cubby.v1", BINARY), ("cubby.json.v1", JSON)];

/// The encoding of a client that asks for no subprotocol.
pub const DEFAULT: Encoding = JSON;
