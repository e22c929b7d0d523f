//! Butterworth filters and the notch, as second-order sections.
//!
//! A Butterworth filter starts as an analog low-pass with its poles on the unit circle, is moved to the wanted band at
//! frequencies that are warped beforehand, and is made digital by the bilinear transform.

use crate::node::{SettingError, figures};
use realfft::num_complex::Complex64;
use std::f64::consts::PI;

/// One second-order section: `b0 + b1 z⁻¹ + b2 z⁻²` over `1 + a1 z⁻¹ + a2 z⁻²`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Section {
    /// Numerator.
    pub b: [f64; 3],
    /// Denominator without its leading 1.
    pub a: [f64; 2],
}

/// A filter, before the sampling rate is known. Frequencies in Hz; each corner is where power is halved.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Design {
    Lowpass { cutoff: f64, order: u32 },
    Highpass { cutoff: f64, order: u32 },
    Bandpass { low: f64, high: f64, order: u32 },
    Notch { frequency: f64, q: f64, setting: &'static str },
}

/// The bilinear transform is made at this rate; any would do, since the corners are warped to match.
const BILINEAR_RATE: f64 = 2.0;

impl Design {
    /// The sections of the filter for a signal sampled at `rate_hz`.
    ///
    /// # Errors
    /// Where a frequency is at or above half that rate, or so low that the filter would not be stable: names the setting.
    pub fn sections(&self, rate_hz: f64) -> Result<Vec<Section>, SettingError> {
        for (setting, frequency) in self.frequencies() {
            let nyquist = rate_hz / 2.0;
            if frequency >= nyquist {
                let message = format!(
                    "`{setting}` is {} Hz, but a signal at {} Hz has frequencies below {} Hz only",
                    figures(frequency),
                    figures(rate_hz),
                    figures(nyquist)
                );
                return Err(SettingError::at(setting, message));
            }
        }
        let sections = match *self {
            Design::Lowpass { cutoff, order } => lowpass(order, warped(cutoff, rate_hz)),
            Design::Highpass { cutoff, order } => highpass(order, warped(cutoff, rate_hz)),
            Design::Bandpass { low, high, order } => bandpass(order, warped(low, rate_hz), warped(high, rate_hz)),
            Design::Notch { frequency, q, setting } => {
                notch_fits(frequency, q, setting, rate_hz)?;
                vec![notch(frequency, q, rate_hz)]
            }
        };
        if !sections.iter().all(is_stable) {
            let (setting, frequency) = self.frequencies()[0];
            let message = format!(
                "`{setting}`, {} Hz, is too low for a filter at {} Hz: downsample the signal first",
                figures(frequency),
                figures(rate_hz)
            );
            return Err(SettingError::at(setting, message));
        }
        Ok(sections)
    }

    fn frequencies(&self) -> Vec<(&'static str, f64)> {
        match *self {
            Design::Lowpass { cutoff, .. } | Design::Highpass { cutoff, .. } => vec![("cutoff", cutoff)],
            Design::Bandpass { low, high, .. } => vec![("low", low), ("high", high)],
            Design::Notch { frequency, .. } => vec![("frequency", frequency)],
        }
    }
}

/// Both poles inside the unit circle.
fn is_stable(section: &Section) -> bool {
    let [a1, a2] = section.a;
    a2 < 1.0 && a1.abs() < 1.0 + a2
}

/// The analog frequency that the bilinear transform takes to `frequency`.
fn warped(frequency: f64, rate_hz: f64) -> f64 {
    2.0 * BILINEAR_RATE * (PI * (2.0 * frequency / rate_hz) / BILINEAR_RATE).tan()
}

/// Poles of the analog prototype in the upper half plane, the real one (of an odd order) included.
fn prototype(order: u32) -> impl Iterator<Item = Complex64> {
    let n = f64::from(order);
    (0..order).rev().step_by(2).map(move |m| match m {
        0 => Complex64::new(-1.0, 0.0),
        m => -Complex64::new(0.0, -PI * f64::from(m) / (2.0 * n)).exp(),
    })
}

