//! Numbers and lists in messages: with as many figures, and as many words, as a reader makes use of.

/// How many figures of a fraction are told.
const MOST: i32 = 7;
/// From here on numbers are told with their powers of ten.
const MANY: f64 = 1e12;
/// Below this, too.
const FEW: f64 = 1e-4;

/// A number as a person writes it: 100 / 3 as `33.33333`. No whole number is rounded but to powers of ten.
pub(crate) fn figures(number: f64) -> String {
    let size = number.abs();
    if size.is_infinite() {
        return "more than 1e300".to_owned();
    }
    if size >= MANY || size > 0.0 && size < FEW {
        let text = format!("{number:.0$e}", MOST as usize - 1);
        return text.split_once('e').map_or(text.clone(), |(mantissa, power)| format!("{}e{power}", trimmed(mantissa)));
    }
    let before_the_point = if size < 1.0 { 0 } else { size.log10() as i32 + 1 };
    let after_it = usize::try_from(MOST - before_the_point).unwrap_or(0);
    trimmed(&format!("{number:.after_it$}")).to_owned()
}

/// So many of what `unit` calls one of: as in `1 channel`, `2 channels`.
pub(crate) fn counted(count: usize, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Most labels of channels that a message tells.
pub(crate) const SHOWN_LABELS: usize = 12;

/// As in `a, b, c, …`: at most so many of `words`.
pub(crate) fn first_of(words: &[String], most: usize) -> String {
    let more = if words.len() > most { ", …" } else { "" };
    format!("{}{more}", words[..words.len().min(most)].join(", "))
}

/// Without the zeros at the end of a fraction.
pub(crate) fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::figures;

    #[test]
    fn fractions_have_few_figures_and_whole_numbers_all_of_theirs() {
        let numbers = [250.0, 12.5, 0.1, 0.1 + 0.2, 100.0 / 3.0, -2.0 / 3.0, 44_100.012_345, 0.0, 120.0];
        let shown = ["250", "12.5", "0.1", "0.3", "33.33333", "-0.6666667", "44100.01", "0", "120"];
        assert_eq!(numbers.map(figures), shown);
        assert_eq!([123_456_789.0, 9_999_999.96, 1e11].map(figures), ["123456789", "10000000", "100000000000"]);
        assert_eq!(
            [1e12, 3.5e20, 1e300, 1e-9, 2e-5 / 3.0].map(figures),
            ["1e12", "3.5e20", "1e300", "1e-9", "6.666667e-6"]
        );
        assert_eq!(figures(f64::INFINITY), "more than 1e300");
    }
}
