//! Who is woken, and how often a woken one is polled: one release wakes one waiter, who owns the
//! baton before it is woken, so that nobody polls in vain.

use batons::{AcquireError, Baton, SkipError, TryAcquireError, blocking, futures::Acquire};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

// ===== counting =====

/// Counts the wakes of one waiter, and those of everybody.
struct Count {
    own: AtomicUsize,
    all: Arc<AtomicUsize>,
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.own.fetch_add(1, Relaxed);
        self.all.fetch_add(1, Relaxed);
    }
}

/// A wait polled by hand.
struct Hand<'a> {
    wait: Acquire<&'a Baton>,
    count: Arc<Count>,
}

impl<'a> Hand<'a> {
    /// Puts a wait for `seq` in line.
    fn stand(baton: &'a Baton, seq: u64, all: &Arc<AtomicUsize>) -> Self {
        let count = Arc::new(Count { own: AtomicUsize::new(0), all: Arc::clone(all) });
        let mut hand = Self { wait: baton.acquire(seq), count };
        assert!(hand.poll().is_pending(), "{seq} is not next");
        hand
    }

    fn poll(&mut self) -> Poll<Result<batons::BatonGuard<'a>, AcquireError>> {
        let waker = Waker::from(Arc::clone(&self.count));
        Pin::new(&mut self.wait).poll(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        self.count.own.load(Relaxed)
    }
}

/// The numbers 1 to `n`, in order, in reverse and shuffled.
fn orders(n: u64) -> [Vec<u64>; 3] {
    let in_order: Vec<u64> = (1..=n).collect();
    let mut shuffled = in_order.clone();
    let mut random = 0x9E37_79B9_u64;
    for index in (1..shuffled.len()).rev() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from((random >> 33) % (index as u64 + 1)).expect("an index");
        shuffled.swap(index, other);
    }
    [in_order.clone(), in_order.into_iter().rev().collect(), shuffled]
}

// ===== hand-over =====

#[test]
fn one_release_wakes_one_waiter_however_many_wait() {
    for (n, order) in [2, 100, 10_000].into_iter().flat_map(|n| orders(n).map(|order| (n, order))) {
        let baton = Baton::new(0);
        let all = Arc::new(AtomicUsize::new(0));
        let mut guard = baton.try_acquire(0).unwrap();
        let mut waits: Vec<_> = order.iter().map(|&seq| (seq, Hand::stand(&baton, seq, &all))).collect();
        waits.sort_by_key(|&(seq, _)| seq);
        assert_eq!(all.load(Relaxed), 0, "nobody is woken by standing in line");
        for ((seq, hand), released) in waits.iter_mut().zip(1..) {
            guard.release();
            assert_eq!(all.load(Relaxed), released, "one release, one wake");
            assert_eq!(hand.wakes(), 1, "the successor is the one woken");
            assert_eq!(baton.next(), *seq + 1, "it owns before it is polled");
            let Poll::Ready(Ok(next)) = hand.poll() else { panic!("one poll shows the grant") };
            assert_eq!(next.seq(), *seq);
            guard = next;
        }
        drop(guard);
        assert_eq!(all.load(Relaxed), waits.len(), "{n} waiters, {n} wakes");
    }
}

/// Counts the polls of the wait within, each when it is over: a poll that is counted stands in line.
struct CountPolls(Acquire<Baton>, Arc<AtomicUsize>);

impl Future for CountPolls {
    type Output = Result<batons::OwnedBatonGuard, AcquireError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(cx);
        self.1.fetch_add(1, SeqCst);
        answer
    }
}

/// Polls in all when `n` tasks on `runtime` stand in line in `order` before the first is served.
fn polls_of_a_whole_line(runtime: &tokio::runtime::Runtime, order: &[u64]) -> usize {
    let baton = Baton::new(0);
    let polls = Arc::new(AtomicUsize::new(0));
    let guard = baton.try_acquire(0).expect("the first number of a free baton");
    let tasks: Vec<_> = order
        .iter()
        .map(|&seq| {
            let wait = CountPolls(baton.acquire_owned(seq), Arc::clone(&polls));
            runtime.spawn(async move { drop(wait.await.expect("each number is acquired once")) })
        })
        .collect();
    while polls.load(SeqCst) < order.len() {
        runtime.block_on(tokio::task::yield_now());
    }
    drop(guard);
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("no task panics");
        }
    });
    polls.load(SeqCst)
}

#[test]
fn a_waiting_task_is_polled_once_to_stand_in_line_and_once_to_be_served() {
    let current = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for order in orders(500) {
        for runtime in [&current, &multi] {
            assert_eq!(polls_of_a_whole_line(runtime, &order), 2 * order.len());
        }
    }
}

// ===== the waker that is woken =====

