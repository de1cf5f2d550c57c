//! Signaling one object and waiting for another in one step.

mod common;

use batons::{
    AcquireError, AutoResetEvent, Baton, ManualResetEvent, Mutex, Owner, ReleaseError, Semaphore, blocking,
    signal_and_wait,
};
use common::{calling_waker, counted, line_up, must_end, panic_of, poll_with};
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    thread,
    time::Duration,
};
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok};

// ===== done at once =====

// cases: SW-02, SW-10, SW-13
#[test]
fn it_sets_the_one_and_finds_the_other_set() {
    for set in [false, true] {
        let (auto, manual) = (AutoResetEvent::new(set), ManualResetEvent::new(true));
        let mut wait = counted(signal_and_wait(&auto, manual.wait()));
        assert_ready_ok!(wait.poll());
        assert_eq!((auto.is_set(), manual.is_set(), wait.wakes()), (true, true, 0));
    }
}

// cases: SW-03
#[test]
fn it_may_take_its_own_signal() {
    let (event, semaphore) = (AutoResetEvent::new(false), Semaphore::new(0, 1));
    for _ in 0..10_000 {
        assert_ready_ok!(counted(signal_and_wait(&event, event.wait())).poll());
        assert!(!event.is_set());
    }
    let permit = assert_ready_ok!(counted(signal_and_wait(&semaphore, semaphore.acquire())).poll()).unwrap();
    assert_eq!(semaphore.available(), 0);
    drop(permit);
}

#[test]
fn its_own_signal_goes_to_those_who_stood_in_line_before() {
    let (event, mutex) = (AutoResetEvent::new(false), Mutex::new());
    let mut first = counted(event.wait());
    assert_pending!(first.poll());
    let mut both = counted(signal_and_wait(&event, event.wait()));
    assert_pending!(both.poll());
    assert_eq!((first.wakes(), both.wakes(), event.is_set()), (1, 0, false));
    let (a, b) = (Owner::new(), Owner::new());
    mutex.try_lock(&a).unwrap().unwrap().forget();
    let mut next = counted(mutex.lock(&b));
    assert_pending!(next.poll());
    let mut back = counted(signal_and_wait(mutex.unlocking(&a), mutex.lock(&a)));
    assert_pending!(back.poll());
    assert!(mutex.is_owned_by(&b) && next.wakes() == 1);
    drop(assert_ready_ok!(next.poll()));
    assert!(mutex.is_owned_by(&a));
    assert_ready_ok!(back.poll()).unwrap().forget();
}

// cases: SW-05
#[test]
fn it_releases_one_semaphore_and_acquires_another() {
    let (one, two) = (Semaphore::new(0, 1), Semaphore::new(1, 1));
    let permit = assert_ready_ok!(counted(signal_and_wait(&one, two.acquire())).poll()).unwrap();
    assert_eq!((one.available(), two.available()), (1, 0));
    drop(permit);
}

// cases: SW-17
#[test]
fn a_mutex_that_was_abandoned_is_owned_and_says_so() {
    let (event, mutex, me) = (AutoResetEvent::new(false), Mutex::new(), Owner::new());
    mutex.try_lock(&Owner::new()).unwrap().unwrap().abandon();
    let lock = assert_ready_ok!(counted(signal_and_wait(&event, mutex.lock(&me))).poll());
    assert!(lock.is_err() && mutex.is_owned_by(&me) && event.is_set());
}

// ===== refused =====

// cases: SW-06, SW-07, SW-15
#[test]
fn a_signal_that_is_refused_leaves_the_other_object_untouched() {
    let (full, mutex) = (Semaphore::new(1, 1), Mutex::new());
    let (me, other) = (Owner::new(), Owner::new());
    mutex.try_lock(&other).unwrap().unwrap().forget();
    for set in [true, false] {
        let event = AutoResetEvent::new(set);
        let mut over = counted(signal_and_wait(&full, event.wait()));
        let refusal = assert_ready_err!(over.poll());
        assert_eq!(refusal, ReleaseError::OverMaximum { available: 1, max: 1 });
        let mut not_mine = counted(signal_and_wait(mutex.unlocking(&me), event.wait()));
        assert_ready_err!(not_mine.poll());
        assert_eq!((event.is_set(), full.available(), mutex.depth()), (set, 1, 1));
        event.set();
        assert!(event.try_wait() && !event.try_wait(), "no one stands in line");
        assert_eq!((over.wakes(), not_mine.wakes()), (0, 0));
    }
    let baton = Baton::new(0);
    let mut over = counted(signal_and_wait(&full, baton.acquire(1)));
    assert!(matches!(over.poll(), Poll::Ready(Err(_))));
    assert_eq!(baton.snapshot(), Baton::new(0).snapshot());
}

