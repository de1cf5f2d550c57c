//! The stall report, watches and deadlines, the snapshot.
#![allow(clippy::similar_names)]

mod common;

use batons::lane::{Lane, LaneBuilder, OnFailure, Overdue, Stall, StallCause, Ticket};
use batons::{LaneError, ManualClock, blocking};
use common::{must_end, panic_of};
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tokio_test::{assert_pending, assert_ready, task::spawn};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn ticket<T, D>(lane: &Lane<T, D>) -> Ticket<T, D> {
    lane.try_ticket().expect("there is room")
}

/// Settings that keep time by hand, and the hand.
fn timed() -> (LaneBuilder, ManualClock) {
    let manual = ManualClock::new();
    (Lane::builder().first(17).timed_by(&manual.clock()), manual)
}

fn told<T, D>(lane: &Lane<T, D>) -> String {
    lane.stall().map_or_else(|| "moves".to_owned(), |stall| stall.to_string())
}

// ===== causes =====

#[test]
fn nothing_is_waited_for_where_nothing_is_out_or_all_is_over() {
    let lane = Lane::new((), 4);
    assert_eq!(lane.stall(), None);
    ticket(&lane).skip();
    assert_eq!(lane.stall(), None);
    let mut last = ticket(&lane);
    drop(last.try_turn());
    assert_eq!(lane.stall(), None);
    let _later = ticket(&lane);
    assert!(lane.stall().is_some());
    lane.cancel();
    assert_eq!(lane.stall(), None);
    let lane = Lane::new((), 4);
    let _later = [ticket(&lane), ticket(&lane)].map(|ticket| ticket.fail("no"));
    assert_eq!(lane.stall(), None);
}

#[test]
fn never_issued() {
    let (builder, manual) = timed();
    let lane: Lane<()> = builder.window(16).build(());
    let mut later = lane.ticket_at(25).expect("within the window");
    let mut waits = spawn(later.turn());
    assert_pending!(waits.poll());
    manual.advance(ms(250));
    assert_eq!(lane.stall().expect("a stall").cause(), StallCause::NeverIssued);
    assert_eq!(told(&lane), "stalled at 17: never issued for 250 ms, next is 26; 25 waiting");
}

#[test]
fn never_requested_and_given_up() {
    let (builder, manual) = timed();
    let lane: Lane<(), u8> = builder.build(());
    let mut head = ticket(&lane).label("GET k");
    let (mut second, third) = (ticket(&lane), ticket(&lane));
    let mut waits = spawn(second.turn());
    assert_pending!(waits.poll());
    third.deposit(1).expect("no failure");
    manual.advance(ms(3200));
    let stall = lane.stall().expect("a stall");
    assert_eq!(
        stall.to_string(),
        "stalled at 17: ticket alive for 3.2 s (\"GET k\"), turn never requested; 18, 19 waiting"
    );
    assert_eq!((stall.seq(), stall.next(), stall.label()), (17, 20, Some("GET k")));
    assert_eq!((stall.waiting(), stall.waits(), stall.age()), (&[18, 19][..], 2, Some(ms(3200))));
    // One who looks at the value makes the head wait; then it gives up.
    lane.with_value(|()| {
        let mut turn = spawn(head.turn());
        assert_pending!(turn.poll());
    });
    assert_eq!(lane.stall().expect("a stall").cause(), StallCause::NotRequested);
    drop(waits);
    assert_eq!(lane.stall().expect("a stall").waiting(), [19]);
}

#[test]
fn held_and_looked_at() {
    let (builder, manual) = timed();
    let lane: Lane<()> = builder.build(());
    let mut head = ticket(&lane).label("GET k");
    manual.advance(ms(500));
    let turn = head.try_turn().expect("the head");
    manual.advance(ms(4000));
    assert_eq!(told(&lane), "stalled at 17: held for 4.0 s (\"GET k\")");
    assert_eq!(lane.stall().expect("a stall").head_age(), Some(ms(4500)));
    drop(turn);
    let _next = ticket(&lane);
    lane.with_value(|()| {
        manual.advance(ms(2000));
        assert_eq!(told(&lane), "stalled at 18: somebody has been looking at the value for 2.0 s");
    });
}

