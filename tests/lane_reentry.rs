//! Nothing foreign runs under the lock of a lane: wakers, deposits, committers and reports that call the lane, or
//! panic, neither hang nor harm it.
#![allow(clippy::similar_names, clippy::type_complexity)]

mod common;

use batons::lane::{Lane, OnFailure, Run, Ticket};
use common::{calling_waker, must_end, panic_of, poll_with};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::Waker;

type TestLane = Lane<Vec<u64>, Deposit>;

/// A deposit that calls its lane when it is dropped.
struct Deposit(TestLane, u64);

impl Drop for Deposit {
    fn drop(&mut self) {
        call(&self.0);
    }
}

fn lane(policy: OnFailure, window: u32) -> TestLane {
    Lane::builder().window(window).on_failure(policy).committer(
        Vec::new(),
        |log: &mut Vec<u64>, run: &mut Run<Deposit>| {
            for deposit in run {
                call(&deposit.0);
                log.push(deposit.1);
            }
            Ok(())
        },
    )
}

fn ticket(lane: &TestLane) -> Ticket<Vec<u64>, Deposit> {
    lane.try_ticket().expect("there is room")
}

/// All that anybody may call from anywhere.
fn call(lane: &TestLane) {
    let _ = (lane.frontier(), lane.room(), lane.stall(), lane.snapshot(), lane.failure());
    let _ = (lane.reached_event(7).is_set(), format!("{lane:?}"));
    if let Ok(ticket) = lane.try_ticket() {
        ticket.skip();
    }
    lane.resize(lane.snapshot().window());
}

/// A waker that calls `lane`, and the count of its wakes.
fn calls(lane: &TestLane) -> (Waker, Arc<AtomicUsize>) {
    let wakes = Arc::new(AtomicUsize::new(0));
    let (lane, count) = (lane.clone(), Arc::clone(&wakes));
    let waker = calling_waker(move || {
        count.fetch_add(1, Relaxed);
        call(&lane);
    });
    (waker, wakes)
}

const POLICIES: [OnFailure; 5] =
    [OnFailure::Skip, OnFailure::Poison, OnFailure::Tell, OnFailure::Stop, OnFailure::UntilSync];

/// What may end the number of the head, or the lane.
const ENDS: [fn(&TestLane, Ticket<Vec<u64>, Deposit>); 8] = [
    |_, head| head.skip(),
    |_, head| drop(head),
    |_, head| head.fail("no"),
    |lane, head| drop(head.deposit(Deposit(lane.clone(), 1))),
    |_, mut head| drop(head.try_turn().expect("the head")),
    |_, mut head| head.try_turn().expect("the head").fail("no"),
    |lane, head| {
        lane.close();
        drop(head);
    },
    |lane, head| {
        lane.cancel();
        drop(head);
    },
];

#[test]
fn wakers_and_deposits_may_call_the_lane() {
    must_end(|| {
        for policy in POLICIES {
            for end in ENDS {
                let lane = lane(policy, 4);
                let (head, mut next, third) = (ticket(&lane), ticket(&lane), ticket(&lane));
                let fourth = ticket(&lane);
                let (waker, wakes) = calls(&lane);
                third.deposit(Deposit(lane.clone(), 3)).expect("no failure");
                let (mut turn, mut room) = (next.turn(), lane.ticket());
                let (mut many, mut reached, mut drain) = (lane.tickets(2), lane.reached(1), lane.drain());
                let mut looks = fourth.ready().wait_owned();
                assert!(poll_with(&mut turn, &waker).is_pending());
                assert!(poll_with(&mut room, &waker).is_pending());
                assert!(poll_with(&mut many, &waker).is_pending());
                assert!(poll_with(&mut reached, &waker).is_pending());
                assert!(poll_with(&mut drain, &waker).is_pending());
                assert!(poll_with(&mut looks, &waker).is_pending());
                end(&lane, head);
                let stopped = policy == OnFailure::Stop && lane.frontier() == 0 && wakes.load(Relaxed) == 0;
                assert!(wakes.load(Relaxed) > 0 || stopped, "{policy:?}");
                drop((turn, room, many, reached, drain, looks));
                drop((next, fourth));
                lane.cancel();
            }
        }
    });
}

#[test]
fn a_waker_that_panics_keeps_nobody_asleep_and_the_value_is_not_lost() {
    must_end(|| {
        let lane = lane(OnFailure::Poison, 3);
        let (head, mut next, third) = (ticket(&lane), ticket(&lane), ticket(&lane));
        third.deposit(Deposit(lane.clone(), 3)).expect("no failure");
        let (waker, wakes) = calls(&lane);
        let armed = Arc::new(AtomicBool::new(true));
        let bad = calling_waker(move || assert!(!armed.swap(false, Relaxed), "the waker panics"));
        let (mut room, mut reached, mut turn) = (lane.ticket(), lane.reached(1), next.turn());
        assert!(poll_with(&mut room, &bad).is_pending());
        assert!(poll_with(&mut reached, &waker).is_pending());
        assert!(poll_with(&mut turn, &waker).is_pending());
        let panic = panic_of(AssertUnwindSafe(|| head.skip())).expect("it goes on to whoever woke");
        assert_eq!(panic.message, "the waker panics");
        assert_eq!(wakes.load(Relaxed), 2);
        assert!(poll_with(&mut reached, &waker).is_ready());
        drop(turn);
        next.skip(); // the third is committed
        assert_eq!(lane.with_value(|log| log.clone()), [3]);
        drop(room);
        assert!(lane.frontier() >= 3); // wakers have taken tickets
    });
}

#[test]
fn a_waker_that_panics_does_not_keep_a_run_from_being_committed() {
    must_end(|| {
        let lane = lane(OnFailure::Poison, 2);
        let (head, next) = (ticket(&lane), ticket(&lane));
        next.deposit(Deposit(lane.clone(), 2)).expect("no failure");
        let bad = calling_waker(|| panic!("the waker panics"));
        let mut reached = lane.reached(1);
        assert!(poll_with(&mut reached, &bad).is_pending());
        assert!(panic_of(AssertUnwindSafe(|| head.skip())).is_some());
        assert_eq!(lane.with_value(|log| log.clone()), [2]);
        lane.blocking_drain().expect("nothing failed");
    });
}
