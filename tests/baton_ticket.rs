//! Tickets: numbers handed out in order, each of them sure to be used or passed over.

mod common;

use batons::{AcquireError, Baton, SkipError, Ticket, TryAcquireError};
use common::{counted, line_up, must_end, panic_of, refusal, unchanged, wakes_of};
use std::{panic::AssertUnwindSafe, thread};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};

/// A baton held by 0, its guard leaked until `let_go`.
fn held() -> (Baton, impl FnOnce()) {
    let baton = Baton::new(0);
    let guard = assert_ready_ok!(task::spawn(baton.acquire_owned(0)).poll());
    (baton, move || drop(guard))
}

// ===== the place =====

#[test]
fn the_place_is_taken_at_the_call() {
    let baton = Baton::new(5);
    let mut tickets: Vec<Ticket> = (0..4).map(|_| baton.ticket()).collect();
    assert_eq!(tickets.iter().map(Ticket::seq).collect::<Vec<_>>(), [5, 6, 7, 8]);
    assert_eq!(baton.snapshot().tickets(), [5, 6, 7, 8]);
    // Polled from behind, granted from the front.
    let mut waits: Vec<_> = tickets.iter_mut().map(|ticket| counted(ticket.acquire())).collect();
    for wait in waits[1..].iter_mut().rev() {
        assert_pending!(wait.poll());
    }
    let mut order = Vec::new();
    for wait in &mut waits {
        order.push(assert_ready_ok!(wait.poll()).seq());
    }
    assert_eq!((order, wakes_of(&waits)), (vec![5, 6, 7, 8], vec![0, 1, 1, 1]));
}

#[test]
fn a_ticket_in_its_turn_is_granted_at_once() {
    let baton = Baton::new(u64::MAX);
    let (mut last, mut zero) = (baton.ticket(), baton.ticket());
    assert_eq!((last.seq(), zero.seq()), (u64::MAX, 0));
    assert_eq!(assert_ready_ok!(task::spawn(last.acquire()).poll()).seq(), u64::MAX);
    assert_eq!(zero.try_acquire().unwrap().seq(), 0);
    assert_eq!((baton.next(), baton.snapshot().is_held()), (1, false));
}

#[test]
fn a_ticket_out_is_waited_for() {
    let baton = Baton::new(0);
    let mut first = baton.ticket();
    let mut waits = line_up(&baton, [1]);
    assert_eq!((baton.next(), baton.snapshot().is_held()), (0, false));
    assert_eq!(wakes_of(&waits), [0]);
    drop(assert_ready_ok!(task::spawn(first.acquire()).poll()));
    drop(assert_ready_ok!(waits[0].poll()));
}

#[test]
fn a_number_with_a_ticket_refuses_everyone_else() {
    let baton = Baton::new(0);
    let (mut due, later) = (baton.ticket(), baton.ticket());
    for number in [0, 1] {
        assert_eq!(unchanged(&baton, || refusal(&baton, number)), AcquireError::Duplicate);
        assert_eq!(unchanged(&baton, || baton.try_acquire(number).unwrap_err()), TryAcquireError::Duplicate);
        assert_eq!(unchanged(&baton, || baton.skip(number).unwrap_err()), SkipError::Requested);
    }
    drop(due.try_acquire().unwrap());
    drop(later);
}

#[test]
fn tickets_step_over_numbers_that_wait_or_are_skipped() {
    let baton = Baton::new(0);
    let waits = line_up(&baton, [1]);
    baton.skip(2).unwrap();
    let tickets = [baton.ticket(), baton.ticket()];
    assert_eq!(tickets.each_ref().map(Ticket::seq), [0, 3]);
    baton.skip(4).unwrap();
    assert_eq!(baton.ticket().seq(), 5);
    drop((waits, tickets));
}

#[test]
fn tickets_and_numbers_by_hand_share_one_order() {
    let baton = Baton::new(0);
    let mut first = baton.ticket();
    let mut by_hand = line_up(&baton, [1]);
    let mut third = baton.ticket();
    baton.skip(3).unwrap();
    let mut fifth = baton.ticket();
    assert_eq!((third.seq(), fifth.seq()), (2, 4));
    let (mut third, mut fifth) = (counted(third.acquire()), counted(fifth.acquire()));
    assert_pending!(fifth.poll());
    assert_pending!(third.poll());
    drop(first.try_acquire().unwrap());
    drop(assert_ready_ok!(by_hand[0].poll()));
    drop(assert_ready_ok!(third.poll()));
    assert_eq!(assert_ready_ok!(fifth.poll()).seq(), 4);
}

