//! Which faults there are, and how likely each is for a seed.

use fastrand::Rng;

/// All that can go wrong. Each can be turned off by itself, to see whether a failure needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// Bytes arrive in pieces, down to one. Reads that may be cut short are.
    Pieces,
    /// A send takes less than there is room for.
    CutWrite,
    /// A call is interrupted by a signal.
    Signal,
    /// Bytes take their time to arrive.
    Lag,
    /// Edges that mean nothing, also for vacant slots.
    Stale,
    /// A wait can not take all edges at once.
    FewEdges,
    /// A wait ends for no reason.
    EarlyWait,
    /// A connection breaks.
    Reset,
    /// A client ends its side, perhaps in the middle of a frame.
    End,
    /// A client goes away without a word.
    Vanish,
    /// Descriptors are few.
    FewDescriptors,
    /// Accepting fails for a moment.
    BadAccept,
    /// The system can watch no more.
    BadWatch,
    /// The descriptor in reserve, once given up, can not be had again for a while.
    NoSpare,
    /// The wall clock jumps.
    ClockJump,
    /// The sockets' own buffers are tiny.
    SmallSockets,
    /// Urgent data comes, so that reads may be cut short.
    Urgent,
    /// Clients that stop reading.
    Stall,
    /// Clients that read a few bytes at a time.
    Drip,
    /// Clients that send anything.
    Garbage,
    /// Clients that know the protocol and do not keep it.
    Lie,
    /// Clients that come and go.
    Churn,
    /// The host program speaks, and closes rooms.
    Host,
    /// Most connections break at the same moment.
    Outage,
}

/// Every fault, and the most that it may be drawn to, of 65,536.
pub const FAULTS: [(Fault, u32); 24] = [
    (Fault::Pieces, 40_000),
    (Fault::CutWrite, 30_000),
    (Fault::Signal, 15_000),
    (Fault::Lag, 30_000),
    (Fault::Stale, 15_000),
    (Fault::FewEdges, 40_000),
    (Fault::EarlyWait, 10_000),
    (Fault::Reset, 600),
    (Fault::End, 600),
    (Fault::Vanish, 400),
    (Fault::FewDescriptors, 65_536),
    (Fault::BadAccept, 20_000),
    (Fault::BadWatch, 3_000),
    (Fault::NoSpare, 65_536),
    (Fault::ClockJump, 2_000),
    (Fault::SmallSockets, 65_536),
    (Fault::Urgent, 1_000),
    (Fault::Stall, 30_000),
    (Fault::Drip, 20_000),
    (Fault::Garbage, 12_000),
    (Fault::Lie, 12_000),
    (Fault::Churn, 20_000),
    (Fault::Host, 3_000),
    (Fault::Outage, 200),
];

/// How likely each fault is in one run.
#[derive(Clone, Debug)]
pub struct Faults([u32; FAULTS.len()]);

impl Faults {
    /// Draws each, then leaves out those whose bit in `off` is set. The others stay as they were. An outage is drawn by
    /// itself: it was added later, and without it older seeds draw what they always did.
    pub fn draw(seed: u64, rng: &mut Rng, off: u32) -> Faults {
        let mut chances = [0; FAULTS.len()];
        let mut later = Rng::with_seed(!seed);
        for (chance, (fault, most)) in chances.iter_mut().zip(FAULTS) {
            let rng = if fault == Fault::Outage { &mut later } else { &mut *rng };
            let drawn = match rng.u8(..4) {
                0 => 0,
                1 => rng.u32(..=most / 16),
                _ => rng.u32(..=most),
            };
            *chance = if off >> fault as u8 & 1 == 1 { 0 } else { drawn };
        }
        Faults(chances)
    }

    /// No faults any more.
    pub fn none() -> Faults {
        Faults([0; FAULTS.len()])
    }

    /// Whether this fault may ever strike.
    pub fn can_strike(&self, fault: Fault) -> bool {
        self.0[fault as usize] > 0
    }

    /// Whether this fault strikes now.
    pub fn strikes(&self, rng: &mut Rng, fault: Fault) -> bool {
        let chance = self.0[fault as usize];
        chance > 0 && rng.u32(..65_536) < chance
    }

    /// The names of those that can strike.
    pub fn names(off: u32) -> String {
        let left = FAULTS.iter().filter(|(fault, _)| off >> *fault as u8 & 1 == 0);
        left.map(|(fault, _)| format!("{fault:?}")).collect::<Vec<_>>().join(" ")
    }
}
