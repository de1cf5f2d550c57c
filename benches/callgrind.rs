//! How many instructions do an uncontended pair, a hand-over, a signal, a wait for any of eight, a timer, a call, a
//! packet, an operation and a name take?
//!
//! ```text
//! cargo install gungraun-runner --version 0.17.2   # the version of `gungraun` in Cargo.lock; and valgrind
//! cargo bench --bench callgrind
//! ```
//!
//! Counts, not times: they hardly move between runs, so a change for the worse shows even on a busy
//! machine. Each bench does a thing 1,000 times, so an "Instructions" of 43,210 says 43 for each. Hand-overs
//! are polled by hand with a waker that does nothing, which leaves the primitive alone.

mod common;

use batons::{ApcQueue, AutoResetEvent, Baton, CompletionPort, Namespace, wait_all, wait_any};
use common::{
    beside,
    floor::{Array, AtomicRing},
    keyed::{MapOfOneshots, NotifyRing},
    permits::{Fair, Permits},
    signals::{Flag, Signal, yield_once},
    turns::{Arrival, Plan, Turns, Workers},
};
use futures::future::{BoxFuture, FutureExt};
use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio::sync::Notify;

/// Pairs or hand-overs in one bench.
const TIMES: u64 = 1_000;

/// Tasks that stand in line, in the order of their turns.
struct Standing {
    first: BoxFuture<'static, ()>,
    waits: Vec<BoxFuture<'static, ()>>,
}

fn wait<T: Turns>(turns: &T, seq: u64) -> BoxFuture<'static, ()> {
    let mut turns = turns.clone();
    async move { turns.turn(seq).await }.boxed()
}