#[test]
fn a_ticket_is_never_handed_out_twice() {
    let (baton, let_go) = held();
    let first = baton.ticket();
    assert_eq!(first.seq(), 1, "what is held is gone");
    drop(first);
    assert_eq!(baton.ticket().seq(), 2);
    let_go();
    assert_eq!(baton.ticket().seq(), 3, "1 and 2 were passed over");
}

#[test]
fn the_window_does_not_bind_tickets() {
    let baton = Baton::builder().window(2).build();
    let mut tickets: Vec<Ticket> = (0..100).map(|_| baton.ticket()).collect();
    assert_eq!(tickets[99].seq(), 99);
    assert_eq!(refusal(&baton, 99), AcquireError::Duplicate);
    assert_eq!(refusal(&baton, 100), AcquireError::TooFar { limit: 1 });
    let last = &mut tickets.pop().unwrap();
    let mut last = counted(last.acquire());
    assert_pending!(last.poll());
    for mut ticket in tickets {
        drop(ticket.try_acquire().unwrap());
    }
    assert_eq!(last.wakes(), 1);
    assert_eq!(assert_ready_ok!(last.poll()).seq(), 99);
}

// ===== dropped unused =====

#[test]
fn a_ticket_dropped_unused_is_passed_over() {
    let baton = Baton::new(0);
    let (a, b, c) = (baton.ticket(), baton.ticket(), baton.ticket());
    let mut waits = line_up(&baton, [3, 4]);
    drop(b); // ahead of time
    assert_eq!((baton.next(), baton.snapshot().skipped()), (0, [1].as_slice()));
    drop(a); // at its turn, and the next one with it
    assert_eq!((baton.next(), wakes_of(&waits)), (2, vec![0, 0]));
    drop(c);
    assert_eq!((baton.snapshot().holder(), wakes_of(&waits)), (Some(3), vec![1, 0]));
    drop(assert_ready_ok!(waits[0].poll()));
    assert_eq!(wakes_of(&waits), [1, 1]);
}

#[test]
fn a_ticket_dropped_while_the_baton_is_held_waits_for_the_release() {
    let (baton, let_go) = held();
    let ticket = baton.ticket();
    let mut waits = line_up(&baton, [2]);
    drop(ticket);
    assert_eq!((baton.snapshot().holder(), wakes_of(&waits)), (Some(0), vec![0]));
    assert_eq!(refusal(&baton, 1), AcquireError::Passed);
    let_go();
    assert_eq!((baton.snapshot().holder(), wakes_of(&waits)), (Some(2), vec![1]));
    drop(assert_ready_ok!(waits[0].poll()));
}

#[test]
fn a_ticket_dropped_by_a_panic_is_passed_over() {
    let baton = Baton::new(0);
    let ticket = baton.ticket();
    let waits = line_up(&baton, [1]);
    let failed = panic_of(AssertUnwindSafe(move || {
        let _ticket = ticket;
        panic!("the work fails");
    }));
    assert_eq!((failed.unwrap().message.as_str(), wakes_of(&waits)), ("the work fails", vec![1]));
}

#[test]
fn a_ticket_dropped_by_an_early_return_is_passed_over() {
    fn work(mut ticket: Ticket, text: &str) -> Result<u32, std::num::ParseIntError> {
        let number = text.parse()?;
        drop(ticket.try_acquire());
        Ok(number)
    }

    let baton = Baton::new(0);
    let (bad, good) = (baton.ticket(), baton.ticket());
    assert!(work(bad, "one").is_err());
    assert_eq!((work(good, "2"), baton.next()), (Ok(2), 2));
}

