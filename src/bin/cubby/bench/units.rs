//! Figures as people read them: three significant digits and a unit.

/// A number with three significant digits, in the unit that fits.
fn scaled(number: f64, units: &[&str]) -> String {
    let (mut number, mut unit) = (number, 0);
    // A number that would be rounded up to 1000 gets the next unit.
    while number >= 999.5 && unit + 1 < units.len() {
        number /= 1000.0;
        unit += 1;
    }
    let digits = if number == number.trunc() && unit == 0 {
        0
    } else if number < 9.995 {
        2
    } else if number < 99.95 {
        1
    } else {
        0
    };
    let unit = units[unit];
    format!("{number:.digits$}{}{unit}", if unit.is_empty() { "" } else { " " })
}

/// A count, as in `8.52 M`.
pub fn count(number: f64) -> String {
    scaled(number, &["", "k", "M", "G"])
}

/// Bytes, as in `545 MB`.
pub fn bytes(number: f64) -> String {
    scaled(number, &["B", "kB", "MB", "GB", "TB"])
}

/// A time, as in `407 us`.
pub fn nanos(number: f64) -> String {
    scaled(number, &["ns", "us", "ms", "s"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_significant() {
        let shown = [0.0, 7.0, 999.0, 999.6, 1000.0, 12_345.0, 9_996.0, 99_960.0, 8_522_600.0, 7e12].map(count);
        let expected = ["0", "7", "999", "1.00 k", "1.00 k", "12.3 k", "10.0 k", "100 k", "8.52 M", "7000 G"];
        assert_eq!(shown, expected);
        assert_eq!(
            (bytes(1_048_576.0), nanos(71.4), nanos(4_880_000.0)),
            ("1.05 MB".into(), "71.4 ns".into(), "4.88 ms".into())
        );
    }
}
