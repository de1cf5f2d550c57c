//! The older baton algorithms, made of our objects, and ours: one set of tests over all of them.
//!
//! That the old ones work shows that the events, mutexes and waits do what they were made for; where they
//! fall short of ours is told by the tests of faults.

mod common;
#[path = "old_batons/mod.rs"]
mod old_batons;

use common::{must_end, panic_of, shuffled, until};
use old_batons::keyed_table::KeyedTable;
use old_batons::linked_list::LinkedList;
use old_batons::ours::Ours;
use old_batons::pulsed_mutex::PulsedMutex;
use old_batons::pulsed_section::PulsedSection;
use old_batons::two_events::TwoEvents;
use old_batons::{Duplicates, OldBaton, Refusal};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::{panic::AssertUnwindSafe, thread};

/// The first number: the turns of each test go over the wrap.
const FIRST: u64 = u64::MAX - 3;

fn number(ahead: u64) -> u64 {
    FIRST.wrapping_add(ahead)
}

fn baton<B: OldBaton>() -> Arc<B> {
    Arc::new(B::new(FIRST))
}

/// Takes and ends a turn.
fn pass<B: OldBaton>(baton: &B, ahead: u64) {
    drop(baton.acquire(number(ahead)).expect("each number is acquired once"));
}

/// Threads that wait for numbers, each with something to do in its turn.
fn waiters<B: OldBaton>(
    baton: &Arc<B>,
    numbers: impl IntoIterator<Item = u64>,
    work: impl Fn(u64) + Clone + Send + 'static,
) -> Vec<thread::JoinHandle<()>> {
    let wait = |ahead| {
        let (baton, work) = (Arc::clone(baton), work.clone());
        thread::spawn(move || {
            let turn = baton.acquire(number(ahead)).expect("each number is acquired once");
            work(ahead);
            drop(turn);
        })
    };
    numbers.into_iter().map(wait).collect()
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("the thread does not panic");
    }
}

// ===== what every one of them does =====

fn turns_come_in_order<B: OldBaton>() {
    for seed in 0..3 {
        let order = Arc::<Mutex<Vec<u64>>>::default();
        let log = Arc::clone(&order);
        join(waiters(&baton::<B>(), shuffled(24, seed), move |ahead| {
            log.lock().expect("no panic").push(ahead);
        }));
        assert_eq!(*order.lock().expect("no panic"), (0..24).collect::<Vec<_>>(), "{}", B::NAME);
    }
}

fn one_at_a_time<B: OldBaton>() {
    let count = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&count);
    // Two of them inside at once would lose one of the additions.
    let add = move |_| {
        let before = counted.load(Relaxed);
        thread::yield_now();
        counted.store(before + 1, Relaxed);
    };
    join(waiters(&baton::<B>(), shuffled(24, 7), add));
    assert_eq!(count.load(Relaxed), 24, "{}", B::NAME);
}

fn waiters_far_ahead_keep_their_places<B: OldBaton>() {
    let baton = baton::<B>();
    let far = [1, 2, 3, 9, 40, 41, 200];
    // One after the other, the nearest first and then the furthest: a table grows under those who stand there.
    let mut threads = Vec::new();
    for (before, ahead) in far.into_iter().enumerate() {
        threads.extend(waiters(&baton, [ahead], drop));
        until(&true, || baton.looks() > before as u64);
    }
    for ahead in (0..=201).filter(|ahead| !far.contains(ahead)) {
        pass(&*baton, ahead);
    }
    join(threads);
}

fn a_turn_can_be_taken_again_and_again<B: OldBaton>() {
    let baton = baton::<B>();
    let threads: Vec<_> = (0..3)
        .map(|member| {
            let baton = Arc::clone(&baton);
            thread::spawn(move || (0..20).for_each(|round| pass(&*baton, 3 * round + member)))
        })
        .collect();
    join(threads);
    pass(&*baton, 60);
}

fn a_number_that_is_over_is_refused<B: OldBaton>() {
    let baton = baton::<B>();
    pass(&*baton, 0);
    pass(&*baton, 1);
    for over in [1, 0, u64::MAX] {
        assert_eq!(baton.acquire(number(over)).err(), Some(Refusal::Passed), "{}", B::NAME);
    }
    // From another thread: a refusal leaves no lock behind.
    join(waiters(&baton, [2], drop));
}

fn an_owner_that_panics_hands_on<B: OldBaton>() {
    let baton = baton::<B>();
    let threads = waiters(&baton, [1], drop);
    let owner = AssertUnwindSafe(|| {
        let _turn = baton.acquire(FIRST).expect("its turn");
        panic!("a panic on purpose");
    });
    assert!(panic_of(owner).is_some());
    join(threads);
}

// ===== what some of them do =====

