//! A finding in a file that several graphs use is told once, with the places where they use it.

use super::formats::Checked;
use crate::graph::{Finding, Level, Place, Related, Sources, Span};
use std::collections::HashMap;
use std::path::PathBuf;

/// Most places of use that a finding names.
const MAX_USES: usize = 16;

/// Takes out of `checked` what was found before, and adds where it was found again to what is told.
pub fn tell_once(checked: &mut [Checked]) {
    let mut told: HashMap<Key, (usize, usize)> = HashMap::new();
    for at in 0..checked.len() {
        for finding in std::mem::take(&mut checked[at].findings) {
            let (before, rest) = checked.split_at_mut(at);
            let own = &mut rest[0];
            let place = *told.entry(key(&finding, &own.sources)).or_insert((at, own.findings.len()));
            match before.get_mut(place.0) {
                Some(other) => {
                    own.told_before += 1;
                    add_uses(other, place.1, &finding, &own.sources);
                }
                None => own.findings.push(finding),
            }
        }
    }
}

/// What two findings have in common that say the same, in whichever graph: where, what, and of which other places.
type Key = (Spot, &'static str, Level, String, Option<String>, Vec<(Spot, String)>);

/// A part of a file.
type Spot = (PathBuf, usize, usize);

fn key(finding: &Finding, sources: &Sources) -> Key {
    let spot = |span: Span| (sources.file(span.file).path(), span.start(), span.end());
    let related = finding.related.iter().filter(|related| !related.is_use());
    (
        spot(finding.place.span),
        finding.code,
        finding.level,
        finding.message.clone(),
        finding.help.clone(),
        related.map(|related| (spot(related.place.span), related.message.clone())).collect(),
    )
}

/// Adds the places where `again`, found among `sources`, has its file used.
fn add_uses(checked: &mut Checked, finding: usize, again: &Finding, sources: &Sources) {
    let known = &mut checked.findings[finding].related;
    for used in again.related.iter().filter(|related| related.is_use()) {
        let spot = |related: &Related| (related.file.clone(), related.place.line, related.place.column);
        let uses = known.iter().filter(|known| known.is_use());
        if uses.clone().count() < MAX_USES && !uses.clone().any(|known| spot(known) == spot(used)) {
            let file = checked.sources.adopt(sources.file(used.place.span.file));
            let place = Place { span: used.place.span.in_file(file), ..used.place };
            known.push(Related { place, ..used.clone() });
        }
    }
}
