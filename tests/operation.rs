//! What an operation does: its one completion, who may take the result, who wins of a cancellation and the end
//! of the work, and what is dropped when. Runtimes are in `operation_runtimes.rs`.

mod common;

use batons::{
    AutoResetEvent, ManualResetEvent, Operation, OperationError, OperationTask, ResultTimeoutError,
    TryResultError, signal_and_wait, wait_all, wait_any,
};
use common::{Counted, calling_waker, counted, must_end, panic_of, poll_with, wakes_of};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, panic_any},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio_test::{assert_pending, assert_ready};

/// Work that ends when it is told to, counts its drops, and tells whether the operation was complete then.
#[derive(Default)]
struct Script {
    /// What it answers; pending without.
    answer: Mutex<Option<Answer>>,
    waker: Mutex<Option<Waker>>,
    drops: AtomicU32,
    operation: Mutex<Option<Operation<u32>>>,
    /// What `is_complete` said when the work was dropped.
    complete_at_drop: Mutex<Option<bool>>,
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().expect("nobody panics inside")
}

enum Answer {
    Value(u32),
    Panic(&'static str),
}

struct Work(Arc<Script>);

impl Future for Work {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        *lock(&self.0.waker) = Some(cx.waker().clone());
        let answer = lock(&self.0.answer).take();
        match answer {
            None => Poll::Pending,
            Some(Answer::Value(value)) => Poll::Ready(value),
            Some(Answer::Panic(message)) => panic_any(message),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Ordering::SeqCst);
        let operation = lock(&self.0.operation).take();
        *lock(&self.0.complete_at_drop) = operation.map(|operation| operation.is_complete());
    }
}

impl Script {
    fn answer(&self, answer: Answer) {
        *lock(&self.answer) = Some(answer);
    }

    fn drops(&self) -> u32 {
        self.drops.load(Ordering::SeqCst)
    }
}

type Task = Counted<OperationTask<Work>>;

/// An operation whose task is polled by hand.
fn scripted() -> (Operation<u32>, Task, Arc<Script>) {
    let script = Arc::<Script>::default();
    let (operation, task) = Operation::new(Work(Arc::clone(&script)));
    (operation, counted(task), script)
}

/// The same after the first poll of the task.
fn started() -> (Operation<u32>, Task, Arc<Script>) {
    let (operation, mut task, script) = scripted();
    assert_pending!(task.poll());
    (operation, task, script)
}

fn is_cancelled<T>(result: &Result<T, OperationError>) -> bool {
    matches!(result, Err(OperationError::Cancelled))
}

/// The result of an operation that must be complete.
#[track_caller]
fn ended<T>(operation: &Operation<T>) -> Result<T, OperationError> {
    operation.try_result().map_err(|error| match error {
        TryResultError::Ended(error) => error,
        error => panic!("{error}"),
    })
}

// ===== completion =====

// cases: OV-01, OV-02, OV-13
#[test]
fn an_operation_is_pending_until_its_result_is_there() {
    let (operation, mut task, script) = started();
    let mut waits = [counted(operation.wait()), counted(operation.wait())];
    for wait in &mut waits {
        assert_pending!(wait.poll());
    }
    assert!(!operation.is_complete());
    script.answer(Answer::Value(7));
    assert!(!operation.is_complete() && wakes_of(&waits) == [0, 0]);
    assert_ready!(task.poll());
    assert!(operation.is_complete());
    assert_eq!(wakes_of(&waits), [1, 1]);
    assert_eq!(operation.try_result().unwrap(), 7, "stored before anybody was woken");
    for wait in &mut waits {
        assert_ready!(wait.poll());
    }
}

// cases: OV-02
#[test]
fn whoever_is_woken_by_the_completion_finds_the_result() {
    let (operation, mut task, script) = started();
    let seen = Arc::new(Mutex::new(None));
    let waker = calling_waker({
        let (operation, seen) = (operation.clone(), Arc::clone(&seen));
        move || *seen.lock().unwrap() = operation.try_result().ok()
    });
    let mut wait = operation.wait();
    assert_pending!(poll_with(&mut wait, &waker));
    script.answer(Answer::Value(9));
    assert_ready!(task.poll());
    assert_eq!(*seen.lock().unwrap(), Some(9));
}

