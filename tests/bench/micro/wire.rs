//! The cost of decoding and encoding alone.

use crate::cases::{Case, bytes};
use cubby::wire::{
    Answer, Bounds, Decoder, ErrorCode, EventRef, Ids, Request, SERVER, VERSION, deliver_head, mail_head,
};
use cubby::{EventType, Limits, UserId};
use std::hint::black_box;

/// Frames that one round decodes or encodes.
const FRAMES: usize = 16;

/// A RELAY of a body of `len` bytes, as a client sends it.
pub fn relay_frame(receivers: &[UserId], len: usize) -> Vec<u8> {
    let (mut ids, mut frame) = (Vec::new(), Vec::new());
    Ids::encode(receivers, &mut ids);
    let receivers = Ids::new(&ids).expect("a block of whole ids");
    Request::Relay { receivers, body: &vec![7; len], receipt: false }.encode(0, &mut frame);
    frame
}

/// Requests to one receiver: complete in one read, and each split in half between two reads.
pub fn decode() -> Vec<Case> {
    let sizes = [16, 64, 4096];
    let whole = sizes.map(|len| {
        let name = format!("decode {} whole", bytes(len));
        decode_case(name, move || vec![relay_frame(&[UserId(9)], len).repeat(FRAMES)])
    });
    let halved = sizes.map(|len| {
        let name = format!("decode {} in two reads", bytes(len));
        decode_case(name, move || {
            let frame = relay_frame(&[UserId(9)], len);
            let (front, back) = frame.split_at(frame.len() / 2);
            [front.to_vec(), back.to_vec()].into_iter().cycle().take(2 * FRAMES).collect()
        })
    });
    whole.into_iter().chain(halved).collect()
}

fn decode_case(name: String, reads: impl Fn() -> Vec<Vec<u8>> + Send + Sync + 'static) -> Case {
    Case::new(name, [FRAMES, 0], move || {
        let (reads, bounds, mut decoder) = (reads(), Limits::default().bounds(), Decoder::default());
        Box::new(move || {
            let frames = reads.iter().map(|read| decode_read(&mut decoder, black_box(read), bounds)).sum::<usize>();
            assert_eq!(frames, FRAMES);
        })
    })
}

/// Decodes what was read, and returns how many requests that completes.
fn decode_read(decoder: &mut Decoder, mut read: &[u8], bounds: Bounds) -> usize {
    let mut frames = 0;
    while let Some(frame) = decoder.next(&mut read, |front| bounds.admit(front)).expect("it is admitted") {
        black_box(Request::decode(frame.header, frame.payload()).expect("a request"));
        frames += 1;
    }
    frames
}

/// The most frequent answers, and what is sent to many.
pub fn encode() -> Vec<Case> {
    let (user, server) = (UserId(1 << 22), SERVER);
    let welcome = Answer::Welcome {
        version: VERSION,
        user,
        max_body: 1,
        max_receivers: 255,
        heartbeat_secs: 30,
        name: "ann",
        server,
    };
    let text = "PUBLISH: a name may not be empty here";
    let error = Answer::Error { code: ErrorCode::BadName, kind: 9, fatal: false, text };
    vec![
        answer_case("identity", Answer::Identity(user)),
        answer_case("welcome", welcome),
        answer_case("receipt of 1", Answer::Receipt(&[0])),
        answer_case("receipt of 100", Answer::Receipt(&[0; 100])),
        answer_case("published", Answer::Published(7)),
        answer_case("error", error),
        encode_case("head of a delivery", move |out| {
            out.extend_from_slice(&deliver_head(black_box(user), black_box(64)));
        }),
        encode_case("head of a mail", move |out| mail_head(7, 8, black_box(user), black_box("ann"), 64, out)),
        encode_case("event of 64 B", move |out| {
            let (what, body, room) = (EventType::Message, black_box(&[7; 64]), black_box("lobby"));
            let event = EventRef { what, id: 7, unix_ms: 8, session: user, room, name: "ann", body };
            *out = event.to_frame();
        }),
    ]
}

fn answer_case(name: &str, answer: Answer<'static>) -> Case {
    encode_case(name, move |out| black_box(&answer).encode(7, out))
}

fn encode_case(name: &str, encode: impl Fn(&mut Vec<u8>) + Clone + Send + Sync + 'static) -> Case {
    Case::new(format!("encode {name}"), [FRAMES, 0], move || {
        let (mut out, encode) = (Vec::new(), encode.clone());
        Box::new(move || {
            for _ in 0..FRAMES {
                out.clear();
                encode(&mut out);
                black_box(&out);
            }
        })
    })
}
