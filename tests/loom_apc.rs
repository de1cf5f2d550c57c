//! Every interleaving of a few threads around an APC queue, under the model checker.
//!
//! Run with `RUSTFLAGS="--cfg batons_loom" cargo test --release --test loom_apc`. Each model names a change of
//! `src/apc/` under which it was seen failing.
#![cfg(batons_loom)]

use batons::{Alertable, ApcQueue, AutoResetEvent, NameError, Namespace};
use loom::future::block_on;
use loom::thread;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use std::task::{Context, Poll, Waker};

/// Explores the interleavings with at most `preemptions` forced switches.
fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

/// Counts calls; the counter is no part of the model.
#[derive(Clone, Default)]
struct Made(Arc<AtomicUsize>);

impl Made {
    fn queue_to(&self, queue: &ApcQueue) -> thread::JoinHandle<()> {
        let (handle, made) = (queue.handle(), Arc::clone(&self.0));
        thread::spawn(move || {
            let call = move || {
                made.fetch_add(1, SeqCst);
            };
            assert!(handle.queue(call).is_ok());
        })
    }

    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

fn setting(event: &AutoResetEvent) -> thread::JoinHandle<bool> {
    let event = event.clone();
    thread::spawn(move || event.set())
}

/// Fails if a wait that its object ended makes the calls as well.
#[test]
fn a_call_and_a_grant_at_once_are_one_answer_and_the_other_stays() {
    model(3, || {
        let (queue, event, made) = (ApcQueue::new(), AutoResetEvent::new(false), Made::default());
        let (sender, setter) = (made.queue_to(&queue), setting(&event));
        let answer = block_on(queue.alertable(event.wait()));
        sender.join().unwrap();
        setter.join().unwrap();
        match answer {
            Alertable::Done(()) => {
                assert_eq!((made.count(), queue.pending(), event.is_set()), (0, 1, false));
            }
            Alertable::Alerted => assert_eq!((made.count(), queue.pending(), event.is_set()), (1, 0, true)),
        }
    });
}

/// Fails (as a dead-lock) if the alert is set before the call is in the list, or the list is looked at only before
/// the wait stands in line for the alert.
#[test]
fn a_call_that_comes_as_the_wait_begins_wakes_it() {
    model(4, || {
        let (queue, made) = (ApcQueue::new(), Made::default());
        let sender = made.queue_to(&queue);
        assert_eq!(block_on(queue.alertable(pending::<()>())), Alertable::Alerted);
        sender.join().unwrap();
        assert_eq!((made.count(), queue.pending()), (1, 0));
    });
}

/// Fails (as a dead-lock) if a wait that took the alert and then its object does not alert again.
#[test]
fn a_wait_that_is_ended_by_its_object_leaves_no_call_unnoticed() {
    model(2, || {
        let (queue, event) = (Arc::new(ApcQueue::new()), AutoResetEvent::new(false));
        let other = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || block_on(queue.alertable(pending::<()>())))
        };
        let sender = {
            let (handle, event) = (queue.handle(), event.clone());
            thread::spawn(move || {
                assert!(handle.queue(|| {}).is_ok());
                event.set();
            })
        };
        if block_on(queue.alertable(event.wait())).is_alerted() {
            // The call is made: another one for the other.
            assert!(queue.handle().queue(|| {}).is_ok());
        }
        sender.join().unwrap();
        assert!(other.join().unwrap().is_alerted());
        assert_eq!(queue.pending(), 0);
    });
}

/// Fails (as a dead-lock) if an event keeps what it granted to a wait that is dropped.
#[test]
fn a_wait_that_is_dropped_meanwhile_passes_its_alert_on() {
    model(2, || {
        let (queue, made) = (Arc::new(ApcQueue::new()), Made::default());
        let mut gone = Box::pin({
            let queue = Arc::clone(&queue);
            async move { queue.alertable(pending::<()>()).await }
        });
        assert!(gone.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let dropper = thread::spawn(move || drop(gone));
        let sender = made.queue_to(&queue);
        assert!(block_on(queue.alertable(pending::<()>())).is_alerted());
        sender.join().unwrap();
        dropper.join().unwrap();
        assert_eq!((made.count(), queue.pending()), (1, 0));
    });
}

/// Fails if taking back removes the call from the list and does no more.
#[test]
fn a_routine_is_made_or_taken_back() {
    model(3, || {
        let (queue, made) = (ApcQueue::new(), Made::default());
        let counting = made.clone();
        let routine = queue.handle().routine(move |()| {
            counting.0.fetch_add(1, SeqCst);
        });
        routine.queue(());
        let owner = {
            let routine = routine.clone();
            thread::spawn(move || {
                let withdrawn = routine.withdraw();
                (withdrawn, routine.queue(()))
            })
        };
        let drained = block_on(queue.drain());
        let (withdrawn, queued) = owner.join().unwrap();
        assert!(queued);
        let left = block_on(queue.drain());
        assert_eq!(drained + left, made.count());
        assert_eq!(made.count(), 1 + usize::from(!withdrawn));
    });
}

/// Fails if the end of a handle removes the entry of another object.
#[test]
fn a_name_that_is_closed_and_made_anew_at_once_is_not_lost() {
    model(3, || {
        let names = Namespace::new();
        let old = names.create("x", || AutoResetEvent::new(false)).unwrap();
        let closer = {
            let names = names.clone();
            thread::spawn(move || {
                // The model sees no handles, only locks; this one shows it that the close is a step.
                let _ = format!("{names:?}");
                drop(old);
            })
        };
        let new = names.create("x", || AutoResetEvent::new(true)).unwrap();
        closer.join().unwrap();
        let opened = names.open::<AutoResetEvent>("x").unwrap();
        assert_eq!(opened.is_set(), !new.existed());
        drop((new, opened));
        assert_eq!(names.open::<AutoResetEvent>("x").unwrap_err(), NameError::NotFound);
    });
}

/// Fails if a call that was begun is noted again before it is in the list again: taken back in between, it leaves an entry
/// that is no call there, for which alertable waits are withdrawn.
#[test]
fn a_routine_that_is_put_back_can_be_taken_back_whole() {
    /// A wait that panics as it is withdrawn for a call.
    struct Bad;

    impl Future for Bad {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }

    impl Drop for Bad {
        fn drop(&mut self) {
            resume_unwind(Box::new("dropped"));
        }
    }

    model(2, || {
        let (queue, made) = (ApcQueue::new(), Made::default());
        let counting = made.clone();
        let routine = queue.handle().routine(move |()| {
            counting.0.fetch_add(1, SeqCst);
        });
        routine.queue(());
        let owner = {
            let routine = routine.clone();
            thread::spawn(move || routine.withdraw())
        };
        let mut wait = Box::pin(queue.alertable(Bad));
        let mut poll = || wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let polled = catch_unwind(AssertUnwindSafe(&mut poll));
        // Not begun, it stands in line still, and its drop would panic here.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(wait)));
        assert!(polled.is_err() || dropped.is_err());
        let withdrawn = owner.join().unwrap();
        assert_eq!(queue.pending(), usize::from(!withdrawn));
        assert_eq!(
            (block_on(queue.drain()), made.count()),
            (usize::from(!withdrawn), usize::from(!withdrawn))
        );
        assert!(routine.queue(()));
        assert_eq!(block_on(queue.drain()), 1);
    });
}
