//! Lanes under threads: a hundred thousand operations, some of which fail, panic, give up or are late.
#![allow(clippy::similar_names, clippy::type_complexity)]

mod common;

use batons::lane::{Lane, LaneBuilder, OnFailure, Run};
use batons::{Lost, blocking};
use common::{Random, must_end, panic_of};
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

const THREADS: u64 = 4;
const OPERATIONS: u64 = 100_000;
const WINDOW: u32 = 16;

type Log = Vec<u64>;
type Shared = Lane<Log, u64>;

/// A deposit of this fails, and of the next one panics.
const FAILS: u64 = u64::MAX;
const PANICS: u64 = u64::MAX - 1;

fn commit(log: &mut Log, run: &mut Run<u64>) -> Result<(), Box<dyn Error + Send + Sync>> {
    for number in run {
        match number {
            FAILS => return Err("it fails".into()),
            PANICS => panic!("on purpose"),
            number => log.push(number),
        }
    }
    Ok(())
}

/// How often what is not a commit is chosen, out of a thousand.
struct Trouble {
    skips: usize,
    losses: usize,
    failures: usize,
    panics: usize,
}

/// Uses up one ticket, somehow. False if the lane has ended.
fn operate(lane: &Shared, random: &mut Random, trouble: &Trouble, most_out: &AtomicU64) -> bool {
    let ticket = match random.below(3) {
        0 => lane.try_ticket().or_else(|_| lane.blocking_ticket()),
        1 => blocking::wait(lane.ticket_weighted(1)),
        _ => lane.blocking_ticket(),
    };
    let Ok(mut ticket) = ticket else { return false };
    let seq = ticket.seq();
    most_out.fetch_max(seq + 1 - lane.frontier().min(seq), Relaxed);
    let mut left = random.below(1000);
    let mut chosen = |share: usize| {
        let is = left < share;
        left = left.wrapping_sub(share);
        is
    };
    // A wait that is given up keeps the place.
    if random.below(8) == 0 {
        let turn = ticket.blocking_turn_timeout(Duration::ZERO).map(|mut turn| turn.push(seq));
        if turn.is_ok() {
            return true;
        }
    }
    if chosen(trouble.skips) {
        ticket.skip();
    } else if chosen(trouble.losses) {
        drop(ticket);
    } else if chosen(trouble.failures) {
        match random.below(3) {
            0 => ticket.fail("it fails"),
            1 => drop(ticket.deposit(FAILS)),
            _ => drop(ticket.blocking_turn().map(|turn| turn.fail("it fails"))),
        }
    } else if chosen(trouble.panics) {
        panic_of(AssertUnwindSafe(|| match random.below(3) {
            0 => drop(ticket.deposit(PANICS)),
            1 => {
                let _ticket = ticket;
                panic!("on purpose");
            }
            _ => {
                let _turn = ticket.blocking_turn();
                panic!("on purpose");
            }
        }));
    } else if random.below(2) == 0 {
        panic_of(AssertUnwindSafe(|| drop(ticket.deposit(seq))));
    } else {
        panic_of(AssertUnwindSafe(|| drop(ticket.blocking_turn().map(|mut turn| turn.push(seq)))));
    }
    true
}

