//! A frame for several receivers, encoded once: small ones are copied into each outbox, large ones are shared.

use super::allocation::heap_bytes;
use crate::limits::SHARE_COST;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A whole frame that outboxes, histories and listeners point to. Cloning it copies no bytes.
#[derive(Clone, Debug)]
pub struct SharedFrame {
    buffer: Arc<Buffer>,
    start: usize,
}

/// The bytes, and the number of outboxes that point to them. A history or another thread may point to them as well, so
/// the count of the `Arc` would not do. Only the hub's thread changes the number.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    outboxes: AtomicU32,
}

impl SharedFrame {
    /// A frame from its bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> SharedFrame {
        SharedFrame { buffer: Arc::new(Buffer { bytes, outboxes: AtomicU32::new(0) }), start: 0 }
    }

    /// The frame of `head` and a body.
    ///
    /// If the body's bytes are owned, the body stays where it is and `head` overwrites what stands before it. The body
    /// is copied if there is too little room for `head`, or if so much stands before the body that keeping it would
    /// take far more memory than the body itself.
    pub fn new(head: &[u8], body: Body<'_>) -> SharedFrame {
        let body_at = body.bytes.len() - body.len;
        match body.bytes {
            Cow::Owned(mut bytes) if (head.len()..=body.len / 4).contains(&body_at) => {
                let start = body_at - head.len();
                bytes[start..body_at].copy_from_slice(head);
                SharedFrame { start, ..SharedFrame::from_bytes(bytes) }
            }
            bytes => SharedFrame::from_bytes([head, &bytes[body_at..]].concat()),
        }
    }

    /// The frame.
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer.bytes[self.start..]
    }

    /// Bytes of memory that it takes.
    #[inline]
    pub(super) fn allocated(&self) -> usize {
        heap_bytes(size_of::<Buffer>() + 2 * size_of::<usize>()) + heap_bytes(self.buffer.bytes.capacity())
    }

    /// The same memory without the first `count` bytes.
    pub(super) fn without_first(&self, count: usize) -> SharedFrame {
        SharedFrame { buffer: self.buffer.clone(), start: self.start + count }
    }

    /// Where the memory is that it points to, and how many bytes that is.
    pub fn buffer(&self) -> (*const u8, usize) {
        (self.buffer.bytes.as_ptr(), self.buffer.bytes.len())
    }

    /// Notes that one more outbox points to it. Returns by how many bytes the memory of all outboxes grows.
    pub(super) fn attach(&self) -> usize {
        let outboxes = self.buffer.outboxes.load(Ordering::Relaxed);
        self.buffer.outboxes.store(outboxes + 1, Ordering::Relaxed);
        if outboxes == 0 { self.buffer.bytes.len() } else { 0 }
    }

    /// Notes that one outbox less points to it. Returns by how many bytes the memory of all outboxes shrinks.
    pub(super) fn detach(&self) -> usize {
        let outboxes = self.buffer.outboxes.load(Ordering::Relaxed) - 1;
        self.buffer.outboxes.store(outboxes, Ordering::Relaxed);
        if outboxes == 0 { self.buffer.bytes.len() } else { 0 }
    }

    /// Its bytes divided by the number of outboxes that point to it.
    pub(super) fn bytes_per_outbox(&self) -> usize {
        self.buffer.bytes.len() / self.buffer.outboxes.load(Ordering::Relaxed).max(1) as usize
    }
}

/// The body of a request on its way to the receivers: the last `len` bytes of `bytes`. What stands before it belongs to
/// the request and may be overwritten.
#[derive(Clone, Debug)]
pub struct Body<'a> {
    bytes: Cow<'a, [u8]>,
    len: usize,
}

impl<'a> Body<'a> {
    /// The last `len` bytes of a request's bytes.
    pub fn at_end_of(bytes: Cow<'a, [u8]>, len: usize) -> Body<'a> {
        debug_assert!(len <= bytes.len(), "a body is a part of its request");
        Body { bytes, len }
    }

    /// Bytes of the body.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The body.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.bytes.len() - self.len..]
    }
}

impl<'a> From<&'a [u8]> for Body<'a> {
    fn from(bytes: &'a [u8]) -> Body<'a> {
        Body { bytes: Cow::Borrowed(bytes), len: bytes.len() }
    }
}

/// What a fan-out puts into each outbox.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// Frames to copy.
    Copied(&'a [u8]),
    /// A frame to point to.
    Shared(&'a SharedFrame),
}

impl<'a> Payload<'a> {
    /// The frames.
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Payload::Copied(bytes) => bytes,
            Payload::Shared(frame) => frame.as_bytes(),
        }
    }

    /// The frames in memory of their own.
    pub fn to_shared(self) -> SharedFrame {
        match self {
            Payload::Copied(bytes) => SharedFrame::from_bytes(bytes.to_vec()),
            Payload::Shared(frame) => frame.clone(),
        }
    }

    /// What it costs to put it into one outbox, as bytes copied.
    pub fn cost(self) -> usize {
        match self {
            Payload::Copied(bytes) => bytes.len(),
            Payload::Shared(_) => SHARE_COST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owned_body_is_shared_where_it_lies() {
        let request = b"......a body that is long enough".to_vec();
        let at = request.as_ptr();
        let frame = SharedFrame::new(b"head: ", Body::at_end_of(Cow::Owned(request), 26));
        assert_eq!(frame.as_bytes(), b"head: a body that is long enough");
        assert_eq!(frame.buffer.bytes.as_ptr(), at);
    }

    #[test]
    fn a_body_does_not_pin_a_request_much_larger_than_itself() {
        let mut request = vec![b'.'; 1000];
        request.extend(b"body");
        let frame = SharedFrame::new(b"head", Body::at_end_of(Cow::Owned(request), 4));
        assert_eq!((frame.as_bytes(), frame.buffer.bytes.capacity()), (&b"headbody"[..], 8));
    }

    #[test]
    fn a_head_that_does_not_fit_before_the_body_is_no_matter() {
        let frame = SharedFrame::new(b"a long head: ", Body::at_end_of(Cow::Owned(b"..body".to_vec()), 4));
        assert_eq!(frame.as_bytes(), b"a long head: body");
    }
}