// cases: SW-14
#[test]
fn a_wait_that_is_refused_leaves_the_signal_ungiven() {
    let (event, closed, baton) = (AutoResetEvent::new(false), Semaphore::new(1, 1), Baton::new(5));
    closed.close();
    let answer = assert_ready_ok!(counted(signal_and_wait(&event, closed.acquire())).poll());
    assert_eq!(answer.map(drop), Err(AcquireError::Closed));
    let answer = assert_ready_ok!(counted(signal_and_wait(&event, baton.acquire(4))).poll());
    assert_eq!(answer.map(drop), Err(AcquireError::Passed));
    assert!(!event.is_set());
}

// ===== waiting =====

// cases: SW-04
#[test]
fn after_a_deadline_the_signal_has_happened() {
    let (signal, event) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
    let mut wait = signal_and_wait(&signal, event.wait());
    assert!(blocking::wait_timeout(&mut wait, Duration::ZERO).is_err());
    assert!(signal.try_wait());
    event.set();
    assert!(event.is_set(), "it does not stand in line");
    assert_ready_ok!(poll_with(&mut wait, std::task::Waker::noop()));
    assert_eq!((event.is_set(), signal.is_set()), (false, false), "and it is not signaled twice");
}

// cases: SW-08, SW-09
#[test]
fn one_level_of_a_mutex_is_unlocked() {
    let (mutex, event, me) = (Mutex::new(), AutoResetEvent::new(false), Owner::new());
    for depth in [2, 1] {
        while mutex.depth() < depth {
            mutex.try_lock(&me).unwrap().unwrap().forget();
        }
        let mut wait = counted(signal_and_wait(mutex.unlocking(&me), event.wait()));
        assert_pending!(wait.poll());
        assert_pending!(wait.poll());
        assert_eq!((mutex.depth(), mutex.is_owned_by(&me)), (depth - 1, depth == 2));
        event.set();
        assert_ready_ok!(wait.poll());
    }
    mutex.try_lock(&Owner::new()).expect("free").unwrap().forget();
    assert!(mutex.is_abandoned(), "the other owner is gone, and this one had nothing to abandon");
}

// cases: SW-11
#[test]
fn every_signal_goes_with_every_wait() {
    for signal in 0..4 {
        for ready in [true, false] {
            for wait in 0..3 {
                matrix(signal, wait, ready);
            }
        }
    }
}

fn matrix(signal: usize, wait: usize, ready: bool) {
    let (manual, auto) = (ManualResetEvent::new(false), AutoResetEvent::new(false));
    let semaphore = Semaphore::new(u32::from(signal == 3), 1);
    let (waited_manual, waited_auto) = (ManualResetEvent::new(ready), AutoResetEvent::new(ready));
    let waited_semaphore = Semaphore::new(u32::from(ready), 1);
    macro_rules! signaled {
        ($wait:expr) => {{
            let now = Duration::ZERO;
            match signal {
                0 => blocking::wait_timeout(signal_and_wait(&manual, $wait), now).map(|it| it.is_ok()).ok(),
                1 => blocking::wait_timeout(signal_and_wait(&auto, $wait), now).map(|it| it.is_ok()).ok(),
                _ => {
                    blocking::wait_timeout(signal_and_wait(&semaphore, $wait), now).map(|it| it.is_ok()).ok()
                }
            }
        }};
    }
    let answer = match wait {
        0 => signaled!(waited_manual.wait()),
        1 => signaled!(waited_auto.wait()),
        _ => {
            let kept = &waited_semaphore;
            let answer = signaled!(kept.acquire_many(1));
            // The permit was dropped with the answer.
            assert_eq!(kept.available(), u32::from(ready));
            answer
        }
    };
    let refused = signal == 3;
    let expected = if refused { Some(false) } else { ready.then_some(true) };
    assert_eq!(answer, expected, "{signal} and {wait}, {ready}");
    assert_eq!((manual.is_set(), auto.is_set()), (signal == 0, signal == 1));
    assert_eq!(semaphore.available(), u32::from(signal >= 2));
    assert_eq!(waited_manual.is_set(), ready);
    assert_eq!(waited_auto.is_set(), ready && (refused || wait != 1));
}

// cases: SW-16
#[test]
fn a_pulse_by_whoever_the_signal_wakes_cannot_be_missed() {
    let (signal, answer) = (AutoResetEvent::new(false), Arc::new(ManualResetEvent::new(false)));
    let pulsing = {
        let answer = Arc::clone(&answer);
        calling_waker(move || assert!(!answer.pulse()))
    };
    let mut partner = signal.wait();
    assert_pending!(poll_with(&mut partner, &pulsing));
    let mut wait = counted(signal_and_wait(&signal, answer.wait()));
    let polled = wait.poll();
    assert!(polled.is_ready() || wait.poll().is_ready(), "the pulse inside the signal was missed");
    must_end(|| {
        let (signal, answer) = (AutoResetEvent::new(false), ManualResetEvent::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    blocking::wait(signal.wait());
                    answer.pulse();
                }
            });
            for _ in 0..2_000 {
                let Ok(()) = blocking::wait(signal_and_wait(&signal, answer.wait()));
            }
        });
    });
}

