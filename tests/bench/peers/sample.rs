//! What one measurement of one hub gives. What a piece of work does not tell is not a number.

/// One measurement.
#[derive(Clone, Debug)]
pub struct Sample {
    pub messages: f64,
    pub deliveries: f64,
    /// Of bodies, delivered in a second; the two before are a second's as well.
    pub bytes: f64,
    /// Processor time of the server.
    pub micros_a_delivery: f64,
    pub micros_a_message: f64,
    /// Microseconds from the sending, or its intended time, to the hearing.
    pub p50: f64,
    pub p999: f64,
    /// Bytes of memory of the server at the most.
    pub peak: f64,
    /// Bytes of memory that the server has for each connection.
    pub bytes_each: f64,
    /// Processor time of the generator.
    pub generator_micros: f64,
    /// What did not come, or was refused.
    pub lost: u64,
    /// The first of that, in words.
    pub why: Option<String>,
}

impl Sample {
    pub const NOTHING: Sample = Sample {
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

    /// Whether all came: of what loses some no figure is worth anything.
    pub fn is_whole(&self) -> bool {
        self.lost == 0
    }

    /// What there is of it, on one line.
    pub fn brief(&self) -> String {
        let all = [
            (self.messages / 1e6, "M messages/s"),
            (self.deliveries / 1e6, "M deliveries/s"),
            (self.bytes / 1e9, "GB/s"),
            (self.micros_a_message, "us a message"),
            (self.micros_a_delivery, "us a delivery"),
            (self.generator_micros, "us a delivery of the generator's"),
            (self.p50, "us p50"),
            (self.p999, "us p99.9"),
            (self.peak / 1e6, "MB at the most"),
            (self.bytes_each, "bytes each"),
        ];
        let told = all.iter().filter(|(figure, _)| !figure.is_nan());
        let told: Vec<String> = told.map(|(figure, what)| format!("{figure:.3} {what}")).collect();
        let lost = if self.lost > 0 { format!("; {} LOST", self.lost) } else { String::new() };
        told.join(", ") + &lost
    }
}

/// The one in the middle; of an even number the upper.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
