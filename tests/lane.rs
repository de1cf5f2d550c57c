//! Lanes: tickets, turns, deposits, windows.

use batons::lane::{Lane, OnFailure, Ticket};
use batons::{LaneError, Lost};
use tokio_test::{assert_pending, assert_ready, task::spawn};

fn ticket<T, D>(lane: &Lane<T, D>) -> Ticket<T, D> {
    lane.try_ticket().expect("there is room")
}

/// A lane whose deposits are collected, with the lengths of the runs.
fn collecting(window: u32, on_failure: OnFailure) -> Lane<(Vec<u64>, Vec<usize>), u64> {
    Lane::builder().window(window).on_failure(on_failure).committer(
        (Vec::new(), Vec::new()),
        |(all, runs), run| {
            runs.push(run.len());
            all.extend(run);
            Ok(())
        },
    )
}

#[test]
fn turns_come_in_order_and_one_at_a_time() {
    let lane = Lane::new(Vec::new(), 8);
    let [mut a, mut b, mut c] = [ticket(&lane), ticket(&lane), ticket(&lane)];
    let mut third = spawn(c.turn());
    assert_pending!(third.poll());
    let mut second = spawn(b.turn());
    assert_pending!(second.poll());
    let mut first = a.try_turn().expect("it is the head");
    first.push(1);
    assert!(!second.is_woken());
    drop(first);
    assert!(second.is_woken() && !third.is_woken());
    let mut turn = assert_ready!(second.poll()).expect("its turn");
    turn.push(2);
    assert_eq!(turn.ready_behind(), 1);
    drop(turn);
    assert!(third.is_woken());
    assert_ready!(third.poll()).expect("its turn").push(3);
    assert_eq!(lane.with_value(|value| value.clone()), [1, 2, 3]);
    assert_eq!(lane.frontier(), 3);
    assert!(matches!(a.try_turn(), Err(LaneError::Passed)));
}

#[test]
fn the_window_bounds_what_is_issued_and_the_head_always_has_a_number() {
    let lane = Lane::new((), 2);
    let (mut a, b) = (ticket(&lane), ticket(&lane));
    assert!(matches!(lane.try_ticket(), Err(LaneError::WouldBlock)));
    let mut more = spawn(lane.ticket());
    assert_pending!(more.poll());
    b.skip(); // not the head: the window does not move
    assert!(!more.is_woken());
    drop(a.try_turn().expect("it is the head"));
    assert!(more.is_woken());
    assert_eq!(assert_ready!(more.poll()).expect("room").seq(), 2);
}

#[test]
fn deposits_are_committed_by_whoever_completes_the_head_in_one_run() {
    let lane = collecting(8, OnFailure::Poison);
    let tickets: Vec<_> = (0..5).map(|_| ticket(&lane)).collect();
    let mut tickets = tickets.into_iter();
    let first = tickets.next().unwrap();
    for (n, ticket) in (1..).zip(tickets) {
        ticket.deposit(n).expect("no failure");
    }
    assert_eq!(lane.frontier(), 0);
    first.deposit(0).expect("no failure");
    assert_eq!(lane.with_value(|value| value.clone()), (vec![0, 1, 2, 3, 4], vec![5]));
    assert_eq!((lane.frontier(), lane.counters().runs), (5, 1));
}

#[test]
fn deposits_and_turns_mix() {
    let lane = collecting(8, OnFailure::Poison);
    let (a, mut b, c) = (ticket(&lane), ticket(&lane), ticket(&lane));
    c.deposit(3).expect("no failure");
    let mut turn = spawn(b.turn());
    assert_pending!(turn.poll());
    a.deposit(1).expect("no failure");
    assert!(turn.is_woken());
    let mut turn = assert_ready!(turn.poll()).expect("its turn");
    turn.0.push(2);
    drop(turn); // commits the third
    assert_eq!(lane.with_value(|value| value.0.clone()), [1, 2, 3]);
}

