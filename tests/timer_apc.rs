//! Completion calls of timers and of operations, made by a real queue in its alertable waits; and timers that have
//! a name.

mod common;

#[path = "apc/journal.rs"]
mod journal;

use batons::{
    Alertable::{Alerted, Done},
    ApcQueue, ApcRoutine, AutoResetEvent, Due, ManualClock, Namespace, Operation, WaitableTimer, blocking,
};
use common::{calling_waker, counted, must_end, panic_of, poll_with};
use journal::Journal;
use std::{
    future::pending,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use tokio_test::{assert_pending, assert_ready_eq};

const SECOND: Duration = Duration::from_secs(1);

fn after(seconds: u64) -> Due {
    Due::after(Duration::from_secs(seconds))
}

/// What a routine was told, in order.
type Told = Arc<Mutex<Vec<Instant>>>;

/// A routine of `queue` that notes when each expiry was due.
fn noting(queue: &ApcQueue) -> (ApcRoutine<Instant>, Told) {
    let told = Told::default();
    let log = Arc::clone(&told);
    (queue.handle().routine(move |due| log.lock().expect("no note panics").push(due)), told)
}

fn take(told: &Told) -> Vec<Instant> {
    std::mem::take(&mut told.lock().expect("no note panics"))
}

/// An automatic and a manual timer, each with a queue.
fn each(test: impl Fn(ManualClock, WaitableTimer, ApcQueue)) {
    for make in [WaitableTimer::auto_on, WaitableTimer::manual_on] {
        let clock = ManualClock::new();
        let timer = make(&clock.clock());
        test(clock, timer, ApcQueue::new());
    }
}

/// What `wait` answers; on a paused clock, so that it fails at once if it would hang.
#[cfg(feature = "tokio")]
async fn answer<F: Future>(wait: F) -> F::Output {
    let (begin, hour) = (tokio::time::Instant::now(), SECOND * 3_600);
    let answer = tokio::time::timeout(hour, wait).await.expect("it hangs");
    // The deadline looks once more, and may find what nobody was woken for.
    assert!(begin.elapsed() < hour, "nobody woke it");
    answer
}

// ===== when it is made, by whom, and what it is told =====

// cases: TM-31
#[test]
fn an_expiry_during_an_alertable_wait_ends_it_and_the_waiter_makes_the_call() {
    each(|clock, timer, queue| {
        let (routine, told) = noting(&queue);
        let due = clock.now() + SECOND;
        timer.set_with(after(1), None, routine);
        let mut sleep = counted(queue.alertable(pending::<()>()));
        assert_pending!(sleep.poll());
        clock.advance(Duration::from_nanos(999_999_999));
        assert_eq!(sleep.wakes(), 0);
        clock.advance(Duration::from_nanos(1));
        assert_eq!((sleep.wakes(), take(&told).len()), (1, 0), "who lets the time pass makes no call");
        assert_ready_eq!(sleep.poll(), Alerted);
        assert_eq!(take(&told), [due]);
        assert!(timer.is_set(), "the timer itself was not waited for");
    });
}

// cases: TM-31
#[test]
fn the_thread_that_waits_alertably_makes_the_call() {
    must_end(|| {
        let (clock, queue) = (ManualClock::new(), ApcQueue::new());
        let timer = WaitableTimer::auto_on(&clock.clock());
        let me = thread::current().id();
        timer.set_with(
            after(1),
            None,
            queue.handle().routine(move |_| assert_eq!(thread::current().id(), me)),
        );
        thread::spawn(move || clock.advance(SECOND));
        assert_eq!(queue.blocking_alertable(pending::<()>()), Alerted);
    });
}

// cases: TM-32
#[test]
fn an_expiry_that_finds_nobody_alertable_waits_for_the_next_alertable_wait() {
    each(|clock, timer, queue| {
        let (routine, told) = noting(&queue);
        let event = AutoResetEvent::new(false);
        let due = clock.now() + SECOND;
        timer.set_with(after(1), None, routine);
        let mut plain = counted(event.wait());
        assert_pending!(plain.poll());
        clock.advance(SECOND * 5);
        assert_eq!((plain.wakes(), take(&told).len(), queue.pending()), (0, 0, 1));
        assert_pending!(plain.poll());
        drop(plain);
        assert_ready_eq!(counted(queue.alertable(event.wait())).poll(), Alerted);
        assert_eq!(take(&told), [due], "when it was due, not when it was made");
    });
}

// cases: TM-33
#[test]
fn an_alertable_wait_for_the_very_timer_is_answered_and_the_call_stays_queued() {
    each(|clock, timer, queue| {
        let (routine, told) = noting(&queue);
        timer.set_with(after(1), None, routine);
        let mut wait = counted(queue.alertable(timer.wait()));
        assert_pending!(wait.poll());
        clock.advance(SECOND);
        assert_ready_eq!(wait.poll(), Done(()));
        assert_eq!((take(&told).len(), queue.pending()), (0, 1));
        timer_is_spent_and_the_call_is_next(&timer, &queue);
        assert_eq!(take(&told).len(), 1);
    });
}

/// An automatic timer is not set any more, and the next alertable wait makes the call if it must wait.
fn timer_is_spent_and_the_call_is_next(timer: &WaitableTimer, queue: &ApcQueue) {
    let mut wait = counted(queue.alertable(timer.wait()));
    if timer.is_set() {
        assert_ready_eq!(wait.poll(), Done(()));
        assert_ready_eq!(counted(queue.alertable(pending::<()>())).poll(), Alerted);
    } else {
        assert_ready_eq!(wait.poll(), Alerted);
    }
}

// cases: TM-33
#[test]
fn whoever_is_woken_for_the_call_finds_the_timer_set() {
    each(|clock, timer, queue| {
        timer.set_with(after(1), None, queue.handle().routine(|_| {}));
        let (looks, seen) = (timer.clone(), Arc::<AtomicBool>::default());
        let set = Arc::clone(&seen);
        let waker = calling_waker(move || set.store(looks.is_set(), Relaxed));
        let mut sleep = queue.alertable(pending::<()>());
        assert_pending!(poll_with(&mut sleep, &waker));
        clock.advance(SECOND);
        assert!(seen.load(Relaxed));
    });
}

// cases: TM-36, TM-37
#[test]
fn of_several_expiries_one_call_is_outstanding_and_it_is_told_the_first() {
    each(|clock, timer, queue| {
        let (routine, told) = noting(&queue);
        let first = clock.now() + SECOND;
        timer.set_with(after(1), Some(SECOND), routine);
        clock.advance(SECOND * 3);
        assert_eq!(queue.pending(), 1);
        assert_eq!((blocking::wait(queue.drain()), take(&told)), (1, vec![first]));
        clock.advance(SECOND);
        assert_eq!((blocking::wait(queue.drain()), take(&told)), (1, vec![first + SECOND * 3]));
    });
}

// cases: TM-41
#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_periodic_timer_ends_five_alertable_waits_and_its_fifth_call_the_sixth() {
    for timer in [WaitableTimer::auto(), WaitableTimer::manual()] {
        let (queue, event) = (ApcQueue::new(), AutoResetEvent::new(false));
        let (begin, mut calls, last) = (tokio::time::Instant::now(), 0, event.clone());
        let routine = queue.handle().routine(move |_| {
            calls += 1;
            assert!(calls < 5 || !last.set());
        });
        timer.set_with(Due::after(Duration::from_millis(1_500)), Some(SECOND * 2), routine);
        for alert in 0..5 {
            assert_eq!(answer(queue.alertable(event.wait())).await, Alerted);
            assert_eq!(begin.elapsed(), Duration::from_millis(1_500) + SECOND * 2 * alert);
        }
        assert_eq!(answer(queue.alertable(event.wait())).await, Done(()));
        timer.cancel();
    }
}

