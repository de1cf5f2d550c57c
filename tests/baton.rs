//! One number asked for after the other: what is granted at once, what waits, what is refused.

mod common;

use batons::{AcquireError, Baton, TryAcquireError};
use common::{counted, line_up, panic_of, refusal, unchanged, wakes_of};
use tokio_test::{assert_pending, assert_ready_ok, task};

/// The window of a baton that was not told another.
const WINDOW: u64 = 65_536;

/// A free baton whose last turn was `last`.
fn after(last: u64) -> Baton {
    let baton = Baton::new(last);
    drop(baton.try_acquire(last).expect("its turn"));
    baton
}

// ===== whose turn it is =====

// cases: B-01
#[test]
fn the_first_number_is_granted_at_its_first_poll() {
    let baton = Baton::new(1);
    let mut first = counted(baton.acquire(1));
    let guard = assert_ready_ok!(first.poll());
    assert_eq!((guard.seq(), first.wakes()), (1, 0));
    assert_eq!(baton.snapshot().holder(), Some(1));
}

// cases: B-02
#[test]
fn a_free_baton_is_not_granted_to_a_later_number() {
    let baton = Baton::new(1);
    let mut second = task::spawn(baton.acquire(2));
    assert_pending!(second.poll());
    assert!(!baton.snapshot().is_held());
    assert_eq!(baton.snapshot().waiting(), [2]);
}

// cases: B-03, B-05
#[test]
fn a_number_before_the_first_is_refused_and_never_waits() {
    for first in [1, 2, 100, 1 << 32, u64::MAX] {
        let baton = Baton::new(first);
        assert_eq!(unchanged(&baton, || refusal(&baton, first - 1)), AcquireError::Passed);
        assert_eq!(unchanged(&baton, || baton.try_acquire(first - 1).unwrap_err()), TryAcquireError::Passed);
    }
}

// cases: B-04, B-06, B-07
#[test]
fn any_number_can_be_the_first_and_the_next_one_follows() {
    for first in [0, 1, 7, u64::from(u32::MAX), 1 << 63, u64::MAX - 1, u64::MAX] {
        let baton = Baton::new(first);
        for number in [first, first.wrapping_add(1), first.wrapping_add(2)] {
            assert_eq!(baton.next(), number);
            let guard = assert_ready_ok!(task::spawn(baton.acquire(number)).poll());
            assert_eq!(guard.seq(), number);
            guard.release();
        }
    }
}

// cases: B-08
#[test]
fn the_next_number_waits_until_the_holder_lets_go() {
    let baton = Baton::new(5);
    let holder = baton.try_acquire(5).unwrap();
    let mut next = task::spawn(baton.acquire(6));
    assert_pending!(next.poll());
    assert!(!next.is_woken());
    holder.release();
    assert!(next.is_woken());
    assert_eq!(assert_ready_ok!(next.poll()).seq(), 6);
}

// cases: B-68
#[test]
fn a_number_is_consumed_when_it_is_granted_not_when_it_is_released() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    assert_eq!(baton.next(), 1);
    guard.release();
    assert_eq!(baton.next(), 1);
}

// cases: B-43
#[test]
fn the_holder_waits_for_its_own_next_number_like_anybody_else() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut own = counted(baton.acquire(1));
    for _ in 0..3 {
        assert_pending!(own.poll());
    }
    assert_eq!(own.wakes(), 0, "a wait that wakes itself never rests");
    drop(guard);
    drop(assert_ready_ok!(own.poll()));
}

// cases: B-69
#[test]
fn two_batons_know_nothing_of_each_other() {
    let (one, other) = (Baton::new(1), Baton::new(1));
    let held = one.try_acquire(1).unwrap();
    let mut next = task::spawn(one.acquire(2));
    assert_pending!(next.poll());
    assert_eq!(other.next(), 1);
    drop(other.try_acquire(1).unwrap());
    drop(other.try_acquire(2).unwrap());
    other.close();
    assert!(!next.is_woken() && !one.is_closed());
    drop(held);
    drop(assert_ready_ok!(next.poll()));
}

#[test]
fn clones_are_handles_to_one_baton() {
    let baton = Baton::new(3);
    let clone = baton.clone();
    let guard = baton.try_acquire(3).unwrap();
    let mut next = task::spawn(clone.acquire(4));
    assert_pending!(next.poll());
    assert_eq!((clone.next(), baton.snapshot()), (4, clone.snapshot()));
    drop(guard);
    assert!(next.is_woken());
}

