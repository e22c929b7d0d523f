//! An end of an edge is killed, or stands still, in the middle of publishing, borrowing, releasing and attaching, after each
//! of its instructions; the other end goes on.
//!
//! A child that is forked off does the one operation on the real segments. It is traced, goes so many instructions into it,
//! and is killed there. `EZRUN_EVERY_INSTRUCTION=1 cargo test --release --lib steps -- --nocapture` is the long run;
//! otherwise the instructions at both ends, those about each that changes shared memory, and some of the others are tried.

mod traced;
mod world;

use super::CAPTURE;
use crate::channel::SegmentKind;
use crate::graph::Overflow;
use traced::{Child, Span};
use world::{HOLDS, QUEUE, World};

/// So many instructions at each end of an operation are all tried.
const ENDS: usize = 200;
/// So many about each one that changes shared memory.
const NEAR: usize = 2;
/// Between those, one in so many.
const STRIDE: usize = 61;

/// After which instructions of an operation its process is killed.
fn points(span: &Span) -> Vec<usize> {
    let all = 0..=span.instructions();
    if std::env::var_os("EZRUN_EVERY_INSTRUCTION").is_some() {
        return all.collect();
    }
    let near = |point: usize| span.changes.iter().any(|&change| point.abs_diff(change) <= NEAR);
    let chosen = |&point: &usize| {
        point <= ENDS || point + ENDS >= span.instructions() || point.is_multiple_of(STRIDE) || near(point)
    };
    all.filter(chosen).collect()
}

/// Stops a process that does `act`, in a world that `prepare` made, at each point, has `then` do away with it, and has
/// `go_on` look at what is left.
fn at_each_point(
    name: &str,
    prepare: impl Fn() -> World,
    act: impl Fn(&mut World),
    then: impl Fn(Child, &mut World),
    go_on: impl Fn(World, usize),
) {
    // The first time some memory is had from the system.
    Span::of(&mut prepare(), &act);
    let span = Span::of(&mut prepare(), &act);
    let points = points(&span);
    let mut missed = 0;
    for &point in &points {
        let mut world = prepare();
        match span.stop_after(&mut world, &act, point) {
            Some(child) => {
                then(child, &mut world);
                go_on(world, point);
            }
            None => missed += 1,
        }
    }
    let (tried, instructions, changes) = (points.len() - missed, span.instructions(), span.changes.len());
    assert!(missed * 3 < points.len(), "{name} goes another way each time: {missed} of {} missed", points.len());
    println!("{name}: {tried} points of {instructions} instructions, of which {changes} change shared memory");
}

/// Kills `act` at each point.
fn kill_everywhere(name: &str, prepare: impl Fn() -> World, act: impl Fn(&mut World), go_on: impl Fn(World, usize)) {
    at_each_point(name, prepare, act, |child, _| drop(child), go_on);
}

/// What was sent before, and what was being sent, where it came to that.
fn after_publish(mut world: World, point: usize) {
    let (heir_first, sent) = (point.is_multiple_of(2), world.sent);
    if heir_first {
        world.replace_producer();
    } else {
        world.producer_has_died();
    }
    for edge in 0..2 {
        world.take_rest(edge, sent + 1);
    }
    if !heir_first {
        world.replace_producer();
    }
    world.exchange_many();
}

fn full(overflow: Overflow) -> World {
    let mut world = World::new([Overflow::Block, overflow]);
    world.send_many(QUEUE);
    world.take(0);
    world
}

#[test]
fn a_producer_is_killed_while_it_publishes() {
    kill_everywhere("publish", || World::new([Overflow::Block; 2]), World::just_send, after_publish);
}

#[test]
fn a_producer_is_killed_while_it_publishes_to_those_who_sleep() {
    let prepare = || {
        let world = World::new([Overflow::Block, Overflow::DropNewest]);
        world.fall_asleep();
        world
    };
    kill_everywhere("publish to sleepers", prepare, World::just_send, after_publish);
}

#[test]
fn a_producer_is_killed_while_it_overwrites() {
    kill_everywhere(
        "publish over the oldest",
        || full(Overflow::DropOldest),
        World::just_send,
        |mut world, point| {
            // The reader of the overwritten edge holds what it took.
            world.hold(1);
            after_publish(world, point);
        },
    );
}

/// A consumer has died: its producer learns of it, or another one takes its place.
fn after_take(mut world: World, point: usize) {
    if point.is_multiple_of(2) {
        world.replace_consumer(1);
        world.take_rest(1, world.sent);
    } else {
        world.consumer_has_died(1);
    }
    world.take_rest(0, world.sent);
    world.exchange_many();
}

fn queued(overflow: Overflow) -> World {
    let mut world = World::new([Overflow::Block, overflow]);
    world.send_many(QUEUE);
    world
}

#[test]
fn a_consumer_is_killed_while_it_borrows() {
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        kill_everywhere("borrow", || queued(overflow), |world| world.just_borrow(1), after_take);
    }
}

#[test]
fn a_consumer_stands_still_while_it_takes_and_its_producer_goes_on() {
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        let meanwhile = |child: Child, world: &mut World| {
            world.take_rest(0, world.sent);
            world.send_what_fits();
            assert!(child.finish(), "what the consumer took was written over");
        };
        let prepare = || queued(overflow);
        at_each_point("borrow and stand still", prepare, |world| world.just_borrow(1), meanwhile, after_take);
        at_each_point("copy and stand still", prepare, |world| world.just_copy(1), meanwhile, after_take);
    }
}

#[test]
fn a_consumer_is_killed_while_it_copies() {
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        kill_everywhere("copy", || queued(overflow), |world| world.just_copy(1), after_take);
    }
}

#[test]
fn a_consumer_is_killed_while_it_releases() {
    let prepare = || {
        let mut world = queued(Overflow::Block);
        (0..HOLDS).for_each(|_| world.hold(1));
        world
    };
    kill_everywhere("release", prepare, |world| world.just_release(1), after_take);
}

#[test]
fn a_consumer_is_killed_while_it_attaches() {
    let prepare = || {
        let mut world = queued(Overflow::Block);
        world.replace_consumer(1);
        world.kind = SegmentKind::Named;
        world
    };
    kill_everywhere(
        "attach a consumer",
        prepare,
        |world| drop(world.attach_consumer(1)),
        |mut world, point| {
            world.nothing_is_left_of_the_child();
            world.kind = SegmentKind::Sealed;
            after_take(world, point);
        },
    );
}

#[test]
fn a_producer_is_killed_while_it_attaches() {
    let prepare = || {
        let mut world = queued(Overflow::Block);
        world.kind = SegmentKind::Named;
        world
    };
    kill_everywhere("attach a producer", prepare, World::attach_producer, |mut world, point| {
        world.nothing_is_left_of_the_child();
        world.kind = SegmentKind::Sealed;
        after_publish(world, point);
    });
}