// ===== taken back =====

// cases: TM-34, TM-35
#[test]
fn a_call_that_was_not_made_goes_with_its_setting() {
    for cancel in [true, false] {
        each(|clock, timer, queue| {
            let (routine, told) = noting(&queue);
            timer.set_with(after(1), Some(SECOND), routine.clone());
            clock.advance(SECOND);
            assert_eq!(queue.pending(), 1);
            let was = if cancel { timer.cancel() } else { timer.set_with(after(2), None, routine) };
            assert!(was && queue.pending() == 0);
            assert_eq!((blocking::wait(queue.drain()), timer.is_set()), (0, cancel));
            let due = clock.now() + SECOND * 2;
            clock.advance(SECOND * 2);
            blocking::wait(queue.drain());
            assert_eq!(take(&told), if cancel { vec![] } else { vec![due] });
        });
    }
}

// cases: TM-34
#[test]
fn who_was_woken_for_a_call_that_was_taken_back_waits_on() {
    each(|clock, timer, queue| {
        timer.set_with(after(1), None, queue.handle().routine(|_| unreachable!("it was taken back")));
        let event = AutoResetEvent::new(false);
        let mut wait = counted(queue.alertable(event.wait()));
        assert_pending!(wait.poll());
        clock.advance(SECOND);
        timer.set(after(1), None);
        assert_eq!(wait.wakes(), 1);
        assert_pending!(wait.poll());
        event.set();
        assert_ready_eq!(wait.poll(), Done(()));
    });
}

