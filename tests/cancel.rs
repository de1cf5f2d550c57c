//! A wait may be dropped at any point, and nothing is lost by it: each future, dropped never polled,
//! pending, granted but unseen, and done.

use batons::{AcquireError, Baton, OwnedBatonGuard, Ticket, futures::Acquire};
use std::{
    borrow::Borrow,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

fn poll<H: Borrow<Baton>>(wait: &mut Acquire<H>) -> Poll<<Acquire<H> as Future>::Output> {
    Pin::new(wait).poll(&mut Context::from_waker(Waker::noop()))
}

/// The answer of a wait that need not wait.
fn at_once<H: Borrow<Baton>>(mut wait: Acquire<H>) -> <Acquire<H> as Future>::Output {
    let Poll::Ready(answer) = poll(&mut wait) else { panic!("{wait:?} would wait") };
    answer
}

/// A small generator: tests must not depend on the day.
fn shuffle<T>(items: &mut [T]) {
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    for index in (1..items.len()).rev() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(index, usize::try_from((random >> 33) % (index as u64 + 1)).expect("an index"));
    }
}

// ===== the table =====

#[derive(Debug, Clone, Copy)]
enum Form {
    Acquire,
    AcquireOwned,
    TicketAcquire,
    TicketAcquireOwned,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    NeverPolled,
    Pending,
    GrantedUnseen,
    Done,
}

/// What the number is once its wait was dropped and its predecessor has released.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    /// Nobody's, for anybody to acquire; the successor waits.
    Free,
    /// Still the ticket's, and nobody else's; the successor waits.
    Tickets,
    /// Passed over or used up; the successor has the baton.
    Over,
}

const TABLE: [(Form, Stage, Then); 16] = [
    (Form::Acquire, Stage::NeverPolled, Then::Free),
    (Form::Acquire, Stage::Pending, Then::Free),
    (Form::Acquire, Stage::GrantedUnseen, Then::Over),
    (Form::Acquire, Stage::Done, Then::Over),
    (Form::AcquireOwned, Stage::NeverPolled, Then::Free),
    (Form::AcquireOwned, Stage::Pending, Then::Free),
    (Form::AcquireOwned, Stage::GrantedUnseen, Then::Over),
    (Form::AcquireOwned, Stage::Done, Then::Over),
    (Form::TicketAcquire, Stage::NeverPolled, Then::Tickets),
    (Form::TicketAcquire, Stage::Pending, Then::Tickets),
    (Form::TicketAcquire, Stage::GrantedUnseen, Then::Tickets),
    (Form::TicketAcquire, Stage::Done, Then::Over),
    (Form::TicketAcquireOwned, Stage::NeverPolled, Then::Over),
    (Form::TicketAcquireOwned, Stage::Pending, Then::Over),
    (Form::TicketAcquireOwned, Stage::GrantedUnseen, Then::Over),
    (Form::TicketAcquireOwned, Stage::Done, Then::Over),
];

/// Brings the wait for 1 to `stage` and drops it there. Number 0 has released at the end.
fn drop_at<H: Borrow<Baton>>(stage: Stage, mut wait: Acquire<H>, zero: OwnedBatonGuard) {
    match stage {
        Stage::NeverPolled => drop(wait),
        Stage::Pending => {
            assert!(poll(&mut wait).is_pending());
            drop(wait);
        }
        Stage::GrantedUnseen => {
            assert!(poll(&mut wait).is_pending());
            return zero.release(); // `wait` is dropped after this
        }
        Stage::Done => {
            assert!(poll(&mut wait).is_pending());
            zero.release();
            let Poll::Ready(Ok(guard)) = poll(&mut wait) else { panic!("its turn has come") };
            drop(wait);
            return guard.release();
        }
    }
    zero.release();
}

/// What became of number 1, seen from outside; `ticket` is its ticket, if it outlived the wait.
fn judge(baton: &Baton, ticket: &mut Option<Ticket>) -> Then {
    let shot = baton.snapshot();
    if shot.holder() == Some(2) {
        assert!(shot.waiting().is_empty() && shot.tickets().is_empty() && shot.skipped().is_empty());
        return Then::Over;
    }
    assert_eq!((shot.next(), shot.holder(), shot.waiting()), (1, None, &[2][..]), "{shot}");
    if let Some(ticket) = ticket {
        assert_eq!(shot.tickets(), [1]);
        assert!(matches!(at_once(baton.acquire(1)), Err(AcquireError::Duplicate)));
        assert_eq!(at_once(ticket.acquire()).expect("its turn").seq(), 1);
        return Then::Tickets;
    }
    assert!(shot.tickets().is_empty());
    assert_eq!(at_once(baton.acquire(1)).expect("anybody's").seq(), 1);
    Then::Free
}

