//! How wide a text is, without a font at hand: monospaced letters are as wide as each other wherever they are shown.

/// Width of an ASCII letter, in parts of the font's size. The usual monospaced fonts have 0.55 to 0.602.
const ASCII_EM: f64 = 0.61;
/// Width of any other character: those of a fallback font may be as wide as high.
const OTHER_EM: f64 = 1.05;
/// Most characters that are drawn of a text.
const MAX_CHARS: usize = 40;

/// Width of `text` in a font of `size`, rather too much than too little.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| if c.is_ascii() { ASCII_EM } else { OTHER_EM }).sum::<f64>() * size
}

/// `text` without its middle, where it is too long; on one line.
pub fn shorten(text: &str) -> String {
    let chars: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if chars.len() <= MAX_CHARS {
        return chars.into_iter().collect();
    }
    let head = MAX_CHARS / 2;
    let tail = MAX_CHARS - head - 1;
    chars[..head].iter().chain(['…'].iter()).chain(&chars[chars.len() - tail..]).collect()
}
