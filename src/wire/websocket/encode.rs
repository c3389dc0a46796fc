//! Encodes messages, each in one frame.

use super::frame::{CLOSE, MASK_LEN, MASKED, MAX_CONTROL, MAX_HEADER, apply_mask, put_header};

/// Appends the header of a message from a server, whose payload of `len` bytes follows.
pub fn encode_header(opcode: u8, len: usize, out: &mut Vec<u8>) {
    put_header(opcode, len, 0, out);
}

/// Appends a message from a server.
pub fn encode(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    encode_header(opcode, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a message from a client, masked with `mask`.
pub fn encode_masked(opcode: u8, payload: &[u8], mask: [u8; MASK_LEN], out: &mut Vec<u8>) {
    put_header(opcode, payload.len(), MASKED, out);
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    apply_mask(&mut out[start..], mask, 0);
}

/// Appends a message from a server, whose payload is what `write` appends.
pub fn encode_with(opcode: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let mut header = Vec::with_capacity(MAX_HEADER);
    encode_header(opcode, out.len() - start, &mut header);
    out.splice(start..start, header);
}

/// Appends a close frame from a server. A reason that is too long is cut between characters.
pub fn encode_close(code: u16, reason: &str, out: &mut Vec<u8>) {
    let reason = &reason[..reason.floor_char_boundary(MAX_CONTROL - size_of::<u16>())];
    encode_header(CLOSE, size_of::<u16>() + reason.len(), out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::websocket::frame::{BINARY, FIN, frame_len};

    #[test]
    fn a_header_takes_as_few_bytes_as_it_can() {
        for (len, header_len) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let mut out = Vec::new();
            encode_with(BINARY, &mut out, |out| out.resize(len, 7));
            assert_eq!(out.len(), header_len + len);
            assert_eq!(frame_len(&out[..header_len]), out.len());
        }
    }

    #[test]
    fn a_reason_that_is_too_long_is_cut_between_characters() {
        let mut out = Vec::new();
        encode_close(1008, &"é".repeat(100), &mut out);
        assert_eq!(out[..4], [FIN | CLOSE, 124, 0x03, 0xF0]);
        assert_eq!(str::from_utf8(&out[4..]), Ok(&*"é".repeat(61)));
    }
}