#[test]
fn granted_but_not_polled() {
    let (builder, manual) = timed();
    let lane: Lane<()> = builder.build(());
    let (head, mut next) = (ticket(&lane), ticket(&lane));
    let mut waits = spawn(next.turn());
    assert_pending!(waits.poll());
    manual.advance(ms(9000));
    head.skip();
    manual.advance(ms(5000));
    assert!(waits.is_woken());
    assert_eq!(
        told(&lane),
        "stalled at 18: its turn has been there for 5.0 s, and whoever waits for it was not polled"
    );
    drop(assert_ready!(waits.poll()).expect("its turn"));
    assert_eq!(lane.stall(), None);
}

#[test]
fn token_stopped_and_not_committed() {
    let (builder, manual) = timed();
    let lane: Lane<(), u8> = builder.on_failure(OnFailure::Stop).build(());
    let token = ticket(&lane).into_token();
    manual.advance(ms(1000));
    assert_eq!(told(&lane), "stalled at 17: its token has been out for 1.0 s");
    lane.ticket_of(token).expect("it is out").fail("no");
    manual.advance(ms(10));
    assert_eq!(told(&lane), "stalled at 17: failed and not repaired for 10 ms");
    lane.repair(17).expect("it stopped").deposit(1).expect("no failure");
    assert_eq!(told(&lane), "stalled at 17: deposited for 0 ms, and nobody commits it");
    ticket(&lane).deposit(2).expect("no failure");
    let mut commits = lane.commits();
    let run = assert_ready!(spawn(commits.next_run()).poll()).expect("two were deposited");
    manual.advance(ms(1500));
    assert_eq!(lane.stall().expect("a stall").cause(), StallCause::Committing { deposits: 2 });
    assert_eq!(told(&lane), "stalled at 17: being committed for 1.5 s with 1 more");
    run.done();
    assert_eq!(lane.stall(), None);
}

#[test]
fn a_full_window_tells_who_asks_for_tickets() {
    let (builder, manual) = timed();
    let lane: Lane<()> = builder.window(2).build(());
    let (_head, _next) = (ticket(&lane), ticket(&lane));
    let mut first = spawn(lane.ticket());
    assert_pending!(first.poll());
    manual.advance(ms(2000));
    let mut second = spawn(lane.tickets(2));
    assert_pending!(second.poll());
    assert_eq!(
        told(&lane),
        "stalled at 17: ticket alive for 2.0 s, turn never requested; window full, 2 asking for tickets for 2.0 s"
    );
    drop(first);
    let stall = lane.stall().expect("a stall");
    assert_eq!((stall.is_full(), stall.wanted(), stall.wanted_age()), (true, 1, Some(ms(0))));
    drop(second);
    assert_eq!(lane.stall().expect("a stall").wanted(), 0);
}

#[test]
fn at_a_station() {
    let (builder, manual) = timed();
    let lane: Lane<()> = builder.build(());
    let read = lane.station("read", ());
    let mut head = ticket(&lane).label("GET k");
    let mut next = ticket(&lane);
    manual.advance(ms(1000));
    let turn = head.try_turn_at(&read).expect("the head");
    let mut waits = Box::pin(next.turn_at(&read));
    assert_pending!(spawn(waits.as_mut()).poll());
    manual.advance(ms(4000));
    let stall = lane.stall().expect("a stall");
    assert_eq!((stall.cause(), stall.station()), (StallCause::Held, Some("read")));
    assert_eq!(stall.to_string(), "stalled at 17: held for 4.0 s (\"GET k\") at \"read\"");
    drop(turn);
    assert_eq!(told(&lane), "stalled at 17: ticket alive for 5.0 s (\"GET k\"), turn never requested");
    head.skip();
    manual.advance(ms(2000));
    assert_eq!(
        told(&lane),
        "stalled at 18: its turn has been there for 2.0 s, and whoever waits for it was not polled at \"read\""
    );
    drop(waits);
    assert_eq!(lane.stall().expect("a stall").station(), None);
}

