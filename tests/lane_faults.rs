//! Faults that lanes once had, each with the program that showed it.

mod common;

use batons::LaneError;
use batons::lane::{Lane, OnFailure, Run, Ticket};
use common::must_end;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{error::Error, fmt};
use tokio_test::{assert_pending, assert_ready, task::spawn};

fn ticket<T, D>(lane: &Lane<T, D>) -> Ticket<T, D> {
    lane.try_ticket().expect("there is room")
}

/// A lane that notes what is committed; a `None` fails, a 13 panics.
fn noting(on_failure: OnFailure, longest_run: usize) -> Lane<Vec<u64>, Option<u64>> {
    Lane::builder().on_failure(on_failure).longest_run(longest_run).committer(
        Vec::new(),
        |all: &mut Vec<u64>, run: &mut Run<Option<u64>>| {
            for number in run {
                let number = number.ok_or("none")?;
                assert!(number != 13, "on purpose");
                all.push(number);
            }
            Ok(())
        },
    )
}

fn committed(lane: &Lane<Vec<u64>, Option<u64>>) -> Vec<u64> {
    lane.with_value(|all| all.clone())
}

#[test]
fn a_window_made_smaller_loses_no_room_and_is_kept() {
    let lane = Lane::new((), 8);
    let mut tickets: Vec<_> = (0..8).map(|_| ticket(&lane)).collect();
    lane.resize(4);
    for (out, ticket) in (0..8).rev().zip(&mut tickets) {
        drop(ticket.try_turn().expect("the head"));
        let room = 4_u32.saturating_sub(out);
        assert_eq!(lane.room(), room, "{out} are out");
    }
    lane.resize(6);
    assert_eq!(lane.room(), 6);
    lane.resize(2);
    let out = [ticket(&lane), ticket(&lane)];
    assert!(matches!(lane.try_ticket(), Err(LaneError::WouldBlock)));
    drop(out);
}

#[test]
fn who_asks_for_more_at_once_than_a_smaller_window_holds_is_refused() {
    let lane = Lane::new((), 4);
    let mut a = ticket(&lane);
    let mut many = spawn(lane.tickets(4));
    let mut one = spawn(lane.ticket());
    assert_pending!(many.poll());
    assert_pending!(one.poll());
    lane.resize(3);
    assert!(matches!(assert_ready!(many.poll()), Err(LaneError::TooMany { max: 3 })));
    drop(many);
    assert_ready!(one.poll()).expect("there is room").skip();
    drop(a.try_turn().expect("the head"));
    assert_eq!(lane.room(), 3);
}

#[test]
fn a_synchronization_point_that_has_passed_still_ends_the_poison() {
    let lane = noting(OnFailure::UntilSync, 1);
    let (a, b) = (ticket(&lane), ticket(&lane));
    let sync = assert_ready!(spawn(lane.sync()).poll()).expect("room");
    let d = ticket(&lane);
    b.fail("no");
    d.deposit(Some(3)).expect("behind the point");
    sync.deposit(Some(2)).expect("the point");
    a.deposit(Some(0)).expect("below the failure");
    assert_eq!(committed(&lane), [0, 2, 3]);
    ticket(&lane).deposit(Some(4)).expect("behind the point");
    assert_eq!(committed(&lane), [0, 2, 3, 4]);
}

#[test]
fn a_holder_learns_the_cause_after_the_synchronization_point_too() {
    let lane = noting(OnFailure::UntilSync, 8);
    let (a, mut b) = (ticket(&lane), ticket(&lane));
    let mut turn = spawn(b.turn());
    assert_pending!(turn.poll());
    a.fail("no");
    for _ in 0..3 {
        let sync = assert_ready!(spawn(lane.sync()).poll()).expect("room");
        sync.deposit(Some(1)).expect("the point");
    }
    assert_eq!(lane.frontier(), 5);
    let Err(LaneError::Poisoned(failure)) = assert_ready!(turn.poll()) else { panic!("it was poisoned") };
    assert_eq!(failure.seq(), 0);
}

