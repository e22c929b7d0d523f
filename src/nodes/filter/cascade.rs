//! Runs second-order sections over the samples of all channels, and keeps their state from message to message.

use super::design::Section;

/// Sections one after the other, in direct form II transposed.
pub struct Cascade {
    stages: Vec<Stage>,
}

struct Stage {
    section: Section,
    /// Two delayed sums per channel.
    delays: Vec<[f64; 2]>,
}

impl Cascade {
    /// At rest, for `channels` channels.
    pub fn new(sections: Vec<Section>, channels: usize) -> Self {
        let stage = |section| Stage { section, delays: vec![[0.0; 2]; channels] };
        Cascade { stages: sections.into_iter().map(stage).collect() }
    }

    /// Filters one sample of all channels where it lies.
    pub fn filter(&mut self, row: &mut [f64]) {
        for Stage { section: Section { b, a }, delays } in &mut self.stages {
            for (x, delay) in row.iter_mut().zip(delays) {
                let y = b[0] * *x + delay[0];
                delay[0] = b[1] * *x - a[0] * y + delay[1];
                delay[1] = b[2] * *x - a[1] * y;
                *x = y;
            }
        }
    }
}
