//! The examples of the protocol's page, and properties of all requests.

use super::*;
use proptest::prelude::*;

/// The bytes of every example on the protocol's page.
fn examples() -> Vec<Vec<u8>> {
    let blocks = include_str!("protocol.md").split("```hex\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
    let bytes = |line: &str| line.replace(' ', "").as_bytes().chunks(2).map(byte).collect();
    lines.map(bytes).collect()
}

#[test]
fn every_example_on_the_page_is_what_it_says() {
    let mut shown = Vec::new();
    for frame in examples() {
        let header = Header::decode(&frame).expect("a header");
        assert_eq!(header.frame_len(), frame.len(), "{frame:02x?}");
        let mut again = Vec::new();
        if header.kind & 0x80 == 0 {
            Request::decode(header, &frame[HEADER_LEN..]).expect("a request").encode(header.tag, &mut again);
        } else {
            Answer::decode(header, &frame[HEADER_LEN..]).expect("an answer").encode(header.tag, &mut again);
        }
        assert_eq!(again, frame);
        shown.push(header.kind);
    }
    let kinds = KINDS.iter().map(|row| row.kind as u8);
    kinds.for_each(|kind| assert!(shown.contains(&kind), "{kind:#04x} has no example"));
}

/// What requests can hold.
#[derive(Clone, Debug)]
struct Parts {
    texts: [String; 2],
    ids: Vec<u8>,
    names: Vec<u8>,
    body: Vec<u8>,
    number: u64,
    flags: [bool; 2],
}

fn parts() -> impl Strategy<Value = Parts> {
    let text = || prop_oneof!["[aé李]{0,8}", "[aé李]{80,140}", Just("é".repeat(40_000))];
    let names = prop::collection::vec("[aé]{0,9}", 0..6).prop_map(|names| {
        let mut list = Vec::new();
        Names::encode(names.iter().map(String::as_str), &mut list);
        list
    });
    let ids = (0..6usize).prop_map(|count| vec![7; count * 8]);
    let body = prop::collection::vec(any::<u8>(), 0..400);
    ([text(), text()], ids, names, body, any::<u64>(), any::<[bool; 2]>())
        .prop_map(|(texts, ids, names, body, number, flags)| Parts { texts, ids, names, body, number, flags })
}

impl Parts {
    /// A request of each kind.
    fn requests(&self) -> Vec<Request<'_>> {
        let Parts { texts: [room, token], body, number, flags: [receipt, other], .. } = self;
        let (receivers, names) = (Ids::new(&self.ids).expect("whole ids"), Names::new(&self.names).expect("names"));
        let (receipt, number) = (*receipt, *number);
        let requests = vec![
            Request::Hello { name: room, token },
            Request::Identity,
            Request::List,
            Request::Relay { receivers, body, receipt },
            Request::Send { names, body, receipt, store: *other },
            Request::Ack(number),
            Request::Join { room },
            Request::Leave { room },
            Request::Publish { room, body, receipt, no_echo: *other },
            Request::History { room, after: number, limit: number as u32 },
            Request::Who { room },
            Request::Ping(body),
            Request::Bye,
            Request::Alive,
            Request::Stats,
        ];
        let kinds = KINDS.iter().map(|row| row.kind).filter(|kind| kind.is_request());
        assert!(kinds.eq(requests.iter().map(Request::kind)), "there is one of each kind");
        requests
    }
}

proptest! {
    #[test]
    fn the_length_of_a_payload_is_known_before_it_is_encoded(parts in parts()) {
        for request in parts.requests() {
            let mut frame = Vec::new();
            request.encode(7, &mut frame);
            prop_assert_eq!(request.payload_len(), frame.len() - HEADER_LEN, "{:?}", request.kind());
        }
    }

    #[test]
    fn a_request_gets_the_verdict_of_its_frame(
        parts in parts(),
        max_body in 0..500u32,
        max_receivers in 0..6u16,
        tag: u16,
    ) {
        let bounds = Bounds { max_body, max_receivers };
        for request in parts.requests() {
            let mut frame = Vec::new();
            request.encode(tag, &mut frame);
            let verdict = bounds.admit(&frame).map(|header| assert_eq!(header, Header::decode(&frame)));
            prop_assert_eq!(bounds.admit_request(&request, tag), verdict, "{:?}", request.kind());
        }
    }
}

#[test]
fn a_request_with_more_receivers_than_a_frame_can_count_is_judged_all_the_same() {
    let ids = vec![7; 8 * 70_000];
    let request = Request::Relay { receivers: Ids::new(&ids).expect("whole ids"), body: b"hi", receipt: true };
    assert_eq!(Bounds { max_body: MAX_BODY, max_receivers: 3 }.admit_request(&request, 0), Ok(()));
    let fault = Bounds { max_body: 10, max_receivers: 3 }.admit_request(&request, 7).expect_err("it is too long");
    assert_eq!((fault.code, fault.kind, fault.tag), (ErrorCode::TooLarge, Kind::Relay as u8, 7));
    assert_eq!(fault.text, "RELAY: length 560004 is over the limit of 36");
}
