//! One measurement of one server. A figure that the measurement does not have is not a number.

use super::generator::Report;

/// One measurement.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Messages a second; of a churn, sessions.
    pub messages: f64,
    /// Deliveries a second.
    pub deliveries: f64,
    /// Bytes of bodies that were delivered a second.
    pub bytes: f64,
    /// Processor time of the server.
    pub micros_a_delivery: f64,
    /// Processor time of the server for each message; of a churn, for each session.
    pub micros_a_message: f64,
    /// Microseconds from the sending, or its intended time, to the delivery.
    pub p50: f64,
    pub p999: f64,
    /// The most bytes of memory that the server had.
    pub peak: f64,
    /// Bytes of memory that the server has for each connection.
    pub bytes_each: f64,
    /// Processor time of the generator for each delivery.
    pub generator_micros: f64,
    /// Messages that did not arrive, and errors.
    pub lost: u64,
    /// The text of the first error.
    pub why: Option<String>,
}

impl Sample {
    const NOTHING: Sample = Sample {
        messages: f64::NAN,
        deliveries: f64::NAN,
        bytes: f64::NAN,
        micros_a_delivery: f64::NAN,
        micros_a_message: f64::NAN,
        p50: f64::NAN,
        p999: f64::NAN,
        peak: f64::NAN,
        bytes_each: f64::NAN,
        generator_micros: f64::NAN,
        lost: 0,
        why: None,
    };

    /// The sample of a run with traffic.
    ///
    /// # Errors
    ///
    /// If nothing was measured.
    pub fn of_traffic(report: &Report) -> Result<Sample, String> {
        let number = |pointer| report.number(pointer);
        let (lost, why) = report.losses();
        if number("/secs") == 0.0 {
            return Err(why.unwrap_or_else(|| "the run ended before anything was measured".to_owned()));
        }
        Ok(Sample {
            messages: number("/messagesPerSecond"),
            deliveries: number("/deliveriesPerSecond"),
            bytes: number("/bytesPerSecond"),
            micros_a_delivery: number("/hub/processorNsPerDelivery") / 1e3,
            micros_a_message: number("/hub/processorNsPerMessage") / 1e3,
            p50: number("/latencyNs/p50") / 1e3,
            p999: number("/latencyNs/p99.9") / 1e3,
            peak: number("/hub/mostMemoryBytes"),
            generator_micros: number("/generator/processorNsPerDelivery") / 1e3,
            lost,
            why,
            ..Sample::NOTHING
        })
    }

    /// The sample of a run whose connections are held at the end.
    pub fn of_memory(report: &Report) -> Sample {
        let (lost, why) = report.losses();
        let (peak, bytes_each) =
            (report.number("/hub/mostMemoryBytes"), report.number("/hub/memoryBytesPerConnection"));
        Sample { peak, bytes_each, lost, why, ..Sample::NOTHING }
    }

    /// The sample of sessions that come and go.
    pub fn of_churn(report: &Report) -> Sample {
        let (lost, why) = report.losses();
        let messages = report.number("/sessionsPerSecond");
        let micros_a_message = report.number("/hub/processorNsPerSession") / 1e3;
        Sample { messages, micros_a_message, lost, why, ..Sample::NOTHING }
    }

    /// Whether nothing was lost. If something was, no figure is worth anything.
    pub fn is_whole(&self) -> bool {
        self.lost == 0
    }

    /// The figures that it has, on one line.
    pub fn brief(&self) -> String {
        let all = [
            (self.messages / 1e6, "M messages/s"),
            (self.deliveries / 1e6, "M deliveries/s"),
            (self.bytes / 1e9, "GB/s"),
            (self.micros_a_message, "us a message"),
            (self.micros_a_delivery, "us a delivery"),
            (self.generator_micros, "us a delivery of the generator"),
            (self.p50, "us p50"),
            (self.p999, "us p99.9"),
            (self.peak / 1e6, "MB at most"),
            (self.bytes_each, "bytes for each connection"),
        ];
        let known = all.iter().filter(|(figure, _)| !figure.is_nan());
        let known: Vec<String> = known.map(|(figure, what)| format!("{figure:.3} {what}")).collect();
        let why = self.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let lost = if self.lost > 0 { format!("; {} LOST{why}", self.lost) } else { String::new() };
        known.join(", ") + &lost
    }
}

/// The median; of an even number of figures the upper one.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