#[test]
fn an_acquire_that_is_not_polled_does_nothing() {
    let baton = Baton::new(0);
    let (a, b) = unchanged(&baton, || (baton.acquire(0), baton.acquire_owned(1)));
    assert_eq!(baton.next(), 0);
    unchanged(&baton, || drop((a, b)));
    assert!(baton.try_acquire(0).is_ok());
}

#[test]
fn an_acquire_that_has_answered_panics_with_its_name_when_polled_again() {
    let baton = Baton::new(0);
    let mut granted = task::spawn(baton.acquire(0));
    drop(assert_ready_ok!(granted.poll()));
    let mut refused = task::spawn(baton.acquire(0));
    assert!(refused.poll().is_ready());
    for mut over in [granted, refused] {
        let panic = panic_of(std::panic::AssertUnwindSafe(|| over.poll().is_ready())).unwrap();
        assert!(panic.message.contains("`Acquire`"), "{panic:?}");
    }
    assert_eq!(baton.next(), 1);
    assert!(!baton.snapshot().is_held());
}

// ===== wrong numbers =====

// cases: B-15, B-17
#[test]
fn a_number_that_waits_is_refused_to_a_second_party_at_once() {
    let baton = Baton::new(1);
    let mut waits = line_up(&baton, [6]);
    assert_eq!(unchanged(&baton, || refusal(&baton, 6)), AcquireError::Duplicate);
    for number in 1..=5 {
        drop(baton.try_acquire(number).unwrap());
    }
    assert_eq!(wakes_of(&waits), [1], "the first one kept its place");
    drop(assert_ready_ok!(waits[0].poll()));
}

// cases: B-16
#[test]
fn the_next_number_too_is_refused_to_a_second_party() {
    let baton = Baton::new(1);
    let holder = baton.try_acquire(1).unwrap();
    let mut waits = line_up(&baton, [2]);
    assert_eq!(unchanged(&baton, || refusal(&baton, 2)), AcquireError::Duplicate);
    holder.release();
    drop(assert_ready_ok!(waits[0].poll()));
}

// cases: B-18
#[test]
fn the_number_that_holds_is_refused_to_everybody() {
    let baton = Baton::new(1);
    let holder = baton.try_acquire(1).unwrap();
    assert_eq!(unchanged(&baton, || refusal(&baton, 1)), AcquireError::Passed);
    let waits = line_up(&baton, [2]);
    assert_eq!(unchanged(&baton, || refusal(&baton, 1)), AcquireError::Passed, "also with a line");
    drop((holder, waits));
}

// cases: B-19
#[test]
fn a_number_whose_turn_is_over_is_refused() {
    let baton = after(100);
    for number in [37, 99, 100, 0, u64::MAX] {
        assert_eq!(unchanged(&baton, || refusal(&baton, number)), AcquireError::Passed, "{number}");
    }
}

// cases: B-20, B-21
#[test]
fn the_window_ends_with_its_last_number() {
    for last in [0, 100, u64::MAX - 1, u64::MAX] {
        let baton = after(last);
        let limit = last.wrapping_add(WINDOW);
        let refused = unchanged(&baton, || refusal(&baton, limit.wrapping_add(1)));
        assert_eq!(refused, AcquireError::TooFar { limit });
        let edge = line_up(&baton, [limit]);
        assert_eq!(baton.snapshot().waiting(), [limit]);
        let refused = unchanged(&baton, || refusal(&baton, limit.wrapping_add(1)));
        assert_eq!(refused, AcquireError::TooFar { limit }, "also with a line");
        drop(edge);
    }
}

// cases: B-22, B-23
#[test]
fn the_window_moves_on_with_each_grant_and_not_with_a_release() {
    let baton = Baton::builder().first(10).window(4).build();
    assert_eq!(refusal(&baton, 14), AcquireError::TooFar { limit: 13 });
    let guard = baton.try_acquire(10).unwrap();
    let accepted = line_up(&baton, [14]);
    assert_eq!(refusal(&baton, 15), AcquireError::TooFar { limit: 14 });
    drop(guard);
    assert_eq!(refusal(&baton, 15), AcquireError::TooFar { limit: 14 });
    drop(accepted);
}

#[test]
fn a_window_of_one_admits_the_next_number_only() {
    let baton = Baton::builder().window(1).build();
    assert_eq!(refusal(&baton, 1), AcquireError::TooFar { limit: 0 });
    let guard = baton.try_acquire(0).unwrap();
    let mut next = line_up(&baton, [1]);
    assert_eq!(refusal(&baton, 2), AcquireError::TooFar { limit: 1 });
    drop(guard);
    drop(assert_ready_ok!(next[0].poll()));
}

