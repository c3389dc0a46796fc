//! User ids as the wire carries them: opaque numbers, one at a time and in blocks.

use byteorder::{BigEndian, ByteOrder};
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// The id of one session. A hub never gives an id twice while it runs. Its bits mean nothing to clients.
///
/// No session has the id 0. A client may send it like any other id that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UserId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<UserId, ParseIntError> {
        text.parse().map(UserId)
    }
}

/// Bytes of one id.
pub(super) const ID_LEN: usize = 8;

/// A block of ids, as the bytes of the frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ids<'a>(&'a [u8]);

impl<'a> Ids<'a> {
    /// The ids in `bytes`; `None` if the last id is cut short.
    pub fn new(bytes: &'a [u8]) -> Option<Ids<'a>> {
        bytes.len().is_multiple_of(ID_LEN).then_some(Ids(bytes))
    }

    /// Appends `ids` to `out` as a block.
    pub fn encode(ids: &[UserId], out: &mut Vec<u8>) {
        out.reserve(ids.len() * ID_LEN);
        ids.iter().for_each(|id| out.extend_from_slice(&id.0.to_be_bytes()));
    }

    /// The number of ids.
    pub fn len(&self) -> usize {
        self.0.len() / ID_LEN
    }

    /// Whether the block has no ids.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each id, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = UserId> + use<'a> {
        self.0.chunks_exact(ID_LEN).map(|id| UserId(BigEndian::read_u64(id)))
    }

    /// The bytes of the block.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Debug for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_ids_goes_there_and_back() {
        let ids = [UserId(1), UserId(0), UserId(u64::MAX)];
        let mut bytes = Vec::new();
        Ids::encode(&ids, &mut bytes);
        assert_eq!(bytes.len(), 24);
        let block = Ids::new(&bytes).expect("three whole ids");
        assert_eq!(block.len(), 3);
        assert_eq!(block.iter().collect::<Vec<_>>(), ids);
    }

    #[test]
    fn seven_bytes_are_no_block_of_ids() {
        assert_eq!(Ids::new(&[0; 7]), None);
    }
}
