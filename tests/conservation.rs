//! Threads on events and semaphores, waiting for any and for all, dropping and timing out at random: every
//! signal is stored, or completes one wait, or is discarded as documented; and all of it ends.
//!
//! `BATONS_SOAK_OPS` multiplies the number of operations.

mod common;

use batons::{AutoResetEvent, CompletionPort, Semaphore, blocking, signal_and_wait, wait_all, wait_any};
use common::Random;
use std::{
    panic::resume_unwind,
    pin::pin,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
        mpsc::{RecvTimeoutError, channel},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

fn ops(ops: usize) -> usize {
    ops * std::env::var("BATONS_SOAK_OPS").map_or(1, |factor| factor.parse().expect("a number"))
}

/// Runs `test`; if nothing progresses for long it hangs, and that is a failure.
fn watched(test: impl FnOnce(&AtomicU64) + Send + 'static) {
    let (progress, (ended, end)) = (std::sync::Arc::new(AtomicU64::new(0)), channel());
    let runner = {
        let progress = progress.clone();
        thread::spawn(move || {
            test(&progress);
            let _ = ended.send(());
        })
    };
    let mut seen = u64::MAX;
    while end.recv_timeout(Duration::from_secs(150)) == Err(RecvTimeoutError::Timeout) {
        let now = progress.swap(0, SeqCst);
        assert!(now > 0 || seen > 0, "it hangs");
        seen = now;
    }
    runner.join().unwrap_or_else(|panic| resume_unwind(panic));
}

/// Sets the flag when all who signal are done, also by a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Polls a few times, and then waits for a while, or drops.
fn impatient<F: Future>(future: F, random: &mut Random) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..random.below(3) {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(answer);
        }
        thread::yield_now();
    }
    match random.below(3) {
        0 => None,
        1 => blocking::wait_timeout(future, Duration::ZERO).ok(),
        _ => blocking::wait_timeout(future, Duration::from_micros(50)).ok(),
    }
}

// ===== one shape for all runs =====

/// Two that signal, four that wait. What was signaled effectively must be what was taken plus what is left.
fn balanced(
    count: usize,
    signal: impl Fn(&mut Random) -> u64 + Sync,
    wait: impl Fn(&mut Random) -> u64 + Sync,
    progress: &AtomicU64,
) -> (u64, u64) {
    let (over, given, taken) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for seed in 10..14 {
            let (over, wait, taken) = (&over, &wait, &taken);
            scope.spawn(move || {
                let mut random = Random(seed);
                while !over.load(SeqCst) {
                    taken.fetch_add(wait(&mut random), SeqCst);
                    progress.fetch_add(1, SeqCst);
                }
            });
        }
        let over = Over(&over);
        let signalers = [1, 2].map(|seed| {
            let (signal, given) = (&signal, &given);
            scope.spawn(move || {
                let mut random = Random(seed);
                for _ in 0..count {
                    given.fetch_add(signal(&mut random), SeqCst);
                    progress.fetch_add(1, SeqCst);
                }
            })
        });
        for signaler in signalers {
            signaler.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
        drop(over);
    });
    (given.into_inner(), taken.into_inner())
}

/// A permit of `n` that is not put back.
fn taken<P>(answer: Option<Result<batons::HeldPermits<P>, batons::AcquireError>>) -> u64
where
    P: std::borrow::Borrow<Semaphore>,
{
    answer.map_or(0, |permit| {
        let permit = permit.expect("it is open");
        let n = permit.num_permits();
        permit.forget();
        n.into()
    })
}