#[test]
fn a_lost_number_poisons_what_is_above_and_nothing_below() {
    let lane = collecting(8, OnFailure::Poison);
    let (a, b, mut c, d) = (ticket(&lane), ticket(&lane), ticket(&lane), ticket(&lane));
    let mut waits = spawn(c.turn());
    assert_pending!(waits.poll());
    d.deposit(4).expect("not yet");
    drop(b);
    assert!(waits.is_woken());
    let Err(LaneError::Poisoned(failure)) = assert_ready!(waits.poll()) else { panic!("it is poisoned") };
    assert_eq!(failure.seq(), 1);
    assert_eq!(failure.to_string(), "number 1 failed: its ticket was dropped unused");
    assert!(matches!(lane.try_ticket(), Err(LaneError::Poisoned(_))));
    a.deposit(1).expect("it is below");
    assert_eq!(lane.with_value(|value| value.0.clone()), [1]);
    assert_eq!(lane.frontier(), 1);
    let mut drain = spawn(lane.drain());
    assert!(matches!(assert_ready!(drain.poll()), Err(LaneError::Poisoned(_))));
}

#[test]
fn the_root_is_the_lowest_failure_not_the_first() {
    let lane = collecting(8, OnFailure::Poison);
    let (a, b, c) = (ticket(&lane), ticket(&lane), ticket(&lane));
    c.fail("late");
    assert_eq!(lane.failure().map(|failure| failure.seq()), Some(2));
    b.fail("early");
    let root = lane.failure().expect("two failed");
    assert_eq!((root.seq(), root.cause().to_string()), (1, "early".to_owned()));
    a.deposit(7).expect("it is below");
    assert_eq!(lane.with_value(|value| value.0.clone()), [7]);
}

#[test]
fn skip_passes_over_and_the_next_turn_sees_the_gap() {
    let lane: Lane<(), ()> = Lane::builder().on_failure(OnFailure::Skip).build(());
    let (a, b, mut c) = (ticket(&lane), ticket(&lane), ticket(&lane));
    drop((a, b));
    let turn = c.try_turn().expect("its turn");
    assert_eq!(turn.gap(), 2);
}

#[test]
fn tell_tells_the_next_turn_once() {
    let lane: Lane<(), ()> = Lane::builder().on_failure(OnFailure::Tell).build(());
    let (a, mut b) = (ticket(&lane), ticket(&lane));
    drop(a);
    assert!(matches!(b.try_turn(), Err(LaneError::Gap { lost: 1 })));
    b.accept_gap();
    assert_eq!(b.try_turn().expect("it was accepted").gap(), 1);
}

#[test]
fn stop_waits_for_a_repair() {
    let lane: Lane<Vec<u64>, ()> = Lane::builder().on_failure(OnFailure::Stop).build(Vec::new());
    let (a, mut b) = (ticket(&lane), ticket(&lane));
    drop(a);
    let mut waits = spawn(b.turn());
    assert_pending!(waits.poll());
    let mut again = lane.repair(0).expect("it stopped there");
    again.try_turn().expect("the head").push(0);
    assert!(waits.is_woken());
    assert_ready!(waits.poll()).expect("its turn").push(1);
    assert_eq!(lane.with_value(|value| value.clone()), [0, 1]);
}

#[test]
fn until_sync_poisons_up_to_the_next_synchronization_point() {
    let lane = collecting(8, OnFailure::UntilSync);
    let (a, b, c) = (ticket(&lane), ticket(&lane), ticket(&lane));
    let sync = assert_ready!(spawn(lane.sync()).poll()).expect("room");
    let e = ticket(&lane);
    b.fail("no");
    assert!(matches!(c.deposit(2), Err(LaneError::Poisoned(_))));
    sync.deposit(3).expect("not poisoned");
    e.deposit(4).expect("not poisoned");
    a.deposit(0).expect("not poisoned");
    assert_eq!(lane.with_value(|value| value.0.clone()), [0, 3, 4]);
    assert_eq!(lane.frontier(), 5);
}

