//! Where everything is drawn: layers from left to right, a column of nodes and a column of labels in turn.
//!
//! A line is level within a column and bends only in the gaps between columns. What stands in a column has its own height
//! there, so that no line leads through a node or a label.

use super::placement::place;
use super::scene::{Heights, Link, Scene, Thing};
use super::text::{shorten, width};
use super::{Line, Picture, layers};

/// Sizes of letters.
pub const NAME_SIZE: f64 = 13.0;
pub const TYPE_SIZE: f64 = 11.0;
pub const LABEL_SIZE: f64 = 10.5;
/// From one line of a label to the next.
pub const LABEL_STEP: f64 = 13.0;
/// Around the whole picture.
pub const MARGIN: f64 = 24.0;
/// Room beside what is in a box.
const BOX_SIDE: f64 = 16.0;
const NODE_HEIGHT: f64 = 44.0;
const NODE_SIDE: f64 = 12.0;
const LABEL_SIDE: f64 = 5.0;
/// From one line's end to the next on a node's side.
const END_STEP: f64 = 11.0;
/// Between two columns, and how much more for lines that bend far.
const COLUMN_GAP: f64 = 34.0;
const MAX_BEND_GAP: f64 = 90.0;
const BEND_SHARE: f64 = 0.12;
/// The level end of a line, under its tip.
const TIP: f64 = 18.0;
/// How far a line back reaches out beside the nodes that it connects.
const BACK_REACH: f64 = 26.0;

/// A rectangle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// The way of a line.
#[derive(Clone, Debug)]
pub struct Path {
    /// As SVG writes it.
    pub data: String,
    /// Around its label, where it has one.
    pub label: Option<Rect>,
}

/// Where everything is drawn.
#[derive(Debug)]
pub struct Geometry {
    pub width: f64,
    pub height: f64,
    pub boxes: Vec<Rect>,
    pub nodes: Vec<Rect>,
    pub lines: Vec<Path>,
}

/// Lays the picture out.
pub fn lay_out(picture: &Picture) -> Geometry {
    let forward = picture.edges.iter().filter(|edge| !edge.feedback).map(|edge| (edge.from, edge.to));
    let layer = layers::layers(picture.nodes.len(), &forward.collect::<Vec<_>>());
    let scene = scene(picture, &layer);
    let heights = place(&scene);
    let columns = Columns::new(picture, &scene, &heights);
    let count = picture.nodes.len();
    let nodes: Vec<Rect> = scene.things[..count]
        .iter()
        .zip(&heights.middle)
        .map(|(thing, middle)| {
            let (x, width) = columns.of[thing.columns.0];
            Rect { x, y: MARGIN + middle - thing.height / 2.0, width, height: thing.height }
        })
        .collect();
    let boxes: Vec<Rect> = picture
        .boxes
        .iter()
        .zip(&heights.frames)
        .map(|(frame, (top, bottom))| {
            let of_nodes = frame.nodes.iter().map(|&node| scene.things[node].columns.0);
            let (first, last) = (of_nodes.clone().min().unwrap_or(0), of_nodes.max().unwrap_or(0));
            let left = columns.of[first].0 - BOX_SIDE;
            let right = columns.of[last].0 + columns.of[last].1 + BOX_SIDE;
            Rect { x: left, y: MARGIN + top, width: right - left, height: bottom - top }
        })
        .collect();
    let lines = lines(picture, &scene, &heights, &columns, &nodes);
    let bottom = |rects: &[Rect]| rects.iter().map(|rect| rect.y + rect.height).fold(0.0, f64::max);
    let of_lines = scene.things[count..].iter().zip(&heights.middle[count..]);
    let of_lines = of_lines.map(|(thing, middle)| MARGIN + middle + thing.height / 2.0).fold(0.0, f64::max);
    let height = bottom(&nodes).max(bottom(&boxes)).max(of_lines) + MARGIN;
    Geometry { width: columns.width, height, boxes, nodes, lines }
}

/// The column of a node's layer; those with odd numbers are for labels.
fn column(layer: usize) -> usize {
    2 * layer
}

