//! Tests of what follows from what.

use super::ending::CUT_GRACE;
use super::*;
use crate::graph::{OnExit, Restart, RestartPolicy};
use crate::runner::event::Interruption;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

const A: BackendId = BackendId(0);
const B: BackendId = BackendId(1);
const GRACE: Duration = Duration::from_secs(5);

fn running() -> State {
    let mut state = starting();
    on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new()));
    on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new()));
    state
}

fn starting() -> State {
    starting_with(RestartPolicy::default())
}

fn starting_with(restart: RestartPolicy) -> State {
    supervised(Supervision { restart, ..Supervision::default() })
}

fn supervised(supervision: Supervision) -> State {
    let nodes = vec![("source".to_owned(), A), ("sink".to_owned(), B)];
    State::new(vec![("source".to_owned(), supervision), ("sink".to_owned(), supervision)], nodes, GRACE)
}

fn on(state: &mut State, event: Event) -> Vec<Command> {
    state.on(&event, Duration::ZERO, |edge| format!("edge {edge}"))
}

fn exit(raw: i32) -> Exit {
    Exit { status: Some(ExitStatus::from_raw(raw)), complaint: None }
}

fn ended(node: u32, verdict: Verdict) -> FromBackend {
    FromBackend::Ended { node, verdict }
}

#[test]
fn nothing_flows_before_every_backend_is_ready() {
    let mut state = starting();
    assert_eq!(on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new())), []);
    let go = on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new()));
    assert_eq!(go, [Command::Attached, Command::Tell(ToBackend::Go)]);
}

#[test]
fn a_failure_before_the_barrier_kills_and_after_it_drains() {
    let failed = || Event::Frame(A, ended(0, Verdict::Failed { cause: "no such file".to_owned() }), Vec::new());
    assert_eq!(on(&mut starting(), failed()), [Command::KillAll]);
    let mut state = running();
    assert_eq!(on(&mut state, failed()), [Command::Tell(ToBackend::Stop), Command::Deadline(GRACE)]);
    let (_, failures, _) = state.into_parts();
    assert_eq!((failures[0].who.as_str(), failures[0].cause.as_str()), ("node `source`", "no such file"));
}

#[test]
fn the_first_interrupt_drains_and_the_second_kills() {
    let mut state = running();
    let first = on(&mut state, Event::Interrupt(Interruption::Int));
    assert_eq!(first[1..], [Command::Tell(ToBackend::Stop), Command::Deadline(GRACE)]);
    assert_eq!(on(&mut state, Event::Interrupt(Interruption::Int)), [Command::KillAll]);
    assert_eq!(state.into_parts().0, End::Interrupted(Interruption::Int));
}

#[test]
fn the_first_interrupt_of_a_run_that_is_draining_already_does_not_kill() {
    let mut state = running();
    on(&mut state, Event::TimeIsUp);
    assert!(!on(&mut state, Event::Interrupt(Interruption::Int)).contains(&Command::KillAll));
    assert_eq!(on(&mut state, Event::Interrupt(Interruption::Int)), [Command::KillAll]);
}

#[test]
fn the_last_lines_of_a_failed_node_may_come_after_the_news_of_its_failure() {
    let mut state = running();
    let failed = ended(1, Verdict::Failed { cause: "no".to_owned() });
    on(&mut state, Event::Frame(B, failed, Vec::new()));
    on(&mut state, Event::Line(B, "what I still wanted to say".to_owned()));
    on(&mut state, Event::Exited(B, exit(0)));
    assert_eq!(state.into_parts().1[0].last_lines, ["what I still wanted to say"]);
}

