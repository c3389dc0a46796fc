//! The bodies of the fuzz targets. They live here so that `cargo test` runs them too, over the seeds in `fuzz/seeds`.
//!
//! Each takes arbitrary bytes from the fuzzer, and panics if an invariant does not hold.

mod hub_ops;
mod loop_ops;
mod ops;
#[cfg(feature = "ws")]
mod ws;

use crate::wire::{Answer, Bounds, Decoder, ErrorCode, Fault, Frame, HEADER_LEN, Header, Request};
pub use hub_ops::hub_ops;
pub use loop_ops::{loop_ops, loop_seed};
#[cfg(feature = "ws")]
pub use ws::ws;

/// Every frame that can be decoded is encoded to the same bytes. The length in the header is corrected first, so that
/// most inputs get past that check.
pub fn decode(data: &[u8]) {
    let Some(mut header) = Header::decode(data) else { return };
    let payload = &data[HEADER_LEN..];
    header.length = payload.len() as u32;
    let frame = [&header.encode()[..], payload].concat();
    let mut again = Vec::new();
    if let Ok(request) = Request::decode(header, payload) {
        request.encode(header.tag, &mut again);
        assert_eq!(again, frame, "{request:?}");
    } else if let Ok(answer) = Answer::decode(header, payload) {
        answer.encode(header.tag, &mut again);
        assert_eq!(again, frame, "{answer:?}");
    }
}

/// Small limits, so that short inputs reach them.
const BOUNDS: Bounds = Bounds { max_body: 300, max_receivers: 3 };

/// The frames in order, and the error that ended them. The tag is left out, because an error cannot repeat a tag that
/// has not arrived.
type Outcome = (Vec<Vec<u8>>, Option<(ErrorCode, u8)>);

/// A stream gives the same frames and the same error however it is split. The first byte is the number of cuts; the
/// next bytes are their distances.
pub fn split(data: &[u8]) {
    let Some((pieces, stream)) = pieces(data) else { return };
    let whole = frames(&[stream]);
    assert_eq!(frames(&pieces), whole, "cut in {} pieces", pieces.len());
    assert_eq!(frames(&stream.chunks(1).collect::<Vec<_>>()), whole, "a byte at a time");
}

/// A stream in pieces, and the same stream in one piece.
fn pieces(data: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let (&cuts, data) = data.split_first()?;
    let (cuts, stream) = data.split_at(usize::from(cuts % 32).min(data.len()));
    let mut rest = stream;
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, after) = rest.split_at(usize::from(*cut).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    Some((pieces, stream))
}

fn frames(pieces: &[&[u8]]) -> Outcome {
    let mut decoder = Decoder::default();
    let mut frames = Vec::new();
    for mut piece in pieces.iter().copied() {
        loop {
            match decoder.next(&mut piece, |front| BOUNDS.admit(front)) {
                Ok(Some(frame)) => frames.push(Frame::into_bytes(frame).into_owned()),
                Ok(None) => break,
                Err(Fault { code, kind, .. }) => return (frames, Some((code, kind))),
            }
        }
        assert!(piece.is_empty(), "nothing is left behind");
    }
    (frames, None)
}
