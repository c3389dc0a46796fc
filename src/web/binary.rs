//! Native frames in binary messages: each message is one frame, in both directions.

use crate::wire::{Bounds, ErrorCode, Fault, HEADER_LEN, Header, Request};

/// The tag and the request of the frame that a message holds.
///
/// # Errors
///
/// Error 1 if the message is not exactly one frame; otherwise the error that a native client would get for this frame.
pub fn decode<'m>(message: &'m [u8], bounds: &Bounds) -> Result<(u16, Request<'m>), Fault> {
    let len = message.len();
    let Some(header) = Header::decode(message) else {
        let text = format!("a message of {len} bytes is shorter than the header of a frame");
        return Err(Fault::new(ErrorCode::Malformed, 0, 0, text));
    };
    if header.frame_len() != len {
        let text = format!("a message of {len} bytes holds a frame of {}", header.frame_len());
        return Err(Fault::new(ErrorCode::Malformed, header.kind, header.tag, text));
    }
    bounds.admit(message)?;
    Ok((header.tag, Request::decode(header, &message[HEADER_LEN..])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { max_body: 1000, max_receivers: 3 };

    #[test]
    fn a_message_that_is_one_frame_is_its_request() {
        assert_eq!(decode(&[0x0D, 0, 0, 7, 0, 0, 0, 0], &BOUNDS), Ok((7, Request::Bye)));
        assert_eq!(decode(&[0x0C, 0, 1, 0, 0, 0, 0, 1, b'x'], &BOUNDS), Ok((256, Request::Ping(b"x"))));
    }

    #[test]
    fn any_other_message_is_a_fault_with_its_kind_and_its_tag() {
        let bye = [0x0D, 0, 0, 7, 0, 0, 0, 0];
        let ping = [&[0x0C, 0, 0, 7, 0, 0, 0, 126][..], &[0; 126]].concat();
        for (message, code, kind, tag) in [
            (&bye[..7], ErrorCode::Malformed, 0, 0),
            (&[&bye[..], &bye].concat(), ErrorCode::Malformed, 0x0D, 7),
            (&[0x0C, 0, 0, 7, 0, 0, 0, 1], ErrorCode::Malformed, 0x0C, 7),
            (&[0x0D, 0x80, 0, 7, 0, 0, 0, 0], ErrorCode::Malformed, 0x0D, 7),
            (&ping, ErrorCode::TooLarge, 0x0C, 7),
            (&[0x7F, 2, 0, 7, 0, 0, 0, 0], ErrorCode::UnknownKind, 0x7F, 7),
            (&[0xC4, 0, 0, 7, 0, 0, 0, 0], ErrorCode::UnknownKind, 0xC4, 7),
        ] {
            let fault = decode(message, &BOUNDS).expect_err("no request");
            assert_eq!((fault.code, fault.kind, fault.tag), (code, kind, tag), "{message:?}");
            assert!(fault.code.is_fatal());
        }
    }
}