#[test]
fn who_ignores_the_stop_is_cut_and_then_killed_by_name() {
    let mut state = running();
    on(&mut state, Event::Interrupt(Interruption::Term));
    on(&mut state, Event::Frame(A, ended(0, Verdict::Done), Vec::new()));
    let cut = on(&mut state, Event::Deadline);
    assert_eq!(cut[1..], [Command::Tell(ToBackend::Cut), Command::Deadline(CUT_GRACE)]);
    assert_eq!(on(&mut state, Event::Deadline), [Command::KillAll]);
    assert_eq!(state.into_parts().1[0].who, "node `sink`");
}

#[test]
fn a_killed_process_is_named_with_its_signal() {
    let mut state = running();
    let commands = on(&mut state, Event::Exited(B, exit(9)));
    assert_eq!(commands, [Command::Mourn(B), Command::Tell(ToBackend::Stop), Command::Deadline(GRACE)]);
    assert!(state.is_dead(B) && !state.is_dead(A));
    let (_, failures, nodes) = state.into_parts();
    assert_eq!(failures[0].cause, "its process was killed by signal 9 (SIGKILL)");
    assert_eq!(nodes, [NodeStatus::Running, NodeStatus::Killed]);
}

#[test]
fn a_store_into_a_view_is_told_with_edge_message_and_offset() {
    let mut state = running();
    let fault = FromBackend::ViewFault { node: 1, edge: 0, sequence: 17, offset: 4 };
    on(&mut state, Event::Frame(B, fault, Vec::new()));
    on(&mut state, Event::Exited(B, exit(11)));
    let cause = &state.into_parts().1[0].cause;
    assert!(cause.contains("edge 0: message 17, offset 4") && cause.contains("SIGSEGV"), "{cause}");
}

#[test]
fn a_process_that_is_started_again_begins_once_its_station_is_mapped() {
    let policy = RestartPolicy { restart: Restart::OnFailure, max_restarts: 1, ..RestartPolicy::default() };
    let mut state = starting_with(policy);
    on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new()));
    on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new()));
    let commands = on(&mut state, Event::Exited(B, exit(9)));
    assert_eq!(commands[1..], [Command::Pause(B, policy.backoff)]);
    assert!(!state.is_over());
    assert_eq!(on(&mut state, Event::PauseOver(B)), [Command::Start(B)]);
    state.awaits(B, A);
    assert_eq!(on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new())), []);
    let mapped = FromBackend::Mapped { station: 1 };
    assert_eq!(on(&mut state, Event::Frame(A, mapped, Vec::new())), [Command::Go(B)]);
    let commands = on(&mut state, Event::Exited(B, exit(9)));
    assert_eq!(commands, [Command::Mourn(B), Command::Tell(ToBackend::Stop), Command::Deadline(GRACE)]);
    assert!(state.into_parts().1[0].cause.contains("restarted 1 times within 1m"));
}

#[test]
fn an_answer_to_what_a_former_life_sent_does_not_let_the_present_one_begin() {
    let policy = RestartPolicy { restart: Restart::OnFailure, ..RestartPolicy::default() };
    let mut state = starting_with(policy);
    on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new()));
    on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new()));
    for _ in 0..2 {
        on(&mut state, Event::Exited(B, exit(9)));
        on(&mut state, Event::PauseOver(B));
        state.awaits(B, A);
    }
    assert_eq!(on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new())), []);
    let mapped = || Event::Frame(A, FromBackend::Mapped { station: 1 }, Vec::new());
    assert_eq!(on(&mut state, mapped()), [], "the station of the life before");
    assert_eq!(on(&mut state, mapped()), [Command::Go(B)]);
}

#[test]
fn what_is_away_when_the_run_is_stopped_does_not_come_back() {
    let mut state = starting_with(RestartPolicy { restart: Restart::OnFailure, ..RestartPolicy::default() });
    on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new()));
    on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new()));
    on(&mut state, Event::Exited(B, exit(9)));
    assert!(on(&mut state, Event::TimeIsUp).contains(&Command::Mourn(B)));
    assert_eq!(on(&mut state, Event::PauseOver(B)), []);
    on(&mut state, Event::Exited(A, exit(0)));
    assert!(state.is_over());
}

