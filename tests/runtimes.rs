//! The same waits on every runtime, on several at once, and beside threads: the objects need nothing
//! from an executor but that it polls what was woken.

use batons::Baton;
use futures::future::join_all;
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

const TASKS: u64 = 200;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Numbers that wait for their turn, and the order in which they had it.
struct Scenario {
    baton: Baton,
    log: Arc<Mutex<Vec<u64>>>,
}

impl Scenario {
    /// Begins shortly before the wrap.
    const FIRST: u64 = u64::MAX - TASKS / 2;

    fn new() -> Self {
        Self { baton: Baton::new(Self::FIRST), log: Arc::default() }
    }

    fn turns() -> Vec<u64> {
        (0..TASKS).map(|turn| Self::FIRST.wrapping_add(turn)).collect()
    }

    /// The turns in an order that is the same every day.
    fn shuffled() -> Vec<u64> {
        let turns = Self::turns();
        (0..TASKS).map(|index| turns[usize::try_from(index * 77 % TASKS).expect("an index")]).collect()
    }

    /// Takes its turn, and gives the others every chance to come between.
    fn task(&self, seq: u64) -> Task {
        let (baton, log) = (self.baton.clone(), Arc::clone(&self.log));
        Box::pin(async move {
            let guard = baton.acquire(seq).await.expect("each number is acquired once");
            log.lock().expect("no panic inside").push(guard.seq());
            futures_yield().await;
            assert_eq!(log.lock().expect("no panic inside").last(), Some(&seq), "one owner at a time");
        })
    }

    fn tasks(&self) -> Vec<Task> {
        Self::shuffled().into_iter().map(|seq| self.task(seq)).collect()
    }

    fn blocking(&self, seq: u64) {
        let guard = self.baton.blocking_acquire(seq).expect("each number is acquired once");
        self.log.lock().expect("no panic inside").push(guard.seq());
    }

    fn check(&self) {
        assert_eq!(*self.log.lock().expect("no panic inside"), Self::turns());
        assert_eq!(self.baton.snapshot(), Baton::new(self.baton.next()).snapshot(), "nothing is left");
    }
}

