//! What a snapshot tells, and the line it makes of it for people.

mod common;

use batons::Baton;
use common::line_up;
use tokio_test::{assert_ready_ok, task};

/// The line that a person reads about `baton`.
fn line(baton: &Baton) -> String {
    baton.snapshot().to_string()
}

#[test]
fn a_number_that_was_never_requested_is_named() {
    let baton = Baton::new(17);
    assert_eq!(line(&baton), "next 17: never requested");
    let waits = line_up(&baton, [25, 18, 19]);
    assert_eq!(line(&baton), "next 17: never requested; waiting: 18, 19, 25");
    let snapshot = baton.snapshot();
    assert_eq!((snapshot.next(), snapshot.holder()), (17, None));
    assert!(!snapshot.is_held() && !snapshot.is_closed());
    assert_eq!(snapshot.waiting(), [18, 19, 25]);
    assert!(snapshot.tickets().is_empty() && snapshot.skipped().is_empty());
    drop(waits);
}

#[test]
fn the_holder_is_named() {
    let baton = Baton::new(17);
    let guard = baton.try_acquire(17).unwrap();
    let snapshot = baton.snapshot();
    assert_eq!((snapshot.next(), snapshot.holder(), snapshot.is_held()), (18, Some(17), true));
    assert_eq!(line(&baton), "next 18: held by 17");
    let waits = line_up(&baton, [18, 20]);
    assert_eq!(line(&baton), "next 18: held by 17; waiting: 18, 20");
    drop((guard, waits));
}

// cases: BB-37
#[test]
fn the_holder_is_named_before_it_has_seen_its_grant() {
    let baton = Baton::new(17);
    let guard = baton.try_acquire(17).unwrap();
    let waits = line_up(&baton, [18]);
    drop(guard);
    assert_eq!(line(&baton), "next 19: held by 18");
    drop(waits);
    assert_eq!(line(&baton), "next 19: never requested");
}

#[test]
fn a_ticket_that_nobody_waits_on_is_named() {
    let baton = Baton::new(17);
    let mut tickets = [baton.ticket(), baton.ticket(), baton.ticket()];
    assert_eq!(line(&baton), "next 17: ticket out, not waiting yet; tickets: 17, 18, 19");
    let [first, second, _] = &mut tickets;
    let mut wait = task::spawn(second.acquire());
    assert!(wait.poll().is_pending());
    let snapshot = baton.snapshot();
    assert_eq!((snapshot.waiting(), snapshot.tickets()), ([18].as_slice(), [17, 19].as_slice()));
    assert_eq!(snapshot.to_string(), "next 17: ticket out, not waiting yet; waiting: 18; tickets: 17, 19");
    let guard = first.try_acquire().unwrap();
    assert_eq!(line(&baton), "next 18: held by 17; waiting: 18; tickets: 19");
    drop(guard);
    drop(assert_ready_ok!(wait.poll()));
    assert_eq!(line(&baton), "next 19: ticket out, not waiting yet; tickets: 19");
}

#[test]
fn skipped_numbers_are_named() {
    let baton = Baton::new(17);
    for number in [20, 18, 19] {
        baton.skip(number).unwrap();
    }
    assert_eq!(baton.snapshot().skipped(), [18, 19, 20]);
    assert_eq!(line(&baton), "next 17: never requested; skipped: 18, 19, 20");
    let waits = line_up(&baton, [21]);
    let tickets = [baton.ticket(), baton.ticket()];
    assert_eq!(
        line(&baton),
        "next 17: ticket out, not waiting yet; waiting: 21; tickets: 17, 22; skipped: 18, 19, 20"
    );
    drop(tickets);
    assert_eq!(line(&baton), "next 22: held by 21; skipped: 22");
    drop(waits);
    assert_eq!(line(&baton), "next 23: never requested");
}

#[test]
fn a_closed_baton_says_so_first() {
    let baton = Baton::new(17);
    let guard = baton.try_acquire(17).unwrap();
    let waits = line_up(&baton, [19]);
    baton.skip(20).unwrap();
    baton.close();
    let snapshot = baton.snapshot();
    assert_eq!(snapshot.to_string(), "next 18: closed");
    assert!(snapshot.is_closed() && snapshot.is_held());
    assert_eq!((snapshot.holder(), snapshot.next()), (Some(17), 18));
    assert!(snapshot.waiting().is_empty() && snapshot.skipped().is_empty());
    drop((guard, waits));
    assert_eq!(line(&baton), "next 18: closed");
}

#[test]
fn sixteen_of_a_kind_are_shown_and_the_others_counted() {
    let shown = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17";
    let baton = Baton::new(1);
    let mut waits = line_up(&baton, 2..=17);
    assert_eq!(line(&baton), format!("next 1: never requested; waiting: {shown}"));
    waits.extend(line_up(&baton, [18]));
    assert_eq!(line(&baton), format!("next 1: never requested; waiting: {shown} and 1 more"));
    waits.extend(line_up(&baton, 19..=1017));
    assert_eq!(line(&baton), format!("next 1: never requested; waiting: {shown} and 1000 more"));
    assert_eq!(baton.snapshot().waiting().len(), 1016);
}

#[test]
fn the_order_is_that_of_the_turns_also_across_the_wrap() {
    let baton = Baton::new(u64::MAX - 2);
    let waits = line_up(&baton, [1, u64::MAX, 60_000, 0, u64::MAX - 1]);
    let order = [u64::MAX - 1, u64::MAX, 0, 1, 60_000];
    assert_eq!(baton.snapshot().waiting(), order);
    let max = u64::MAX;
    assert_eq!(
        line(&baton),
        format!("next {}: never requested; waiting: {}, {max}, 0, 1, 60000", max - 2, max - 1)
    );
    drop(waits);

    // Whoever came first, and however far apart they stand.
    let waits = line_up(&baton, [60_000, 1, 30_000, 0]);
    assert_eq!(baton.snapshot().waiting(), [0, 1, 30_000, 60_000]);
    for number in [50_000, 2, 20_000] {
        baton.skip(number).unwrap();
    }
    assert_eq!(baton.snapshot().skipped(), [2, 20_000, 50_000]);
    drop(waits);

    let baton = Baton::new(u64::MAX);
    let guard = baton.try_acquire(u64::MAX).unwrap();
    assert_eq!(line(&baton), format!("next 0: held by {max}"));
    drop(guard);
}

#[test]
fn a_snapshot_is_a_copy_and_not_a_view() {
    let baton = Baton::new(0);
    let waits = line_up(&baton, [1, 70]);
    let before = baton.snapshot();
    assert_eq!(before.clone(), before);
    drop(waits);
    assert_eq!(before.waiting(), [1, 70]);
    assert_ne!(baton.snapshot(), before);
}

#[test]
fn debug_output_names_the_numbers_as_the_user_does() {
    let baton = Baton::new(17);
    let mut ticket = baton.ticket();
    assert_eq!(format!("{ticket:?}"), "Ticket { seq: 17, .. }");
    assert_eq!(format!("{:?}", baton.acquire(18)), "Acquire { seq: Some(18), .. }");
    let guard = ticket.try_acquire().unwrap();
    assert_eq!(format!("{guard:?}"), "HeldBaton { seq: 17, .. }");
    assert_eq!(format!("{baton:?}"), "Baton { next: 18, held: true, closed: false, .. }");
}