fn ready(wait: &mut BoxFuture<'static, ()>) -> bool {
    wait.poll_unpin(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// `waiters` of them; the first [`TIMES`] turns are what is measured.
fn standing<T: Turns>(waiters: u64, arrival: Arrival) -> Standing {
    let turns = T::new(&Plan::new(Workers::One, arrival, waiters, waiters));
    let mut waits: Vec<_> = (0..=waiters).map(|seq| wait(&turns, seq)).collect();
    for seq in arrival.numbers(waiters) {
        assert!(!ready(&mut waits[usize::try_from(seq).expect("an index")]), "nobody has turn 0 yet");
    }
    let first = waits.remove(0);
    Standing { first, waits }
}

/// Hands the turn over [`TIMES`] times. The tasks are given back, so that their end is not measured.
fn run(mut standing: Standing) -> Standing {
    assert!(ready(&mut standing.first), "turn 0 is free");
    for wait in &mut standing.waits[..usize::try_from(TIMES).expect("an index")] {
        assert!(ready(wait), "its turn has come");
    }
    standing
}

/// Tasks that stand in line for the one permit, and what gives it back first.
fn standing_for_permit<T: Permits>() -> Standing {
    let semaphore = T::new(1);
    let turn = || {
        let semaphore = semaphore.clone();
        async move { drop(semaphore.acquire(1).await) }.boxed()
    };
    let all = semaphore.clone();
    let mut first = async move {
        let permit = all.acquire(1).await;
        yield_once().await;
        drop(permit);
    }
    .boxed();
    assert!(!ready(&mut first), "it has the permit and yields");
    let mut waits: Vec<_> = (0..TIMES).map(|_| turn()).collect();
    assert!(!waits.iter_mut().any(ready), "no permit is free");
    Standing { first, waits }
}

/// Waits, is signaled, and goes on, [`TIMES`] times.
fn signal_waiting<T: Signal>(event: T) -> T {
    for _ in 0..TIMES {
        let mut wait = pin!(event.wait());
        assert!(poll_once(wait.as_mut()).is_pending(), "nothing was signaled");
        event.set();
        assert!(poll_once(wait.as_mut()).is_ready(), "it was signaled");
    }
    event
}

/// The same for one of several events, each in its turn.
fn any_waiting<T: Signal>(events: [T; 8], wait: &impl AsyncFn(&[T; 8])) -> [T; 8] {
    for event in events.iter().cycle().take(usize::try_from(TIMES).expect("a count")) {
        let mut wait = pin!(wait(&events));
        assert!(poll_once(wait.as_mut()).is_pending(), "nothing was signaled");
        event.set();
        assert!(poll_once(wait.as_mut()).is_ready(), "one was signaled");
    }
    events
}

/// All eight are signaled, one after the other.
fn all_waiting(events: [AutoResetEvent; 8]) -> [AutoResetEvent; 8] {
    for _ in 0..TIMES {
        let mut wait = wait_all(events.each_ref().map(AutoResetEvent::wait));
        assert!(poll_once(pin!(&mut wait)).is_pending(), "nothing was signaled");
        for event in &events {
            event.set();
        }
        assert!(poll_once(pin!(&mut wait)).is_ready(), "all were signaled");
    }
    events
}

// Outside of the benches: callgrind would take their closures for the benches themselves.

async fn any_8(events: &[AutoResetEvent; 8]) {
    wait_any(events.each_ref().map(AutoResetEvent::wait)).await.expect("no empty list");
}

async fn select_8(events: &[Arc<Notify>; 8]) {
    tokio::select! {
        () = events[0].notified() => {}
        () = events[1].notified() => {}
        () = events[2].notified() => {}
        () = events[3].notified() => {}
        () = events[4].notified() => {}
        () = events[5].notified() => {}
        () = events[6].notified() => {}
        () = events[7].notified() => {}
    }
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The benches, and the `main` that gungraun makes for them.
mod measured {
    #![allow(missing_docs, clippy::needless_pass_by_value, reason = "gungraun's macros")]

    use super::{
        Array, Arrival, AtomicRing, Baton, Fair, Flag, MapOfOneshots, Notify, NotifyRing, Standing, TIMES,
        all_waiting, any_8, any_waiting, beside, run, select_8, signal_waiting, standing,
        standing_for_permit,
    };
    use batons::{
        ApcQueue, AutoResetEvent, CompletionPort, ManualClock, Mutex, Namespace, Owner, WaitableTimer,
    };
    use futures::FutureExt;
    use gungraun::{library_benchmark, library_benchmark_group, main};
    use std::{
        array::from_fn,
        hint::black_box,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
    };
    use tokio::sync::{Semaphore as TokioSemaphore, mpsc};

    #[library_benchmark]
    #[bench::new(AtomicU64::new(0))]
    fn two_exchanges(word: AtomicU64) -> AtomicU64 {
        for turn in 0..TIMES {
            let held = 2 * turn + 1;
            let take =
                black_box(&word).compare_exchange(held - 1, held, Ordering::Acquire, Ordering::Relaxed);
            let give =
                black_box(&word).compare_exchange(held, held + 1, Ordering::Release, Ordering::Relaxed);
            let _ = black_box((take, give));
        }
        word
    }

    #[library_benchmark]
    #[bench::new(Baton::new(0))]
    fn batons_try_acquire(baton: Baton) -> Baton {
        for seq in 0..TIMES {
            drop(black_box(black_box(&baton).try_acquire(seq)));
        }
        baton
    }

    #[library_benchmark]
    #[bench::new(Baton::new(0))]
    fn batons_acquire(baton: Baton) -> Baton {
        for seq in 0..TIMES {
            drop(black_box(black_box(&baton).acquire(seq).now_or_never()));
        }
        baton
    }

    #[library_benchmark]
    #[bench::new(Baton::new(0))]
    fn batons_blocking_acquire(baton: Baton) -> Baton {
        for seq in 0..TIMES {
            drop(black_box(black_box(&baton).blocking_acquire(seq)));
        }
        baton
    }

    #[library_benchmark]
    #[bench::new(tokio::sync::Mutex::new(()))]
    fn tokio_mutex(mutex: tokio::sync::Mutex<()>) -> tokio::sync::Mutex<()> {
        for _ in 0..TIMES {
            drop(black_box(black_box(&mutex).lock().now_or_never()));
        }
        mutex
    }

    #[library_benchmark]
    #[bench::new(tokio::sync::Semaphore::new(1))]
    fn tokio_semaphore(semaphore: tokio::sync::Semaphore) -> tokio::sync::Semaphore {
        for _ in 0..TIMES {
            drop(black_box(black_box(&semaphore).acquire().now_or_never()));
        }
        semaphore
    }

    #[library_benchmark]
    #[bench::new(batons::Semaphore::new(1, 1))]
    fn batons_semaphore(semaphore: batons::Semaphore) -> batons::Semaphore {
        for _ in 0..TIMES {
            drop(black_box(black_box(&semaphore).acquire().now_or_never()));
        }
        semaphore
    }

    #[library_benchmark]
    #[bench::new(futures_intrusive::sync::Semaphore::new(true, 1))]
    fn intrusive_semaphore(
        semaphore: futures_intrusive::sync::Semaphore,
    ) -> futures_intrusive::sync::Semaphore {
        for _ in 0..TIMES {
            drop(black_box(black_box(&semaphore).acquire(1).now_or_never()));
        }
        semaphore
    }

    #[library_benchmark]
    #[bench::new((Mutex::new(), Owner::new()))]
    fn batons_mutex((mutex, me): (Mutex, Owner)) -> (Mutex, Owner) {
        for _ in 0..TIMES {
            drop(black_box(black_box(&mutex).lock(&me).now_or_never()));
        }
        (mutex, me)
    }

    // `set`, then a wait that goes on at once.
    #[library_benchmark]
    #[bench::new(AutoResetEvent::new(false))]
    fn batons_event(event: AutoResetEvent) -> AutoResetEvent {
        for _ in 0..TIMES {
            black_box(&event).set();
            let _ = black_box(event.wait().now_or_never());
        }
        event
    }

    // A wait that stands in line, `set`, and the poll that sees it.
    #[library_benchmark]
    #[bench::new(Flag::default())]
    fn signal_floor(event: Flag) -> Flag {
        signal_waiting(event)
    }

    #[library_benchmark]
    #[bench::new(AutoResetEvent::new(false))]
    fn signal_batons(event: AutoResetEvent) -> AutoResetEvent {
        signal_waiting(event)
    }

    #[library_benchmark]
    #[bench::new(Arc::new(Notify::new()))]
    fn signal_notify(event: Arc<Notify>) -> Arc<Notify> {
        signal_waiting(event)
    }

    #[library_benchmark]
    #[bench::new(Arc::new(asyncband::event::AutoResetEvent::new()))]
    fn signal_asyncband(
        event: Arc<asyncband::event::AutoResetEvent>,
    ) -> Arc<asyncband::event::AutoResetEvent> {
        signal_waiting(event)
    }

    #[library_benchmark]
    #[bench::batons(standing_for_permit::<batons::Semaphore>())]
    #[bench::tokio(standing_for_permit::<Arc<TokioSemaphore>>())]
    #[bench::intrusive_fair(standing_for_permit::<Fair>())]
    fn permit(tasks: Standing) -> Standing {
        run(tasks)
    }

    #[library_benchmark]
    #[bench::batons(from_fn(|_| AutoResetEvent::new(false)))]
    fn any_of_8_batons(events: [AutoResetEvent; 8]) -> [AutoResetEvent; 8] {
        any_waiting(events, &any_8)
    }

    #[library_benchmark]
    #[bench::notify(from_fn(|_| Arc::new(Notify::new())))]
    fn any_of_8_select(events: [Arc<Notify>; 8]) -> [Arc<Notify>; 8] {
        any_waiting(events, &select_8)
    }

    // All eight are signaled, one after the other, while it stands in line.
    #[library_benchmark]
    #[bench::batons(from_fn(|_| AutoResetEvent::new(false)))]
    fn all_of_8_batons(events: [AutoResetEvent; 8]) -> [AutoResetEvent; 8] {
        all_waiting(events)
    }

    #[library_benchmark]
    #[bench::floor_in_order(standing::<Array>(1_000, Arrival::InOrder))]
    #[bench::batons_in_order(standing::<Baton>(1_000, Arrival::InOrder))]
    #[bench::batons_in_order_100_000(standing::<Baton>(100_000, Arrival::InOrder))]
    #[bench::batons_reversed(standing::<Baton>(1_000, Arrival::Reversed))]
    #[bench::batons_shuffled(standing::<Baton>(1_000, Arrival::Shuffled))]
    #[bench::batons_shuffled_100_000(standing::<Baton>(100_000, Arrival::Shuffled))]
    #[bench::atomic_ring(standing::<AtomicRing>(1_000, Arrival::InOrder))]
    #[bench::notify_ring(standing::<NotifyRing>(1_000, Arrival::InOrder))]
    #[bench::map_of_oneshots(standing::<MapOfOneshots>(1_000, Arrival::InOrder))]
    fn hand_over(tasks: Standing) -> Standing {
        run(tasks)
    }

    // A timer that is set, waited for, and expires.
    #[library_benchmark]
    #[bench::batons(beside::timer())]
    fn timer(timer: (ManualClock, WaitableTimer)) -> (ManualClock, WaitableTimer) {
        beside::timer_waiting(timer, TIMES)
    }

    #[library_benchmark]
    #[bench::batons(ApcQueue::new())]
    fn call(queue: ApcQueue) -> ApcQueue {
        beside::calls(queue, TIMES)
    }

    #[library_benchmark]
    #[bench::batons(CompletionPort::new(1))]
    fn packet(port: CompletionPort<u64>) -> CompletionPort<u64> {
        beside::packets(port, TIMES)
    }

    #[library_benchmark]
    #[bench::tokio(mpsc::unbounded_channel())]
    fn packet_mpsc(ends: beside::Ends) -> beside::Ends {
        beside::messages(ends, TIMES)
    }

    #[library_benchmark]
    #[bench::batons(TIMES)]
    fn operation(times: u64) {
        beside::operations(times);
    }

    #[library_benchmark]
    #[bench::tokio(TIMES)]
    fn operation_oneshot(times: u64) {
        beside::oneshots(times);
    }

    #[library_benchmark]
    #[bench::batons(Namespace::new())]
    fn name(space: Namespace) -> Namespace {
        beside::names(space, TIMES)
    }

    library_benchmark_group!(
        name = uncontended,
        benchmarks = [
            two_exchanges,
            batons_try_acquire,
            batons_acquire,
            batons_blocking_acquire,
            tokio_mutex,
            tokio_semaphore,
            batons_semaphore,
            intrusive_semaphore,
            batons_mutex,
            batons_event
        ]
    );
    library_benchmark_group!(name = handing_over, benchmarks = hand_over);
    library_benchmark_group!(
        name = signaling,
        benchmarks = [signal_floor, signal_batons, signal_notify, signal_asyncband, permit]
    );
    library_benchmark_group!(
        name = several,
        benchmarks = [any_of_8_batons, any_of_8_select, all_of_8_batons]
    );
    library_benchmark_group!(
        name = later,
        benchmarks = [timer, call, packet, packet_mpsc, operation, operation_oneshot, name]
    );
    main!(library_benchmark_groups = [uncontended, handing_over, signaling, several, later]);

    pub(super) fn run_all() {
        main();
    }
}

fn main() {
    // gungraun runs this program again, under callgrind, with arguments of its own.
    let has = |name: &str| std::env::args().any(|arg| arg == name);
    if !has("--quick") && (has("--bench") || has("--gungraun-run")) {
        measured::run_all();
    } else {
        drop(run(standing::<Baton>(TIMES, Arrival::Shuffled)));
        drop(run(standing_for_permit::<batons::Semaphore>()));
        drop(signal_waiting(Flag::default()));
        drop(all_waiting(std::array::from_fn(|_| AutoResetEvent::new(false))));
        drop(beside::timer_waiting(beside::timer(), TIMES));
        drop(beside::calls(ApcQueue::new(), TIMES));
        drop(beside::packets(CompletionPort::new(1), TIMES));
        beside::operations(TIMES);
        drop(beside::names(Namespace::new(), TIMES));
        println!("callgrind: the benches can run; `cargo bench --bench callgrind` runs them");
    }
}
