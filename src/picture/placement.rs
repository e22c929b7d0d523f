//! Which thing stands above which, and how high: as few crossings as can be had cheaply, and lines as straight.
//!
//! A thing takes up some columns: a node one, a line all those between its ends, a box all those of its nodes. There is
//! one order over all of them, in which a box is followed by what is in it and then by its end; wherever two things share
//! a column, that order says which is above. So no two of them can ever overlap, and no box holds what does not belong
//! to it.

use super::crossings::inversions;
use super::scene::{Heights, Link, Scene, parts};
use std::collections::{BTreeMap, BTreeSet};

/// How often the order is looked at anew.
const ORDERINGS: usize = 24;
/// How often heights are evened out for one order, and for the last one.
const SETTLINGS: usize = 4;
const LAST_SETTLINGS: usize = 60;
/// Up to so many columns, counted for each thing in them, all that is done; of more, in proportion less.
const EASY_COLUMNS: usize = 50_000;
/// Up to so many columns everything is kept apart in each of them. In a larger picture, which nobody can follow line by
/// line, lines may pass behind nodes.
const MAX_COLUMNS: usize = 500_000;
/// Room between two things, and between two of which one is a bare line.
const GAP: f64 = 18.0;
const LINE_GAP: f64 = 9.0;
/// Room for the title of a box, and below what is in it.
const BOX_HEAD: f64 = 26.0;
const BOX_FOOT: f64 = 12.0;
/// How much higher a picture may be than its order needs, to have straighter lines.
const SPARE_HEIGHT: f64 = 1.2;
/// How far below its ends a line back runs.
const BACK_DROP: f64 = 44.0;

/// What has a height: a thing, or an end of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Thing(usize),
    Top(usize),
    Bottom(usize),
}

/// `below` is at least `apart` below `above`; both are indices into the slots' heights.
#[derive(Clone, Copy, Debug)]
struct Apart {
    above: usize,
    below: usize,
    apart: f64,
}

/// Which neighbours draw a node towards them.
#[derive(Clone, Copy, PartialEq)]
enum Pull {
    Left,
    Right,
    Both,
}

/// Places everything: what hangs together by itself, one below the other.
pub fn place(scene: &Scene) -> Heights {
    let mut heights = Heights { middle: vec![0.0; scene.things.len()], frames: vec![(0.0, 0.0); scene.frames] };
    let mut top = 0.0;
    for part in parts(scene) {
        let (placed, height) = place_part(&part.scene);
        for (at, middle) in part.things.iter().zip(placed.middle) {
            heights.middle[*at] = top + middle;
        }
        for (at, (frame_top, frame_bottom)) in part.frames.iter().zip(placed.frames) {
            heights.frames[*at] = (top + frame_top, top + frame_bottom);
        }
        top += height + GAP;
    }
    heights
}

/// Places what hangs together, from height 0; says how high it is.
fn place_part(scene: &Scene) -> (Heights, f64) {
    let mut placer = Placer::new(scene);
    let mut keys = placer.first_keys();
    let mut best: Option<(usize, Vec<Apart>, Vec<f64>)> = None;
    for round in 0..placer.share(ORDERINGS) {
        let order = placer.order(&keys);
        let constraints = placer.constraints(&order);
        placer.settle(&constraints, SETTLINGS);
        let crossings = placer.crossings();
        if best.as_ref().is_none_or(|(fewest, ..)| crossings < *fewest) {
            best = Some((crossings, constraints, placer.heights.clone()));
        }
        let pull = [Pull::Left, Pull::Right, Pull::Both][round % 3];
        keys = placer.keys(pull);
    }
    if let Some((_, constraints, heights)) = best {
        placer.heights = heights;
        placer.settle(&constraints, placer.share(LAST_SETTLINGS));
    }
    placer.finish()
}

struct Placer<'s> {
    scene: &'s Scene,
    /// Of things, then top and bottom of each box.
    heights: Vec<f64>,
    /// The things in each box.
    members: Vec<Vec<usize>>,
    /// For each thing: those at the left of it, and at the right.
    neighbours: Vec<[Vec<usize>; 2]>,
    /// Last order, to keep what is equal as it was.
    rank: Vec<usize>,
    /// How many columns there are, and how many everything takes up, counted for each thing.
    width: usize,
    columns: usize,
}

