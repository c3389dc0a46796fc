//! The codecs of the encodings that the web gateway adds to the hub: native frames in binary messages, JSON in text
//! messages, and HTTP responses.

use super::http::response;
use super::json;
use crate::hub::{Codec, Codecs, FramePrefix, RequestContext};
use crate::wire::websocket::{self as framing, close_code};
use crate::wire::{Answer, ErrorCode, HEADER_LEN, Header};

/// The codec of each encoding, by its index.
pub const CODECS: Codecs = &[&BinaryCodec, &JsonCodec, &HttpCodec];

#[derive(Debug)]
struct BinaryCodec;

impl Codec for BinaryCodec {
    fn encode(&self, context: &RequestContext<'_>, answer: &Answer<'_>, out: &mut Vec<u8>) {
        framing::encode_with(framing::BINARY, out, |out| answer.encode(context.tag.unwrap_or_default(), out));
        add_ping(answer, out);
    }

    fn encode_frames(&self, frames: &[u8], out: &mut Vec<u8>) {
        each_frame(frames, |_, frame| framing::encode(framing::BINARY, frame, out));
    }

    fn encode_close(&self, code: Option<ErrorCode>, out: &mut Vec<u8>) {
        framing::encode_close(close_code(code), "", out);
    }

    fn frame_prefix(&self) -> Option<FramePrefix> {
        Some(|frame_len, out| framing::encode_header(framing::BINARY, frame_len, out))
    }

    fn message_len(&self, front: &[u8]) -> usize {
        message_len(front)
    }

    fn max_growth(&self) -> usize {
        // Each frame of 8 bytes or more gets a header of 2 to 10 bytes.
        2
    }
}

#[derive(Debug)]
struct JsonCodec;

impl Codec for JsonCodec {
    fn encode(&self, context: &RequestContext<'_>, answer: &Answer<'_>, out: &mut Vec<u8>) {
        framing::encode_with(framing::TEXT, out, |out| json::response::encode(context, answer, out));
        add_ping(answer, out);
    }

    fn encode_frames(&self, frames: &[u8], out: &mut Vec<u8>) {
        each_frame(frames, |header, frame| {
            let answer = Answer::decode(header, &frame[HEADER_LEN..]).expect("the hub encoded it");
            framing::encode_with(framing::TEXT, out, |out| {
                json::response::encode(&RequestContext::default(), &answer, out);
            });
        });
    }

    fn encode_close(&self, code: Option<ErrorCode>, out: &mut Vec<u8>) {
        framing::encode_close(close_code(code), "", out);
    }

    fn frame_prefix(&self) -> Option<FramePrefix> {
        None
    }

    fn message_len(&self, front: &[u8]) -> usize {
        message_len(front)
    }

    fn max_growth(&self) -> usize {
        // One byte of a body may become six, and numbers become names and digits.
        8
    }
}

#[derive(Debug)]
struct HttpCodec;

impl Codec for HttpCodec {
    fn encode(&self, context: &RequestContext<'_>, answer: &Answer<'_>, out: &mut Vec<u8>) {
        response::encode(context, answer, out);
    }

    fn encode_frames(&self, _frames: &[u8], _out: &mut Vec<u8>) {
        // An HTTP caller only gets responses.
    }

    fn encode_close(&self, _code: Option<ErrorCode>, _out: &mut Vec<u8>) {
        // The last response already says that the connection ends.
    }

    fn frame_prefix(&self) -> Option<FramePrefix> {
        None
    }

    fn message_len(&self, front: &[u8]) -> usize {
        front.len()
    }

    fn max_growth(&self) -> usize {
        1
    }
}

/// Sends a ping together with a BEAT, because browsers answer pings without any code in the page.
fn add_ping(answer: &Answer<'_>, out: &mut Vec<u8>) {
    if matches!(answer, Answer::Beat { .. }) {
        framing::encode(framing::PING, &[], out);
    }
}

/// The length of the message that begins with `front`, or of the response to a handshake, which precedes all messages.
fn message_len(front: &[u8]) -> usize {
    if !front.starts_with(b"HTTP/") {
        return framing::frame_len(front);
    }
    let end = b"\r\n\r\n";
    front.windows(end.len()).position(|bytes| bytes == end).map_or(front.len(), |at| at + end.len())
}

