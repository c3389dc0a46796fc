//! What a server uses while messages are counted.

use crate::load::{Outcome, Phase, Progress};
use crate::sample::Sample;
use crate::server::Server;

/// What the server used while messages were counted.
#[derive(Default)]
pub struct Used {
    /// Its processor time when the counting began.
    before: Option<Result<f64, String>>,
    /// Its processor time when the counting ended, and the messages and deliveries that were counted by then.
    counted: Option<(Result<f64, String>, f64, f64)>,
}

impl Used {
    /// To be told how a run goes.
    pub fn note(&mut self, progress: &Progress, server: &Server) {
        match progress.phase {
            Phase::Running if self.before.is_none() => self.before = Some(server.processor_secs()),
            // The warm-up settles as well.
            Phase::Settling if self.before.is_some() && self.counted.is_none() => {
                self.counted = Some((server.processor_secs(), progress.messages as f64, progress.deliveries as f64));
            }
            _ => {}
        }
    }

    /// What the run came to.
    ///
    /// # Errors
    ///
    /// Why there is nothing to tell.
    pub fn sample(self, outcome: &Outcome, server: &Server) -> Result<Sample, String> {
        let secs = outcome.elapsed.as_secs_f64();
        let (Some(before), Some((after, messages, deliveries))) = (self.before, self.counted) else {
            return Err("it ended before anything was counted".to_owned());
        };
        let busy = after? - before?;
        let micros = |quantile| outcome.latency.value_at_quantile(quantile) as f64 / 1000.0;
        Ok(Sample {
            messages: outcome.messages as f64 / secs,
            deliveries: outcome.deliveries as f64 / secs,
            bytes: outcome.bytes as f64 / secs,
            micros_a_delivery: busy / deliveries * 1e6,
            micros_a_message: busy / messages * 1e6,
            p50: micros(0.5),
            p999: micros(0.999),
            peak: server.memory("VmHWM"),
            generator_micros: outcome.processor.as_secs_f64() / outcome.deliveries as f64 * 1e6,
            lost: outcome.errors + outcome.missed,
            why: outcome.first_error.clone(),
            ..Sample::NOTHING
        })
    }
}
