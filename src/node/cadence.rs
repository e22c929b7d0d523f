//! What a node type says of the pace and the size of its messages, for the rules that reckon with them before anything
//! runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How the messages of an output come. What is not said is not known, and no rule guesses it.
///
/// ```
/// use ezrun::node::{Cadence, Labels, Quantity};
///
/// let sensor = Cadence::Signal {
///     rate: Quantity::of("rate").or(1000.0),
///     block: Quantity::of("block").or(256.0),
///     channels: Quantity::of("channels").or(1.0),
///     labels: Labels::None,
///     realtime: Some("realtime".to_owned()),
///     count: Quantity::of("count"),
/// };
/// assert_ne!(sensor, Cadence::Unknown);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Cadence {
    /// Nothing is known.
    #[default]
    Unknown,
    /// One message for each that comes in, of the same size and sampling rate.
    Same,
    /// One message for each that comes in, of a size of its own.
    Each,
    /// One message for each that comes in, with one sample: a signal with as many samples per second as blocks came in.
    OneSample,
    /// As [`Cadence::Same`], with some of the channels that come in.
    Selected {
        /// The setting that lists them, by label or by index from 0.
        channels: String,
    },
    /// One message for each that comes in: the spectrum of its samples, or of segments of them.
    Spectra {
        /// Samples per segment; where it is not known, all of a message.
        segment: Quantity,
    },
    /// A message where what came in gives rise to one, such as an event; any number may come in before.
    Sparse,
    /// As [`Cadence::Same`], but slowed down to this many messages per second: the place where a queue is meant to
    /// overflow.
    Limited {
        /// Messages per second.
        rate: Quantity,
    },
    /// A signal that begins here.
    Signal {
        /// Samples per second.
        rate: Quantity,
        /// Samples per message.
        block: Quantity,
        /// Channels.
        channels: Quantity,
        /// What the channels are called.
        #[serde(default)]
        labels: Labels,
        /// The setting that, where it is `true`, holds the signal back to its rate.
        #[serde(default)]
        realtime: Option<String>,
        /// Messages that come, at most.
        #[serde(default)]
        count: Quantity,
    },
    /// Messages that begin here, one after each interval.
    Timed {
        /// Seconds from one message to the next.
        interval: Quantity,
        /// Bytes per message.
        bytes: Quantity,
        /// Messages that come, at most.
        #[serde(default)]
        count: Quantity,
    },
    /// A signal that is cut into blocks anew.
    Windows {
        /// Length of a block: a number of samples, or a time.
        length: Quantity,
        /// From the beginning of a block to that of the next, likewise; where it is not known, it is `length`.
        hop: Quantity,
    },
    /// Every n-th sample of a signal.
    Thinned {
        /// The n.
        factor: Quantity,
    },
    /// A signal at another sampling rate; a message waits for the samples after it.
    Resampled {
        /// Samples per second.
        rate: Quantity,
    },
}

/// What the channels of a signal are called.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Labels {
    /// That is not known.
    #[default]
    Unknown,
    /// They have no labels.
    None,
    /// What the list in this setting says, where it is a list of texts.
    ListedIn(String),
}

/// A number that is written in the settings of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// The setting that has it: a number, a duration such as `2 s`, or a list, of which the mean counts.
    #[serde(default)]
    pub setting: Option<String>,
    /// The setting whose list has as many items, where the other one is not given.
    #[serde(default)]
    pub items_of: Option<String>,
    /// What it is where no setting tells.
    #[serde(default)]
    pub default: Option<f64>,
}

/// What a setting was found to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// A plain number.
    Number(f64),
    /// A duration.
    Seconds(f64),
}

impl Labels {
    /// What `settings` say: no labels at all, or one for each channel; nothing where that is not known.
    #[must_use]
    pub fn read(&self, settings: &Value) -> Option<Vec<String>> {
        match self {
            Labels::Unknown => None,
            Labels::None => Some(Vec::new()),
            Labels::ListedIn(setting) => {
                let items = settings.get(setting)?.as_array()?;
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
            }
        }
    }
}

impl Quantity {
    /// What the setting says.
    #[must_use]
    pub fn of(setting: &str) -> Self {
        Quantity { setting: Some(setting.to_owned()), ..Self::default() }
    }

    /// Where nothing else tells: how many items the list in this setting has.
    #[must_use]
    pub fn or_items_of(self, setting: &str) -> Self {
        Quantity { items_of: Some(setting.to_owned()), ..self }
    }

    /// Where nothing else tells: this number.
    #[must_use]
    pub fn or(self, default: f64) -> Self {
        Quantity { default: Some(default), ..self }
    }

    /// What `settings` say; nothing where that is not known, or makes no sense.
    #[must_use]
    pub fn read(&self, settings: &Value) -> Option<Amount> {
        let given =
            |name: &Option<String>| name.as_ref().and_then(|name| settings.get(name)).filter(|value| !value.is_null());
        let amount = match (given(&self.setting), given(&self.items_of)) {
            (Some(value), _) => amount_of(value)?,
            (None, Some(Value::Array(items))) => Amount::Number(items.len() as f64),
            (None, _) => Amount::Number(self.default?),
        };
        let (Amount::Number(number) | Amount::Seconds(number)) = amount;
        (number.is_finite() && number > 0.0).then_some(amount)
    }

    /// As [`Quantity::read`]; a duration counts in seconds.
    #[must_use]
    pub fn number(&self, settings: &Value) -> Option<f64> {
        self.read(settings).map(|(Amount::Number(number) | Amount::Seconds(number))| number)
    }
}

fn amount_of(value: &Value) -> Option<Amount> {
    match value {
        Value::String(text) => Some(Amount::Seconds(humantime::parse_duration(text).ok()?.as_secs_f64())),
        Value::Array(items) => {
            let numbers = items.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>()?;
            Some(Amount::Number(numbers.iter().sum::<f64>() / numbers.len() as f64))
        }
        other => other.as_f64().map(Amount::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_quantity_is_what_its_setting_says_or_its_default() {
        let rate = Quantity::of("rate").or(1000.0);
        assert_eq!(rate.number(&json!({ "rate": 250 })), Some(250.0));
        assert_eq!(rate.number(&json!({ "rate": null })), Some(1000.0));
        assert_eq!(rate.read(&json!({ "rate": "500 ms" })), Some(Amount::Seconds(0.5)));
        assert_eq!(rate.number(&json!({ "rate": [1, 3] })), Some(2.0));
    }

    #[test]
    fn what_makes_no_sense_is_not_known() {
        let rate = Quantity::of("rate").or(1000.0);
        for senseless in [json!(0), json!(-1), json!("often"), json!([]), json!(["a"]), json!(true)] {
            assert_eq!(rate.number(&json!({ "rate": senseless })), None, "{senseless}");
        }
        assert_eq!(Quantity::default().number(&json!({})), None);
    }

    #[test]
    fn channels_may_be_counted_in_a_list() {
        let channels = Quantity::of("channels").or_items_of("frequency").or(1.0);
        assert_eq!(channels.number(&json!({ "frequency": [8, 10, 12] })), Some(3.0));
        assert_eq!(channels.number(&json!({ "frequency": 10 })), Some(1.0));
        assert_eq!(channels.number(&json!({ "channels": 2, "frequency": 10 })), Some(2.0));
    }
}