fn outcome(form: Form, stage: Stage) -> Then {
    let baton = Baton::new(0);
    let zero = at_once(baton.acquire_owned(0)).expect("the first number of a free baton");
    let mut successor = baton.acquire(2);
    assert!(poll(&mut successor).is_pending());
    let mut ticket = None;
    match form {
        Form::Acquire => drop_at(stage, baton.acquire(1), zero),
        Form::AcquireOwned => drop_at(stage, baton.acquire_owned(1), zero),
        Form::TicketAcquire => drop_at(stage, ticket.insert(baton.ticket()).acquire(), zero),
        Form::TicketAcquireOwned => drop_at(stage, baton.ticket().acquire_owned(), zero),
    }
    let then = judge(&baton, &mut ticket);
    let Poll::Ready(Ok(guard)) = poll(&mut successor) else { panic!("{form:?} {stage:?} stalls 2") };
    assert_eq!(guard.seq(), 2);
    drop((guard, ticket));
    assert_eq!(baton.snapshot(), Baton::new(3).snapshot(), "{form:?} {stage:?} leaves something");
    then
}

#[test]
fn each_future_dropped_at_each_stage_loses_nothing() {
    for (form, stage, then) in TABLE {
        assert_eq!(outcome(form, stage), then, "{form:?} {stage:?}");
    }
}

#[test]
fn a_refused_wait_that_is_dropped_leaves_the_one_in_line_alone() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut first = baton.acquire(1);
    assert!(poll(&mut first).is_pending());
    let mut second = baton.acquire(1);
    assert!(matches!(poll(&mut second), Poll::Ready(Err(AcquireError::Duplicate))));
    drop(second);
    drop(baton.acquire(1));
    assert_eq!(baton.snapshot().waiting(), [1]);
    guard.release();
    assert!(matches!(poll(&mut first), Poll::Ready(Ok(_))));
}

#[test]
fn waits_dropped_after_a_close_leave_nothing() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let (mut unseen, mut pending) = (baton.acquire(1), baton.acquire(2));
    assert!(poll(&mut unseen).is_pending() && poll(&mut pending).is_pending());
    let mut ticket = baton.ticket();
    let mut lent = ticket.acquire();
    assert!(poll(&mut lent).is_pending());
    guard.release();
    baton.close();
    assert_eq!(baton.snapshot().holder(), Some(1), "granted before the close");
    drop((unseen, pending, lent));
    drop(ticket);
    let shot = baton.snapshot();
    assert!(!shot.is_held() && shot.waiting().is_empty() && shot.tickets().is_empty(), "{shot}");
}

#[test]
fn an_unseen_grant_given_back_by_a_lent_ticket_after_a_close_is_quiet() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut ticket = baton.ticket();
    let mut lent = ticket.acquire();
    assert!(poll(&mut lent).is_pending());
    guard.release();
    baton.close();
    drop(lent);
    assert!(!baton.snapshot().is_held());
    assert_eq!(at_once(ticket.acquire()).unwrap_err(), AcquireError::Closed);
}

// ===== many =====

const MANY: u64 = 100_000;
/// What an empty line may keep of its former size, in bytes.
const KEPT: i64 = 16 * 1024;

/// Heap bytes that `action` leaves behind on this baton, which it must leave free and in order.
fn leaves(baton: &Baton, action: impl FnOnce(&Baton)) -> i64 {
    let heap = allocation_counter::measure(|| action(baton));
    let shot = baton.snapshot();
    assert!(shot.waiting().is_empty() && shot.skipped().is_empty() && shot.tickets().is_empty());
    let next = baton.next();
    let again = allocation_counter::measure(|| {
        for seq in next..next + 100 {
            drop(baton.try_acquire(seq).expect("free, and its turn"));
        }
    });
    assert_eq!(again.count_total, 0, "the way without a line is open");
    heap.bytes_current
}

#[test]
fn a_hundred_thousand_waits_cancelled_one_by_one_leave_nothing() {
    let baton = Baton::new(0);
    let kept = leaves(&baton, |baton| {
        let guard = baton.try_acquire(0).expect("free");
        for seq in 0..MANY {
            assert!(poll(&mut baton.acquire(1 + seq * 7919 % 60_000)).is_pending());
        }
        guard.release();
    });
    assert!(kept <= KEPT, "{kept} bytes");
}