#[test]
fn the_lowest_failure_before_a_synchronization_point_is_the_one_that_is_told() {
    let lane = noting(OnFailure::UntilSync, 8);
    let tickets: Vec<_> = (0..4).map(|_| ticket(&lane)).collect();
    let [_a, b, c, mut d] = <[_; 4]>::try_from(tickets).expect("four");
    c.fail("late");
    b.fail("early");
    let Err(LaneError::Poisoned(failure)) = d.try_turn() else { panic!("it is poisoned") };
    assert_eq!(failure.seq(), 1);
}

#[test]
fn a_failing_run_keeps_what_was_deposited_behind_a_synchronization_point() {
    let lane = noting(OnFailure::UntilSync, 8);
    let (a, b, c) = (ticket(&lane), ticket(&lane), ticket(&lane));
    let sync = assert_ready!(spawn(lane.sync()).poll()).expect("room");
    let e = ticket(&lane);
    e.deposit(Some(4)).expect("not poisoned");
    sync.deposit(Some(3)).expect("not poisoned");
    c.deposit(Some(2)).expect("not yet");
    b.deposit(None).expect("not yet");
    a.deposit(Some(0)).expect("the head");
    assert_eq!(committed(&lane), [0, 3, 4]);
    assert_eq!(lane.frontier(), 5);
}

#[test]
fn a_failing_run_stops_where_failures_stop() {
    let lane = noting(OnFailure::Stop, 8);
    let (a, b, c) = (ticket(&lane), ticket(&lane), ticket(&lane));
    c.deposit(Some(2)).expect("it waits");
    b.deposit(None).expect("it waits");
    a.deposit(Some(0)).expect("the head");
    assert_eq!((committed(&lane), lane.frontier()), (vec![0], 1));
    lane.repair(1).expect("it stopped there").deposit(Some(1)).expect("the head");
    assert_eq!(committed(&lane), [0, 1, 2]);
}

#[test]
fn a_panic_of_the_committer_does_not_leave_the_next_run_behind() {
    let lane = noting(OnFailure::UntilSync, 1);
    let a = ticket(&lane);
    let sync = assert_ready!(spawn(lane.sync()).poll()).expect("room");
    sync.deposit(Some(1)).expect("the point");
    let panicked = catch_unwind(AssertUnwindSafe(|| a.deposit(Some(13))));
    assert!(panicked.is_err());
    assert_eq!((committed(&lane), lane.frontier()), (vec![1], 2));
    assert_ready!(spawn(lane.drain()).poll()).expect("all have passed");
}

#[test]
fn who_looks_at_the_value_makes_a_turn_wait_and_not_spin() {
    must_end(|| {
        let lane = Lane::new((), 4);
        let (mut a, mut b) = (ticket(&lane), ticket(&lane));
        let mut turn = spawn(b.turn());
        assert_pending!(turn.poll());
        drop(a.try_turn().expect("the head"));
        assert!(turn.is_woken());
        lane.with_value(|()| assert_pending!(turn.poll()));
        assert!(turn.is_woken());
        assert!(assert_ready!(turn.poll()).is_ok());
    });
}

/// A cause that calls its lane when it is converted and when it is dropped.
#[derive(Debug)]
struct Caller(Lane<Vec<u64>, Option<u64>>);

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a caller")
    }
}

impl Error for Caller {}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.0.frontier();
    }
}

struct Converted(Lane<Vec<u64>, Option<u64>>);

impl From<Converted> for Box<dyn Error + Send + Sync> {
    fn from(converted: Converted) -> Self {
        let _ = converted.0.frontier();
        Box::new(Caller(converted.0.clone()))
    }
}

#[test]
fn causes_are_made_and_dropped_under_no_lock() {
    must_end(|| {
        for policy in [OnFailure::Poison, OnFailure::UntilSync, OnFailure::Stop] {
            let lane = noting(policy, 8);
            let tickets: Vec<_> = (0..4).map(|_| ticket(&lane)).collect();
            let [a, mut b, c, d] = <[_; 4]>::try_from(tickets).expect("four");
            c.fail(Converted(lane.clone())); // kept
            d.fail(Converted(lane.clone())); // of no consequence
            a.deposit(Some(0)).expect("the head");
            b.try_turn().expect("the head").fail(Converted(lane.clone())); // takes the place of the first
            drop(lane);
        }
    });
}