/// Pending once, on any executor.
fn futures_yield() -> impl Future<Output = ()> {
    let mut first = true;
    std::future::poll_fn(move |cx| {
        if std::mem::take(&mut first) {
            cx.waker().wake_by_ref();
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(())
    })
}

async fn spawned_on_tokio(tasks: Vec<Task>) {
    for task in tasks.into_iter().map(tokio::spawn).collect::<Vec<_>>() {
        task.await.expect("no task panics");
    }
}

#[tokio::test]
async fn on_tokio_with_one_thread() {
    let scenario = Scenario::new();
    spawned_on_tokio(scenario.tasks()).await;
    scenario.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_tokio_with_workers() {
    let scenario = Scenario::new();
    spawned_on_tokio(scenario.tasks()).await;
    scenario.check();
}

#[tokio::test]
async fn on_tokio_s_local_set() {
    let scenario = Scenario::new();
    let local = tokio::task::LocalSet::new();
    scenario.tasks().into_iter().for_each(|task| drop(local.spawn_local(task)));
    local.await;
    scenario.check();
}

#[test]
fn on_futures_in_one_task() {
    let scenario = Scenario::new();
    futures::executor::block_on(join_all(scenario.tasks()));
    scenario.check();
}

#[test]
fn on_futures_local_pool() {
    use futures::task::LocalSpawnExt;
    let scenario = Scenario::new();
    let mut pool = futures::executor::LocalPool::new();
    let spawner = pool.spawner();
    scenario.tasks().into_iter().for_each(|task| spawner.spawn_local(task).expect("the pool is there"));
    pool.run();
    scenario.check();
}

#[test]
fn on_smol() {
    let scenario = Scenario::new();
    let tasks: Vec<_> = scenario.tasks().into_iter().map(smol::spawn).collect();
    smol::block_on(join_all(tasks));
    scenario.check();
}

#[test]
fn on_this_crate_s_own_parker() {
    let scenario = Scenario::new();
    batons::blocking::wait(join_all(scenario.tasks()));
    scenario.check();
}

#[test]
fn on_threads_alone() {
    let scenario = Scenario::new();
    std::thread::scope(|scope| {
        for seq in Scenario::shuffled() {
            let scenario = &scenario;
            scope.spawn(move || scenario.blocking(seq));
        }
    });
    scenario.check();
}

#[test]
fn on_two_runtimes_and_threads_in_one_line() {
    let scenario = Scenario::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    std::thread::scope(|scope| {
        let (mut on_tokio, mut on_smol) = (Vec::new(), Vec::new());
        for (index, seq) in Scenario::shuffled().into_iter().enumerate() {
            let scenario = &scenario;
            match index % 4 {
                0 => on_tokio.push(runtime.spawn(scenario.task(seq))),
                1 => on_smol.push(smol::spawn(scenario.task(seq))),
                2 => drop(scope.spawn(move || scenario.blocking(seq))),
                _ => drop(scope.spawn(move || futures::executor::block_on(scenario.task(seq)))),
            }
        }
        assert!(runtime.block_on(join_all(on_tokio)).into_iter().all(|task| task.is_ok()));
        smol::block_on(join_all(on_smol));
    });
    scenario.check();
}

#[tokio::test]
async fn several_numbers_in_one_task_are_several_waiters() {
    let baton = Baton::new(0);
    let turn = |seq| {
        let baton = &baton;
        async move { baton.acquire(seq).await.map(|guard| guard.seq()) }
    };
    assert_eq!(tokio::join!(turn(2), turn(0), turn(1)), (Ok(2), Ok(0), Ok(1)));
}

#[tokio::test]
async fn tokio_select_takes_the_turn_that_came_and_leaves_the_other_number_free() {
    let baton = Baton::new(0);
    let seq = tokio::select! {
        guard = baton.acquire(5) => guard.unwrap().seq(),
        guard = baton.acquire(0) => guard.unwrap().seq(),
    };
    assert_eq!(seq, 0);
    assert!(baton.snapshot().waiting().is_empty());
    baton.skip(5).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_tokio_withdraws_the_wait() {
    let baton = Baton::new(0);
    let limit = std::time::Duration::from_secs(1);
    assert!(tokio::time::timeout(limit, baton.acquire(1)).await.is_err());
    assert!(baton.snapshot().waiting().is_empty());
    let answer = tokio::time::timeout(std::time::Duration::ZERO, baton.acquire(0)).await;
    assert_eq!(answer.expect("free: no time is needed").unwrap().seq(), 0);
}

#[cfg(feature = "futures")]
mod fused {
    use batons::Baton;
    use futures::{future::FusedFuture, select};

    #[test]
    fn futures_select_takes_a_wait_without_fuse() {
        let baton = Baton::new(0);
        futures::executor::block_on(async {
            let (mut second, mut first) = (baton.acquire(1), baton.acquire(0));
            let mut order = Vec::new();
            while order.len() < 2 {
                select! {
                    guard = second => order.push(guard.unwrap().seq()),
                    guard = first => order.push(guard.unwrap().seq()),
                }
            }
            assert_eq!(order, [0, 1]);
            assert!(first.is_terminated() && second.is_terminated());
        });
    }

    #[test]
    fn a_wait_is_terminated_by_its_answer_and_by_nothing_else() {
        let baton = Baton::new(0);
        let mut wait = baton.acquire(1);
        assert!(!wait.is_terminated(), "never polled");
        assert!(batons::blocking::wait_timeout(&mut wait, std::time::Duration::ZERO).is_err());
        assert!(!wait.is_terminated(), "timed out: it may wait again");
        baton.close();
        assert!(batons::blocking::wait(&mut wait).is_err());
        assert!(wait.is_terminated());
    }
}