#[test]
fn a_hundred_thousand_waits_cancelled_while_all_stand_in_line_leave_nothing() {
    // (distance between numbers, how they leave)
    for (stride, leaving) in [(1, "first to last"), (1, "last to first"), (1, "shuffled"), (1000, "shuffled")]
    {
        let baton = Baton::builder().window(1 << 30).build();
        let kept = leaves(&baton, |baton| {
            let guard = baton.try_acquire(0).expect("free");
            let mut waits: Vec<_> = (1..=MANY).map(|seq| baton.acquire(seq * stride)).collect();
            assert!(waits.iter_mut().all(|wait| poll(wait).is_pending()));
            match leaving {
                "first to last" => {}
                "last to first" => waits.reverse(),
                _ => shuffle(&mut waits),
            }
            drop(waits);
            guard.release();
        });
        assert!(kept <= KEPT, "{kept} bytes after {leaving} with stride {stride}");
    }
}

#[test]
fn a_hundred_thousand_unseen_grants_given_back_leave_nothing() {
    let baton = Baton::builder().window(1 << 20).build();
    let kept = leaves(&baton, |baton| {
        let guard = baton.try_acquire(0).expect("free");
        let mut waits: Vec<_> = (1..=MANY).map(|seq| baton.acquire(seq)).collect();
        assert!(waits.iter_mut().all(|wait| poll(wait).is_pending()));
        guard.release();
        drop(waits); // each gives its grant to the next
    });
    assert_eq!(baton.next(), MANY + 101);
    assert!(kept <= KEPT, "{kept} bytes");
}

#[test]
fn a_hundred_thousand_dropped_tickets_leave_nothing() {
    let baton = Baton::new(0);
    let kept = leaves(&baton, |baton| {
        let guard = baton.try_acquire(0).expect("free");
        let mut tickets: Vec<_> = (0..MANY).map(|_| baton.ticket()).collect();
        shuffle(&mut tickets);
        drop(tickets);
        guard.release();
    });
    assert_eq!(baton.next(), MANY + 101);
    assert!(kept <= KEPT, "{kept} bytes");
}

// ===== a runtime goes =====

/// Spawns a task that waits for `seq`, the next number nobody has asked for, in one of three forms.
fn spawn(runtime: &tokio::runtime::Runtime, baton: &Baton, seq: u64) {
    if is_plain(seq) {
        let mut wait = baton.acquire_owned(seq);
        assert!(poll(&mut wait).is_pending()); // else the next ticket would take the number
        runtime.spawn(async move { drop(wait.await) });
        return;
    }
    let mut ticket = baton.ticket();
    assert_eq!(ticket.seq(), seq);
    if seq % 4 == 0 {
        runtime.spawn(async move { drop(ticket.acquire().await) });
    } else {
        runtime.spawn(async move { drop(ticket.acquire_owned().await) });
    }
}

fn is_plain(seq: u64) -> bool {
    seq % 2 == 1
}

/// A runtime with a holder of 0, 600 waits that stand in line and 500 that were never polled.
fn populated(baton: &Baton) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let guard = at_once(baton.acquire_owned(0)).expect("the first number of a free baton");
    runtime.spawn(async move {
        std::future::pending::<()>().await;
        drop(guard);
    });
    (1..=600).for_each(|seq| spawn(&runtime, baton, seq));
    while baton.snapshot().waiting().len() < 600 {
        runtime.block_on(tokio::task::yield_now());
    }
    (601..=1000).for_each(|seq| spawn(&runtime, baton, seq));
    for seq in 1001..=1100 {
        let wait = baton.acquire_owned(seq);
        runtime.spawn(async move { drop(wait.await) });
    }
    runtime
}

#[test]
fn a_runtime_dropped_with_a_thousand_waits_leaves_a_baton_that_another_one_can_use() {
    let baton = Baton::new(0);
    drop(populated(&baton));
    let shot = baton.snapshot();
    assert!(shot.waiting().is_empty() && shot.tickets().is_empty() && !shot.is_held(), "{shot}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        for seq in baton.next()..=1100 {
            match baton.acquire(seq).await {
                Ok(guard) => assert!(seq > 1000 || is_plain(seq) && guard.seq() == seq),
                Err(refusal) => assert!(refusal == AcquireError::Passed && !is_plain(seq), "{seq}"),
            }
        }
    });
    assert_eq!(baton.next(), 1101, "each number was used, passed over, or free for us");
}

#[test]
fn a_runtime_dropped_with_an_unseen_grant_hands_it_on_to_another_runtime() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let [old, new] = [(); 2].map(|()| tokio::runtime::Builder::new_current_thread().build().unwrap());
    let wait = baton.acquire_owned(1);
    old.spawn(async move { drop(wait.await) });
    old.block_on(tokio::task::yield_now());
    let second = new.spawn(baton.acquire_owned(2));
    new.block_on(tokio::task::yield_now());
    guard.release(); // 1 owns, and its runtime does not run
    drop(old);
    assert_eq!(new.block_on(second).unwrap().unwrap().seq(), 2);
}