#[test]
fn numbers_below_a_failure_may_still_be_named() {
    let lane = noting(OnFailure::Poison, 8);
    lane.ticket_at(2).expect("within the window").fail("no");
    assert!(matches!(lane.ticket_at(3), Err(LaneError::Poisoned(_))));
    lane.ticket_at(1).expect("below").deposit(Some(1)).expect("below");
    lane.ticket_at(0).expect("below").deposit(Some(0)).expect("below");
    assert_eq!(committed(&lane), [0, 1]);
    assert!(assert_ready!(spawn(lane.drain()).poll()).is_err());
}

#[test]
fn what_was_never_named_is_lost_when_the_lane_is_closed() {
    let lane = noting(OnFailure::Poison, 8);
    lane.ticket_at(3).expect("within the window").deposit(Some(3)).expect("not yet");
    lane.ticket_at(0).expect("within the window").deposit(Some(0)).expect("the head");
    let mut drain = spawn(lane.drain());
    assert_pending!(drain.poll());
    lane.close();
    let Err(LaneError::Poisoned(failure)) = assert_ready!(drain.poll()) else { panic!("1 never came") };
    assert_eq!(failure.to_string(), "number 1 failed: nobody asked for it before the lane was closed");

    let lane = noting(OnFailure::Skip, 8);
    lane.ticket_at(3).expect("within the window").deposit(Some(3)).expect("not yet");
    lane.close();
    assert_eq!(committed(&lane), [3]);
    assert_ready!(spawn(lane.drain()).poll()).expect("all have passed");
}

#[test]
fn nobody_waits_for_a_number_beyond_the_end() {
    let lane = noting(OnFailure::Poison, 8);
    let a = ticket(&lane);
    let (mut beyond, mut last) = (spawn(lane.reached(2)), spawn(lane.reached(1)));
    assert_pending!(beyond.poll());
    assert_pending!(last.poll());
    lane.close();
    assert!(matches!(assert_ready!(beyond.poll()), Err(LaneError::Closed)));
    assert_pending!(last.poll());
    a.deposit(Some(0)).expect("the head");
    assert_ready!(last.poll()).expect("it has passed");
    assert!(matches!(assert_ready!(spawn(lane.reached(9)).poll()), Err(LaneError::Closed)));
    assert!(lane.reached_event(9).is_set());
}

#[test]
fn every_driver_learns_that_there_are_no_more_runs() {
    let lane: Lane<(), ()> = Lane::builder().build(());
    let (mut one, mut two) = (lane.commits(), lane.commits());
    let (mut first, mut second) = (spawn(one.next_run()), spawn(two.next_run()));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    lane.close();
    assert!(assert_ready!(second.poll()).is_none());
    assert!(first.is_woken());
    assert!(assert_ready!(first.poll()).is_none());
}

#[test]
fn a_run_that_fails_as_a_whole_across_a_synchronization_point_does_not_jam() {
    let lane: Lane<Vec<u64>, u64> =
        Lane::builder().on_failure(OnFailure::UntilSync).committer(Vec::new(), |all: &mut Vec<u64>, run| {
            let first = run.next_seq();
            let written: Vec<_> = run.by_ref().collect();
            if first == 0 {
                run.fail_at(1);
                all.push(written[0]);
                return Err("the rest is not on the disk".into());
            }
            all.extend(written);
            Ok(())
        });
    let (zero, one, two) = (ticket(&lane), ticket(&lane), ticket(&lane));
    let sync = tokio_test::assert_ready!(tokio_test::task::spawn(lane.sync()).poll()).expect("room");
    let (four, mut five) = (ticket(&lane), ticket(&lane));
    for late in [four, sync, two, one, zero] {
        let seq = late.seq();
        let _ = late.deposit(seq);
    }
    assert_eq!(
        lane.frontier(),
        6,
        "whoever was taken fails, and whoever comes behind it up to the next point"
    );
    assert!(matches!(five.try_turn(), Err(LaneError::Poisoned(_))));
    let again = tokio_test::assert_ready!(tokio_test::task::spawn(lane.sync()).poll()).expect("room");
    drop(five);
    again.deposit(6).expect("a new start");
    assert_eq!(lane.with_value(|all| all.clone()), [0, 6]);
}