fn scene(picture: &Picture, layer: &[usize]) -> Scene {
    let mut ends = vec![[0usize; 2]; picture.nodes.len()];
    for edge in &picture.edges {
        ends[edge.from][0] += 1;
        ends[edge.to][1] += 1;
    }
    let node_height = |at: usize| {
        let most = ends[at][0].max(ends[at][1]).saturating_sub(1);
        NODE_HEIGHT.max(END_STEP * most as f64 + 16.0)
    };
    let nodes = picture.nodes.iter().enumerate().map(|(at, node)| Thing {
        columns: (column(layer[at]), column(layer[at])),
        height: node_height(at),
        high_at: None,
        frame: node.frame,
    });
    let mut things: Vec<Thing> = nodes.collect();
    let mut links = Vec::with_capacity(picture.edges.len());
    for edge in &picture.edges {
        let (from, to) = (layer[edge.from], layer[edge.to]);
        let back = from >= to;
        // Between its ends; one that leads back passes below both of them, and needs a column for its label.
        let columns = match back {
            false => (column(from) + 1, column(to) - 1),
            true => (column(to), column(from).max(column(to) + 1)),
        };
        let (first, last) = picture.nodes[edge.from].frame.zip(picture.nodes[edge.to].frame).unwrap_or((0, 1));
        let lines = edge.label().count() as f64;
        links.push(Link { thing: things.len(), left: edge.from, right: edge.to, back });
        things.push(Thing {
            columns,
            height: if lines > 0.0 { LABEL_STEP * lines + 4.0 } else { 0.0 },
            high_at: Some(label_column(columns)),
            frame: (first == last).then_some(first),
        });
    }
    Scene { things, links, frames: picture.boxes.len() }
}

/// The label column in the middle of a line.
fn label_column((first, last): (usize, usize)) -> usize {
    usize::midpoint(first, last) | 1
}

/// Where columns begin, and how wide they are.
struct Columns {
    of: Vec<(f64, f64)>,
    width: f64,
}

impl Columns {
    fn new(picture: &Picture, scene: &Scene, heights: &Heights) -> Self {
        let count = scene.things.iter().map(|thing| thing.columns.1.max(thing.high_at.unwrap_or(0)) + 1).max();
        let mut widths = vec![0.0f64; count.unwrap_or(1)];
        for (thing, node) in scene.things.iter().zip(&picture.nodes) {
            let name = width(&shorten(&node.name), NAME_SIZE).max(width(&shorten(&node.node_type), TYPE_SIZE));
            let column = &mut widths[thing.columns.0];
            *column = column.max(name + 2.0 * NODE_SIDE);
        }
        for (edge, link) in picture.edges.iter().zip(&scene.links) {
            let column = &mut widths[label_column(scene.things[link.thing].columns)];
            *column = column.max(label_width(edge));
        }
        let gaps = gaps(scene, heights, widths.len());
        for frame in &picture.boxes {
            widen(&mut widths, &gaps, frame, scene);
        }
        let mut x = MARGIN + BOX_SIDE;
        let mut of = Vec::with_capacity(widths.len());
        for (width, gap) in widths.iter().zip(&gaps) {
            of.push((x, *width));
            x += width + gap;
        }
        let last_gap = gaps.last().copied().unwrap_or(0.0);
        Columns { of, width: x - last_gap + BOX_SIDE.max(BACK_REACH) + MARGIN }
    }
}

/// The title of a box fits above what is in it.
fn widen(widths: &mut [f64], gaps: &[f64], frame: &super::Frame, scene: &Scene) {
    let of_nodes = frame.nodes.iter().map(|&node| scene.things[node].columns.0);
    let (Some(first), Some(last)) = (of_nodes.clone().min(), of_nodes.max()) else { return };
    let between: f64 = gaps[first..last].iter().sum();
    let wide = widths[first..=last].iter().sum::<f64>() + between;
    let missing = width(&shorten(&frame.name), NAME_SIZE) - wide;
    widths[last] += missing.max(0.0);
}

/// The room behind each column: more where lines bend far.
fn gaps(scene: &Scene, heights: &Heights, count: usize) -> Vec<f64> {
    let mut bends = vec![0.0f64; count];
    for link in scene.links.iter().filter(|link| !link.back) {
        let (first, last) = scene.things[link.thing].columns;
        let line = heights.middle[link.thing];
        let at_left = (heights.middle[link.left] - line).abs();
        let at_right = (heights.middle[link.right] - line).abs();
        bends[first - 1] = bends[first - 1].max(at_left);
        bends[last] = bends[last].max(at_right);
    }
    bends.into_iter().map(|bend| COLUMN_GAP + (bend * BEND_SHARE).min(MAX_BEND_GAP)).collect()
}