/// Calls `then` with each of some whole frames and its header.
fn each_frame(mut frames: &[u8], mut then: impl FnMut(Header, &[u8])) {
    while let Some(header) = Header::decode(frames) {
        let (frame, rest) = frames.split_at(header.frame_len());
        then(header, frame);
        frames = rest;
    }
    debug_assert!(frames.is_empty(), "the frames are whole");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Encoding;
    use crate::name::MAX_NAME;
    use crate::web::encoding::{BINARY, HTTP, JSON};
    use crate::wire::{EventRef, EventType, UserId};
    use proptest::prelude::*;

    /// A valid name.
    fn valid_name() -> impl Strategy<Value = String> {
        "[a-z\"\\\\é李]{1,64}".prop_map(|name| name[..name.floor_char_boundary(MAX_NAME)].to_owned())
    }

    fn body() -> impl Strategy<Value = Vec<u8>> {
        let text = prop::collection::vec(prop::sample::select(b"\0\x1F\"\\a".to_vec()), 0..200);
        prop_oneof![text, prop::collection::vec(any::<u8>(), 0..200)]
    }

    /// A native frame that many sessions may receive.
    fn pushed() -> impl Strategy<Value = Vec<u8>> {
        (1u8..=8, any::<[u64; 3]>(), valid_name(), valid_name(), body(), any::<bool>(), any::<bool>()).prop_map(
            |(what, [id, unix_ms, sender], room, name, body, named, flag)| {
                let (sender, name) = (UserId(sender), if named { &name[..] } else { "" });
                let answer = match (EventType::of(what), what) {
                    (Some(what), _) => {
                        let body = if what == EventType::Message { &body[..] } else { &[] };
                        let event = EventRef { what, id, unix_ms, session: sender, room: &room, name, body };
                        Answer::Event { event, replay: flag }
                    }
                    (None, 7) => Answer::Deliver { sender, body: &body },
                    (None, _) => Answer::Mail { mail: id, unix_ms, sender, name, body: &body, ack: flag },
                };
                let mut frame = Vec::new();
                answer.encode(0, &mut frame);
                frame
            },
        )
    }

    fn encoded_frames(codec: &dyn Codec, frames: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        codec.encode_frames(frames, &mut out);
        out
    }

    /// Where each message of a run ends, as the hub finds it.
    fn ends(codec: &dyn Codec, run: &[u8]) -> Vec<usize> {
        let mut ends = vec![0];
        while let Some(&at) = ends.last().filter(|&&at| at < run.len()) {
            ends.push(at + codec.message_len(&run[at..]));
        }
        ends
    }

    const MESSAGES: [&dyn Codec; 2] = [&BinaryCodec, &JsonCodec];

    proptest! {
        #[test]
        fn a_frame_for_many_grows_by_no_more_than_its_codec_says(frame in pushed()) {
            for codec in MESSAGES {
                let (len, most) = (encoded_frames(codec, &frame).len(), codec.max_growth() * frame.len());
                prop_assert!(len <= most, "{codec:?}: {len} for {} bytes", frame.len());
            }
        }

        #[test]
        fn the_messages_of_a_run_are_found_again(frames in prop::collection::vec(pushed(), 0..6)) {
            for codec in MESSAGES {
                let (mut run, mut expected) = (Vec::new(), vec![0]);
                for frame in &frames {
                    run.extend(encoded_frames(codec, frame));
                    expected.push(run.len());
                }
                prop_assert_eq!(&encoded_frames(codec, &frames.concat()), &run);
                prop_assert_eq!(ends(codec, &run), expected);
            }
        }

        #[test]
        fn a_frame_behind_its_prefix_is_its_message(frame in pushed()) {
            let mut out = Vec::new();
            BinaryCodec.frame_prefix().expect("a prefix")(frame.len(), &mut out);
            out.extend_from_slice(&frame);
            prop_assert_eq!(out, encoded_frames(&BinaryCodec, &frame));
        }
    }

    #[test]
    fn each_encoding_names_its_codec() {
        for (i, (encoding, name)) in
            [(BINARY, "BinaryCodec"), (JSON, "JsonCodec"), (HTTP, "HttpCodec")].iter().enumerate()
        {
            assert_eq!((*encoding, format!("{:?}", CODECS[i])), (Encoding::of_codec(i as u8), (*name).to_owned()));
        }
    }

    #[test]
    fn only_a_codec_that_has_a_prefix_shares_frames() {
        assert!(BinaryCodec.frame_prefix().is_some());
        assert!(JsonCodec.frame_prefix().is_none() && HttpCodec.frame_prefix().is_none());
    }

    #[test]
    fn each_of_some_frames_is_shown_with_its_header() {
        let frames = [&[0x0D, 0, 0, 1, 0, 0, 0, 0][..], &[0x0C, 0, 0, 2, 0, 0, 0, 1, b'x']].concat();
        let mut seen = Vec::new();
        each_frame(&frames, |header, frame| seen.push((header.tag, frame.to_vec())));
        assert_eq!(seen, [(1, frames[..8].to_vec()), (2, frames[8..].to_vec())]);
    }

    #[test]
    fn the_response_to_a_handshake_is_found_before_the_messages_behind_it() {
        let mut run = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".to_vec();
        let response_len = run.len();
        JsonCodec.encode(&RequestContext::default(), &Answer::Beat { unix_ms: 0 }, &mut run);
        let ping_at = run.len() - 2;
        JsonCodec.encode_close(Some(ErrorCode::Idle), &mut run);
        assert_eq!(ends(&JsonCodec, &run), [0, response_len, ping_at, ping_at + 2, ping_at + 6]);
    }

    #[test]
    fn a_reply_has_the_tag_of_its_request() {
        let (mut binary, mut json) = (Vec::new(), Vec::new());
        BinaryCodec.encode(&RequestContext::tagged(7), &Answer::Left, &mut binary);
        assert_eq!(binary, [0x82, 8, 0x88, 0, 0, 7, 0, 0, 0, 0]);
        let context = RequestContext { tag: Some(7), room: "den", ..RequestContext::default() };
        JsonCodec.encode(&context, &Answer::Left, &mut json);
        assert_eq!(&json[2..], br#"{"type":"left","tag":7,"room":"den"}"#);
    }

    #[test]
    fn a_beat_brings_a_ping_and_the_end_its_status_code() {
        let mut sent = Vec::new();
        BinaryCodec.encode(&RequestContext::default(), &Answer::Beat { unix_ms: 1 }, &mut sent);
        assert_eq!(sent[..4], [0x82, 16, 0xCC, 0]);
        assert_eq!(sent[18..], [0x89, 0]);
        for (why, status) in [
            (None, 1000),
            (Some(ErrorCode::GoingAway), 1001),
            (Some(ErrorCode::Malformed), 1002),
            (Some(ErrorCode::UnknownKind), 1002),
            (Some(ErrorCode::Version), 1002),
            (Some(ErrorCode::NotSignedIn), 1008),
            (Some(ErrorCode::TooSlow), 1008),
            (Some(ErrorCode::Idle), 1008),
            (Some(ErrorCode::TooLarge), 1009),
            (Some(ErrorCode::TooManyConnections), 1013),
        ] {
            for codec in MESSAGES {
                let mut sent = Vec::new();
                codec.encode_close(why, &mut sent);
                assert_eq!(sent, [&[0x88, 2][..], &u16::to_be_bytes(status)].concat(), "{why:?}");
            }
        }
    }

    #[test]
    fn an_http_caller_gets_responses_and_nothing_else() {
        let mut out = encoded_frames(&HttpCodec, &[0xC4, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9]);
        HttpCodec.encode_close(Some(ErrorCode::Idle), &mut out);
        HttpCodec.encode(&RequestContext::default(), &Answer::Beat { unix_ms: 1 }, &mut out);
        assert!(out.is_empty());
        HttpCodec.encode(&RequestContext::default(), &Answer::Published(1), &mut out);
        assert!(out.starts_with(b"HTTP/1.1 200 OK\r\n") && out.ends_with(b"{\"id\":1}"));
        assert_eq!(HttpCodec.message_len(&out), out.len());
    }
}
