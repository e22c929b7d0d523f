//! `band_power`: the power in each of some bands of a spectrum.

use crate::message::{Axis, DType, Dim, Metadata, Payload, Received, TensorSpec};
use crate::node::{Cadence, Flow, InputId, Node, NodeType, Outputs, PortType, Result, SettingError, Step, figures};
use crate::nodes::signal::{samples, send};
use anyhow::{Context as _, bail};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub fn node_type() -> NodeType {
    let dims = ["band", "channel"].map(str::to_owned).to_vec();
    NodeType::transform(
        "band_power",
        "Power in each band of a spectrum: the density of the bins in the band, both its edges included, times the \
         distance between bins.",
    )
    .input("in", PortType::floats(&["frequency", "channel"]))
    .output("out", PortType::Tensor { dtypes: vec![DType::F64], dims })
    .cadence(Cadence::Each)
    .example("{ bands: { theta: [4, 8], alpha: [8, 12] } }")
    .node(|Settings { bands, relative }| {
        check(&bands)?;
        Ok(BandPower { bands: bands.0, relative, known: None })
    })
    .fits(|settings: Settings, signal| {
        let (Some(rate_hz), Some(segment)) = (signal.rate_hz, signal.samples) else { return Ok(()) };
        let (step, count) = (rate_hz / segment as f64, segment as usize / 2 + 1);
        settings.bands.0.iter().try_for_each(|(name, edges)| band_bins(name, *edges, 0.0, step, count).map(drop))
    })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Name of each band, and its lower and upper edge in Hz, both included. The bands come out in this order.
    bands: Bands,
    /// Whether to send each band's share of the power in the whole spectrum, 0 to 1, instead of its power.
    /// Default: false.
    #[serde(default)]
    relative: bool,
}

/// Bands in the order in which they were written.
struct Bands(Vec<(String, [f64; 2])>);

fn check(bands: &Bands) -> Result<(), SettingError> {
    if bands.0.is_empty() {
        return Err(SettingError::at("bands", "`bands` is empty: name at least one band"));
    }
    for (name, [low, high]) in &bands.0 {
        if !(*low >= 0.0 && low < high && high.is_finite()) {
            let message =
                format!("band `{name}` is [{low}, {high}], and it must go from a lower to a higher frequency");
            return Err(SettingError::at("bands", message).within(Step::Key(name.clone())));
        }
    }
    Ok(())
}

struct BandPower {
    bands: Vec<(String, [f64; 2])>,
    relative: bool,
    /// What follows from the metadata that came last.
    known: Option<(Arc<Metadata>, Bins)>,
}

/// Which bins of a spectrum the bands are.
struct Bins {
    bands: Vec<RangeInclusive<usize>>,
    step_hz: f64,
    metadata: Arc<Metadata>,
}

impl Node for BandPower {
    fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
        let described = message.metadata();
        if !self.known.as_ref().is_some_and(|(last, _)| Arc::ptr_eq(last, described)) {
            self.known = Some((Arc::clone(described), Bins::find(&self.bands, self.relative, described)?));
        }
        let (_, bins) = self.known.as_ref().expect("it was there, or has just been found");
        let tensor = message.tensor()?;
        let powers = bins.powers(&samples(&tensor)?, tensor.shape[1], self.relative);
        send(out, &bins.metadata, &powers, message.header().capture)?;
        Ok(Flow::Continue)
    }
}

impl Bins {
    fn find(bands: &[(String, [f64; 2])], relative: bool, spectrum: &Metadata) -> Result<Self> {
        let spec = spectrum_spec(spectrum)?;
        let (frequency, channel) = (&spec.dims[0], &spec.dims[1]);
        let Axis::Linear { start, step, .. } = frequency.axis else {
            bail!("the spectrum does not say the frequencies of its bins: its frequency axis must be linear, in Hz");
        };
        let count = frequency.len.context("the spectrum does not say how many bins it has")? as usize;
        let bins = bands.iter().map(|(name, edges)| band_bins(name, *edges, start, step, count));
        let labels = bands.iter().map(|(name, _)| name.clone()).collect();
        let powers = TensorSpec::new(DType::F64)
            .dim(Dim::new("band", bands.len()).axis(Axis::Labels(labels)))
            .dim(channel.clone());
        let mut metadata = Metadata::tensor(powers);
        metadata.attributes = spectrum.attributes.clone();
        match metadata.attributes.get("unit").and_then(|unit| unit.strip_suffix("/Hz")).map(str::to_owned) {
            Some(unit) if !relative => metadata = metadata.with("unit", &unit),
            _ => _ = metadata.attributes.remove("unit"),
        }
        Ok(Bins { bands: bins.collect::<Result<_, _>>()?, step_hz: step, metadata: Arc::new(metadata) })
    }

    /// The powers, `[band, channel]`.
    fn powers(&self, density: &[f64], channels: usize, relative: bool) -> Vec<f64> {
        let rows: Vec<&[f64]> = density.chunks_exact(channels).collect();
        let sum = |bins: &[&[f64]], channel: usize| bins.iter().map(|row| row[channel]).sum::<f64>();
        let mut powers = Vec::with_capacity(self.bands.len() * channels);
        for band in &self.bands {
            for channel in 0..channels {
                let inside = sum(&rows[band.clone()], channel);
                powers.push(match relative {
                    false => inside * self.step_hz,
                    // A flat line has no power at all, and no band has a share of it.
                    true if inside == 0.0 => 0.0,
                    true => inside / sum(&rows, channel),
                });
            }
        }
        powers
    }
}

fn spectrum_spec(metadata: &Metadata) -> Result<&TensorSpec> {
    let wanted = "and this node takes a spectrum, a tensor [frequency, channel]: put a `spectrum` node before it";
    match &metadata.payload {
        Payload::Tensor(spec) => match spec.dims.as_slice() {
            [frequency, channel] if frequency.name == "frequency" && channel.name == "channel" => Ok(spec),
            _ => bail!("the message is a tensor {spec}, {wanted}"),
        },
        other => bail!("the message is {other}, {wanted}"),
    }
}

fn band_bins(
    name: &str,
    [low, high]: [f64; 2],
    start: f64,
    step: f64,
    count: usize,
) -> Result<RangeInclusive<usize>, SettingError> {
    // An edge on a bin must find that bin, whatever the last digits of the step are.
    const SLACK: f64 = 1e-9;
    let first = ((low - start) / step - SLACK).ceil().max(0.0) as usize;
    let last = ((high - start) / step + SLACK).floor();
    if last < first as f64 || first >= count {
        let end = start + step * count.saturating_sub(1) as f64;
        let message = format!(
            "band `{name}`, {} to {} Hz, holds none of the spectrum's bins, which are {} Hz apart and end at {} Hz",
            figures(low),
            figures(high),
            figures(step),
            figures(end)
        );
        return Err(SettingError::at("bands", message).within(Step::Key(name.to_owned())));
    }
    Ok(first..=(last as usize).min(count - 1))
}

impl<'de> Deserialize<'de> for Bands {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BandsVisitor)
    }
}

struct BandsVisitor;

impl<'de> Visitor<'de> for BandsVisitor {
    type Value = Bands;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bands such as `alpha: [8, 12]`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bands, A::Error> {
        let mut bands = Vec::new();
        while let Some(band) = map.next_entry()? {
            bands.push(band);
        }
        Ok(Bands(bands))
    }
}

impl JsonSchema for Bands {
    fn schema_name() -> Cow<'static, str> {
        "Bands".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = BTreeMap::<String, [f64; 2]>::json_schema(generator);
        schema.insert("minProperties".to_owned(), 1.into());
        schema
    }
}