#[test]
fn normal_termination_of_any_node_drains_without_a_failure() {
    let mut state = running();
    let commands = on(&mut state, Event::Frame(B, ended(1, Verdict::NormalTermination), Vec::new()));
    assert_eq!(commands, [Command::Tell(ToBackend::Stop), Command::Deadline(GRACE)]);
    assert_eq!(state.into_parts().1, []);
}

fn introduced(state: &mut State, backend: BackendId) -> Vec<Command> {
    let owner = SegmentOwner::Station(backend.0 as u32);
    on(state, Event::Frame(backend, FromBackend::Segment { owner, name: None }, Vec::new()))
}

#[test]
fn a_process_that_is_not_ready_in_time_is_killed_for_that_unless_it_waits_for_another() {
    let limit = Duration::from_secs(2);
    let mut state = supervised(Supervision { startup_timeout: Some(limit), ..Supervision::default() });
    assert_eq!(state.begin(), [Command::LimitStart(A, 0, limit), Command::LimitStart(B, 0, limit)]);
    introduced(&mut state, A);
    assert_eq!(on(&mut state, Event::StartOverdue(A, 0)), [], "it cannot go on before the other's segments are there");
    assert_eq!(on(&mut state, Event::StartOverdue(B, 0)), [Command::Kill(B)]);
    assert_eq!(introduced(&mut state, B), [Command::LimitStart(A, 0, limit)], "its time begins anew");
    on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new()));
    assert_eq!(on(&mut state, Event::StartOverdue(A, 0)), []);
    on(&mut state, Event::Exited(B, exit(9)));
    let failure = &state.into_parts().1[0];
    assert_eq!((&*failure.who, &*failure.cause), ("node `sink`", "not ready within 2s (`startup_timeout`)"));
}

fn running_with(on_exit: OnExit) -> State {
    let mut state = supervised(Supervision { on_exit, ..Supervision::default() });
    on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new()));
    on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new()));
    state
}

#[test]
fn queues_that_drain_for_as_long_as_it_takes_have_a_limit_once_the_user_wants_the_end() {
    let mut state = running_with(OnExit::Drain);
    let commands = on(&mut state, Event::Exited(B, exit(9)));
    assert_eq!(commands, [Command::Mourn(B), Command::Tell(ToBackend::Stop)]);
    let commands = on(&mut state, Event::Interrupt(Interruption::Int));
    assert_eq!(commands[1..], [Command::Deadline(GRACE)]);
}

#[test]
fn a_failure_that_is_ignored_stops_nobody() {
    let mut state = running_with(OnExit::Ignore);
    let commands = on(&mut state, Event::Exited(B, exit(9)));
    assert!(matches!(commands.as_slice(), [Command::Mourn(B), Command::Warn(_)]), "{commands:?}");
    assert!(state.is_gone(B) && state.is_flowing());
    assert!(state.into_parts().1[0].is_ignored);
}

#[test]
fn a_node_that_returns_while_the_run_ends_is_not_waited_for() {
    let restart = RestartPolicy { restart: Restart::Always, ..RestartPolicy::default() };
    let mut state = starting_with(restart);
    on(&mut state, Event::Frame(A, FromBackend::Ready, Vec::new()));
    on(&mut state, Event::Frame(B, FromBackend::Ready, Vec::new()));
    on(&mut state, Event::TimeIsUp);
    let sink = NodeId(1);
    let commands = on(&mut state, Event::Frame(B, ended(1, Verdict::Returned), Vec::new()));
    assert_eq!(commands, [Command::MournNode(sink), Command::Left(sink)]);
    assert_eq!(on(&mut state, Event::Exited(B, exit(0))), []);
    assert!(state.is_dead(B), "what it had not taken is lost");
    assert_eq!(state.into_parts().2, [NodeStatus::Running, NodeStatus::Finished]);
}
