//! The load generator: one thread that drives a hub over many connections, checks every delivery, and measures. It
//! knows the hub only by its protocol, through the trait [`Driver`].
//!
//! Every message is checked as it arrives. The stamp at its front shows that it was sent, to this group, once, and
//! after those before it; its length must be one of the plan's. The rest of a body is not looked at.
//!
//! The generator must use less processor time for each message than any hub, or it would measure itself. It therefore
//! has one read buffer, reads the clock once for each read of a connection, records deliveries together that were sent
//! together, writes all that a publisher may send at once, and has the kernel discard the rest of large bodies without
//! a copy.

mod checker;
mod churn;
mod clock;
mod connection;
mod driver;
mod engine;
mod plan;
mod poll;
mod processor;
mod run;
mod schedule;
mod sequence;
mod setup;
mod sizes;
mod stamp;
mod stream;
#[cfg(test)]
mod tests;
mod window;

#[cfg(feature = "ws")]
pub use driver::put_as_text;
pub use driver::{Driver, FRONT_MIN, Incoming, Part};
pub use plan::{Extent, LoadError, Outcome, Pace, Phase, Plan, Progress};
pub use processor::process_time;
pub use sequence::connect_and_leave;
pub use sizes::Sizes;

/// Carries out a plan. `driver` makes the driver of each connection. `progress` is called at each change of phase, and
/// a few times a second.
///
/// # Errors
///
/// Why the run could not begin. Later errors are counted in the outcome.
pub fn run<D: Driver>(
    plan: &Plan,
    driver: impl FnMut() -> D,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, LoadError> {
    setup::check(plan)?;
    engine::Engine::new(plan, driver)?.run(progress)
}