fn lowpass(order: u32, corner: f64) -> Vec<Section> {
    let poles = prototype(order).map(|p| p * corner);
    let sections = poles.map(|p| {
        let gain = distance(p, corner);
        if p.im == 0.0 { first_order(p, [gain, gain]) } else { second_order(p, p.conj(), [gain, 2.0 * gain, gain]) }
    });
    sections.collect()
}

fn highpass(order: u32, corner: f64) -> Vec<Section> {
    let poles = prototype(order).map(|p| p.inv() * corner);
    let sections = poles.map(|p| {
        let gain = distance(p, 2.0 * BILINEAR_RATE);
        if p.im == 0.0 { first_order(p, [gain, -gain]) } else { second_order(p, p.conj(), [gain, -2.0 * gain, gain]) }
    });
    sections.collect()
}

/// Each pole of the prototype becomes two, and a zero goes to 0 Hz and another to the Nyquist frequency.
fn bandpass(order: u32, low: f64, high: f64) -> Vec<Section> {
    let (width, centre) = (high - low, (low * high).sqrt());
    let mut sections = Vec::with_capacity(order as usize);
    for pole in prototype(order) {
        let middle = pole * (width / 2.0);
        let offset = (middle * middle - centre * centre).sqrt();
        let (p, q) = (middle + offset, middle - offset);
        let pairs = if pole.im == 0.0 { vec![(p, q)] } else { vec![(p, p.conj()), (q, q.conj())] };
        for (p, q) in pairs {
            let fs2 = Complex64::from(2.0 * BILINEAR_RATE);
            let gain = width * 2.0 * BILINEAR_RATE / ((fs2 - p) * (fs2 - q)).re;
            sections.push(second_order(p, q, [gain, 0.0, -gain]));
        }
    }
    sections
}

/// The gain that a section needs for its analog pole (and that pole's conjugate): `(scale / |fs2 - p|)` per pole.
fn distance(pole: Complex64, scale: f64) -> f64 {
    let gain = scale / (Complex64::from(2.0 * BILINEAR_RATE) - pole).norm();
    if pole.im == 0.0 { gain } else { gain * gain }
}

fn bilinear(pole: Complex64) -> Complex64 {
    let fs2 = Complex64::from(2.0 * BILINEAR_RATE);
    (fs2 + pole) / (fs2 - pole)
}

fn first_order(pole: Complex64, b: [f64; 2]) -> Section {
    Section { b: [b[0], b[1], 0.0], a: [-bilinear(pole).re, 0.0] }
}

/// A section with two analog poles that are conjugate or both real.
fn second_order(p: Complex64, q: Complex64, b: [f64; 3]) -> Section {
    let (p, q) = (bilinear(p), bilinear(q));
    Section { b, a: [-(p + q).re, (p * q).re] }
}

/// Whether the band that a notch takes out lies within what the signal has; `setting` is what made it so wide.
fn notch_fits(frequency: f64, q: f64, setting: &str, rate_hz: f64) -> Result<(), SettingError> {
    let (nyquist, width) = (rate_hz / 2.0, frequency / q);
    let (low, high) = (frequency - width / 2.0, frequency + width / 2.0);
    if low > 0.0 && high < nyquist {
        return Ok(());
    }
    let widest = 2.0 * frequency.min(nyquist - frequency);
    let (value, way_out) = match setting {
        "width" => (format!("{} Hz", figures(width)), format!("below {} Hz", figures(widest))),
        _ => (figures(q), format!("above {}", figures(frequency / widest))),
    };
    let message = format!(
        "`{setting}` is {value}, which takes out the band from {} to {} Hz, but a signal at {} Hz has frequencies \
         from 0 to {} Hz: give a `{setting}` {way_out}",
        figures(low),
        figures(high),
        figures(rate_hz),
        figures(nyquist)
    );
    Err(SettingError::at(setting, message))
}

/// A notch that is `frequency / q` wide where power is halved.
fn notch(frequency: f64, q: f64, rate_hz: f64) -> Section {
    let w = 2.0 * PI * frequency / rate_hz;
    let gain = 1.0 / (1.0 + (w / q / 2.0).tan());
    Section { b: [gain, -2.0 * gain * w.cos(), gain], a: [-2.0 * gain * w.cos(), 2.0 * gain - 1.0] }
}
