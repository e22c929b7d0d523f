//! In which layer a node stands: behind everything that it gets messages from.

use std::collections::VecDeque;

/// The layer of each node, counted from 0. Edges that close a cycle on purpose do not count, and without them a valid graph
/// has no cycle.
pub fn layers(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    let mut waits_for = vec![0usize; nodes];
    for &(from, to) in edges {
        after[from].push(to);
        waits_for[to] += 1;
    }
    let is_source: Vec<bool> = waits_for.iter().map(|&count| count == 0).collect();
    let mut layer = vec![0usize; nodes];
    let mut ready: VecDeque<usize> = (0..nodes).filter(|&node| is_source[node]).collect();
    while let Some(node) = ready.pop_front() {
        for &next in &after[node] {
            layer[next] = layer[next].max(layer[node] + 1);
            waits_for[next] -= 1;
            if waits_for[next] == 0 {
                ready.push_back(next);
            }
        }
    }
    // A source stands right before the first that reads it, however far on that is.
    for node in (0..nodes).filter(|&node| is_source[node]) {
        let first_reader = after[node].iter().map(|&next| layer[next]).min();
        layer[node] = first_reader.map_or(0, |first| first.saturating_sub(1));
    }
    layer
}

#[cfg(test)]
mod tests {
    use super::layers;

    #[test]
    fn a_node_stands_behind_all_that_it_reads_and_a_source_before_its_reader() {
        // 0 → 1 → 2, 0 → 2, 3 → 2, and 4 by itself.
        assert_eq!(layers(5, &[(0, 1), (1, 2), (0, 2), (3, 2)]), [0, 1, 2, 1, 0]);
    }
}