impl<'s> Placer<'s> {
    fn new(scene: &'s Scene) -> Self {
        let count = scene.things.len();
        let mut members = vec![Vec::new(); scene.frames];
        for (at, thing) in scene.things.iter().enumerate() {
            if let Some(frame) = thing.frame {
                members[frame].push(at);
            }
        }
        let mut neighbours = vec![[Vec::new(), Vec::new()]; count];
        for link in scene.links.iter().filter(|link| !link.back) {
            neighbours[link.left][1].push(link.right);
            neighbours[link.right][0].push(link.left);
        }
        let heights = vec![0.0; count + 2 * scene.frames];
        let width = scene.things.iter().map(|thing| thing.columns.1 + 1).max().unwrap_or(0);
        let mut placer = Placer { scene, heights, members, neighbours, rank: (0..count).collect(), width, columns: 0 };
        let boxes = (0..scene.frames).flat_map(|frame| [Slot::Top(frame), Slot::Bottom(frame)]);
        let spans = (0..count).map(Slot::Thing).chain(boxes).map(|slot| placer.span(slot));
        placer.columns = spans.map(|(first, last)| last - first + 1).sum();
        placer
    }

    fn is_coarse(&self) -> bool {
        self.columns > MAX_COLUMNS
    }

    /// How often something is done that is done `most` times where that is quick.
    fn share(&self, most: usize) -> usize {
        let columns = if self.is_coarse() { 3 * self.heights.len() } else { self.columns };
        (most * EASY_COLUMNS / columns.max(1)).clamp(1, most)
    }

    fn index(&self, slot: Slot) -> usize {
        let count = self.scene.things.len();
        match slot {
            Slot::Thing(at) => at,
            Slot::Top(frame) => count + 2 * frame,
            Slot::Bottom(frame) => count + 2 * frame + 1,
        }
    }

    /// Keys to begin with: each column, from left to right, in the order of what is at the left of it, around 0.
    fn first_keys(&self) -> Vec<f64> {
        let mut columns: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let is_line: BTreeSet<usize> = self.scene.links.iter().map(|link| link.thing).collect();
        for (at, thing) in self.scene.things.iter().enumerate().filter(|(at, _)| !is_line.contains(at)) {
            columns.entry(thing.columns.0).or_default().push(at);
        }
        let mut keys = vec![0.0; self.scene.things.len()];
        for nodes in columns.values_mut() {
            let means: BTreeMap<usize, f64> =
                nodes.iter().map(|&at| (at, mean(&keys, &self.neighbours[at][0]))).collect();
            nodes.sort_by(|a, b| means[a].total_cmp(&means[b]).then(a.cmp(b)));
            let whole: f64 = nodes.iter().map(|&at| self.scene.things[at].height + GAP).sum();
            let mut top = -whole / 2.0;
            for &at in nodes.iter() {
                let height = self.scene.things[at].height + GAP;
                keys[at] = top + height / 2.0;
                top += height;
            }
        }
        self.between(&mut keys);
        keys
    }

    /// Keys for a new order: of each node, where its neighbours are.
    fn keys(&self, pull: Pull) -> Vec<f64> {
        let mut keys = self.wishes(pull);
        keys.truncate(self.scene.things.len());
        self.between(&mut keys);
        keys
    }

    /// Sets each line's key by those of its ends.
    fn between(&self, keys: &mut [f64]) {
        for link in &self.scene.links {
            keys[link.thing] = link_height(link, keys);
        }
    }

    /// Everything from top to bottom, by the keys of things; a box has the mean of its things' keys.
    fn order(&mut self, keys: &[f64]) -> Vec<Slot> {
        let first = |things: &[usize]| things.iter().map(|&at| self.rank[at]).min().unwrap_or(0);
        let loose = self.scene.things.iter().enumerate().filter(|(_, thing)| thing.frame.is_none());
        let mut units: Vec<(f64, usize, Slot)> =
            loose.map(|(at, _)| (keys[at], self.rank[at], Slot::Thing(at))).collect();
        let frames = self.members.iter().enumerate();
        units.extend(frames.map(|(at, things)| (mean(keys, things), first(things), Slot::Top(at))));
        let by_key = |a: &(f64, usize, Slot), b: &(f64, usize, Slot)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        units.sort_by(by_key);
        let mut order = Vec::with_capacity(self.heights.len());
        for (_, _, slot) in units {
            order.push(slot);
            if let Slot::Top(frame) = slot {
                let inside = self.members[frame].iter();
                let mut inside: Vec<_> = inside.map(|&at| (keys[at], self.rank[at], Slot::Thing(at))).collect();
                inside.sort_by(by_key);
                order.extend(inside.into_iter().map(|(_, _, slot)| slot));
                order.push(Slot::Bottom(frame));
            }
        }
        for (place, slot) in order.iter().enumerate() {
            if let Slot::Thing(at) = slot {
                self.rank[*at] = place;
            }
        }
        order
    }