// cases: TM-38, TM-39
#[test]
fn a_timer_is_cancelled_with_the_queue_it_calls_and_keeps_its_state() {
    each(|clock, timer, queue| {
        let (routine, told) = noting(&queue);
        timer.set_with(after(1), Some(SECOND), routine);
        clock.advance(SECOND);
        let taken = timer.try_wait();
        let was = timer.is_set();
        drop(queue);
        clock.advance(SECOND * 10);
        assert_eq!((taken, timer.is_set(), take(&told).len()), (true, was, 0));
        timer.set(after(1), None);
        clock.advance(SECOND);
        assert!(timer.is_set(), "without a call it goes with nobody");
    });
}

// cases: TM-40
#[test]
fn a_call_that_drops_another_timer_takes_its_call_back() {
    each(|clock, timer, queue| {
        let second = WaitableTimer::auto_on(&clock.clock());
        second.set_with(after(2), None, queue.handle().routine(|_| unreachable!("its timer is gone")));
        let (mut second, journal) = (Some(second), Journal::default());
        let log = journal.clone();
        let first = queue.handle().routine(move |_| {
            log.write("first");
            second.take();
        });
        timer.set_with(after(1), None, first);
        clock.advance(SECOND * 2);
        assert_eq!(queue.pending(), 2);
        assert_eq!(blocking::wait(queue.drain()), 1);
        assert_eq!((journal.take(), queue.pending()), (vec!["first".to_owned()], 0));
    });
}

// cases: TM-42
#[test]
fn a_call_may_set_its_own_timer_again() {
    each(|clock, timer, queue| {
        let own = Arc::new(OnceLock::<ApcRoutine<Instant>>::new());
        let (told, log) = (Told::default(), Told::default());
        let routine = queue.handle().routine({
            let (own, timer, told) = (Arc::downgrade(&own), timer.clone(), Arc::clone(&told));
            move |due| {
                told.lock().unwrap().push(due);
                let own = own.upgrade().expect("the test keeps it");
                timer.set_with(after(2), Some(SECOND), own.get().expect("it was set").clone());
            }
        });
        own.set(routine.clone()).expect("it is set once");
        log.lock().unwrap().extend([1, 3, 5].map(|n| clock.now() + SECOND * n));
        timer.set_with(after(1), Some(SECOND), routine);
        for _ in 0..5 {
            clock.advance(SECOND);
            blocking::wait(queue.drain());
        }
        assert_eq!(take(&told), take(&log), "the old setting is over, with its period");
        timer.cancel();
    });
}

