//! Figures with their units, for people.

/// A length that was asked for, as in `4 KiB`: exactly.
pub fn bytes_exactly(bytes: u64) -> String {
    let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{bytes} B"), |(unit, name)| format!("{} {name}", bytes / unit))
}

/// A length that was measured, as in `2.31 GiB`.
pub fn bytes(bytes: f64) -> String {
    scaled(bytes, &[(1073741824.0, " GiB"), (1048576.0, " MiB"), (1024.0, " KiB"), (1.0, " B")])
}

/// A number, as in `1.23 M`.
pub fn count(count: f64) -> String {
    scaled(count, &[(1e9, " G"), (1e6, " M"), (1e3, " k"), (1.0, "")])
}

/// Nanoseconds, as in `26.1 µs`.
pub fn nanoseconds(ns: f64) -> String {
    scaled(ns, &[(1e9, " s"), (1e6, " ms"), (1e3, " µs"), (1.0, " ns")])
}

/// Milliseconds, as in `7.12 ms`.
pub fn milliseconds(ms: f64) -> String {
    nanoseconds(ms * 1e6)
}

/// Seconds, as in `1.23 s`.
pub fn seconds(s: f64) -> String {
    nanoseconds(s * 1e9)
}

/// Three digits in the first unit that the value fills.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let fitting = units.iter().find(|(unit, _)| value >= *unit).or(units.last());
    let (unit, name) = fitting.copied().unwrap_or((1.0, ""));
    let value = value / unit;
    let decimals = if value >= 99.95 || value == 0.0 { 0 } else { 1 + usize::from(value < 9.995) };
    format!("{value:.decimals$}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_figures_have_three_digits() {
        let shown: Vec<String> = [0.0, 999.0, 1_234.0, 26_100.0, 3e9].map(nanoseconds).to_vec();
        assert_eq!(shown, ["0 ns", "999 ns", "1.23 µs", "26.1 µs", "3.00 s"]);
        assert_eq!(bytes(1536.0), "1.50 KiB");
        assert_eq!(count(1_230_000.0), "1.23 M");
    }

    #[test]
    fn a_length_that_was_asked_for_is_said_exactly() {
        assert_eq!([64, 4096, 1 << 20, 1025].map(bytes_exactly), ["64 B", "4 KiB", "1 MiB", "1025 B"]);
    }
}
