//! Operations on tokio and elsewhere: started and waited for across runtimes, and runtimes that are shut down
//! with operations at every stage.
#![cfg(feature = "tokio")]

mod common;

use batons::{CompletionPort, Operation, OperationError, wait_any};
use common::{must_end, panic_of};
use std::{
    future::pending,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};
use tokio::runtime::{Builder, Runtime};

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Counts the work that has been dropped.
#[derive(Clone, Default)]
struct Live(Arc<AtomicUsize>);

struct Alive(Arc<AtomicUsize>);

impl Live {
    fn one(&self) -> Alive {
        self.0.fetch_add(1, Ordering::SeqCst);
        Alive(Arc::clone(&self.0))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn an_operation_on_tokio_ends_with_its_value_its_panic_or_its_cancellation() {
    let value = Operation::spawn(async { 42 });
    let on = Operation::spawn_on(&tokio::runtime::Handle::current(), async { 43 });
    let panics = Operation::spawn(async { panic!("no luck") });
    let stopped = Operation::spawn(pending::<()>());
    assert_eq!((value.result().await.unwrap(), on.result().await.unwrap()), (42, 43));
    assert!(matches!(panics.result().await, Err::<(), _>(OperationError::Panicked(_))));
    assert!(stopped.cancel());
    assert!(matches!(stopped.result().await, Err(OperationError::Cancelled)));
}

#[test]
fn outside_a_runtime_it_panics_with_the_caller_s_place() {
    let port = CompletionPort::new(1);
    let panics = [
        panic_of(|| Operation::spawn(async {})),
        panic_of(|| Operation::spawn_blocking(|| ())),
        panic_of(|| port.spawn(async {}, drop)),
        panic_of(|| port.spawn_blocking(|| (), drop)),
    ];
    for panic in panics {
        let panic = panic.expect("there is no runtime");
        assert!(panic.file.ends_with("operation_runtimes.rs"), "{panic:?}");
    }
    assert_eq!(port.len(), 2, "work that could not begin is a packet all the same");
}

// cases: OV-15
#[test]
fn a_task_that_ends_cancels_what_it_had_in_flight() {
    must_end(|| {
        let live = Live::default();
        one_thread().block_on(async {
            let (tell, told) = tokio::sync::oneshot::channel::<()>();
            let alive = live.one();
            let issuer = tokio::spawn(async move {
                let operation = Operation::spawn(async move {
                    let _alive = alive;
                    let _tell = tell;
                    pending::<()>().await;
                });
                tokio::task::yield_now().await;
                drop(operation);
            });
            issuer.await.unwrap();
            assert!(told.await.is_err(), "the work is dropped");
            assert_eq!(live.count(), 0);
        });
    });
}

#[test]
fn a_runtime_that_is_shut_down_completes_what_it_had_in_flight() {
    must_end(|| {
        let (live, other) = (Live::default(), one_thread());
        let port = CompletionPort::new(1);
        let runtime = one_thread();
        let begun = |alive: Alive| async move {
            let _alive = alive;
            pending::<u32>().await
        };
        let done = Operation::spawn_on(runtime.handle(), async { 7 });
        let (pending, cancelled) = (
            Operation::spawn_on(runtime.handle(), begun(live.one())),
            Operation::spawn_on(runtime.handle(), begun(live.one())),
        );
        {
            let _inside = runtime.enter();
            port.spawn(begun(live.one()), |result| result);
        }
        runtime.block_on(async {
            done.wait().await;
            tokio::task::yield_now().await;
        });
        assert!(cancelled.cancel());
        // Never polled.
        let new = Operation::spawn_on(runtime.handle(), begun(live.one()));
        assert_eq!(live.count(), 4);
        let waits = std::thread::spawn({
            let (pending, new) = (pending.clone(), new.clone());
            move || batons::blocking::wait(wait_any([pending.wait(), new.wait()])).unwrap().0
        });
        drop(runtime);
        waits.join().unwrap();
        assert_eq!(live.count(), 0, "all work was dropped with its runtime");
        other.block_on(async {
            assert_eq!(done.result().await.unwrap(), 7);
            for operation in [&pending, &cancelled, &new] {
                assert!(matches!(operation.result().await, Err(OperationError::Cancelled)));
                assert!(!operation.cancel());
            }
            let packet = port.next().await.unwrap().into_inner();
            assert!(matches!(packet, Err(OperationError::Cancelled)));
        });
        // And what comes after the shut-down.
        let handle = {
            let gone = one_thread();
            gone.handle().clone()
        };
        let late = Operation::spawn_on(&handle, async { 8 });
        assert!(matches!(late.blocking_result(), Err(OperationError::Cancelled)));
    });
}

// cases: OV-08
#[test]
fn a_buffer_belongs_to_its_operation_and_comes_back_with_the_result() {
    must_end(|| {
        let runtime = one_thread();
        let mut buffer = vec![0; 3];
        let operation = Operation::spawn_on(runtime.handle(), async move {
            buffer.fill(7);
            buffer
        });
        runtime.block_on(operation.wait());
        assert_eq!(operation.blocking_result().unwrap(), [7, 7, 7]);
    });
}

#[test]
fn closures_that_block_are_cancelled_before_they_begin_or_run_to_their_end() {
    must_end(|| {
        let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let _inside = runtime.enter();
        let (begun, go) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let live = Live::default();
        let first = Operation::spawn_blocking({
            let (begun, go, live) = (Arc::clone(&begun), Arc::clone(&go), live.clone());
            move || {
                begun.wait();
                go.wait();
                live.one()
            }
        });
        let second = Operation::spawn_blocking(|| panic!("it was cancelled before it began"));
        begun.wait();
        assert!(first.cancel() && second.cancel());
        assert!(!first.is_complete() && !second.is_complete());
        go.wait();
        assert!(matches!(first.blocking_result(), Err(OperationError::Cancelled)));
        assert_eq!(live.count(), 0, "what it answered was dropped before the completion");
        assert!(matches!(second.blocking_result(), Err::<(), _>(OperationError::Cancelled)));
        let third = Operation::spawn_blocking(|| 42);
        assert_eq!(third.blocking_result().unwrap(), 42);
    });
}

#[test]
fn closures_in_line_at_a_shut_down_complete_all_the_same() {
    must_end(|| {
        let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let (begun, go) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let (first, second) = {
            let _inside = runtime.enter();
            let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
            let first = Operation::spawn_blocking(move || {
                begun.wait();
                go.wait();
                42
            });
            (first, Operation::spawn_blocking(|| 43))
        };
        begun.wait();
        runtime.shutdown_background();
        go.wait();
        assert_eq!(first.blocking_result().unwrap(), 42, "what has begun runs to its end");
        // Whether the runtime still begins it is its own affair.
        assert!(matches!(second.blocking_result(), Ok(43) | Err(OperationError::Cancelled)));
    });
}

#[test]
fn an_operation_runs_on_any_executor() {
    must_end(|| {
        let (operation, task) = Operation::new(async { 42 });
        smol::spawn(task).detach();
        assert_eq!(one_thread().block_on(operation.result()).unwrap(), 42);
        let (operation, task) = Operation::new(async { 43 });
        let ((), result) = futures::executor::block_on(futures::future::join(task, operation.result()));
        assert_eq!(result.unwrap(), 43);
        // Work that stays in its thread.
        let local = std::rc::Rc::new(44);
        let (operation, task) = Operation::new(async move { *local });
        one_thread().block_on(tokio::task::LocalSet::new().run_until(async {
            tokio::task::spawn_local(task);
            assert_eq!(operation.result().await.unwrap(), 44);
        }));
    });
}

#[test]
fn cancellations_and_ends_that_race_agree_on_who_won() {
    must_end(|| {
        let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
        for round in 0..500 {
            let operation = Operation::spawn_on(runtime.handle(), async move {
                for _ in 0..round % 3 {
                    tokio::task::yield_now().await;
                }
                round
            });
            let cancelled = operation.cancel();
            match operation.blocking_result() {
                Ok(value) => assert!(!cancelled && value == round),
                Err(error) => assert!(cancelled && matches!(error, OperationError::Cancelled)),
            }
        }
    });
}

#[test]
fn workers_and_threads_share_a_port_and_no_packet_is_lost() {
    const PACKETS: usize = 4_000;
    must_end(|| {
        let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let port = CompletionPort::new(2);
        let (running, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (tell, told) = mpsc::channel();
        let work = move |packet: &usize| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tell.send(*packet).unwrap();
            running.fetch_sub(1, Ordering::SeqCst);
            most.load(Ordering::SeqCst)
        };
        let tasks = [0, 1].map(|_| {
            let (port, work) = (port.clone(), work.clone());
            runtime.spawn(async move { while port.next().await.map(|packet| work(&packet)).is_ok() {} })
        });
        let thread = std::thread::spawn({
            let (port, work) = (port.clone(), work.clone());
            move || {
                let mut most = 0;
                while let Ok(packet) = port.blocking_next() {
                    most = work(&packet);
                }
                most
            }
        });
        drop(work);
        let _inside = runtime.enter();
        for n in (0..PACKETS).step_by(2) {
            port.spawn(async move { n }, Result::unwrap);
            port.post(n + 1).unwrap();
        }
        let mut seen: Vec<_> = (0..PACKETS).map(|_| told.recv().unwrap()).collect();
        port.close();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..PACKETS), "each once");
        assert!(thread.join().unwrap() <= 2, "never more than the concurrency");
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
        assert_eq!((port.len(), port.running()), (0, 0));
    });
}