#[tokio::test]
async fn a_ticket_dropped_by_an_aborted_task_is_passed_over() {
    let baton = Baton::new(0);
    let (unused, mut waiting) = (baton.ticket(), baton.ticket());
    let mut next = task::spawn(baton.acquire(2));
    assert_pending!(next.poll());
    let tasks = [
        tokio::spawn(async move {
            let _unused = unused;
            std::future::pending::<()>().await;
        }),
        tokio::spawn(async move { drop(waiting.acquire().await) }),
    ];
    while baton.snapshot().waiting() != [1, 2] {
        tokio::task::yield_now().await;
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    for task in tasks {
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert!(next.is_woken());
    assert_eq!(assert_ready_ok!(next.poll()).seq(), 2);
}

// ===== a wait dropped, the ticket kept =====

#[test]
fn a_wait_dropped_in_line_leaves_the_ticket_its_place() {
    let (baton, let_go) = held();
    let mut ticket = baton.ticket();
    let kept = baton.snapshot();
    let mut waits = line_up(&baton, [2]);
    for _ in 0..2 {
        let mut wait = counted(ticket.acquire());
        assert_pending!(wait.poll());
        assert_eq!((baton.snapshot().waiting(), baton.snapshot().tickets()), ([1, 2].as_slice(), &[][..]));
        drop(wait);
        assert_eq!(baton.snapshot().tickets(), kept.tickets());
        assert_eq!(refusal(&baton, 1), AcquireError::Duplicate);
    }
    let_go();
    assert_eq!((baton.next(), wakes_of(&waits)), (1, vec![0]));
    drop(assert_ready_ok!(task::spawn(ticket.acquire()).poll()));
    drop(assert_ready_ok!(waits[0].poll()));
}

#[test]
fn a_grant_dropped_unseen_leaves_the_ticket_its_turn() {
    let (baton, let_go) = held();
    let mut ticket = baton.ticket();
    let mut waits = line_up(&baton, [2]);
    let mut wait = counted(ticket.acquire());
    assert_pending!(wait.poll());
    let_go();
    assert_eq!((baton.snapshot().holder(), wait.wakes()), (Some(1), 1));
    drop(wait);
    assert_eq!((baton.next(), baton.snapshot().is_held()), (1, false));
    assert_eq!((baton.snapshot().tickets(), wakes_of(&waits)), ([1].as_slice(), vec![0]));
    assert_eq!(unchanged(&baton, || refusal(&baton, 1)), AcquireError::Duplicate);
    assert_eq!(ticket.try_acquire().unwrap().seq(), 1);
    drop(assert_ready_ok!(waits[0].poll()));
}

#[test]
fn a_ticket_dropped_after_its_unseen_grant_was_given_back_is_passed_over() {
    let (baton, let_go) = held();
    let mut ticket = baton.ticket();
    let waits = line_up(&baton, [2]);
    let mut wait = counted(ticket.acquire());
    assert_pending!(wait.poll());
    let_go();
    drop(wait);
    drop(ticket);
    assert_eq!((baton.snapshot().holder(), wakes_of(&waits)), (Some(2), vec![1]));
}

#[test]
fn a_wait_of_a_ticket_that_was_never_polled_does_nothing() {
    let baton = Baton::new(0);
    let mut ticket = baton.ticket();
    unchanged(&baton, || drop(ticket.acquire()));
    assert!(ticket.try_acquire().is_ok());
}

#[test]
fn try_acquire_of_a_ticket_keeps_the_place_until_the_turn_comes() {
    let (baton, let_go) = held();
    let (mut first, mut second) = (baton.ticket(), baton.ticket());
    assert_eq!(unchanged(&baton, || first.try_acquire().unwrap_err()), TryAcquireError::WouldBlock);
    let_go();
    assert_eq!(unchanged(&baton, || second.try_acquire().unwrap_err()), TryAcquireError::WouldBlock);
    let guard = first.try_acquire().unwrap();
    assert_eq!(unchanged(&baton, || second.try_acquire().unwrap_err()), TryAcquireError::WouldBlock);
    drop(guard);
    assert_eq!(second.try_acquire().unwrap().seq(), 2);
}

// ===== the owned form =====

#[test]
fn an_owned_wait_is_passed_over_when_it_is_dropped_before_its_first_poll() {
    let baton = Baton::new(0);
    let ticket = baton.ticket();
    let wait = unchanged(&baton, || ticket.acquire_owned());
    let waits = line_up(&baton, [1]);
    drop(wait);
    assert_eq!((baton.snapshot().holder(), wakes_of(&waits)), (Some(1), vec![1]));
}

#[test]
fn an_owned_wait_is_passed_over_when_it_is_dropped_in_line() {
    let (baton, let_go) = held();
    let mut wait = counted(baton.ticket().acquire_owned());
    assert_pending!(wait.poll());
    let waits = line_up(&baton, [2]);
    drop(wait);
    assert_eq!((baton.snapshot().skipped(), refusal(&baton, 1)), ([1].as_slice(), AcquireError::Passed));
    let_go();
    assert_eq!((baton.snapshot().holder(), wakes_of(&waits)), (Some(2), vec![1]));
}

#[test]
fn an_owned_wait_is_passed_over_when_its_grant_is_dropped_unseen() {
    let (baton, let_go) = held();
    let mut wait = counted(baton.ticket().acquire_owned());
    assert_pending!(wait.poll());
    let waits = line_up(&baton, [2]);
    let_go();
    drop(wait);
    assert_eq!((baton.snapshot().holder(), wakes_of(&waits)), (Some(2), vec![1]));
    assert_eq!(refusal(&baton, 1), AcquireError::Passed);
}

#[test]
fn an_owned_wait_that_was_answered_is_used_up() {
    let baton = Baton::new(0);
    let mut wait = counted(baton.ticket().acquire_owned());
    let guard = assert_ready_ok!(wait.poll());
    let mut next = line_up(&baton, [1]);
    drop(wait);
    assert_eq!((baton.snapshot().holder(), wakes_of(&next)), (Some(0), vec![0]));
    thread::spawn(move || drop(guard)).join().unwrap();
    drop(assert_ready_ok!(next[0].poll()));
}

// ===== used and closed =====

#[test]
fn a_used_ticket_is_passed() {
    let baton = Baton::new(0);
    let mut ticket = baton.ticket();
    drop(ticket.try_acquire().unwrap());
    let refused = unchanged(&baton, || assert_ready_err!(task::spawn(ticket.acquire()).poll()));
    assert_eq!(refused, AcquireError::Passed);
    assert_eq!(unchanged(&baton, || ticket.try_acquire().unwrap_err()), TryAcquireError::Passed);
    let next = unchanged(&baton, || {
        drop(ticket);
        baton.next()
    });
    assert_eq!(next, 1, "a used ticket passes nothing over");
}

#[test]
fn tickets_of_a_closed_baton_answer_closed() {
    let baton = Baton::new(0);
    let (mut before, mut waiting, dropped) = (baton.ticket(), baton.ticket(), baton.ticket());
    let mut waiting = counted(waiting.acquire());
    assert_pending!(waiting.poll());
    baton.close();
    assert_eq!(waiting.wakes(), 1);
    assert_eq!(assert_ready_err!(waiting.poll()), AcquireError::Closed);
    assert_eq!(before.try_acquire().unwrap_err(), TryAcquireError::Closed);
    assert_eq!(assert_ready_err!(task::spawn(before.acquire()).poll()), AcquireError::Closed);
    let mut after = unchanged(&baton, || baton.ticket());
    assert_eq!(after.try_acquire().unwrap_err(), TryAcquireError::Closed);
    assert_eq!(assert_ready_err!(task::spawn(baton.ticket().acquire_owned()).poll()), AcquireError::Closed);
    unchanged(&baton, || drop((before, dropped, after)));
    assert_eq!(baton.next(), 0);
}

#[test]
fn a_ticket_granted_before_the_close_and_dropped_unseen_lets_go() {
    let (baton, let_go) = held();
    let mut ticket = baton.ticket();
    let mut wait = counted(ticket.acquire());
    assert_pending!(wait.poll());
    let_go();
    baton.close();
    assert_eq!(baton.snapshot().holder(), Some(1));
    drop(wait);
    assert_eq!((baton.next(), baton.snapshot().is_held()), (2, false));
    assert_eq!(ticket.try_acquire().unwrap_err(), TryAcquireError::Closed);
}

#[test]
fn a_ticket_leaked_is_named_and_close_frees_those_behind_it() {
    let baton = Baton::new(0);
    std::mem::forget(baton.ticket());
    let mut waits = line_up(&baton, [1]);
    assert_eq!(baton.snapshot().tickets(), [0]);
    baton.close();
    assert_eq!(assert_ready_err!(waits[0].poll()), AcquireError::Closed);
}

// ===== threads =====

#[test]
fn tickets_of_many_threads_are_all_different_and_all_served() {
    must_end(|| {
        let baton = Baton::new(u64::MAX - 1000);
        thread::scope(|scope| {
            for thread in 0..4 {
                let baton = &baton;
                scope.spawn(move || {
                    for round in 0..1000 {
                        let mut ticket = baton.ticket();
                        if (round + thread) % 3 != 0 {
                            let guard = ticket.blocking_acquire().unwrap();
                            assert_eq!(baton.snapshot().holder(), Some(guard.seq()));
                        }
                    }
                });
            }
        });
        assert_eq!((baton.next(), baton.snapshot().is_held()), (2999, false));
    });
}