#[test]
fn the_newest_waker_is_woken_and_the_older_one_let_go() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let all = Arc::new(AtomicUsize::new(0));
    let mut hand = Hand::stand(&baton, 1, &all);
    let old = std::mem::replace(
        &mut hand.count,
        Arc::new(Count { own: AtomicUsize::new(0), all: Arc::clone(&all) }),
    );
    assert_eq!(Arc::strong_count(&old), 2, "the line keeps one waker");
    assert!(hand.poll().is_pending());
    assert_eq!(Arc::strong_count(&old), 1, "the line let the old waker go");
    guard.release();
    assert_eq!((old.own.load(Relaxed), hand.wakes()), (0, 1));
    assert!(hand.poll().is_ready());
}

#[test]
fn a_poll_in_vain_keeps_the_place_and_wakes_nobody() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let all = Arc::new(AtomicUsize::new(0));
    let mut hands: Vec<_> = [3, 1, 2].map(|seq| Hand::stand(&baton, seq, &all)).into();
    for _ in 0..10 {
        for hand in &mut hands {
            assert!(hand.poll().is_pending());
            assert_eq!(Arc::strong_count(&hand.count), 2, "one waker in line, not one per poll");
        }
    }
    assert_eq!(baton.snapshot().waiting(), [1, 2, 3]);
    assert_eq!(all.load(Relaxed), 0);
    guard.release();
    for hand in [1, 2, 0] {
        assert_eq!(hands[hand].wakes(), 1);
        assert!(hands[hand].poll().is_ready(), "served in turn");
    }
}

#[test]
fn after_a_grant_nothing_is_kept_of_the_waiter() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let hand = Hand::stand(&baton, 1, &Arc::default());
    guard.release();
    assert_eq!(Arc::strong_count(&hand.count), 1, "the waker left with the wake");
}

// ===== nobody else =====

#[test]
fn refusals_cancellations_and_skips_ahead_wake_nobody() {
    let baton = Baton::builder().first(10).window(20).build();
    let guard = baton.try_acquire(10).unwrap();
    let all = Arc::new(AtomicUsize::new(0));
    let mut hands: Vec<_> = [11, 12, 13, 15].map(|seq| Hand::stand(&baton, seq, &all)).into();
    let acquire = |seq| {
        let answer = Pin::new(&mut baton.acquire(seq)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Err(refusal)) = answer else { panic!("{seq} is refused at once") };
        refusal
    };
    assert_eq!(acquire(12), AcquireError::Duplicate);
    assert_eq!(acquire(10), AcquireError::Passed);
    assert_eq!(acquire(31), AcquireError::TooFar { limit: 30 });
    assert_eq!(baton.try_acquire(14).unwrap_err(), TryAcquireError::WouldBlock);
    assert_eq!(baton.skip(13), Err(SkipError::Requested));
    assert_eq!(baton.skip(9), Err(SkipError::Passed));
    assert_eq!(baton.skip(14), Ok(()));
    assert!(blocking::wait_timeout(baton.acquire(16), Duration::ZERO).is_err());
    drop(baton.ticket());
    drop(hands.remove(2));
    let _ = baton.snapshot();
    assert_eq!(all.load(Relaxed), 0);
    guard.release();
    assert_eq!(all.load(Relaxed), 1);
    assert_eq!(hands[0].wakes(), 1);
}

#[test]
fn passing_over_what_is_missing_wakes_the_one_behind_it_and_no_other() {
    let baton = Baton::new(0);
    let all = Arc::new(AtomicUsize::new(0));
    let ticket = baton.ticket();
    let hands: Vec<_> = [4, 5, 6].map(|seq| Hand::stand(&baton, seq, &all)).into();
    baton.skip(2).unwrap();
    baton.skip(3).unwrap();
    drop(ticket);
    assert_eq!((baton.next(), all.load(Relaxed)), (1, 0), "1 is still missing");
    baton.skip(1).unwrap();
    assert_eq!((baton.next(), all.load(Relaxed), hands[0].wakes()), (5, 1, 1));
}

#[test]
fn close_wakes_everyone_once_but_not_the_one_granted_before() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let all = Arc::new(AtomicUsize::new(0));
    let mut hands: Vec<_> = [1, 2, 900, 3].map(|seq| Hand::stand(&baton, seq, &all)).into();
    guard.release();
    baton.close();
    baton.close();
    assert_eq!(hands.iter().map(Hand::wakes).collect::<Vec<_>>(), [1, 1, 1, 1]);
    assert!(matches!(hands[0].poll(), Poll::Ready(Ok(_))), "granted before the close");
    for hand in &mut hands[1..] {
        assert!(matches!(hand.poll(), Poll::Ready(Err(AcquireError::Closed))));
    }
}
