//! The picture as SVG, drawn here: readable on light and dark, and everything in it has a title.

use super::geometry::{Geometry, LABEL_SIZE, LABEL_STEP, MARGIN, NAME_SIZE, Path, Rect, TYPE_SIZE};
use super::text::{shorten, width};
use super::{Line, Picture, Shape};
use crate::graph::Delivery;
use std::fmt::Write;

/// Length of a line in the legend, and the room behind its words.
const LEGEND_LINE: f64 = 46.0;
const LEGEND_GAP: f64 = 28.0;
const LEGEND_HEIGHT: f64 = 34.0;

/// Colours and strokes.
const STYLE: &str = "
.ground{fill:#ffffff}.node{fill:#f8fafc;stroke:#475569}.box{fill:#eef2ff;stroke:#a5b4fc}
text{font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#0f172a}
.name{font-weight:bold}.type,.note{fill:#475569}.title{fill:#4338ca;font-weight:bold}.drops{fill:#b91c1c}
.label{fill:#ffffff}.label-in-box{fill:#eef2ff}
.copy,.view{fill:none;stroke-width:1.6}.copy{stroke:#b45309}.view{stroke:#0f766e;stroke-dasharray:6 3}
.copy-tip{fill:#b45309}.view-tip{fill:#0f766e}
@media (prefers-color-scheme:dark){
.ground{fill:#0f172a}.node{fill:#1e293b;stroke:#94a3b8}.box{fill:#1e1b4b;stroke:#6366f1}
text{fill:#f1f5f9}.type,.note{fill:#cbd5e1}.title{fill:#a5b4fc}.drops{fill:#fca5a5}.label{fill:#0f172a}.label-in-box{fill:#1e1b4b}
.copy{stroke:#fbbf24}.view{stroke:#5eead4}.copy-tip{fill:#fbbf24}.view-tip{fill:#5eead4}
}
";

/// Tips of lines. A copying one has a dot: there the consumer's own copy is made.
const TIPS: &str = "<defs>
<marker id=\"copy-tip\" class=\"copy-tip\" viewBox=\"0 0 18 10\" refX=\"18\" refY=\"5\" markerWidth=\"18\" \
markerHeight=\"10\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><circle cx=\"4.5\" cy=\"5\" r=\"4\"/>\
<path d=\"M9 1L18 5L9 9z\"/></marker>
<marker id=\"view-tip\" class=\"view-tip\" viewBox=\"0 0 9 10\" refX=\"9\" refY=\"5\" markerWidth=\"9\" \
markerHeight=\"10\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 1L9 5L0 9z\"/></marker>
</defs>
";

/// Draws it.
pub fn draw(picture: &Picture, geometry: &Geometry) -> String {
    let legend = Legend::of(picture);
    let wide = geometry.width.max(legend.width + 2.0 * MARGIN);
    let high = geometry.height + LEGEND_HEIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide:.0}\" height=\"{high:.0}\" \
         viewBox=\"0 0 {wide:.0} {high:.0}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n{TIPS}\
         <rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n",
        escaped(&picture.name)
    );
    for (frame, rect) in picture.boxes.iter().zip(&geometry.boxes) {
        let title = Words { x: rect.x + 10.0, y: rect.y + 17.0, size: NAME_SIZE, class: "title", middle: false };
        let title = title.write(&shorten(&frame.name));
        let _ = writeln!(svg, "<g>{}{}{title}</g>", titled(&frame.name), rectangle(rect, "box", 10));
    }
    for (edge, path) in picture.edges.iter().zip(&geometry.lines) {
        let _ = writeln!(svg, "{}", line(picture, edge, path));
    }
    for (node, rect) in picture.nodes.iter().zip(&geometry.nodes) {
        let _ = writeln!(svg, "{}", shape(node, rect));
    }
    for (edge, path) in picture.edges.iter().zip(&geometry.lines) {
        if let Some(rect) = &path.label {
            let _ = writeln!(svg, "{}", label(picture, edge, rect));
        }
    }
    svg + &legend.draw(geometry.height) + "</svg>\n"
}

fn shape(node: &Shape, rect: &Rect) -> String {
    let (x, y) = (rect.x + rect.width / 2.0, rect.y + rect.height / 2.0);
    let name = Words { x, y: y - 3.0, size: NAME_SIZE, class: "name", middle: true }.write(&shorten(&node.name));
    let node_type =
        Words { x, y: y + 13.0, size: TYPE_SIZE, class: "type", middle: true }.write(&shorten(&node.node_type));
    let title = titled(&format!("{}: {}", node.name, node.node_type));
    format!("<g>{title}{}{name}{node_type}</g>", rectangle(rect, "node", 6))
}

fn line(picture: &Picture, edge: &Line, path: &Path) -> String {
    let (from, to) = (&picture.nodes[edge.from].name, &picture.nodes[edge.to].name);
    let (class, words) = look(edge.delivery);
    let title = titled(&format!("{from} → {to}: {words}"));
    format!("<g>{title}<path class=\"{class}\" d=\"{}\" marker-end=\"url(#{class}-tip)\"/></g>", path.data)
}

fn label(picture: &Picture, edge: &Line, rect: &Rect) -> String {
    let is_in_box = picture.nodes[edge.from].frame.is_some_and(|frame| picture.nodes[edge.to].frame == Some(frame));
    let mut label = format!("<g>{}", rectangle(rect, if is_in_box { "label-in-box" } else { "label" }, 3));
    let x = rect.x + rect.width / 2.0;
    for (at, text) in edge.label().enumerate() {
        let class = if edge.drops && text == edge.policy { "note drops" } else { "note" };
        let y = rect.y + LABEL_STEP * (at as f64 + 1.0) - 1.0;
        label += &Words { x, y, size: LABEL_SIZE, class, middle: true }.write(&shorten(text));
    }
    label + "</g>"
}

/// The class of an edge, and what that means.
fn look(delivery: Delivery) -> (&'static str, &'static str) {
    match delivery {
        Delivery::Copy => ("copy", "a private copy"),
        Delivery::ZeroCopy => ("view", "a view, nothing is copied"),
    }
}

/// Where and how words are written.
struct Words {
    x: f64,
    y: f64,
    size: f64,
    class: &'static str,
    middle: bool,
}

impl Words {
    fn write(&self, text: &str) -> String {
        let Words { x, y, size, class, middle } = self;
        let anchor = if *middle { " text-anchor=\"middle\"" } else { "" };
        let text = escaped(text);
        format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\"{anchor}>{text}</text>")
    }
}

/// What the looks of lines mean, as far as they occur.
struct Legend {
    deliveries: Vec<Delivery>,
    notes: Vec<&'static str>,
    width: f64,
}

impl Legend {
    fn of(picture: &Picture) -> Self {
        let has = |delivery: &Delivery| picture.edges.iter().any(|edge| edge.delivery == *delivery);
        let deliveries: Vec<Delivery> = [Delivery::Copy, Delivery::ZeroCopy].into_iter().filter(has).collect();
        let note = if picture.boxes.is_empty() {
            "each node is a process"
        } else {
            "a box is a process; a node without one, too"
        };
        let lines = deliveries.iter().map(|&delivery| LEGEND_LINE + 8.0 + width(look(delivery).1, LABEL_SIZE));
        let words = width(note, LABEL_SIZE);
        let width = lines.map(|line| line + LEGEND_GAP).sum::<f64>() + words;
        Legend { deliveries, notes: vec![note], width }
    }

    fn draw(&self, top: f64) -> String {
        let (mut legend, mut x, y) = ("<g>\n".to_owned(), MARGIN, top + 8.0);
        let words = |x: f64| Words { x, y: y + 3.5, size: LABEL_SIZE, class: "note", middle: false };
        for &delivery in &self.deliveries {
            let (class, meaning) = look(delivery);
            let _ = writeln!(
                legend,
                "<path class=\"{class}\" d=\"M{x:.1} {y:.1}h{LEGEND_LINE}\" marker-end=\"url(#{class}-tip)\"/>{}",
                words(x + LEGEND_LINE + 8.0).write(meaning)
            );
            x += LEGEND_LINE + 8.0 + width(meaning, LABEL_SIZE) + LEGEND_GAP;
        }
        for note in &self.notes {
            let _ = writeln!(legend, "{}", words(x).write(note));
        }
        legend + "</g>\n"
    }
}

fn rectangle(rect: &Rect, class: &str, round: u32) -> String {
    let Rect { x, y, width, height } = rect;
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round}\"/>"
    )
}

/// What is shown where the pointer rests.
fn titled(text: &str) -> String {
    format!("<title>{}</title>", escaped(text))
}

/// Text of XML. Characters that XML does not have become spaces.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