// cases: OV-03
#[test]
fn waits_take_nothing_and_the_result_is_taken_once() {
    let (operation, mut task, script) = started();
    script.answer(Answer::Value(7));
    assert_ready!(task.poll());
    for _ in 0..3 {
        assert_ready!(counted(operation.wait()).poll());
    }
    let mut result = counted(operation.result());
    let other = operation.clone();
    assert_eq!(assert_ready!(result.poll()).unwrap(), 7);
    assert!(matches!(assert_ready!(counted(other.result()).poll()), Err(OperationError::Taken)));
    assert!(matches!(other.try_result(), Err(TryResultError::Ended(OperationError::Taken))));
    assert_ready!(counted(other.wait()).poll());
}

// cases: OV-04, OV-05
#[test]
fn a_result_that_is_not_there_yet_changes_nothing() {
    let (operation, mut task, script) = started();
    assert!(matches!(operation.try_result(), Err(TryResultError::Incomplete)));
    for duration in [Duration::ZERO, Duration::from_millis(1)] {
        let early = operation.blocking_result_timeout(duration);
        assert!(matches!(early, Err(ResultTimeoutError::TimedOut)));
        assert!(!operation.blocking_wait_timeout(duration));
    }
    script.answer(Answer::Value(7));
    assert_ready!(task.poll());
    assert!(operation.blocking_wait_timeout(Duration::ZERO), "what is complete beats any deadline");
    operation.blocking_wait();
    assert_eq!(operation.blocking_result_timeout(Duration::ZERO).unwrap(), 7);
}

// cases: OV-06
#[test]
fn several_in_flight_from_one_task_are_told_apart() {
    let (one, mut first, script) = started();
    let (two, mut second, other) = started();
    let mut any = counted(wait_any([one.wait(), two.wait()]));
    assert_pending!(any.poll());
    other.answer(Answer::Value(2));
    assert_ready!(second.poll());
    assert_eq!(assert_ready!(any.poll()).unwrap().0, 1);
    assert_eq!((one.is_complete(), two.try_result().unwrap()), (false, 2));
    script.answer(Answer::Value(1));
    assert_ready!(first.poll());
    assert_eq!(one.try_result().unwrap(), 1);
}

#[test]
fn a_result_takes_part_in_waits_on_several_and_is_taken_by_the_winner_only() {
    let (operation, mut task, script) = started();
    let event = AutoResetEvent::new(false);
    let mut any = counted(wait_any((event.wait(), operation.result())));
    let mut all = counted(wait_all((event.wait(), operation.result())));
    assert_pending!(any.poll());
    assert_pending!(all.poll());
    event.set();
    assert_eq!(assert_ready!(any.poll()).unwrap().0, 0);
    script.answer(Answer::Value(7));
    assert_ready!(task.poll());
    assert_pending!(all.poll());
    event.set();
    let ((), result) = assert_ready!(all.poll()).unwrap();
    assert_eq!(result.unwrap(), 7, "the wait that lost took nothing");
}

#[test]
fn a_signal_and_the_wait_for_an_operation_are_one_step() {
    let (operation, mut task, script) = started();
    let event = ManualResetEvent::new(false);
    let mut wait = counted(signal_and_wait(&event, operation.wait()));
    assert_pending!(wait.poll());
    assert!(event.is_set());
    script.answer(Answer::Value(7));
    assert_ready!(task.poll());
    assert_ready!(wait.poll()).unwrap();
}

// ===== cancellation =====

// cases: OV-09, OV-10, OV-12
#[test]
fn a_cancellation_wins_and_completes_when_the_work_is_gone() {
    let (operation, mut task, script) = started();
    *script.operation.lock().unwrap() = Some(operation.clone());
    let mut wait = counted(operation.wait());
    assert_pending!(wait.poll());
    assert!(operation.cancel());
    assert_eq!((task.wakes(), script.drops(), operation.is_complete()), (1, 0, false), "a request only");
    assert!(!operation.cancel(), "cancelled before");
    assert_pending!(wait.poll());
    assert_ready!(task.poll());
    assert_eq!((script.drops(), operation.is_complete()), (1, true));
    assert_eq!(*script.complete_at_drop.lock().unwrap(), Some(false), "the buffer was free before");
    assert_ready!(wait.poll());
    assert!(is_cancelled(&assert_ready!(counted(operation.result()).poll())));
}

// cases: OV-09, OV-10
#[test]
fn a_cancellation_that_is_too_late_is_told_so() {
    let (operation, mut task, script) = started();
    script.answer(Answer::Value(7));
    assert_ready!(task.poll());
    assert!(!operation.cancel());
    assert_eq!(operation.try_result().unwrap(), 7);
    assert!(!operation.cancel());
}