fn a_second_waiter_is_told<B: OldBaton>() {
    let baton = baton::<B>();
    let (told, answers) = mpsc::channel();
    for _ in 0..2 {
        let (baton, told) = (Arc::clone(&baton), told.clone());
        thread::spawn(move || told.send(baton.acquire(number(1)).map(drop)));
    }
    match B::DUPLICATES {
        Duplicates::AtOnce => {
            assert_eq!(answers.recv(), Ok(Err(Refusal::Duplicate)), "{}", B::NAME);
            pass(&*baton, 0);
            assert_eq!(answers.recv(), Ok(Ok(())), "{}", B::NAME);
        }
        Duplicates::Late => {
            pass(&*baton, 0);
            let both: Vec<_> = answers.iter().take(2).collect();
            assert!(both.contains(&Ok(())) && both.contains(&Err(Refusal::Passed)), "{}: {both:?}", B::NAME);
        }
        Duplicates::Never => unreachable!("one of them would wait for ever"),
    }
}

/// Number 1 is missing, so the release of 0 is nobody's business: does it make the others look?
fn a_release_makes_a_herd_look_or_nobody<B: OldBaton>() {
    const WAITERS: u64 = 16;
    let baton = baton::<B>();
    let threads = waiters(&baton, 2..2 + WAITERS, drop);
    until(&true, || baton.looks() >= WAITERS);
    pass(&*baton, 0);
    if B::HERD {
        until(&true, || baton.looks() > 2 * WAITERS);
    }
    pass(&*baton, 1);
    join(threads);
    if !B::HERD {
        // At arrival and when woken, but not between.
        assert!(baton.looks() <= 2 * WAITERS + 2, "{}: {} looks", B::NAME, baton.looks());
    }
}

macro_rules! tests_of {
    ($name:ident, $baton:ty: $($test:ident)*) => {
        mod $name {
            use super::*;

            $(
                #[test]
                fn $test() {
                    must_end(super::$test::<$baton>);
                }
            )*
        }
    };
    ($name:ident, $baton:ty; $($some:ident)*) => {
        tests_of!($name, $baton:
            turns_come_in_order
            one_at_a_time
            waiters_far_ahead_keep_their_places
            a_turn_can_be_taken_again_and_again
            a_number_that_is_over_is_refused
            an_owner_that_panics_hands_on
            a_release_makes_a_herd_look_or_nobody
            $($some)*
        );
    };
}

tests_of!(pulsed_mutex, PulsedMutex<false>; a_second_waiter_is_told);
tests_of!(pulsed_mutex_in_one_step, PulsedMutex<true>; a_second_waiter_is_told);
tests_of!(pulsed_section, PulsedSection; a_second_waiter_is_told);
tests_of!(two_events, TwoEvents; a_second_waiter_is_told);
tests_of!(keyed_table, KeyedTable; a_second_waiter_is_told);
tests_of!(linked_list, LinkedList;);
tests_of!(ours, Ours; a_second_waiter_is_told);

// ===== faults of the old ones that ours does not have =====

mod faults {
    use super::*;
    use batons::{AcquireError, Baton};
    use common::{counted, line_up};
    use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok};

    /// One that looks again and again is the clock for one that does not.
    fn looks_meanwhile<Polling: OldBaton>() -> u64 {
        let (polling, ours) = (baton::<Polling>(), baton::<Ours>());
        let threads = [waiters(&ours, [1], drop), waiters(&polling, [1], drop)];
        until(&true, || ours.looks() == 1 && polling.looks() >= 4);
        let looks = ours.looks();
        pass(&*polling, 0);
        pass(&*ours, 0);
        threads.into_iter().for_each(join);
        looks
    }

    #[test]
    fn polling() {
        assert_eq!(must_end(looks_meanwhile::<PulsedMutex<false>>), 1);
        assert_eq!(must_end(looks_meanwhile::<PulsedSection>), 1);
    }

    #[test]
    fn thundering_herd() {
        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        let waits = line_up(&baton, 1..=100);
        drop(guard);
        assert_eq!(waits.iter().map(common::Counted::wakes).sum::<usize>(), 1);
        assert_eq!(waits[0].wakes(), 1);
    }

    #[test]
    fn late_answer_to_a_second_waiter() {
        let baton = Baton::new(0);
        let _guard = baton.try_acquire(0).unwrap();
        let _first = line_up(&baton, [1]);
        assert_eq!(assert_ready_err!(counted(baton.acquire(1)).poll()), AcquireError::Duplicate);
    }

    #[test]
    fn refusals_wait_for_the_turn_to_end() {
        let baton = Baton::new(5);
        let _guard = baton.try_acquire(5).unwrap();
        assert_eq!(assert_ready_err!(counted(baton.acquire(4)).poll()), AcquireError::Passed);
    }

    #[test]
    fn releaser_waits_for_a_waiter_that_is_gone() {
        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        let mut waits = line_up(&baton, [1, 2]);
        drop(waits.remove(0));
        drop(guard);
        drop(baton.try_acquire(1).unwrap());
        drop(assert_ready_ok!(waits[0].poll()));
    }

    #[test]
    fn next_turn_entered_by_recursion() {
        let old = baton::<PulsedSection>();
        let both = [old.acquire(number(0)), old.acquire(number(1))];
        assert!(both.iter().all(Result::is_ok), "the old one lets its owner in");

        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        let mut next = counted(baton.acquire(1));
        assert_pending!(next.poll());
        drop(guard);
        drop(assert_ready_ok!(next.poll()));
    }
}
