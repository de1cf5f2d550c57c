//! Stations: several ordered points on one number.
#![allow(clippy::many_single_char_names, reason = "tickets in their order")]

use batons::lane::{Lane, OnFailure, Station, Ticket};
use batons::{LaneError, Lost, blocking};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio_test::{assert_pending, assert_ready, task::spawn};

fn lane(policy: OnFailure) -> (Lane<Vec<u64>, u64>, Station<Vec<u64>>) {
    let lane =
        Lane::builder().window(8).on_failure(policy).committer(Vec::new(), |all: &mut Vec<u64>, run| {
            all.extend(run);
            Ok(())
        });
    let station = lane.station("read", Vec::new());
    (lane, station)
}

fn tickets<const N: usize>(lane: &Lane<Vec<u64>, u64>) -> [Ticket<Vec<u64>, u64>; N] {
    [(); N].map(|()| lane.try_ticket().expect("there is room"))
}

fn visit(ticket: &mut Ticket<Vec<u64>, u64>, station: &Station<Vec<u64>>) {
    let seq = ticket.seq();
    ticket.try_turn_at(station).expect("its turn").push(seq);
}

fn seen(station: &Station<Vec<u64>>) -> Vec<u64> {
    station.with_value(|all| all.clone())
}

#[test]
fn tickets_pass_a_station_in_the_order_of_their_numbers() {
    let (lane, read) = lane(OnFailure::Poison);
    let [mut a, mut b, mut c] = tickets(&lane);
    let mut third = spawn(c.turn_at(&read));
    assert_pending!(third.poll());
    let mut second = spawn(b.turn_at(&read));
    assert_pending!(second.poll());
    let mut first = a.try_turn_at(&read).expect("the head");
    first.push(0);
    drop(first);
    assert!(second.is_woken() && !third.is_woken());
    assert_ready!(second.poll()).expect("its turn").push(1);
    assert!(third.is_woken());
    assert_ready!(third.poll()).expect("its turn").push(2);
    drop((second, third));
    assert_eq!((seen(&read), read.frontier(), lane.frontier()), (vec![0, 1, 2], 3, 0));
    assert!(matches!(b.try_turn_at(&read), Err(LaneError::Passed)));
    c.deposit(2).unwrap();
    b.deposit(1).unwrap();
    a.deposit(0).unwrap();
    assert_eq!(lane.with_value(|all| all.clone()), [0, 1, 2]);
}

#[test]
fn stations_are_independent_of_each_other_and_of_the_lane() {
    let (lane, read) = lane(OnFailure::Poison);
    let check = lane.station("check", Vec::<u64>::new());
    let [mut a, mut b] = tickets(&lane);
    visit(&mut a, &check);
    visit(&mut b, &check);
    assert_eq!((check.frontier(), read.frontier()), (2, 0));
    visit(&mut a, &read);
    visit(&mut b, &read);
    drop(a.try_turn().expect("the head"));
    drop(b.try_turn().expect("the head"));
    assert_eq!((read.name(), check.name()), ("read", "check"));
}

#[test]
fn whoever_ends_without_coming_frees_all_stations() {
    let (lane, read) = lane(OnFailure::Skip);
    let check = lane.station("check", Vec::<u64>::new());
    let [a, mut b, c, d, mut e] = tickets(&lane);
    let (mut reads, mut checks) = (spawn(e.turn_at(&read)), spawn(check.reached(4)));
    assert_pending!(reads.poll());
    assert_pending!(checks.poll());
    drop(a);
    drop(b.try_turn().expect("the head"));
    c.deposit(2).unwrap();
    assert!(!reads.is_woken());
    d.skip();
    assert!(reads.is_woken() && checks.is_woken());
    assert_eq!(assert_ready!(reads.poll()).expect("its turn").gap(), 4);
    assert_ready!(checks.poll()).expect("they have passed");
}

#[test]
fn poison_is_positional_at_stations() {
    let (lane, read) = lane(OnFailure::Poison);
    let [mut a, mut b, mut c, mut d] = tickets(&lane);
    visit(&mut a, &read);
    visit(&mut b, &read);
    let mut waits = spawn(d.turn_at(&read));
    assert_pending!(waits.poll());
    let mut reached = spawn(read.reached(4));
    assert_pending!(reached.poll());
    c.try_turn_at(&read).expect("its turn").fail("no");
    assert!(waits.is_woken());
    let Err(LaneError::Poisoned(failure)) = assert_ready!(waits.poll()) else { panic!("it is poisoned") };
    assert_eq!((failure.seq(), failure.cause().to_string()), (2, "no".to_owned()));
    assert!(matches!(assert_ready!(reached.poll()), Err(LaneError::Poisoned(_))));
    let check = lane.station("late", Vec::<u64>::new());
    drop(waits);
    assert!(
        matches!(d.try_turn_at(&check), Err(LaneError::Poisoned(_))),
        "a station that is made later knows"
    );
    b.deposit(1).unwrap();
    a.deposit(0).unwrap();
    assert_eq!(lane.with_value(|all| all.clone()), [0, 1]);
}