#[test]
fn a_panicking_holder_poisons_even_where_losses_are_skipped() {
    let lane: Lane<u64, ()> = Lane::builder().on_failure(OnFailure::Skip).build(0);
    let (mut a, mut b) = (ticket(&lane), ticket(&lane));
    let panicked = std::thread::spawn(move || {
        let _turn = a.try_turn().expect("the head");
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    let Err(LaneError::Poisoned(failure)) = b.try_turn() else { panic!("it is poisoned") };
    assert_eq!(failure.cause().to_string(), Lost::Panicked.to_string());
}

#[test]
fn a_committer_that_fails_fails_the_number_it_took_last() {
    let lane = Lane::builder().committer(Vec::new(), |all: &mut Vec<u64>, run| {
        for n in run {
            if n == 2 {
                return Err("two".into());
            }
            all.push(n);
        }
        Ok(())
    });
    let tickets: Vec<_> = (0..5).map(|_| ticket(&lane)).collect();
    for ticket in tickets.into_iter().rev() {
        let n = ticket.seq();
        let _ = ticket.deposit(n);
    }
    assert_eq!(lane.with_value(|all| all.clone()), [0, 1]);
    assert_eq!((lane.frontier(), lane.failure().map(|failure| failure.seq())), (2, Some(2)));
}

#[test]
fn a_run_that_is_written_as_a_whole_fails_as_a_whole() {
    let lane = Lane::builder().committer(Vec::new(), |all: &mut Vec<u64>, run| {
        let first = run.next_seq();
        let written: Vec<_> = run.by_ref().collect();
        if written.contains(&3) {
            run.fail_at(first);
            return Err("nothing of it is on the disk".into());
        }
        all.extend(written);
        Ok(())
    });
    let mut tickets: Vec<_> = (0..5).map(|_| ticket(&lane)).collect();
    tickets.remove(0).deposit(0).expect("no failure");
    for ticket in tickets.into_iter().rev() {
        let n = ticket.seq();
        let _ = ticket.deposit(n);
    }
    assert_eq!(lane.with_value(|all| all.clone()), [0]);
    assert_eq!((lane.frontier(), lane.failure().map(|failure| failure.seq())), (1, Some(1)));
}

#[test]
fn a_driven_run_fails_at_the_number_that_is_told() {
    for (told, failed) in [(None, 3), (Some(0), 0), (Some(2), 2), (Some(4), 3), (Some(u64::MAX), 3)] {
        let lane: Lane<(), u64> = Lane::builder().build(());
        let mut commits = lane.commits();
        for n in 0..5 {
            ticket(&lane).deposit(n).expect("no failure");
        }
        let mut run = assert_ready!(spawn(commits.next_run()).poll()).expect("a run");
        assert_eq!(run.by_ref().take(4).count(), 4);
        if let Some(told) = told {
            run.run().fail_at(told);
        }
        assert!(matches!(run.fail("on purpose"), Err(LaneError::Poisoned(_))));
        assert_eq!(lane.frontier(), failed);
        assert_eq!(lane.failure().map(|failure| failure.seq()), Some(failed));
    }
}

#[test]
fn explicit_numbers_are_refused_with_a_reason() {
    let lane: Lane<(), ()> = Lane::builder().first(10).window(4).build(());
    let mut twelve = lane.ticket_at(12).expect("within the window");
    assert!(matches!(lane.ticket_at(12), Err(LaneError::Duplicate)));
    assert!(matches!(lane.ticket_at(9), Err(LaneError::Passed)));
    assert!(matches!(lane.ticket_at(14), Err(LaneError::TooFar { limit: 13 })));
    let (mut ten, mut eleven) = (lane.ticket_at(10).expect("free"), lane.ticket_at(11).expect("free"));
    drop(ten.try_turn().expect("the head"));
    drop(eleven.try_turn().expect("the head"));
    drop(twelve.try_turn().expect("the head"));
    assert_eq!(lane.frontier(), 13);
    assert!(lane.ticket_at(16).is_ok());
}

#[test]
fn a_token_comes_back_as_a_ticket() {
    let lane = Lane::new((), 4);
    let token = ticket(&lane).into_token();
    let mut back = lane.ticket_of(token).expect("it is out");
    assert!(matches!(lane.ticket_of(token), Err(LaneError::Duplicate)));
    drop(back.try_turn().expect("the head"));
    assert!(matches!(lane.ticket_of(token), Err(LaneError::Passed)));
}

#[test]
fn a_dropped_wait_keeps_the_place() {
    let lane = Lane::new(0, 4);
    let (mut a, mut b) = (ticket(&lane), ticket(&lane));
    let mut waits = spawn(b.turn());
    assert_pending!(waits.poll());
    drop(waits);
    drop(a.try_turn().expect("the head"));
    assert!(b.try_turn().is_ok());
}

#[test]
fn cancel_tells_everybody() {
    let lane = collecting(4, OnFailure::Poison);
    let (_a, mut b) = (ticket(&lane), ticket(&lane));
    let _more = (ticket(&lane), ticket(&lane));
    let mut turn = spawn(b.turn());
    let mut room = spawn(lane.ticket());
    let mut reached = spawn(lane.reached(2));
    assert_pending!(turn.poll());
    assert_pending!(room.poll());
    assert_pending!(reached.poll());
    lane.cancel();
    assert!(matches!(assert_ready!(turn.poll()), Err(LaneError::Cancelled)));
    assert!(matches!(assert_ready!(room.poll()), Err(LaneError::Cancelled)));
    assert!(matches!(assert_ready!(reached.poll()), Err(LaneError::Cancelled)));
}

#[test]
fn runs_can_be_driven_by_async_code() {
    let lane: Lane<Vec<u64>, u64> = Lane::builder().window(8).build(Vec::new());
    let mut commits = lane.commits();
    let mut next = spawn(commits.next_run());
    assert_pending!(next.poll());
    let (a, b) = (ticket(&lane), ticket(&lane));
    b.deposit(2).expect("no failure");
    assert!(!next.is_woken());
    a.deposit(1).expect("no failure");
    assert!(next.is_woken());
    let mut run = assert_ready!(next.poll()).expect("a run");
    drop(next);
    while let Some(n) = run.next() {
        run.push(n);
    }
    run.done();
    assert_eq!(lane.frontier(), 2);
    lane.close();
    assert!(assert_ready!(spawn(commits.next_run()).poll()).is_none());
}

#[test]
fn weight_is_bounded_and_the_heaviest_is_admitted_alone() {
    let lane: Lane<(), ()> = Lane::builder().max_weight(10).build(());
    let mut a = assert_ready!(spawn(lane.ticket_weighted(100)).poll()).expect("alone");
    let mut waits = spawn(lane.ticket_weighted(1));
    assert_pending!(waits.poll());
    drop(a.try_turn().expect("the head"));
    assert!(waits.is_woken());
    assert_ready!(waits.poll()).expect("room").skip();
}

#[test]
fn a_window_that_shrinks_under_a_long_run_neither_jams_nor_is_exceeded() {
    let lane = collecting(8, OnFailure::Poison);
    let mut tickets: Vec<_> = (0..8).map(|_| ticket(&lane)).collect();
    lane.resize(4);
    assert_eq!(lane.room(), 0);
    for ticket in tickets.split_off(1) {
        let n = ticket.seq();
        ticket.deposit(n).expect("no failure");
    }
    tickets.pop().expect("the head").deposit(0).expect("no failure"); // all eight pass in one run
    assert_eq!((lane.frontier(), lane.room()), (8, 4));
    let tickets: Vec<_> = (0..4).map(|_| ticket(&lane)).collect();
    assert!(matches!(lane.try_ticket(), Err(LaneError::WouldBlock)));
    lane.resize(2);
    let mut tickets = tickets.into_iter();
    for n in 0..2 {
        tickets.next().expect("four are out").deposit(n).expect("no failure");
        assert_eq!(lane.room(), 0, "two are out still");
    }
    lane.resize(3);
    assert_eq!(lane.room(), 1);
    drop(tickets);
}

#[test]
fn a_window_that_shrinks_keeps_the_order_of_those_who_wait() {
    let lane = collecting(6, OnFailure::Poison);
    let _out: Vec<_> = (0..3).map(|_| ticket(&lane)).collect();
    let mut four = spawn(lane.tickets(4)); // the three that are free are kept for it
    assert_pending!(four.poll());
    lane.resize(5);
    assert_pending!(four.poll());
    let (mut two, mut one) = (spawn(lane.tickets(2)), spawn(lane.ticket()));
    assert_pending!(two.poll());
    assert_pending!(one.poll());
    drop(four);
    let tickets = assert_ready!(two.poll()).expect("there is room for two");
    assert_eq!(tickets.iter().map(Ticket::seq).collect::<Vec<_>>(), [3, 4]);
    assert_pending!(one.poll());
}

#[test]
fn what_was_issued_after_a_synchronization_point_that_has_passed_is_not_poisoned() {
    let lane = collecting(8, OnFailure::UntilSync);
    let (a, b) = (ticket(&lane), ticket(&lane));
    let sync = assert_ready!(spawn(lane.sync()).poll()).expect("room");
    b.fail("no");
    a.deposit(0).expect("below");
    sync.deposit(2).expect("the point itself");
    assert_eq!(lane.frontier(), 3);
    ticket(&lane).deposit(3).expect("after the point");
    assert_eq!(lane.with_value(|value| value.0.clone()), [0, 2, 3]);
    assert_eq!(lane.failure().map(|failure| failure.seq()), Some(1));
}