// cases: OV-10
#[test]
fn what_the_work_answers_after_a_cancellation_is_dropped() {
    struct Noted(Arc<AtomicU32>);
    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let drops = Arc::<AtomicU32>::default();
    let own = Arc::new(Mutex::new(None::<Operation<Noted>>));
    // It cancels itself and answers in the same poll.
    let (operation, task) = Operation::new({
        let (own, value) = (Arc::clone(&own), Noted(Arc::clone(&drops)));
        async move {
            assert!(own.lock().unwrap().take().expect("itself").cancel());
            value
        }
    });
    *own.lock().unwrap() = Some(operation.clone());
    assert_ready!(counted(task).poll());
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert!(matches!(operation.try_result(), Err(TryResultError::Ended(OperationError::Cancelled))));
}

// cases: OV-10
#[test]
fn work_that_was_cancelled_before_its_task_began_never_begins() {
    let (operation, mut task, script) = scripted();
    script.answer(Answer::Value(7));
    assert!(operation.cancel());
    assert_ready!(task.poll());
    assert!(is_cancelled(&ended(&operation)));
    assert!(script.waker.lock().unwrap().is_none(), "it was never polled");
}

// cases: OV-12
#[test]
fn a_task_that_is_dropped_completes_its_operation_once_the_work_is_gone() {
    for begun in [false, true] {
        let (operation, task, script) = if begun { started() } else { scripted() };
        *script.operation.lock().unwrap() = Some(operation.clone());
        let mut wait = counted(operation.wait());
        assert_pending!(wait.poll());
        drop(task);
        assert_eq!((script.drops(), wait.wakes()), (1, 1));
        assert_eq!(*script.complete_at_drop.lock().unwrap(), Some(false));
        assert!(!operation.cancel(), "decided by the drop");
        assert!(is_cancelled(&ended(&operation)));
    }
}

// ===== panics =====

#[test]
fn a_panic_of_the_work_is_its_result() {
    let (operation, mut task, script) = started();
    script.answer(Answer::Panic("out of paper"));
    assert!(panic_of(AssertUnwindSafe(|| assert_ready!(task.poll()))).is_none(), "the task goes on");
    assert_eq!(script.drops(), 1);
    let Err(OperationError::Panicked(panic)) = ended(&operation) else { panic!("it panicked") };
    assert_eq!(panic.message(), "out of paper");
    assert_eq!(panic.to_string(), "the work panicked: out of paper");
    assert_eq!(panic.into_payload().downcast_ref::<&str>(), Some(&"out of paper"));
}

#[test]
fn a_panic_in_the_drop_of_the_work_goes_on_after_the_completion() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let work = |bomb: Bomb| async move {
        std::future::pending::<()>().await;
        drop(bomb);
    };
    let (operation, task) = Operation::new(work(Bomb));
    let mut task = counted(task);
    assert_pending!(task.poll());
    operation.cancel();
    let panic = panic_of(AssertUnwindSafe(|| task.poll())).expect("it goes on");
    assert_eq!(panic.message, "boom");
    assert!(is_cancelled(&ended(&operation)));

    let (operation, task) = Operation::new(work(Bomb));
    assert!(panic_of(AssertUnwindSafe(|| drop(task))).is_some());
    assert!(is_cancelled(&ended(&operation)));
}

#[test]
fn a_waker_that_panics_keeps_no_other_from_the_completion() {
    let (operation, mut task, script) = started();
    let (mut first, mut second) = (operation.wait(), counted(operation.wait()));
    assert_pending!(poll_with(&mut first, &calling_waker(|| panic!("a waker"))));
    assert_pending!(second.poll());
    script.answer(Answer::Value(7));
    assert!(panic_of(AssertUnwindSafe(|| task.poll())).is_some());
    assert_eq!(second.wakes(), 1);
    assert_eq!(operation.try_result().unwrap(), 7);
    drop(task);
    assert_ready!(second.poll());
}