fn label_width(edge: &Line) -> f64 {
    let widest = edge.label().map(|line| width(&shorten(line), LABEL_SIZE)).fold(0.0, f64::max);
    if widest > 0.0 { widest + 2.0 * LABEL_SIDE } else { 0.0 }
}

fn lines(picture: &Picture, scene: &Scene, heights: &Heights, columns: &Columns, nodes: &[Rect]) -> Vec<Path> {
    let (begins, ends) =
        (sides(scene, heights, nodes, |link| link.left), sides(scene, heights, nodes, |link| link.right));
    let each = picture.edges.iter().zip(&scene.links).enumerate();
    each.map(|(at, (edge, link))| {
        let thing = &scene.things[link.thing];
        let level = MARGIN + heights.middle[link.thing];
        let (begin, end) = (begins[at], ends[at]);
        let column = label_column(thing.columns);
        let (x, column_width) = columns.of.get(column).copied().unwrap_or_default();
        let wide = label_width(edge);
        let label = (wide > 0.0).then(|| {
            let y = level - thing.height / 2.0;
            Rect { x: x + (column_width - wide) / 2.0, y, width: wide, height: thing.height }
        });
        let from = (nodes[edge.from].x + nodes[edge.from].width, begin);
        let to = (nodes[edge.to].x, end);
        let (first, last) = thing.columns;
        let data = if link.back {
            back_path(from, to, level)
        } else if first == last && columns.of[first].1 == 0.0 {
            tip(bend(from, (to.0 - TIP, to.1)), to.0)
        } else {
            let (left, right) = (columns.of[first].0, columns.of[last].0 + columns.of[last].1);
            let level_part = format!("{} H{right:.1}", bend(from, (left, level)));
            tip(format!("{level_part} {}", curve((right, level), (to.0 - TIP, to.1))), to.0)
        };
        Path { data, label }
    })
    .collect()
}

/// Where each line touches the node that `node` picks: in the order in which the lines go on.
fn sides(scene: &Scene, heights: &Heights, nodes: &[Rect], node: impl Fn(&Link) -> usize) -> Vec<f64> {
    let mut at_node: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    scene.links.iter().enumerate().for_each(|(at, link)| at_node[node(link)].push(at));
    let mut places = vec![0.0; scene.links.len()];
    for (rect, mut lines) in nodes.iter().zip(at_node) {
        let level = |line: &usize| heights.middle[scene.links[*line].thing];
        lines.sort_by(|a, b| level(a).total_cmp(&level(b)).then(a.cmp(b)));
        let top = rect.y + rect.height / 2.0 - END_STEP * (lines.len().saturating_sub(1)) as f64 / 2.0;
        for (at, line) in lines.into_iter().enumerate() {
            places[line] = top + END_STEP * at as f64;
        }
    }
    places
}

/// A way and its level end.
fn tip(way: String, end: f64) -> String {
    format!("{way} H{end:.1}")
}

fn bend(from: (f64, f64), to: (f64, f64)) -> String {
    format!("M{:.1} {:.1} {}", from.0, from.1, curve(from, to))
}

/// From one point to another, level at both.
fn curve(from: (f64, f64), to: (f64, f64)) -> String {
    let middle = f64::midpoint(from.0, to.0);
    format!("C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}", from.1, to.1, to.0, to.1)
}

/// Around the right of the one, below both, and around the left of the other.
fn back_path(from: (f64, f64), to: (f64, f64), level: f64) -> String {
    let (right, left) = (from.0 + BACK_REACH, to.0 - BACK_REACH);
    format!(
        "M{:.1} {:.1} C{right:.1} {:.1} {right:.1} {level:.1} {:.1} {level:.1} H{:.1} C{left:.1} {level:.1} {left:.1} {:.1} {:.1} {:.1}",
        from.0, from.1, from.1, from.0, to.0, to.1, to.0, to.1
    )
}