#[test]
fn a_call_that_panics_is_made_again_at_the_next_expiry() {
    each(|clock, timer, queue| {
        let mut calls = 0;
        let routine = queue.handle().routine(move |_| {
            calls += 1;
            assert_ne!(calls, 1, "of the first call");
        });
        timer.set_with(after(1), Some(SECOND), routine);
        clock.advance(SECOND);
        assert!(panic_of(AssertUnwindSafe(|| blocking::wait(queue.drain()))).is_some());
        clock.advance(SECOND);
        assert_eq!((blocking::wait(queue.drain()), timer.is_set()), (1, true));
    });
}

// ===== of operations =====

// cases: OV-07, OV-14
#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn the_routine_of_an_operation_is_called_where_its_queue_waits_alertably() {
    let (queue, me) = (ApcQueue::new(), thread::current().id());
    let journal = Journal::default();
    let routine = |line: &'static str| {
        let journal = journal.clone();
        queue.handle().routine(move |()| {
            assert_eq!(thread::current().id(), me);
            journal.write(line);
        })
    };
    let go = AutoResetEvent::new(false);
    let wait = go.clone();
    let work = async move {
        wait.wait().await;
        42
    };
    let operation = Operation::spawn_with(work, routine("later"));
    let at_once = Operation::spawn_with(async { 1 }, routine("at once"));
    answer(at_once.wait()).await;
    assert_eq!((queue.pending(), journal.take().len()), (1, 0), "a plain wait makes no call");
    assert_eq!(answer(queue.alertable(operation.wait())).await, Alerted);
    assert_eq!(journal.take(), ["at once"]);
    go.set();
    assert_eq!(answer(queue.alertable(pending::<()>())).await, Alerted);
    assert_eq!(journal.take(), ["later"]);
    assert!(operation.is_complete());
    assert_eq!((operation.result().await.unwrap(), at_once.result().await.unwrap()), (42, 1));
}

// cases: OV-14
#[test]
fn an_alertable_wait_for_the_very_operation_is_answered_and_the_call_stays_queued() {
    let (queue, journal) = (ApcQueue::new(), Journal::default());
    let log = journal.clone();
    let routine = queue.handle().routine(move |()| log.write("called"));
    let (operation, task) = Operation::with_routine(async { 42 }, routine);
    let mut wait = counted(queue.alertable(operation.wait()));
    assert_pending!(wait.poll());
    assert_ready_eq!(counted(task).poll(), ());
    assert_ready_eq!(wait.poll(), Done(()));
    assert_eq!((journal.take().len(), queue.pending()), (0, 1));
    assert_eq!((blocking::wait(queue.drain()), journal.take().len()), (1, 1));
    assert_eq!(operation.try_result().unwrap(), 42);
}

// ===== names =====

// cases: TM-48
#[test]
fn a_named_timer_that_exists_keeps_its_kind_and_its_setting() {
    let (space, clock) = (Namespace::new(), ManualClock::new());
    let first = space.create("tick", || WaitableTimer::auto_on(&clock.clock())).unwrap();
    first.set(after(1), None);
    let second = space.create("tick", || WaitableTimer::manual_on(&clock.clock())).unwrap();
    let third = space.open::<WaitableTimer>("tick").unwrap();
    assert!(!first.existed() && second.existed());
    clock.advance(SECOND);
    assert!(second.try_wait(), "it is the timer that the first has set");
    assert!(!first.is_set() && !third.is_set(), "and it is automatic");
    third.set(after(1), None);
    drop((second, third));
    clock.advance(SECOND);
    assert!(first.is_set(), "closing one of several handles cancels nothing");
}
