//! A watch driven by hand: when exactly it tells.

use super::watch::{Overdue, Watcher};
use super::{Lane, Ticket};
use crate::ManualClock;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(4);

fn ticket(lane: &Lane<()>) -> Ticket<()> {
    lane.try_ticket().expect("there is room")
}

/// The numbers of which a look at `now` tells.
fn look(watcher: &mut Watcher<(), ()>, now: Instant) -> Vec<u64> {
    let mut told = Vec::new();
    let goes_on = watcher.check(now, &mut |stall| {
        assert!(stall.head_age().is_some_and(|age| age >= PATIENCE));
        told.push(stall.seq());
        Overdue::Report
    });
    assert!(goes_on);
    told
}

#[test]
fn patience_is_for_one_number_and_begins_when_it_is_waited_for() {
    for timed in [false, true] {
        let manual = ManualClock::new();
        let lane = if timed { Lane::builder().timed_by(&manual.clock()).build(()) } else { Lane::new((), 4) };
        let mut watcher = Watcher::new(&lane, PATIENCE, manual.now());
        let after = |seconds, watcher: &mut _| {
            manual.advance(Duration::from_secs(seconds));
            look(watcher, manual.now())
        };
        assert_eq!(after(60, &mut watcher), [0_u64; 0], "idle");
        let (first, second) = (ticket(&lane), ticket(&lane));
        assert_eq!(after(0, &mut watcher), [0; 0], "just out");
        assert_eq!(after(3, &mut watcher), [0; 0], "not yet");
        assert_eq!(after(1, &mut watcher), [0], "now");
        assert_eq!(after(60, &mut watcher), [0; 0], "once");
        first.skip();
        assert_eq!(after(0, &mut watcher), [0; 0], "another number");
        assert_eq!(after(3, &mut watcher), [0; 0], "not yet");
        assert_eq!(after(1, &mut watcher), [1], "now");
        second.skip();
        assert_eq!(after(60, &mut watcher), [0; 0], "idle");
    }
}

#[test]
fn a_lane_that_keeps_time_is_known_between_looks() {
    let manual = ManualClock::new();
    let lane = Lane::builder().timed_by(&manual.clock()).build(());
    let mut watcher = Watcher::new(&lane, PATIENCE, manual.now());
    let first = ticket(&lane);
    manual.advance(PATIENCE);
    assert_eq!(look(&mut watcher, manual.now()), [0]);
    first.skip();
    drop(lane);
    assert!(!watcher.check(manual.now(), &mut |_| Overdue::Report));
}
