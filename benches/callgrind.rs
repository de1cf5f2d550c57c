//! How many instructions do an uncontended pair and a hand-over take?
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

use batons::Baton;
use common::{
    floor::{Array, AtomicRing},
    keyed::{MapOfOneshots, NotifyRing},
    turns::{Arrival, Plan, Turns, Workers},
};
use futures::future::{BoxFuture, FutureExt};
use std::task::{Context, Waker};

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

/// The benches, and the `main` that gungraun makes for them.
mod measured {
    #![allow(missing_docs, clippy::needless_pass_by_value, reason = "gungraun's macros")]

    use super::{
        Array, Arrival, AtomicRing, Baton, MapOfOneshots, NotifyRing, Standing, TIMES, run, standing,
    };
    use futures::FutureExt;
    use gungraun::{library_benchmark, library_benchmark_group, main};
    use std::{
        hint::black_box,
        sync::atomic::{AtomicU64, Ordering},
    };

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

    library_benchmark_group!(
        name = uncontended,
        benchmarks = [
            two_exchanges,
            batons_try_acquire,
            batons_acquire,
            batons_blocking_acquire,
            tokio_mutex,
            tokio_semaphore
        ]
    );
    library_benchmark_group!(name = handing_over, benchmarks = hand_over);
    main!(library_benchmark_groups = [uncontended, handing_over]);

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
        println!("callgrind: the benches can run; `cargo bench --bench callgrind` runs them");
    }
}
