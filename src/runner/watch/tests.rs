//! Tests of who is found to hold up a run.

use super::*;

/// Edges of a small graph, as `(from, to)`, each with a queue of 4 that blocks.
fn watched(nodes: usize, edges: &[(usize, usize)]) -> Watched {
    let mut watched = Watched { nodes: vec![WatchedNode::default(); nodes], ..Watched::default() };
    watched.warn_after = Some(seconds(10));
    for (at, &(from, to)) in edges.iter().enumerate() {
        watched.nodes[from].outputs.push(at);
        watched.nodes[to].inputs.push(at);
        watched.edges.push(WatchedEdge { from, to, queue: 4, blocks: true, feedback: false, input_timeout: None });
    }
    watched
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A run whose nodes all run, each edge as `(published, taken)`; what is published was offered.
fn snapshot(watched: &Watched, edges: &[(u64, u64)]) -> Snapshot {
    let look = |&(published, taken): &(u64, u64)| Look { offered: published, published, taken, left: false };
    Snapshot { edges: edges.iter().map(look).collect(), nodes: vec![Presence::Running; watched.nodes.len()] }
}

/// Looks at the same thing for some time.
fn same(watched: &Watched, edges: &[(u64, u64)], until: u64) -> History {
    let mut history = History::new(watched);
    history.see(watched, snapshot(watched, edges), Duration::ZERO);
    go_on(&mut history, watched, &snapshot(watched, edges), until);
    history
}

/// Looks at it now, and then as often as is due.
fn go_on(history: &mut History, watched: &Watched, snapshot: &Snapshot, for_seconds: u64) {
    let every = watched.every().unwrap_or(seconds(1));
    let looks = seconds(for_seconds).as_millis() / every.as_millis();
    (0..=looks).for_each(|_| history.see(watched, snapshot.clone(), every));
}

/// The edge, the node, and those that wait for it.
fn culprits(history: &History, watched: &Watched) -> Vec<(usize, usize, Vec<usize>)> {
    let stalls = history.stalls(watched).into_iter();
    stalls.map(|stall| (stall.edge.0, stall.node.0, stall.waiting.iter().map(|node| node.0).collect())).collect()
}

#[test]
fn a_node_that_takes_nothing_from_a_full_edge_is_named_once_it_has_been_so_for_long_enough() {
    let watched = watched(2, &[(0, 1)]);
    assert_eq!(culprits(&same(&watched, &[(7, 3)], 9), &watched), []);
    assert_eq!(culprits(&same(&watched, &[(7, 3)], 10), &watched), [(0, 1, vec![0])]);
    assert_eq!(culprits(&same(&watched, &[(6, 3)], 10), &watched), [], "there is room");
}

#[test]
fn of_a_chain_of_full_edges_the_last_consumer_is_named_and_all_before_it_wait() {
    let watched = watched(4, &[(0, 1), (1, 2), (2, 3)]);
    assert_eq!(culprits(&same(&watched, &[(9, 5), (5, 1), (4, 0)], 20), &watched), [(2, 3, vec![0, 1, 2])]);
    assert_eq!(culprits(&same(&watched, &[(9, 5), (5, 1), (1, 1)], 20), &watched), [(1, 2, vec![0, 1])]);
}

#[test]
fn of_several_edges_of_an_output_the_full_one_is_named() {
    let watched = watched(4, &[(0, 1), (1, 2), (1, 3)]);
    assert_eq!(culprits(&same(&watched, &[(8, 4), (4, 4), (4, 0)], 10), &watched), [(2, 3, vec![0, 1])]);
}

#[test]
fn a_slow_node_that_takes_something_now_and_then_is_not_stalled() {
    let watched = watched(2, &[(0, 1)]);
    let mut history = same(&watched, &[(7, 3)], 9);
    go_on(&mut history, &watched, &snapshot(&watched, &[(8, 4)]), 10);
    assert_eq!(culprits(&history, &watched), []);
}

#[test]
fn the_time_that_a_node_was_kept_waiting_does_not_count() {
    let mut watched = watched(3, &[(0, 1), (1, 2)]);
    watched.nodes[1].stall_timeout = Some(seconds(1));
    let mut history = same(&watched, &[(8, 4), (4, 0)], 60);
    go_on(&mut history, &watched, &snapshot(&watched, &[(8, 4), (4, 1)]), 0);
    assert_eq!(history.overdue(&watched), []);
    go_on(&mut history, &watched, &snapshot(&watched, &[(8, 4), (4, 1)]), 1);
    let limit = seconds(1);
    assert_eq!(history.overdue(&watched), [Overdue { node: NodeId(1), edge: EdgeId(0), limit }]);
}

#[test]
fn a_node_is_overdue_where_any_message_waits_also_on_an_edge_that_drops() {
    let mut watched = watched(2, &[(0, 1)]);
    watched.edges[0].blocks = false;
    watched.nodes[1].stall_timeout = Some(seconds(2));
    let edge = EdgeId(0);
    let overdue = Overdue { node: NodeId(1), edge, limit: seconds(2) };
    assert_eq!(same(&watched, &[(1, 0)], 2).overdue(&watched), [overdue]);
    assert_eq!(same(&watched, &[(1, 1)], 9).overdue(&watched), [], "nothing waits");
    assert_eq!(culprits(&same(&watched, &[(9, 0)], 20), &watched), [], "nobody waits for it");
}

#[test]
fn a_node_whose_process_is_away_or_that_has_left_is_not_to_blame() {
    let mut watched = watched(2, &[(0, 1)]);
    watched.nodes[1].stall_timeout = Some(seconds(1));
    let mut history = History::new(&watched);
    let mut away = snapshot(&watched, &[(4, 0)]);
    away.nodes[1] = Presence::Away;
    go_on(&mut history, &watched, &away, 100);
    assert_eq!((culprits(&history, &watched), history.overdue(&watched)), (vec![], vec![]));
    let mut left = snapshot(&watched, &[(4, 0)]);
    left.edges[0].left = true;
    go_on(&mut history, &watched, &left, 100);
    assert_eq!((culprits(&history, &watched), history.overdue(&watched)), (vec![], vec![]));
}

#[test]
fn a_producer_that_has_ended_waits_for_nobody() {
    let watched = watched(2, &[(0, 1)]);
    let mut history = History::new(&watched);
    let mut ended = snapshot(&watched, &[(4, 0)]);
    ended.nodes[0] = Presence::Ended;
    go_on(&mut history, &watched, &ended, 20);
    assert_eq!(culprits(&history, &watched), []);
}

#[test]
fn looks_are_as_frequent_as_the_limits_ask_for_and_none_where_nothing_can_stall() {
    let mut watched = watched(2, &[(0, 1)]);
    assert_eq!(watched.every(), Some(seconds(1)));
    watched.nodes[1].stall_timeout = Some(Duration::from_millis(500));
    assert_eq!(watched.every(), Some(Duration::from_millis(100)));
    watched.nodes[1].stall_timeout = None;
    watched.edges[0].blocks = false;
    assert_eq!(watched.every(), None);
}

#[test]
fn a_time_in_which_nobody_looked_is_not_held_against_anybody() {
    let watched = watched(2, &[(0, 1)]);
    let mut history = same(&watched, &[(7, 3)], 5);
    history.see(&watched, snapshot(&watched, &[(7, 3)]), seconds(3600));
    assert_eq!(culprits(&history, &watched), []);
}

/// A chain `0 -> 1 -> 2`, through whose last edge something is to come every two seconds.
fn timed_chain() -> Watched {
    let mut chain = watched(3, &[(0, 1), (1, 2)]);
    chain.edges[1].input_timeout = Some(seconds(2));
    chain
}

fn blamed(history: &History, watched: &Watched) -> Vec<(usize, Why)> {
    history.silences(watched).iter().map(|silence| (silence.node.0, silence.why)).collect()
}

#[test]
fn a_producer_that_has_work_and_sends_nothing_is_to_blame_for_the_silence_after_it() {
    let chain = timed_chain();
    let quiet = same(&chain, &[(3, 2), (0, 0)], 2);
    assert_eq!(blamed(&quiet, &chain), [(1, Why::LeavesWaiting(EdgeId(0)))]);
    let mut busy = same(&chain, &[(3, 3), (0, 0)], 1);
    go_on(&mut busy, &chain, &snapshot(&chain, &[(4, 4), (0, 0)]), 1);
    assert_eq!(blamed(&busy, &chain), [(1, Why::SendsNothing)], "it takes what comes, and makes nothing of it");
    assert_eq!(blamed(&same(&chain, &[(3, 2), (0, 0)], 1), &chain), [], "not yet");
}

#[test]
fn the_silence_of_a_node_that_gets_nothing_is_the_fault_of_those_before_it() {
    let chain = timed_chain();
    assert_eq!(blamed(&same(&chain, &[(3, 3), (2, 2)], 3), &chain), [(0, Why::SendsNothing)]);
}

#[test]
fn the_silence_of_a_node_that_waits_for_room_is_the_fault_of_the_last_one_behind_a_full_edge() {
    let mut fork = watched(5, &[(0, 1), (1, 2), (1, 3), (3, 4)]);
    fork.edges[1].input_timeout = Some(seconds(2));
    let history = same(&fork, &[(8, 4), (4, 4), (8, 4), (4, 0)], 3);
    assert_eq!(blamed(&history, &fork), [(4, Why::HoldsUp(EdgeId(3)))]);
}

#[test]
fn a_message_that_waits_is_no_silence_and_neither_is_an_end() {
    let chain = timed_chain();
    assert_eq!(blamed(&same(&chain, &[(3, 3), (2, 1)], 9), &chain), []);
    let mut ended = snapshot(&chain, &[(3, 3), (2, 2)]);
    ended.nodes[1] = Presence::Ended;
    let mut history = History::new(&chain);
    go_on(&mut history, &chain, &ended, 9);
    assert_eq!(blamed(&history, &chain), []);
}

#[test]
fn a_node_that_was_just_started_again_has_its_full_time_before_it_is_to_blame() {
    let chain = timed_chain();
    let mut history = same(&chain, &[(3, 3), (2, 2)], 1);
    let mut away = snapshot(&chain, &[(3, 3), (2, 2)]);
    away.nodes[0] = Presence::Away;
    go_on(&mut history, &chain, &away, 60);
    assert_eq!(blamed(&history, &chain), [], "what everything waits for is away");
    go_on(&mut history, &chain, &snapshot(&chain, &[(3, 3), (2, 2)]), 1);
    assert_eq!(blamed(&history, &chain), []);
    go_on(&mut history, &chain, &snapshot(&chain, &[(3, 3), (2, 2)]), 2);
    assert_eq!(blamed(&history, &chain), [(0, Why::SendsNothing)]);
}

#[test]
fn what_goes_round_in_a_cycle_is_not_walked_through_for_ever() {
    let mut cycle = watched(3, &[(0, 1), (1, 0), (1, 2)]);
    cycle.edges[2].input_timeout = Some(seconds(2));
    let history = same(&cycle, &[(1, 1), (1, 1), (1, 1)], 3);
    assert_eq!(history.silences(&cycle).len(), 1);
}