// cases: WA-33
#[test]
fn permits_are_neither_lost_nor_made() {
    watched(|progress| {
        let semaphores = [(); 3].map(|()| Semaphore::new(0, 1_000_000_000));
        let signal = |random: &mut Random| {
            let n = u32::try_from(1 + random.below(3)).expect("a few");
            semaphores[random.below(3)].release(n).expect("far from the maximum");
            n.into()
        };
        let wait = |random: &mut Random| {
            let [a, b, c] = [0, 1, 2].map(|_| &semaphores[random.below(3)]);
            let n = u32::try_from(1 + random.below(3)).expect("a few");
            match random.below(4) {
                0 => taken(impatient(a.acquire_many(n), random)),
                1 => {
                    let waits = [a.acquire(), b.acquire_many(n), c.acquire()];
                    taken(impatient(wait_any(waits), random).map(|answer| answer.expect("not empty").1))
                }
                _ => {
                    let waits = [semaphores[0].acquire_many(n), semaphores[1].acquire()];
                    let all = impatient(wait_all(waits), random).map(|answer| answer.expect("they are two"));
                    all.map_or(0, |all| all.into_iter().map(|permit| taken(Some(permit))).sum())
                }
            }
        };
        let (given, taken) = balanced(ops(100_000), signal, wait, progress);
        let left: u64 = semaphores.iter().map(|semaphore| u64::from(semaphore.available())).sum();
        assert_eq!(given, taken + left);
    });
}

/// Without drops, for a grant that is given back to a set event is discarded.
// cases: WA-36
#[test]
fn each_effective_set_completes_one_wait_or_stays() {
    watched(|progress| {
        let events = [AutoResetEvent::new(false), AutoResetEvent::new(false)];
        let signal = |random: &mut Random| u64::from(!events[random.below(2)].set());
        let wait = |random: &mut Random| {
            // A deadline takes part: it withdraws and never gives back.
            let [a, b] =
                if random.below(2) == 0 { [0, 1] } else { [1, 0] }.map(|index: usize| &events[index]);
            let time = Duration::from_micros([0, 20, 200][random.below(3)]);
            u64::from(match random.below(4) {
                0 => a.blocking_wait_timeout(time),
                _ => blocking::wait_any_timeout([a.wait(), b.wait()], time).is_ok(),
            })
        };
        let (given, taken) = balanced(ops(200_000), signal, wait, progress);
        let left = events.iter().filter(|event| event.is_set()).count();
        assert_eq!(given, taken + left as u64);
    });
}

/// A grant given back to an event that is set already is discarded; nothing else may be.
#[test]
fn with_drops_no_signal_is_made_and_nobody_sleeps_while_it_is_set() {
    watched(|progress| {
        let events = [(); 2].map(|()| AutoResetEvent::new(false));
        let signal = |random: &mut Random| u64::from(!events[random.below(2)].set());
        let wait = |random: &mut Random| {
            let [a, b] = &events;
            match random.below(3) {
                0 => u64::from(impatient(a.wait(), random).is_some()),
                1 => u64::from(impatient(wait_any([b.wait(), a.wait()]), random).is_some()),
                _ => 2 * u64::from(impatient(wait_all([a.wait(), b.wait()]), random).is_some()),
            }
        };
        let (given, taken) = balanced(ops(100_000), signal, wait, progress);
        let left = events.iter().filter(|event| event.is_set()).count() as u64;
        assert!(given >= taken + left, "{given} were given, {taken} taken, and {left} are left");
    });
}

// cases: WL-21, WL-32
#[test]
fn waits_for_random_pairs_of_eight_events_end_and_take_two_each() {
    watched(|progress| {
        let events = [(); 8].map(|()| AutoResetEvent::new(false));
        let signal = |random: &mut Random| u64::from(!events[random.below(8)].set());
        let wait = |random: &mut Random| {
            let first = random.below(8);
            let second = (first + 1 + random.below(7)) % 8;
            let pair = [events[first].wait(), events[second].wait()];
            match random.below(8) {
                // It ends only because the others go on; a pair that is not granted in time is withdrawn.
                0 => 2 * u64::from(blocking::wait_all_timeout(pair, Duration::from_micros(500)).is_ok()),
                _ => 2 * u64::from(blocking::wait_all_timeout(pair, Duration::from_micros(20)).is_ok()),
            }
        };
        let (given, taken) = balanced(ops(100_000), signal, wait, progress);
        let left = events.iter().filter(|event| event.is_set()).count() as u64;
        assert_eq!(given, taken + left);
        assert!(taken > 0);
    });
}

