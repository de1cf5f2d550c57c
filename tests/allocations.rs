//! What a wait costs in memory: no allocation of its own, a few words in line, and nothing that
//! grows with the numbers rather than with the waiters.

use batons::{Baton, BatonGuard, CompletionPort, Operation, OwnedBatonGuard, Ticket, futures::Acquire};
use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

fn poll<'a>(wait: &mut Acquire<&'a Baton>) -> Option<BatonGuard<'a>> {
    match Pin::new(wait).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer.expect("each number is acquired once")),
        Poll::Pending => None,
    }
}

fn shuffle<T>(items: &mut [T]) {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for index in (1..items.len()).rev() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(index, usize::try_from((random >> 33) % (index as u64 + 1)).expect("an index"));
    }
}

// ===== no allocation per wait =====

/// Allocations of `rounds` calls of `round`, after three calls to warm up.
fn allocations(rounds: usize, mut round: impl FnMut()) -> u64 {
    (0..3).for_each(|_| round());
    allocation_counter::measure(|| (0..rounds).for_each(|_| round())).count_total
}

#[test]
fn an_uncontended_acquire_allocates_nothing() {
    let baton = Baton::new(0);
    let mut seqs = 0..;
    let count = allocations(1000, || drop(poll(&mut baton.acquire(seqs.next().expect("endless")))));
    assert_eq!(count, 0, "acquire");
    let mut tries = baton.next()..;
    let count = allocations(1000, || drop(baton.try_acquire(tries.next().expect("endless"))));
    assert_eq!(count, 0, "try_acquire");
    let mut owned = baton.next()..;
    let count = allocations(1000, || {
        let wait = pin!(baton.acquire_owned(owned.next().expect("endless")));
        assert!(wait.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    });
    assert_eq!(count, 0, "acquire_owned");
    let count = allocations(1000, || drop(baton.ticket().try_acquire()));
    assert_eq!(count, 0, "a ticket");
}

/// Allocations of `n` waiters that stand in line, get their turn, and come back behind the last one.
fn allocations_of_a_standing_line(n: u64, arrival: impl Fn(&mut [u64])) -> u64 {
    let baton = Baton::new(0);
    let mut guard = Some(baton.try_acquire(0).expect("free"));
    let mut order: Vec<u64> = (0..n).collect();
    arrival(&mut order);
    let mut waits: Vec<_> = (1..=n).map(|seq| baton.acquire(seq)).collect();
    for &place in &order {
        assert!(poll(&mut waits[usize::try_from(place).expect("an index")]).is_none());
    }
    let mut next = n;
    allocations(20, || {
        for wait in &mut waits {
            drop(guard.take());
            guard = poll(wait);
            assert!(guard.is_some(), "its turn has come");
            next += 1;
            *wait = baton.acquire(next);
            assert!(poll(wait).is_none());
        }
    })
}

#[test]
fn waiters_that_come_again_and_again_allocate_nothing() {
    for n in [1, 2, 10, 1000] {
        assert_eq!(allocations_of_a_standing_line(n, |_| {}), 0, "{n} waiters");
        assert_eq!(allocations_of_a_standing_line(n, <[u64]>::reverse), 0, "{n} waiters, last first");
    }
}

#[test]
fn a_line_that_fills_and_empties_allocates_nothing_once_it_was_full() {
    let baton = Baton::new(0);
    let mut order: Vec<u64> = (1..=100).collect();
    let mut waits: Vec<Option<Acquire<&Baton>>> = Vec::new();
    waits.resize_with(101, || None);
    let mut base = 0;
    for arrival in ["in order", "shuffled"] {
        if arrival == "shuffled" {
            shuffle(&mut order);
        }
        let count = allocations(20, || {
            let mut guard = Some(baton.try_acquire(base).expect("free"));
            for &seq in &order {
                let wait = waits[usize::try_from(seq).expect("an index")].insert(baton.acquire(base + seq));
                assert!(poll(wait).is_none());
            }
            for wait in waits[1..].iter_mut().flatten() {
                drop(guard.take());
                guard = poll(wait);
            }
            base += 101;
        });
        assert_eq!(count, 0, "{arrival}");
    }
}

#[test]
fn cancelled_and_timed_out_waits_allocate_nothing() {
    let baton = Baton::new(0);
    let _guard = baton.try_acquire(0).unwrap();
    let mut numbers = (1..60_000).cycle();
    let count = allocations(1000, || assert!(poll(&mut baton.acquire(numbers.next().unwrap())).is_none()));
    assert_eq!(count, 0, "cancelled");
    let count = allocations(1000, || {
        assert!(baton.blocking_acquire_timeout(1, std::time::Duration::ZERO).is_err());
    });
    assert_eq!(count, 0, "timed out");
}

#[test]
fn a_thread_that_waits_allocates_nothing() {
    let baton = Baton::new(0);
    let mut seq = 0..;
    let count = allocations(1000, || drop(baton.blocking_acquire(seq.next().expect("endless"))));
    assert_eq!(count, 0, "uncontended");

    let baton = &Baton::new(0);
    assert!(poll(&mut baton.acquire(9)).is_none()); // there was a line once
    let play = move |mine: u64| {
        let mut seq = (mine..).step_by(2);
        allocations(1000, || drop(baton.blocking_acquire(seq.next().expect("endless"))))
    };
    let counts = std::thread::scope(|scope| {
        [0, 1].map(|mine| scope.spawn(move || play(mine))).map(|thread| thread.join().expect("no panic"))
    });
    assert_eq!(counts, [0, 0], "two threads that take turns");
}

#[test]
fn packets_allocate_nothing_once_there_was_room_for_them() {
    let port = CompletionPort::new(2);
    let count = allocations(1000, || {
        port.post(1).expect("it is open");
        port.post(2).expect("it is open");
        assert_eq!(port.try_next().expect("there are two").into_inner(), 1);
        assert!(pin!(port.next()).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    });
    assert_eq!(count, 0, "at once");
    let count = allocations(1000, || {
        let mut wait = pin!(port.next());
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        port.post(3).expect("it is open");
        assert!(wait.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    });
    assert_eq!(count, 0, "in line");
}

#[test]
fn an_operation_is_three_allocations_and_its_waits_none() {
    let heap = allocation_counter::measure(|| std::mem::forget(Operation::new(std::future::ready(1))));
    assert_eq!(heap.count_total, 3);
    let (operation, _task) = Operation::new(std::future::pending::<()>());
    let count = allocations(1000, || {
        assert!(pin!(operation.wait()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    });
    assert_eq!(count, 0);
}

// ===== bytes =====

#[test]
fn a_future_and_a_guard_are_a_few_words() {
    assert!(size_of::<Acquire<&Baton>>() <= 64 && size_of::<Acquire<Baton>>() <= 64);
    assert_eq!(size_of::<BatonGuard<'_>>(), 16);
    assert_eq!(size_of::<OwnedBatonGuard>(), 16);
    assert_eq!(size_of::<Ticket>(), 16);
    assert_eq!(size_of::<Baton>(), 8);
}

#[test]
fn a_baton_is_one_allocation() {
    let heap = allocation_counter::measure(|| std::mem::forget(Baton::new(0)));
    assert_eq!(heap.count_total, 1);
    assert!(heap.bytes_total <= 256, "{} bytes", heap.bytes_total);
}

#[test]
fn one_waiter_at_the_far_end_of_the_window_takes_no_table() {
    for also in [None, Some(1)] {
        let baton = Baton::builder().window(1 << 60).build();
        let _guard = baton.try_acquire(0).unwrap();
        let mut near = also.map(|seq| baton.acquire(seq));
        let mut far = baton.acquire(1 << 60);
        let heap = allocation_counter::measure(|| {
            assert!(near.iter_mut().all(|near| poll(near).is_none()));
            assert!(poll(&mut far).is_none());
        });
        assert!(heap.bytes_max <= 1024, "{} bytes with {also:?} in line", heap.bytes_max);
    }
}

/// Heap bytes per waiter when 10,000 stand in line in the given order of arrival.
fn bytes_per_waiter(order: &[u64]) -> i64 {
    let baton = Baton::builder().window(1 << 40).build();
    let _guard = baton.try_acquire(0).expect("free");
    let mut waits: Vec<_> = order.iter().map(|&seq| baton.acquire(seq)).collect();
    let heap = allocation_counter::measure(|| assert!(waits.iter_mut().all(|wait| poll(wait).is_none())));
    heap.bytes_current / i64::try_from(order.len()).expect("a few")
}

#[test]
fn a_waiter_in_line_takes_a_few_words() {
    let mut order: Vec<u64> = (1..=10_000).collect();
    let in_order = bytes_per_waiter(&order);
    assert!(in_order <= 48, "{in_order} bytes in order");
    order.reverse();
    let reversed = bytes_per_waiter(&order);
    assert!(reversed <= 48, "{reversed} bytes from the last to the first");
    shuffle(&mut order);
    let shuffled = bytes_per_waiter(&order);
    assert!(shuffled <= 128, "{shuffled} bytes shuffled");
    for seq in &mut order {
        *seq *= 1_000_003;
    }
    let sparse = bytes_per_waiter(&order);
    assert!(sparse <= 128, "{sparse} bytes far from each other");
}
