//! Where a thread may block and where it may not, as tokio sees it.
#![cfg(feature = "tokio")]

mod common;

use batons::{Baton, blocking};
use common::{Panicked, must_end, panic_of};
use std::{panic::AssertUnwindSafe, time::Duration};
use tokio::runtime::{Builder, Runtime};

fn one_thread() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

fn threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

/// What every blocking form does here, each on a baton of its own.
fn all_forms() -> [Option<Panicked>; 6] {
    let baton = Baton::new(0);
    let mut tickets = [baton.ticket(), baton.ticket()];
    let other = Baton::new(0);
    let time = Duration::ZERO;
    let [first, second] = &mut tickets;
    [
        panic_of(AssertUnwindSafe(|| drop(other.blocking_acquire(0)))),
        panic_of(AssertUnwindSafe(|| drop(other.blocking_acquire_timeout(1, time)))),
        panic_of(AssertUnwindSafe(|| drop(first.blocking_acquire()))),
        panic_of(AssertUnwindSafe(|| drop(second.blocking_acquire_timeout(time)))),
        panic_of(|| blocking::wait(std::future::ready(()))),
        panic_of(|| blocking::wait_timeout(std::future::ready(()), Duration::MAX).is_ok()),
    ]
}

/// All forms refuse, though none would have had to wait, and blame the caller.
fn assert_refused(forms: [Option<Panicked>; 6]) {
    for (form, panic) in forms.into_iter().enumerate() {
        let panic = panic.unwrap_or_else(|| panic!("form {form} blocked"));
        assert!(panic.file.ends_with("tests/blocking_runtime.rs"), "{form}: {panic:?}");
        assert!(panic.message.contains("runtime"), "{form}: {panic:?}");
    }
}

fn assert_allowed(forms: [Option<Panicked>; 6]) {
    for (form, panic) in forms.into_iter().enumerate() {
        assert!(panic.is_none(), "form {form}: {panic:?}");
    }
}

#[test]
fn blocking_is_refused_in_block_on() {
    assert_refused(one_thread().block_on(async { all_forms() }));
    assert_refused(threads().block_on(async { all_forms() }));
}

#[test]
fn blocking_is_refused_in_a_task() {
    let task = || tokio::spawn(async { all_forms() });
    assert_refused(one_thread().block_on(async { task().await.unwrap() }));
    assert_refused(threads().block_on(async { task().await.unwrap() }));
}

#[test]
fn a_refused_blocking_call_fails_its_task_and_changes_nothing() {
    let baton = Baton::new(0);
    let before = baton.snapshot();
    let failed = threads().block_on(async {
        let baton = baton.clone();
        let task = tokio::spawn(async move {
            let panic = panic_of(AssertUnwindSafe(|| drop(baton.blocking_acquire(0))));
            assert_eq!(baton.snapshot().waiting(), []);
            panic
        });
        task.await.unwrap()
    });
    assert!(failed.is_some());
    assert_eq!(baton.snapshot(), before);
}

#[test]
fn blocking_is_allowed_in_spawn_blocking() {
    for runtime in [one_thread(), threads()] {
        let forms = runtime.block_on(async { tokio::task::spawn_blocking(all_forms).await.unwrap() });
        assert_allowed(forms);
    }
}

#[test]
fn blocking_is_allowed_in_block_in_place() {
    let runtime = threads();
    let task = || tokio::spawn(async { tokio::task::block_in_place(all_forms) });
    assert_allowed(runtime.block_on(async { task().await.unwrap() }));
}

#[test]
fn blocking_is_allowed_on_a_plain_thread_with_or_without_an_entered_runtime() {
    assert_allowed(all_forms());
    for runtime in [one_thread(), threads()] {
        let _entered = runtime.enter();
        assert_allowed(all_forms());
    }
}

#[test]
fn blocking_is_allowed_when_the_entered_runtime_has_shut_down() {
    for runtime in [one_thread(), threads()] {
        let handle = runtime.handle().clone();
        let _entered = handle.enter();
        runtime.shutdown_background();
        assert_allowed(all_forms());
    }
}

#[test]
fn a_blocked_thread_and_a_task_hand_over_to_each_other() {
    must_end(|| {
        for runtime in [one_thread(), threads()] {
            let baton = Baton::new(0);
            let thread_side = baton.clone();
            runtime.block_on(async {
                let thread = tokio::task::spawn_blocking(move || {
                    for number in (1..2000).step_by(2) {
                        drop(thread_side.blocking_acquire(number).unwrap());
                    }
                });
                for number in (0..2000).step_by(2) {
                    drop(baton.acquire(number).await.unwrap());
                }
                thread.await.unwrap();
            });
            assert_eq!(baton.next(), 2000);
        }
    });
}
