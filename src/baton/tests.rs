//! The table at the head of `baton.rs`, row by row, on the pure policy.

use super::{Turn, Turns};
use crate::dispatch::{Due, Offer, Policy, Standing, Verdict};
use crate::error::AcquireError::{Closed, Duplicate, Passed, TooFar};

const TURNS: Turns = Turns { first: u64::MAX - 1, window: 4 };

fn state(next: u64, held: bool, closed: bool) -> u64 {
    next * Turn::ONE + u64::from(held) * Turn::HELD + u64::from(closed) * Turn::CLOSED
}

#[test]
fn free() {
    let free = state(7, false, false);
    assert_eq!(TURNS.due(free), Due::Number(7));
    assert_eq!(TURNS.judge(free, (), 7), Verdict::Take(state(8, true, false), ()));
    assert_eq!(TURNS.judge(free, (), 8), Verdict::Queue);
    assert_eq!(TURNS.judge(free, (), 10), Verdict::Queue);
    // 7 + 4 - 1 after the first number, which is two below the wrap.
    assert_eq!(TURNS.judge(free, (), 11), Verdict::Refuse(TooFar { limit: 8 }));
    assert_eq!(TURNS.judge(free, (), 6), Verdict::Refuse(Passed));
    assert_eq!(TURNS.judge(free, (), u64::MAX), Verdict::Refuse(Passed));
}

#[test]
fn held() {
    let held = state(7, true, false);
    assert_eq!(TURNS.due(held), Due::Nobody);
    assert_eq!(TURNS.judge(held, (), 7), Verdict::Queue);
    assert_eq!(TURNS.judge(held, (), 6), Verdict::Refuse(Passed));
    assert!(TURNS.tells(held, 6));
    assert!(!TURNS.tells(held, 7));
    assert_eq!(Turns::release(held), state(7, false, false));
    assert_eq!(TURNS.undo(held), state(6, false, false));
}

#[test]
fn closed() {
    for held in [false, true] {
        let closed = state(7, held, true);
        assert_eq!(TURNS.due(closed), Due::Nobody);
        assert_eq!(TURNS.judge(closed, (), 7), Verdict::Refuse(Closed));
        assert_eq!(TURNS.closed(closed), Some(Closed));
        assert_eq!(TURNS.tells(closed, 6), held);
        assert_eq!(Turns::release(closed), state(7, false, true));
    }
}

#[test]
fn a_grant_consumes_the_number() {
    assert_eq!(TURNS.pass(state(7, false, false)), state(8, false, false));
    assert_eq!(TURNS.give_back(state(8, true, false), (), ()), Offer::Anybody(state(8, false, false)));
    assert_eq!(TURNS.floor(state(7, true, false)), 7);
}

#[test]
fn nobody_has_held_a_new_baton() {
    assert!((0..3).all(|number| !TURNS.tells(0, number)));
    assert!(!TURNS.tells(0, u64::MAX));
}

#[test]
fn a_place_refuses_others_by_what_stands_there() {
    assert_eq!(TURNS.occupied(Standing::Requested), Some(Duplicate));
    assert_eq!(TURNS.occupied(Standing::Forfeited), Some(Passed));
}

#[test]
fn the_names_of_the_numbers_wrap() {
    let names: Vec<_> = (0..4).map(|number| TURNS.seq(number)).collect();
    assert_eq!(names, [u64::MAX - 1, u64::MAX, 0, 1]);
    assert!((0..4).all(|number| TURNS.number(TURNS.seq(number)) == number));
}