// cases: B-31, BB-40
#[test]
fn a_window_in_which_past_and_future_look_alike_is_refused_at_the_callers_place() {
    for window in [0, (1 << 60) + 1, 1 << 63, u64::MAX] {
        let panic = panic_of(|| Baton::builder().window(window).build()).expect("the window is refused");
        assert!(panic.file.ends_with("tests/baton.rs"), "{panic:?}");
        assert!(panic.message.contains(&format!("not {window}")), "{panic:?}");
    }
    let baton = Baton::builder().window(1 << 60).build();
    let limit = (1 << 60) - 1;
    assert_eq!(refusal(&baton, limit + 1), AcquireError::TooFar { limit });
    assert_eq!(refusal(&baton, u64::MAX), AcquireError::Passed);
    drop(line_up(&baton, [limit]));
}

#[test]
fn half_of_all_numbers_are_ahead_and_half_behind() {
    for first in [0, 1 << 63, u64::MAX] {
        let baton = Baton::new(first);
        let limit = first.wrapping_add(WINDOW - 1);
        let farthest = first.wrapping_add(u64::MAX / 2);
        assert_eq!(refusal(&baton, farthest), AcquireError::TooFar { limit });
        assert_eq!(refusal(&baton, farthest.wrapping_add(1)), AcquireError::Passed);
    }
}

// cases: B-24
#[test]
fn a_refusal_changes_nothing_and_locks_nothing() {
    let baton = Baton::builder().first(10).window(8).build();
    baton.skip(13).unwrap();
    let holder = baton.try_acquire(10).unwrap();
    let mut waits = line_up(&baton, [12]);
    let refused = [
        (9, AcquireError::Passed),
        (10, AcquireError::Passed),
        (12, AcquireError::Duplicate),
        (13, AcquireError::Passed),
        (19, AcquireError::TooFar { limit: 18 }),
    ];
    for (number, error) in refused {
        assert_eq!(unchanged(&baton, || refusal(&baton, number)), error, "{number}");
        assert_eq!(unchanged(&baton, || baton.try_acquire(number).unwrap_err()), error.into(), "{number}");
    }
    holder.release();
    drop(baton.try_acquire(11).unwrap());
    assert_eq!(wakes_of(&waits), [1]);
    drop(assert_ready_ok!(waits[0].poll()));
    assert_eq!(baton.next(), 14);
}

// ===== never waiting =====

// cases: B-51
#[test]
fn try_acquire_takes_a_free_baton_for_the_number_whose_turn_it_is() {
    let baton = Baton::new(1);
    let guard = baton.try_acquire(1).unwrap();
    assert_eq!(guard.seq(), 1);
    drop(guard);
    let waits = line_up(&baton, [3]);
    assert_eq!(baton.try_acquire(2).unwrap().seq(), 2, "also with a line behind it");
    drop(waits);
}

// cases: B-52
#[test]
fn try_acquire_says_that_it_would_block_and_does_not_stand_in_line() {
    let baton = Baton::new(1);
    for ahead in [2, 3, WINDOW] {
        let refused = unchanged(&baton, || baton.try_acquire(ahead).unwrap_err());
        assert_eq!(refused, TryAcquireError::WouldBlock, "{ahead}, free");
    }
    let guard = baton.try_acquire(1).unwrap();
    for ahead in [2, 3, WINDOW + 1] {
        let refused = unchanged(&baton, || baton.try_acquire(ahead).unwrap_err());
        assert_eq!(refused, TryAcquireError::WouldBlock, "{ahead}, held");
    }
    drop(guard);
    assert!(baton.try_acquire(2).is_ok());
}

// cases: B-53
#[test]
fn try_acquire_tells_a_wrong_number_from_an_early_one() {
    let baton = Baton::new(1);
    let waits = line_up(&baton, [2]);
    assert_eq!(baton.try_acquire(0).unwrap_err(), TryAcquireError::Passed);
    assert_eq!(baton.try_acquire(2).unwrap_err(), TryAcquireError::Duplicate);
    let too_far = TryAcquireError::TooFar { limit: WINDOW };
    assert_eq!(baton.try_acquire(WINDOW + 1).unwrap_err(), too_far);
    drop(waits);
    baton.close();
    for number in [0, 1, 2, WINDOW + 1] {
        let refused = unchanged(&baton, || baton.try_acquire(number).unwrap_err());
        assert_eq!(refused, TryAcquireError::Closed);
    }
}
