//! `cargo bench --bench relay`: from which size on it is cheaper to share a body than to copy it into every outbox
//! (`SHARE_FROM` in `limits.rs`), in nanoseconds a delivery.
//!
//! Each delivery is put into an outbox, copied out of it as the kernel would do, and removed. The table shows medians.

use cubby::hub::{Outbox, Pool, SharedFrame};
use std::hint::black_box;
use std::io::IoSlice;
use std::time::Instant;

const ROUNDS: usize = 400;

fn main() {
    println!("ns a delivery, median of {ROUNDS} rounds");
    println!("{:>8} {:>10} {:>10} {:>10} {:>8}", "body", "receivers", "copied", "shared", "ratio");
    for receivers in [1, 10, 100, 255] {
        for size in [64, 256, 1024, 2048, 4096, 8192, 16_384, 65_536] {
            let frame = vec![7; size + 16];
            let copied = median(receivers, |outboxes, pool| {
                outboxes.iter_mut().for_each(|outbox| outbox.append(pool, |run| run.extend_from_slice(&frame)));
            });
            let shared = median(receivers, |outboxes, pool| {
                let shared = SharedFrame::new(&frame[..16], frame[16..].into());
                outboxes.iter_mut().for_each(|outbox| outbox.attach(shared.clone(), pool));
            });
            println!("{size:>8} {receivers:>10} {copied:>10.1} {shared:>10.1} {:>8.2}", copied / shared);
        }
    }
}

/// Nanoseconds for each delivery if `put` puts one frame into each of the outboxes.
fn median(receivers: usize, put: impl Fn(&mut [Outbox], &mut Pool)) -> f64 {
    let mut outboxes: Vec<Outbox> = (0..receivers).map(|_| Outbox::default()).collect();
    let mut pool = Pool::default();
    let mut kernel = vec![0; 1 << 20];
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            put(&mut outboxes, &mut pool);
            outboxes.iter_mut().for_each(|outbox| take(outbox, &mut pool, &mut kernel));
            began.elapsed().as_nanos() as f64 / receivers as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// Empties an outbox as a send does.
fn take(outbox: &mut Outbox, pool: &mut Pool, kernel: &mut [u8]) {
    let mut slices = [IoSlice::new(&[]); 4];
    let count = outbox.fill(&mut slices);
    let mut at = 0;
    for slice in &slices[..count] {
        kernel[at..at + slice.len()].copy_from_slice(slice);
        at += slice.len();
    }
    black_box(&kernel[..at]);
    outbox.advance(at, pool);
}