// cases: SW-21
#[test]
fn a_waiter_whose_waker_sets_the_wait_object_completes_it() {
    let (signal, object) = (ManualResetEvent::new(false), Arc::new(AutoResetEvent::new(false)));
    let setting = {
        let object = Arc::clone(&object);
        calling_waker(move || assert!(!object.set()))
    };
    let mut partner = signal.wait();
    assert_pending!(poll_with(&mut partner, &setting));
    let mut wait = counted(signal_and_wait(&signal, object.wait()));
    assert!(wait.poll().is_ready() || wait.poll().is_ready());
    assert!(!object.is_set());
}

// cases: SW-24
#[test]
fn two_threads_and_two_tasks_take_turns() {
    const ROUNDS: usize = 10_000;
    must_end(|| {
        let (to, fro, turns) = (AutoResetEvent::new(false), AutoResetEvent::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                blocking::wait(to.wait());
                for round in 0..ROUNDS {
                    assert_eq!(turns.fetch_add(1, SeqCst), 2 * round + 1);
                    let Ok(()) = blocking::wait(signal_and_wait(&fro, to.wait()));
                }
            });
            for round in 0..ROUNDS {
                assert_eq!(turns.fetch_add(1, SeqCst), 2 * round);
                let Ok(()) = blocking::wait(signal_and_wait(&to, fro.wait()));
            }
            to.set();
        });
    });
    let (to, fro) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
    let mut one = counted(signal_and_wait(&to, fro.wait()));
    assert_pending!(one.poll());
    assert!(to.try_wait(), "the other one begins");
    for _ in 0..ROUNDS {
        let mut other = counted(signal_and_wait(&fro, to.wait()));
        assert_pending!(other.poll());
        assert_eq!((one.wakes(), other.wakes()), (1, 0));
        assert_ready_ok!(one.poll());
        one = counted(signal_and_wait(&to, fro.wait()));
        assert_pending!(one.poll());
        assert_eq!((one.wakes(), other.wakes()), (0, 1));
        assert_ready_ok!(other.poll());
    }
}

#[test]
fn it_stands_in_line_like_a_single_wait() {
    let (signal, semaphore) = (AutoResetEvent::new(false), Semaphore::new(1, 2));
    let mut wait = counted(signal_and_wait(&signal, semaphore.acquire_many(2)));
    assert_pending!(wait.poll());
    assert!(semaphore.try_acquire().is_err(), "it would overtake");
    semaphore.release(1).unwrap();
    assert_eq!((wait.wakes(), semaphore.available()), (1, 0));
}

// ===== drops =====

// cases: SW-22
#[test]
fn before_its_first_poll_it_does_nothing() {
    let (signal, event) = (AutoResetEvent::new(false), AutoResetEvent::new(true));
    drop(signal_and_wait(&signal, event.wait()));
    assert_eq!((signal.is_set(), event.is_set()), (false, true));
}

// cases: SW-23
#[test]
fn dropped_later_the_signal_stays_and_the_wait_is_withdrawn_or_given_back() {
    for granted in [false, true] {
        let (signal, event) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
        let mut wait = counted(signal_and_wait(&signal, event.wait()));
        assert_pending!(wait.poll());
        if granted {
            event.set();
            assert!(!event.is_set() && wait.wakes() == 1);
        }
        drop(wait);
        assert_eq!((signal.is_set(), event.is_set()), (true, granted));
    }
}

#[test]
fn a_turn_that_is_dropped_unseen_is_used_up() {
    let (signal, baton) = (ManualResetEvent::new(false), Baton::new(0));
    let turn = baton.try_acquire(0).unwrap();
    let mut wait = counted(signal_and_wait(&signal, baton.acquire(1)));
    assert!(matches!(wait.poll(), Poll::Pending));
    let mut next = line_up(&baton, [2]);
    drop(turn);
    drop(wait);
    assert_eq!(assert_ready_ok!(next[0].poll()).seq(), 2);
}

#[test]
fn a_poll_after_the_answer_panics_with_the_name() {
    let event = AutoResetEvent::new(false);
    let mut wait = counted(signal_and_wait(&event, event.wait()));
    assert_ready_ok!(wait.poll());
    let panic = panic_of(AssertUnwindSafe(|| wait.poll())).unwrap();
    assert_eq!(panic.message, "`SignalAndWait` polled after completion");
    assert!(!event.is_set());
    let mut single = counted(event.wait());
    assert_pending!(single.poll());
    event.set();
    assert_ready!(single.poll());
}