/// Lets threads operate on lanes until they have done so often enough; what `check` says of each lane must hold.
fn stress(builder: &LaneBuilder, trouble: Trouble, check: impl Fn(&Shared) + Send + 'static) {
    let builder = builder.clone();
    must_end(move || {
        let trouble = Arc::new(trouble);
        let (done, most_out) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut seed = 0;
        while done.load(Relaxed) < OPERATIONS {
            let lane: Shared = builder.clone().window(WINDOW).max_weight(64).committer(Vec::new(), commit);
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (lane, trouble) = (lane.clone(), Arc::clone(&trouble));
                    let (done, most_out) = (Arc::clone(&done), Arc::clone(&most_out));
                    seed += 1;
                    let mut random = Random(seed);
                    thread::spawn(move || {
                        let mut goes_on = true;
                        while goes_on && done.fetch_add(1, Relaxed) < OPERATIONS {
                            // A panic of the committer gets out of whatever call commits, also of a drop.
                            panic_of(AssertUnwindSafe(|| {
                                goes_on = operate(&lane, &mut random, &trouble, &most_out);
                            }));
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("what panics is caught");
            }
            let log = lane.with_value(|log| log.clone());
            assert!(log.is_sorted_by(|a, b| a < b), "in order, and once");
            assert_eq!(lane.counters().committed, log.len() as u64);
            check(&lane);
        }
        assert!(most_out.load(Relaxed) <= WINDOW.into());
    });
}

#[test]
fn what_is_skipped_or_lost_is_passed_over() {
    let builder = Lane::builder().on_failure(OnFailure::Skip).on_panic(OnFailure::Skip);
    let trouble = Trouble { skips: 50, losses: 50, failures: 0, panics: 0 };
    stress(&builder, trouble, |lane| {
        lane.blocking_drain().expect("nothing failed");
        let counters = lane.counters();
        assert_eq!(counters.committed + counters.skipped, counters.issued);
        assert_eq!(lane.frontier(), counters.issued);
    });
}

#[test]
fn everything_below_the_lowest_failure_is_committed_and_nothing_above() {
    let trouble = Trouble { skips: 0, losses: 5, failures: 5, panics: 5 };
    stress(&Lane::builder(), trouble, |lane| {
        let log = lane.with_value(|log| log.clone());
        let drained = lane.blocking_drain();
        let Some(failure) = lane.failure() else {
            return drained.expect("nothing failed");
        };
        assert!(drained.is_err());
        assert!(log.into_iter().eq(0..failure.seq()));
        assert_eq!(lane.frontier(), failure.seq());
        let cause = failure.cause().to_string();
        let causes = ["it fails".to_owned(), Lost::Abandoned.to_string(), Lost::Panicked.to_string()];
        assert!(causes.contains(&cause), "{cause}");
    });
}

#[test]
fn synchronization_points_end_what_failures_began() {
    let builder = Lane::builder().on_failure(OnFailure::UntilSync);
    let trouble = Trouble { skips: 20, losses: 5, failures: 5, panics: 5 };
    let done = Arc::new(AtomicU64::new(0));
    let checked = Arc::clone(&done);
    stress(&builder, trouble, move |lane| {
        let mut point = blocking::wait(lane.sync()).expect("the lane goes on");
        drop(point.blocking_turn().expect("a point is not poisoned"));
        lane.blocking_drain().expect("the lane goes on");
        assert_eq!(lane.frontier(), lane.counters().issued);
        checked.fetch_add(1, Relaxed);
    });
    assert!(done.load(Relaxed) > 0);
}

#[test]
fn a_lane_that_stops_is_repaired_by_others() {
    let builder = Lane::builder().on_failure(OnFailure::Stop);
    must_end(move || {
        let lane: Shared = builder.window(WINDOW).committer(Vec::new(), commit);
        let repairer = thread::spawn({
            let lane = lane.clone();
            move || {
                let mut repaired = 0_u64;
                loop {
                    let head = lane.frontier();
                    if let Ok(ticket) = lane.repair(head) {
                        repaired += 1;
                        panic_of(AssertUnwindSafe(|| drop(ticket.deposit(head))));
                    } else if blocking::wait_timeout(lane.reached(OPERATIONS / 4), Duration::ZERO).is_ok() {
                        return repaired;
                    } else {
                        thread::yield_now();
                    }
                }
            }
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|seed| {
                let lane = lane.clone();
                let mut random = Random(seed);
                thread::spawn(move || {
                    loop {
                        let ticket = lane.blocking_ticket().expect("the lane goes on");
                        let seq = ticket.seq();
                        if seq >= OPERATIONS / 4 {
                            return ticket.skip();
                        }
                        match random.below(100) {
                            0 => drop(ticket),
                            1 => ticket.fail("it fails"),
                            2 => drop(panic_of(AssertUnwindSafe(|| ticket.deposit(PANICS)))),
                            3 => drop(panic_of(AssertUnwindSafe(|| ticket.deposit(FAILS)))),
                            _ => drop(panic_of(AssertUnwindSafe(|| ticket.deposit(seq)))),
                        }
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("what panics is caught");
        }
        assert!(repairer.join().expect("it ends") > 0);
        lane.blocking_drain().expect("all was repaired");
        assert!(lane.with_value(|log| log.clone()).into_iter().eq(0..OPERATIONS / 4));
    });
}