#[test]
fn without_time_there_are_no_ages_and_long_lists_are_cut() {
    let lane: Lane<(), u8> = Lane::builder().window(64).build(());
    let _head = ticket(&lane);
    for _ in 0..20 {
        ticket(&lane).deposit(0).expect("no failure");
    }
    let stall = lane.stall().expect("a stall");
    assert_eq!((stall.age(), stall.head_age(), stall.waits(), stall.waiting().len()), (None, None, 20, 16));
    let list: Vec<_> = (1..17).map(|seq: u64| seq.to_string()).collect();
    let list = list.join(", ");
    assert_eq!(
        stall.to_string(),
        format!("stalled at 0: ticket alive, turn never requested; {list} and 4 more waiting")
    );
}

// ===== watches =====

/// A lane that is watched for stalls of 4 seconds, and what is told.
fn watched(builder: LaneBuilder, action: Overdue) -> (Lane<()>, batons::lane::Watch, Receiver<Stall>) {
    let lane = builder.build(());
    let (tell, told) = channel();
    let watch = lane.head_deadline(ms(4000), move |stall| {
        tell.send(stall.clone()).expect("somebody listens");
        action
    });
    (lane, watch, told)
}

/// Lets time pass until something is told. Ends by the limit of the test.
fn until_told(manual: &ManualClock, told: &Receiver<Stall>) -> Stall {
    loop {
        manual.advance(ms(500));
        if let Ok(stall) = told.try_recv() {
            return stall;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_stall_is_told_once_and_the_next_one_again() {
    must_end(|| {
        let (builder, manual) = timed();
        let (lane, watch, told) = watched(builder, Overdue::Report);
        let (first, _second) = (ticket(&lane), ticket(&lane));
        let stall = until_told(&manual, &told);
        assert_eq!((stall.seq(), stall.cause()), (17, StallCause::NotRequested));
        assert!(stall.head_age().expect("time is kept") >= ms(4000));
        for _ in 0..100 {
            manual.advance(ms(1000));
            std::thread::yield_now();
        }
        first.skip();
        // Had the first been told twice, it would come first.
        assert_eq!(until_told(&manual, &told).seq(), 18);
        assert_eq!(lane.counters().overdue, 0);
        drop(watch);
        assert!(told.recv().is_err(), "the thread has ended, and dropped its sender");
    });
}

#[test]
fn an_idle_lane_is_no_stall_and_the_age_counts_from_when_it_is_not() {
    must_end(|| {
        let (builder, manual) = timed();
        let (lane, _watch, told) = watched(builder, Overdue::Report);
        for _ in 0..50 {
            manual.advance(ms(1000));
            std::thread::yield_now();
        }
        let since = manual.now();
        let _ticket = ticket(&lane);
        let stall = until_told(&manual, &told);
        assert!(stall.head_age().expect("time is kept") <= manual.now() - since);
    });
}

#[test]
fn a_lane_without_time_is_watched_by_the_machines_clock() {
    must_end(|| {
        let lane = Lane::new((), 4);
        let _ticket = ticket(&lane);
        let (tell, told) = channel();
        let _watch = lane.watch(ms(1), move |stall| tell.send(stall.clone()).expect("somebody listens"));
        let stall = told.recv().expect("a stall");
        assert!(stall.head_age().expect("seen") >= ms(1));
        assert_eq!(stall.age(), None);
    });
}

#[test]
fn the_watch_ends_with_the_lane() {
    must_end(|| {
        let (builder, manual) = timed();
        let (lane, _watch, told) = watched(builder, Overdue::Report);
        drop(lane);
        while told.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
            manual.advance(ms(1000));
            std::thread::yield_now();
        }
    });
}

#[test]
fn a_deadline_skips_and_the_late_holder_is_told() {
    must_end(|| {
        let (builder, manual) = timed();
        let (lane, _watch, told) = watched(builder, Overdue::Skip);
        let (mut late, mut next) = (ticket(&lane), ticket(&lane));
        let mut waits = spawn(next.turn());
        assert_pending!(waits.poll());
        assert_eq!(until_told(&manual, &told).seq(), 17);
        lane.blocking_reached(18).expect("it is passed over");
        assert_eq!(blocking::wait(waits.into_inner()).expect("its turn").gap(), 1);
        assert!(matches!(late.try_turn(), Err(LaneError::Passed)));
        drop(late); // means nothing any more
        assert!(lane.failure().is_none());
        assert_eq!(lane.counters().overdue, 1);
    });
}

#[test]
fn a_deadline_poisons_and_tells_who_waits() {
    must_end(|| {
        let (builder, manual) = timed();
        let (lane, _watch, told) = watched(builder, Overdue::Poison);
        let (mut late, mut next) = (ticket(&lane), ticket(&lane));
        let mut waits = spawn(next.turn());
        assert_pending!(waits.poll());
        assert_eq!(until_told(&manual, &told).seq(), 17);
        assert!(lane.blocking_drain().is_err());
        let waited = blocking::wait(waits.into_inner());
        let Err(LaneError::Poisoned(failure)) = waited else { panic!("it is poisoned") };
        assert_eq!(failure.to_string(), "number 17 failed: it was at the head for too long");
        assert!(matches!(late.try_turn(), Err(LaneError::Poisoned(_))));
        drop(late);
        assert_eq!(lane.failure().expect("it failed").to_string(), failure.to_string());
    });
}

#[test]
fn a_deadline_takes_nothing_from_who_has_it() {
    must_end(|| {
        let (builder, manual) = timed();
        let (lane, _watch, told) = watched(builder, Overdue::Skip);
        let (mut head, next) = (ticket(&lane), ticket(&lane));
        let turn = head.try_turn().expect("the head");
        assert_eq!(until_told(&manual, &told).cause(), StallCause::Held);
        drop(turn);
        assert_eq!(until_told(&manual, &told).seq(), 18);
        lane.blocking_reached(19).expect("it is passed over");
        assert_eq!((lane.counters().committed, lane.counters().overdue), (1, 1));
        drop(next);
    });
}

#[test]
fn no_patience_is_refused() {
    let lane = Lane::new((), 4);
    let panic = panic_of(AssertUnwindSafe(|| lane.watch(ms(0), |_| {}))).expect("it is refused");
    assert_eq!(panic.message, "a watch of no patience would look all the time");
    assert!(panic.file.ends_with("lane_stall.rs"));
}

// ===== snapshot =====

#[test]
fn the_snapshot_counts_and_measures() {
    let (builder, manual) = timed();
    let lane: Lane<(), u8> = builder.window(4).committer((), |(), run| {
        run.for_each(drop);
        Ok(())
    });
    let (mut first, mut second, third) = (ticket(&lane), ticket(&lane), ticket(&lane));
    let mut waits = spawn(second.turn());
    assert_pending!(waits.poll());
    third.deposit(1).expect("no failure");
    manual.advance(ms(1));
    let turn = first.try_turn().expect("the head");
    manual.advance(ms(4));
    drop(turn);
    drop(assert_ready!(waits.poll()).expect("its turn"));
    let snapshot = lane.snapshot();
    assert_eq!((snapshot.head(), snapshot.next(), snapshot.out(), snapshot.room()), (20, 20, 0, 4));
    assert_eq!((snapshot.window(), snapshot.wanted()), (4, 0));
    let counters = snapshot.counters();
    assert_eq!((counters.issued, counters.committed, counters.deposited), (3, 3, 1));
    assert_eq!((counters.immediate, counters.waited, counters.runs, counters.most_out), (1, 1, 1, 3));
    let (wait, hold) = (snapshot.wait_times().expect("timed"), snapshot.hold_times().expect("timed"));
    // None for the first; 5 ms for the second and the third.
    assert_eq!((wait.len(), wait.counts()[0], wait.counts()[22]), (3, 1, 2));
    // 4 ms for the first.
    assert_eq!((hold.len(), hold.counts()[0], hold.counts()[21]), (3, 2, 1));
    assert_eq!(hold.at_most(1.0), Duration::from_nanos(1 << 22));
    assert_eq!(
        snapshot.to_string(),
        "head 20, 0 of 4 out, 3 at most; 3 committed, 1 of them in 1 runs, 0 skipped, 0 failed; \
         half waited at most 8.388608ms and were held at most 2ns"
    );
    ticket(&lane).deposit(2).expect("the head"); // none for this one as well
    let snapshot = lane.snapshot();
    let wait = snapshot.wait_times().expect("timed");
    assert_eq!((wait.len(), wait.counts()[0], snapshot.counters().runs), (4, 2, 2));
}
