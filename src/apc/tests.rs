//! Completion calls, by the trait through which timers and operations ask for them.

use super::{Alertable, ApcQueue};
use crate::blocking::{wait, wait_timeout};
use crate::dispatch::Routine;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Told = Arc<Mutex<Vec<u32>>>;

/// As an object holds it, and what it was told.
fn routine(queue: &ApcQueue) -> (Box<dyn Routine<u32>>, Told) {
    let told = Told::default();
    let log = Arc::clone(&told);
    (Box::new(queue.handle().routine(move |n| log.lock().unwrap().push(n))), told)
}

#[test]
fn a_call_that_is_noted_wakes_nobody_until_the_alert() {
    let queue = ApcQueue::new();
    let (routine, told) = routine(&queue);
    let mut sleep = tokio_test::task::spawn(queue.alertable(pending::<()>()));
    assert!(sleep.poll().is_pending());
    assert!(routine.post(1) && routine.post(2));
    assert!(!sleep.is_woken() && queue.pending() == 1);
    routine.alert();
    assert!(sleep.is_woken());
    assert_eq!(sleep.poll(), std::task::Poll::Ready(Alertable::Alerted));
    assert_eq!(*told.lock().unwrap(), [1]);
}

#[test]
fn a_call_that_is_withdrawn_is_not_made_whether_its_alert_came_or_not() {
    let queue = ApcQueue::new();
    let (routine, told) = routine(&queue);
    for alerted in [false, true] {
        assert!(routine.post(1));
        if alerted {
            routine.alert();
        }
        routine.withdraw();
        routine.withdraw();
        assert!(wait_timeout(queue.alertable(pending::<()>()), Duration::ZERO).is_err());
    }
    assert!(routine.post(2));
    assert_eq!((wait(queue.drain()), &told.lock().unwrap()[..]), (1, &[2][..]));
}

#[test]
fn a_call_to_a_queue_that_is_gone_is_over() {
    let queue = ApcQueue::new();
    let (routine, told) = routine(&queue);
    assert!(routine.post(1) && !routine.is_over());
    drop(queue);
    assert!(routine.is_over() && !routine.post(2));
    routine.withdraw();
    routine.alert();
    assert!(told.lock().unwrap().is_empty());
}

/// The object notes, withdraws and notes again under its own lock while the queue is being drained, and a call
/// takes that lock too.
#[test]
fn an_object_may_hold_its_lock_while_it_notes_and_withdraws() {
    let queue = ApcQueue::new();
    let object = Arc::new(Mutex::new(0_u32));
    let inner = Arc::clone(&object);
    let routine: Box<dyn Routine<u32>> =
        Box::new(queue.handle().routine(move |_| *inner.lock().unwrap() += 1));
    std::thread::scope(|scope| {
        let setter = scope.spawn(|| {
            for n in 0..1_000 {
                let held = object.lock().unwrap();
                routine.withdraw();
                assert!(routine.post(n));
                drop(held);
                routine.alert();
            }
        });
        while !setter.is_finished() {
            wait(queue.drain());
        }
    });
    wait(queue.drain());
    assert!((1..=1_000).contains(&*object.lock().unwrap()) && queue.pending() == 0);
}

/// A call that is noted anew by itself alerts nobody; what the bound leaves of it must not be overlooked.
#[test]
fn what_the_bound_left_of_a_call_that_notes_itself_wakes_another_wait() {
    let queue = ApcQueue::new();
    let own = Arc::new(std::sync::OnceLock::<super::ApcRoutine<u32>>::new());
    let inner = Arc::clone(&own);
    let routine = queue.handle().routine(move |n| {
        assert!(inner.get().expect("it was set").post(n + 1));
    });
    own.set(routine.clone()).expect("it is set once");
    let spawn = || tokio_test::task::spawn(queue.alertable(pending::<()>()));
    let (mut one, mut two) = (spawn(), spawn());
    assert!(one.poll().is_pending() && two.poll().is_pending());
    routine.post(0);
    routine.alert();
    assert!(one.is_woken() && !two.is_woken());
    assert!(one.poll().is_ready());
    assert!(two.is_woken() && queue.pending() == 1);
}
