//! What is to be placed, and the parts of it that have nothing to do with each other.

use std::collections::BTreeMap;

/// A node or a line.
#[derive(Clone, Debug)]
pub struct Thing {
    /// First and last column.
    pub columns: (usize, usize),
    /// How high it is, and where: a line has the height of its label in the label's column alone.
    pub height: f64,
    /// The one column with that height; all where there is none.
    pub high_at: Option<usize>,
    /// The box that it is in.
    pub frame: Option<usize>,
}

/// A line between two nodes, beside its place among the things.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Index of the thing.
    pub thing: usize,
    /// The ends, as things; `left` stands left of `right`, or right of it where it leads back.
    pub left: usize,
    /// See `left`.
    pub right: usize,
    /// Whether it leads back.
    pub back: bool,
}

/// All that is to be placed.
#[derive(Debug)]
pub struct Scene {
    /// Nodes, then lines.
    pub things: Vec<Thing>,
    /// One for each line.
    pub links: Vec<Link>,
    /// How many boxes there are.
    pub frames: usize,
}

/// The middle of each thing, and top and bottom of each box.
#[derive(Clone, Debug)]
pub struct Heights {
    pub middle: Vec<f64>,
    pub frames: Vec<(f64, f64)>,
}

/// What hangs together, and where it is in the whole.
#[derive(Debug)]
pub struct Part {
    pub scene: Scene,
    pub things: Vec<usize>,
    pub frames: Vec<usize>,
}

/// The parts of a scene between which there are neither lines nor boxes, in the order of their first nodes.
pub fn parts(scene: &Scene) -> Vec<Part> {
    let mut root: Vec<usize> = (0..scene.things.len()).collect();
    let mut first_in: Vec<Option<usize>> = vec![None; scene.frames];
    for (at, thing) in scene.things.iter().enumerate() {
        if let Some(frame) = thing.frame {
            let first = *first_in[frame].get_or_insert(at);
            join(&mut root, first, at);
        }
    }
    for link in &scene.links {
        join(&mut root, link.left, link.thing);
        join(&mut root, link.right, link.thing);
    }
    let mut parts: BTreeMap<usize, Part> = BTreeMap::new();
    let mut place = vec![0; scene.things.len()];
    let empty = || Scene { things: Vec::new(), links: Vec::new(), frames: 0 };
    let mut frame_place: Vec<Option<usize>> = vec![None; scene.frames];
    for (at, thing) in scene.things.iter().enumerate() {
        let part = parts.entry(find(&mut root, at));
        let part = part.or_insert_with(|| Part { scene: empty(), things: Vec::new(), frames: Vec::new() });
        let frame = thing.frame.map(|frame| {
            *frame_place[frame].get_or_insert_with(|| {
                part.frames.push(frame);
                part.frames.len() - 1
            })
        });
        place[at] = part.things.len();
        part.things.push(at);
        part.scene.things.push(Thing { frame, ..thing.clone() });
        part.scene.frames = part.frames.len();
    }
    for link in &scene.links {
        let part = find(&mut root, link.thing);
        let link = Link { thing: place[link.thing], left: place[link.left], right: place[link.right], ..*link };
        if let Some(part) = parts.get_mut(&part) {
            part.scene.links.push(link);
        }
    }
    parts.into_values().collect()
}

/// The first thing of all those that `at` hangs together with.
fn find(root: &mut [usize], mut at: usize) -> usize {
    while root[at] != at {
        root[at] = root[root[at]];
        at = root[at];
    }
    at
}

fn join(root: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(root, a), find(root, b));
    root[a.max(b)] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(column: usize, frame: Option<usize>) -> Thing {
        Thing { columns: (column, column), height: 10.0, high_at: None, frame }
    }

    #[test]
    fn lines_and_boxes_hold_together_what_belongs_to_a_part() {
        // 0 and 3 are in a box, 1 and 2 are joined by the line 5, and 4 is alone.
        let mut things = vec![thing(0, Some(0)), thing(0, None), thing(2, None), thing(0, Some(0)), thing(0, None)];
        things.push(thing(1, None));
        let links = vec![Link { thing: 5, left: 1, right: 2, back: false }];
        let parts = parts(&Scene { things, links, frames: 1 });
        let members: Vec<&[usize]> = parts.iter().map(|part| part.things.as_slice()).collect();
        assert_eq!(members, [&[0, 3][..], &[1, 2, 5], &[4]]);
        assert_eq!((parts[0].scene.frames, parts[1].scene.links.len()), (1, 1));
        assert_eq!((parts[1].scene.links[0].left, parts[1].scene.links[0].thing), (0, 2));
    }
}