    /// What an order asks for: in each column, each thing below the one before it.
    fn constraints(&self, order: &[Slot]) -> Vec<Apart> {
        let mut last: Vec<Option<Slot>> = vec![None; self.width];
        let mut constraints = Vec::new();
        for &slot in order {
            for column in self.kept_columns(slot) {
                if let Some(above) = last[column].replace(slot) {
                    let apart = self.below(above, column) + self.gap(above, slot) + self.above(slot, column);
                    constraints.push(Apart { above: self.index(above), below: self.index(slot), apart });
                }
            }
        }
        constraints
    }

    /// The columns in which a slot is kept apart from others, in their order.
    fn kept_columns(&self, slot: Slot) -> Vec<usize> {
        let (first, last) = self.span(slot);
        if !self.is_coarse() {
            return (first..=last).collect();
        }
        let high_at = match slot {
            Slot::Thing(at) => self.scene.things[at].high_at,
            Slot::Top(_) | Slot::Bottom(_) => None,
        };
        let mut columns: Vec<usize> = [Some(first), high_at, Some(last)].into_iter().flatten().collect();
        columns.dedup();
        columns
    }

    /// First and last column.
    fn span(&self, slot: Slot) -> (usize, usize) {
        match slot {
            Slot::Thing(at) => self.scene.things[at].columns,
            Slot::Top(frame) | Slot::Bottom(frame) => {
                let columns = self.members[frame].iter().map(|&at| self.scene.things[at].columns);
                columns.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0, 0))
            }
        }
    }

    fn height(&self, at: usize, column: usize) -> f64 {
        let thing = &self.scene.things[at];
        if thing.high_at.is_none_or(|high| high == column) { thing.height } else { 0.0 }
    }

    /// How far a slot reaches up from its own height.
    fn above(&self, slot: Slot, column: usize) -> f64 {
        match slot {
            Slot::Thing(at) => self.height(at, column) / 2.0,
            Slot::Top(_) => 0.0,
            Slot::Bottom(_) => BOX_FOOT,
        }
    }

    /// How far a slot reaches down from its own height.
    fn below(&self, slot: Slot, column: usize) -> f64 {
        match slot {
            Slot::Thing(at) => self.height(at, column) / 2.0,
            Slot::Top(_) => BOX_HEAD,
            Slot::Bottom(_) => 0.0,
        }
    }

    fn gap(&self, above: Slot, below: Slot) -> f64 {
        let is_bare = |slot| matches!(slot, Slot::Thing(at) if self.scene.things[at].height == 0.0);
        match (above, below) {
            (Slot::Top(_), Slot::Thing(_)) | (Slot::Thing(_), Slot::Bottom(_)) => 0.0,
            _ if is_bare(above) || is_bare(below) => LINE_GAP,
            _ => GAP,
        }
    }

    /// Moves everything towards its neighbours, as far as the order lets it.
    fn settle(&mut self, constraints: &[Apart], rounds: usize) {
        let (highest, lowest) = self.limits(constraints);
        for round in 0..rounds {
            let pull = if round + 1 == rounds { Pull::Both } else { [Pull::Left, Pull::Right, Pull::Both][round % 3] };
            let wishes = self.wishes(pull);
            let (mut down, mut up) = (wishes.clone(), wishes);
            for Apart { above, below, apart } in constraints {
                down[*below] = down[*below].max(down[*above] + apart);
            }
            for Apart { above, below, apart } in constraints.iter().rev() {
                up[*above] = up[*above].min(up[*below] - apart);
            }
            // All of these keep every distance, and so do their means, and the larger or smaller of two.
            let settled = down.iter().zip(&up).map(|(down, up)| f64::midpoint(*down, *up));
            let limits = highest.iter().zip(&lowest);
            self.heights = settled.zip(limits).map(|(height, (high, low))| height.max(*high).min(*low)).collect();
        }
    }

    /// How high and how low everything may be, so that the whole is not much higher than its order needs.
    fn limits(&self, constraints: &[Apart]) -> (Vec<f64>, Vec<f64>) {
        let mut highest = vec![0.0f64; self.heights.len()];
        for Apart { above, below, apart } in constraints {
            highest[*below] = highest[*below].max(highest[*above] + apart);
        }
        let needed = highest.iter().copied().fold(0.0, f64::max);
        let mut lowest = vec![needed * SPARE_HEIGHT + BACK_DROP; self.heights.len()];
        for Apart { above, below, apart } in constraints.iter().rev() {
            lowest[*above] = lowest[*above].min(lowest[*below] - apart);
        }
        (highest, lowest)
    }

    /// Where everything would like to be, by where its neighbours are.
    fn wishes(&self, pull: Pull) -> Vec<f64> {
        let mut wishes = self.heights.clone();
        for (at, [left, right]) in self.neighbours.iter().enumerate() {
            let pulling = match pull {
                Pull::Left => left.clone(),
                Pull::Right => right.clone(),
                Pull::Both => [left.as_slice(), right].concat(),
            };
            if !pulling.is_empty() {
                wishes[at] = mean(&self.heights, &pulling);
            }
        }
        for link in &self.scene.links {
            wishes[link.thing] = link_height(link, &self.heights);
        }
        for (frame, members) in self.members.iter().enumerate() {
            let (top, bottom) = self.around(members, &wishes);
            wishes[self.index(Slot::Top(frame))] = top;
            wishes[self.index(Slot::Bottom(frame))] = bottom;
        }
        wishes
    }

    /// Top and bottom of a box that is tight around its things.
    fn around(&self, members: &[usize], heights: &[f64]) -> (f64, f64) {
        let spans = members.iter().map(|&at| (heights[at], self.scene.things[at].height / 2.0));
        let top = spans.clone().map(|(middle, half)| middle - half).fold(f64::INFINITY, f64::min);
        let bottom = spans.map(|(middle, half)| middle + half).fold(f64::NEG_INFINITY, f64::max);
        (top - BOX_HEAD, bottom + BOX_FOOT)
    }

    /// How many pairs of lines cross.
    fn crossings(&self) -> usize {
        let mut gaps: Vec<Vec<(f64, f64)>> = vec![Vec::new(); self.width + 1];
        for link in self.scene.links.iter().filter(|link| !link.back) {
            let (first, last) = self.scene.things[link.thing].columns;
            let line = self.heights[link.thing];
            // In the gaps between them lines are level, and cross nothing that is not itself crossing there.
            gaps[first].push((self.heights[link.left], line));
            gaps[last + 1].push((line, self.heights[link.right]));
            if !self.is_coarse() {
                gaps[first + 1..=last].iter_mut().for_each(|gap| gap.push((line, line)));
            }
        }
        gaps.into_iter().map(inversions).sum()
    }

    /// The heights, from 0; boxes drawn tight around what is in them.
    fn finish(self) -> (Heights, f64) {
        let count = self.scene.things.len();
        let things = || self.scene.things.iter().zip(&self.heights);
        let frames: Vec<(f64, f64)> = self.members.iter().map(|members| self.around(members, &self.heights)).collect();
        let highest = things().map(|(thing, middle)| middle - thing.height / 2.0);
        let highest = highest.chain(frames.iter().map(|(top, _)| *top)).fold(f64::INFINITY, f64::min);
        let lowest = things().map(|(thing, middle)| middle + thing.height / 2.0);
        let lowest = lowest.chain(frames.iter().map(|(_, bottom)| *bottom)).fold(highest, f64::max);
        let heights = Heights {
            middle: self.heights[..count].iter().map(|middle| middle - highest).collect(),
            frames: frames.into_iter().map(|(top, bottom)| (top - highest, bottom - highest)).collect(),
        };
        (heights, lowest - highest)
    }
}

fn mean(heights: &[f64], things: &[usize]) -> f64 {
    things.iter().map(|&at| heights[at]).sum::<f64>() / things.len().max(1) as f64
}

/// Where a line would like to be: between its ends, or below them.
fn link_height(link: &Link, heights: &[f64]) -> f64 {
    let (left, right) = (heights[link.left], heights[link.right]);
    if link.back { left.max(right) + BACK_DROP } else { f64::midpoint(left, right) }
}