// cases: WL-21
#[test]
fn waits_in_a_circle_end_without_a_deadlock() {
    watched(|progress| {
        let count = ops(3_000);
        // Each wait gives back what it took, so that all can end.
        let forks = [(); 3].map(|()| Semaphore::new(1, 1));
        thread::scope(|scope| {
            for first in 0..3 {
                let forks = &forks;
                scope.spawn(move || {
                    let [left, right] = [&forks[first], &forks[(first + 1) % 3]];
                    for _ in 0..count {
                        let both =
                            blocking::wait_all([left.acquire(), right.acquire()]).expect("they are two");
                        assert_eq!((left.available(), right.available()), (0, 0));
                        drop(both);
                        progress.fetch_add(1, SeqCst);
                    }
                });
            }
        });
        assert!(forks.iter().all(|fork| fork.available() == 1));
    });
}

// cases: WA-38
#[test]
fn threads_that_end_at_random_are_seen_by_a_wait_for_any_and_then_by_one_for_all() {
    watched(|_| {
        let ends = [(); 24].map(|()| batons::ManualResetEvent::new(false));
        thread::scope(|scope| {
            for (seed, end) in ends.iter().enumerate() {
                scope.spawn(move || {
                    for _ in 0..Random(seed as u64).below(200) {
                        thread::yield_now();
                    }
                    end.set();
                });
            }
            let (index, ()) = blocking::wait_any(ends.each_ref().map(|end| end.wait())).expect("not empty");
            assert!(ends[index].is_set());
            blocking::wait_all(ends.each_ref().map(|end| end.wait())).expect("all are different");
        });
    });
}

#[test]
fn signals_of_signal_and_wait_are_conserved() {
    watched(|progress| {
        let (semaphore, taken) = (Semaphore::new(0, 1_000_000_000), AtomicU64::new(0));
        let count = ops(5_000);
        thread::scope(|scope| {
            for seed in 0..4 {
                let (semaphore, taken) = (&semaphore, &taken);
                scope.spawn(move || {
                    let mut random = Random(seed);
                    for _ in 0..count {
                        // The first poll gives the signal; then the wait may be dropped.
                        let mut exchange = signal_and_wait(semaphore, semaphore.acquire_many(2));
                        let polled = common::poll_with(&mut exchange, Waker::noop());
                        let answer = match polled {
                            Poll::Ready(answer) => Some(answer),
                            Poll::Pending => impatient(exchange, &mut random),
                        };
                        let permit = answer.map(|answer| answer.expect("far from the maximum"));
                        taken.fetch_add(self::taken(permit), SeqCst);
                        progress.fetch_add(1, SeqCst);
                    }
                });
            }
        });
        let left = u64::from(semaphore.available());
        assert_eq!(4 * count as u64, taken.into_inner() + left);
    });
}

/// Each packet is a number of its own, so the sums agree only if each is taken once.
#[test]
fn packets_are_neither_lost_nor_made_and_no_more_are_running_than_may() {
    watched(|progress| {
        let (port, stop) = (CompletionPort::new(2), AutoResetEvent::new(false));
        let (next, running) = (AtomicU64::new(1), AtomicU64::new(0));
        let signal = |random: &mut Random| {
            let packet = next.fetch_add(1, SeqCst);
            port.post(packet).expect("it is open");
            if random.below(4) == 0 {
                stop.set();
            }
            packet
        };
        let wait = |random: &mut Random| {
            let many = u32::try_from(1 + random.below(3)).expect("a few");
            let packets = match random.below(3) {
                0 => impatient(port.next_many(many), random),
                1 => impatient(wait_any((stop.wait(), port.next_many(many))), random)
                    .and_then(|answer| answer.expect("they are two").1.1),
                _ => impatient(wait_all((stop.wait(), port.next_many(many))), random)
                    .map(|answer| answer.expect("they are two").1),
            };
            packets.map_or(0, |packets| {
                let packets = packets.expect("it is open");
                assert!(running.fetch_add(1, SeqCst) < 2, "two at once at most");
                let sum = packets.iter().sum();
                running.fetch_sub(1, SeqCst);
                sum
            })
        };
        let (given, taken) = balanced(ops(50_000), signal, wait, progress);
        let left: u64 = std::iter::from_fn(|| port.try_next().ok().map(|packet| *packet)).sum();
        assert_eq!(given, taken + left);
        assert_eq!((port.len(), port.running()), (0, 0));
    });
}
