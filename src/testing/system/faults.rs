//! The faults, and how likely each is for a seed.

use fastrand::Rng;

/// The faults. Each can be turned off by itself, to see whether a failure depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// Bytes arrive in pieces, down to single bytes, and reads that may be cut short are cut short.
    Pieces,
    /// A send accepts less than there is room for.
    CutWrite,
    /// A call is interrupted by a signal.
    Signal,
    /// Bytes arrive late.
    Lag,
    /// Spurious edges, even for vacant slots.
    Stale,
    /// A wait can not take all edges at once.
    FewEdges,
    /// A wait ends for no reason.
    EarlyWait,
    /// A connection breaks.
    Reset,
    /// A client ends its side, perhaps in the middle of a frame.
    End,
    /// A client disappears without closing.
    Vanish,
    /// Descriptors are few.
    FewDescriptors,
    /// Accepting fails for a moment.
    BadAccept,
    /// The system cannot watch another socket.
    BadWatch,
    /// The descriptor in reserve, once used, cannot be reopened for a while.
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
    /// Clients that send arbitrary bytes.
    Garbage,
    /// Clients that send requests which are wrong in a known way.
    Lie,
    /// Clients that connect and leave all the time.
    Churn,
    /// The host program publishes, and closes rooms.
    Host,
    /// Most connections break at the same moment.
    Outage,
}

/// Every fault, and its highest probability, in units of 1/65,536.
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
    /// Draws the probability of each fault, then sets those whose bit in `off` is set to zero, so that the others do
    /// not change. The outage is drawn separately: it was added later, and older seeds must draw the same as before.
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

    /// Turns all faults off.
    pub fn none() -> Faults {
        Faults([0; FAULTS.len()])
    }

    /// Whether this fault can happen in this run.
    pub fn can_strike(&self, fault: Fault) -> bool {
        self.0[fault as usize] > 0
    }

    /// Whether this fault happens now.
    pub fn strikes(&self, rng: &mut Rng, fault: Fault) -> bool {
        let chance = self.0[fault as usize];
        chance > 0 && rng.u32(..65_536) < chance
    }

    /// The names of the faults that can happen.
    pub fn names(off: u32) -> String {
        let left = FAULTS.iter().filter(|(fault, _)| off >> *fault as u8 & 1 == 0);
        left.map(|(fault, _)| format!("{fault:?}")).collect::<Vec<_>>().join(" ")
    }
}