#[test]
fn who_was_dropped_on_the_way_poisons_those_above_and_lets_those_below_read() {
    let (lane, read) = lane(OnFailure::Poison);
    let [mut a, b, mut c] = tickets(&lane);
    drop(b);
    assert!(matches!(c.try_turn_at(&read), Err(LaneError::Poisoned(_))));
    visit(&mut a, &read);
    assert_eq!(seen(&read), [0]);
}

#[test]
fn a_panic_at_a_station_loses_the_number_everywhere() {
    let (lane, read) = lane(OnFailure::Skip);
    let [mut a, mut b] = tickets(&lane);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _turn = a.try_turn_at(&read).expect("the head");
        panic!("on purpose");
    }));
    assert!(panic.is_err());
    let Err(LaneError::Poisoned(failure)) = b.try_turn_at(&read) else { panic!("it is poisoned") };
    assert_eq!(failure.cause().to_string(), Lost::Panicked.to_string());
    assert!(matches!(b.try_turn(), Err(LaneError::Poisoned(_))));
    assert_eq!(seen(&read), [], "nobody has it");
}

#[test]
fn a_lane_that_stops_stops_its_stations_until_the_repair() {
    let (lane, read) = lane(OnFailure::Stop);
    let [a, mut b] = tickets(&lane);
    drop(a);
    let mut waits = spawn(b.turn_at(&read));
    assert_pending!(waits.poll());
    let mut again = lane.repair(0).expect("it stopped there");
    visit(&mut again, &read);
    assert!(waits.is_woken());
    assert_ready!(waits.poll()).expect("its turn").push(1);
    again.deposit(0).unwrap();
    assert_eq!(seen(&read), [0, 1]);
}

#[test]
fn a_synchronization_point_ends_the_poison_at_stations_too() {
    let (lane, read) = lane(OnFailure::UntilSync);
    let [mut a, b, mut c] = tickets(&lane);
    let mut sync = assert_ready!(spawn(lane.sync()).poll()).expect("room");
    let mut e = lane.try_ticket().unwrap();
    b.fail("no");
    assert!(matches!(c.try_turn_at(&read), Err(LaneError::Poisoned(_))));
    assert!(matches!(sync.try_turn_at(&read), Err(LaneError::WouldBlock)));
    visit(&mut a, &read);
    visit(&mut sync, &read);
    visit(&mut e, &read);
    let [mut f] = tickets(&lane);
    visit(&mut f, &read);
    assert_eq!(seen(&read), [0, 3, 4, 5]);
}

#[test]
fn tell_is_told_by_the_lane_and_seen_at_the_station() {
    let (lane, read) = lane(OnFailure::Tell);
    let [a, mut b] = tickets(&lane);
    drop(a);
    assert_eq!(b.try_turn_at(&read).expect("its turn").gap(), 1);
    assert!(matches!(b.try_turn(), Err(LaneError::Gap { lost: 1 })));
}

#[test]
fn a_dropped_wait_keeps_the_place_and_cancel_tells_everybody() {
    let (lane, read) = lane(OnFailure::Poison);
    let [mut a, mut b, mut c] = tickets(&lane);
    let mut waits = spawn(b.turn_at(&read));
    assert_pending!(waits.poll());
    drop(waits);
    let ready = b.ready_at(&read);
    assert!(!ready.is_set());
    visit(&mut a, &read);
    assert!(ready.is_set());
    let mut waits = spawn(c.turn_at(&read));
    assert_pending!(waits.poll());
    lane.cancel();
    assert!(matches!(assert_ready!(waits.poll()), Err(LaneError::Cancelled)));
    assert!(matches!(b.try_turn_at(&read), Err(LaneError::Cancelled)));
}

#[test]
fn numbers_issued_before_a_station_was_made_do_not_come() {
    let lane = Lane::new((), 8);
    let mut before = lane.try_ticket().unwrap();
    let station = lane.station("late", ());
    let mut after = lane.try_ticket().unwrap();
    assert!(matches!(before.try_turn_at(&station), Err(LaneError::Passed)));
    drop(after.try_turn_at(&station).expect("it is the first there"));
}

#[test]
#[should_panic(expected = "the station is one of another lane")]
fn a_station_of_another_lane_is_refused() {
    let (one, _) = lane(OnFailure::Poison);
    let (_other, read) = lane(OnFailure::Poison);
    let [mut a] = tickets(&one);
    let _ = a.try_turn_at(&read);
}

#[test]
fn threads_pass_stations_as_well() {
    let (lane, read) = lane(OnFailure::Poison);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (lane, read) = (lane.clone(), read.clone());
            std::thread::spawn(move || {
                for _ in 0..200 {
                    let mut ticket = lane.blocking_ticket().unwrap();
                    let seq = ticket.seq();
                    ticket.blocking_turn_at(&read).unwrap().push(seq);
                    ticket.deposit(seq).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    blocking::wait(lane.drain()).unwrap();
    assert!(seen(&read).into_iter().eq(0..600));
    assert!(lane.with_value(|all| all.clone()).into_iter().eq(0..600));
}