#[test]
fn futures_that_are_polled_after_their_end_say_who_they_are() {
    let (operation, mut task, script) = started();
    script.answer(Answer::Value(7));
    assert_ready!(task.poll());
    let (mut wait, mut result) = (counted(operation.wait()), counted(operation.result()));
    assert_ready!(wait.poll());
    assert!(assert_ready!(result.poll()).is_ok());
    let again = [
        panic_of(AssertUnwindSafe(|| assert_ready!(task.poll()))),
        panic_of(AssertUnwindSafe(|| assert_ready!(wait.poll()))),
        panic_of(AssertUnwindSafe(|| drop(result.poll()))),
    ];
    let messages = again.map(|panic| panic.expect("polled again").message);
    assert_eq!(
        messages,
        ["OperationTask", "WaitOperation", "TakeResult"]
            .map(|name| format!("`{name}` polled after completion"))
    );
}

// ===== handles and futures that go =====

// cases: OV-34
#[test]
fn the_last_handle_of_pending_work_cancels_it() {
    let (operation, mut task, script) = started();
    let other = operation.clone();
    drop(operation);
    assert_eq!(task.wakes(), 0);
    drop(other);
    assert_eq!(
        (task.wakes(), script.drops()),
        (1, 0),
        "requested, and the buffer lives until the completion"
    );
    assert_ready!(task.poll());
    assert_eq!(script.drops(), 1);
}

// cases: OV-34
#[test]
fn detached_work_goes_on_without_handles() {
    let (operation, mut task, script) = started();
    assert_eq!([operation.detach(), operation.detach()], [false, true]);
    drop(operation);
    assert_eq!(task.wakes(), 0);
    assert_pending!(task.poll());
    script.answer(Answer::Value(7));
    assert_ready!(task.poll());
    assert_eq!(script.drops(), 1);
}

#[test]
fn a_result_that_nobody_takes_is_dropped_where_it_may_use_the_operation() {
    struct Nosy(Option<Operation<()>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            // A lock that was held here would never be free.
            if let Some(operation) = self.0.take() {
                assert!(operation.is_complete());
            }
        }
    }
    must_end(|| {
        let (helper, task) = Operation::new(async {});
        assert_ready!(counted(task).poll());
        for detached in [false, true] {
            let value = Nosy(Some(helper.clone()));
            let (operation, task) = Operation::new(async move { value });
            let mut task = counted(task);
            if detached {
                operation.detach();
                drop(operation);
                assert_ready!(task.poll());
            } else {
                assert_ready!(task.poll());
                drop(operation);
            }
        }
    });
}

#[test]
fn waits_that_are_dropped_at_any_stage_change_nothing() {
    let (operation, mut task, script) = started();
    drop(operation.wait());
    drop(operation.result());
    let (mut wait, mut result) = (counted(operation.wait()), counted(operation.result()));
    assert_pending!(wait.poll());
    assert_pending!(result.poll());
    drop((wait, result));
    let (mut unseen, mut stays) = (counted(operation.result()), counted(operation.result()));
    assert_pending!(unseen.poll());
    assert_pending!(stays.poll());
    script.answer(Answer::Value(7));
    assert_ready!(task.poll());
    drop(unseen);
    assert_eq!(assert_ready!(stays.poll()).unwrap(), 7, "the one that was dropped took nothing");
}

#[test]
fn a_wait_follows_its_last_waker_and_so_does_the_task() {
    let (operation, mut task, script) = started();
    let mut wait = operation.wait();
    let (first, second) = (common::counting_waker(), common::counting_waker());
    assert_pending!(poll_with(&mut wait, &first.0));
    assert_pending!(poll_with(&mut wait, &second.0));
    assert_pending!(task.poll(), "a poll in vain");
    script.answer(Answer::Value(7));
    assert_ready!(task.poll());
    assert_eq!((first.1.count(), second.1.count()), (0, 1));
    assert_ready!(poll_with(&mut wait, &second.0));
}

#[test]
fn wakers_and_drops_may_use_the_operation() {
    must_end(|| {
        let (operation, mut task, _) = started();
        let inside = operation.clone();
        let waker = calling_waker(move || {
            assert!(!inside.cancel());
            assert!(is_cancelled(&ended(&inside)));
        });
        let mut wait = operation.wait();
        assert_pending!(poll_with(&mut wait, &waker));
        assert!(operation.cancel());
        assert_ready!(task.poll());
        assert_ready!(poll_with(&mut wait, &waker));
    });
}

#[test]
fn debug_names_the_state() {
    let (operation, mut task, script) = started();
    assert_eq!(format!("{operation:?}"), "Operation { complete: false, cancelled: false, .. }");
    script.answer(Answer::Value(7));
    assert_ready!(task.poll());
    assert!(format!("{:?}", operation.wait()).starts_with("WaitOperation { operation: Some(Operation"));
}
