//! Threads and tasks on one baton, dropping, timing out, skipping and handing out tickets at random,
//! across the wrap of the numbers. Checked: the order, the one owner, that it goes on, and that every
//! number is used up exactly once.
//!
//! `BATONS_SOAK_OPS` multiplies the number of operations.

use batons::{AcquireError, AcquireTimeoutError, Baton, HeldBaton, SkipError, futures::Acquire};
use std::{
    borrow::Borrow,
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

/// The wrap comes early.
const FIRST: u64 = u64::MAX - 300;
/// Operations of each worker that acquires by hand.
const OPS: u64 = 400_000;

// ===== the books =====

/// How often a number came to each end.
#[derive(Debug, Default, Clone, Copy)]
struct Ends {
    /// Held by a guard that was seen.
    granted: u32,
    skipped: u32,
    /// A ticket, or the wait that owned it, was dropped.
    forfeited: u32,
    /// A wait was dropped and the number was over then: unseen grant, or somebody else's doing.
    perhaps: u32,
}

struct Books {
    baton: Baton,
    ends: Mutex<HashMap<u64, Ends>>,
    owners: AtomicUsize,
    /// Turns granted so far, as the distance from `FIRST`, plus one.
    last: AtomicU64,
    progress: AtomicU64,
    by_hand_done: AtomicBool,
}

impl Books {
    fn new() -> Self {
        Self {
            baton: Baton::builder().first(FIRST).window(64).build(),
            ends: Mutex::default(),
            owners: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            by_hand_done: AtomicBool::new(false),
        }
    }

    fn note(&self, seq: u64, end: impl FnOnce(&mut Ends)) {
        end(self.ends.lock().expect("no panic inside").entry(seq).or_default());
        self.progress.fetch_add(1, SeqCst);
    }

    /// A turn, from its grant to its release.
    fn turn<H: Borrow<Baton>>(&self, guard: HeldBaton<H>) {
        assert_eq!(self.owners.fetch_add(1, SeqCst), 0, "one owner at a time");
        let turn = guard.seq().wrapping_sub(FIRST) + 1;
        let before = self.last.swap(turn, SeqCst);
        assert!(before < turn, "turn {turn} came after {before}");
        self.note(guard.seq(), |ends| ends.granted += 1);
        assert_eq!(self.owners.fetch_sub(1, SeqCst), 1, "one owner at a time");
        drop(guard);
    }

    /// After a wait by hand was dropped its number is ours to pass over, unless it is over already.
    fn give_up(&self, seq: u64) {
        match self.baton.skip(seq) {
            Ok(()) => self.note(seq, |ends| ends.skipped += 1),
            Err(SkipError::Passed) => self.note(seq, |ends| ends.perhaps += 1),
            Err(SkipError::Requested) => {} // somebody else's by now
            Err(refusal) => panic!("{seq} was accepted before: {refusal}"),
        }
    }

    /// Has the turn, if that is what a ticket was answered.
    fn took<H: Borrow<Baton>, E>(&self, answer: Result<HeldBaton<H>, E>) -> bool {
        answer.map(|guard| self.turn(guard)).is_ok()
    }

    fn check(&self) {
        let shot = self.baton.snapshot();
        assert!(shot.waiting().is_empty() && shot.tickets().is_empty() && !shot.is_held(), "{shot}");
        assert!(self.baton.try_acquire(shot.next()).is_ok(), "it goes on");
        let ends = self.ends.lock().expect("no panic inside");
        let used = shot.next().wrapping_sub(FIRST);
        for number in 0..used {
            let seq = FIRST.wrapping_add(number);
            let end = ends.get(&seq).copied().unwrap_or_default();
            let certain = end.granted + end.skipped + end.forfeited;
            assert!(certain == 1 || certain == 0 && end.perhaps > 0, "{seq} came to {end:?}");
        }
        for (seq, end) in ends.iter().filter(|(seq, _)| seq.wrapping_sub(FIRST) >= used) {
            assert!(end.granted == 0 && shot.skipped().contains(seq), "{seq} came to {end:?}");
        }
    }
}

/// A small generator, so that a run can be told apart from the next only by its schedule.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn index(&mut self, length: u64) -> usize {
        usize::try_from(self.below(length)).expect("a small number")
    }
}

// ===== waits by hand =====

/// What a number drawn by hand leads to.
fn refused(refusal: AcquireError) {
    // Somebody else's; the window may have moved on.
    assert!(matches!(refusal, AcquireError::Duplicate | AcquireError::Passed), "{refusal}");
}

fn thread_by_hand(books: &Books, ops: u64, seed: u64) {
    let mut random = Random(seed);
    for _ in 0..ops {
        let seq = books.baton.next().wrapping_add(random.below(8));
        let time = Duration::from_micros([0, 1, 50, 1_000_000][random.index(4)]);
        match books.baton.blocking_acquire_timeout(seq, time) {
            Ok(guard) => books.turn(guard),
            Err(AcquireTimeoutError::TimedOut) => match random.below(3) {
                0 => match books.baton.blocking_acquire(seq) {
                    Ok(guard) => books.turn(guard),
                    Err(refusal) => refused(refusal),
                },
                _ => books.give_up(seq),
            },
            Err(AcquireTimeoutError::Duplicate | AcquireTimeoutError::Passed) => {}
            Err(refusal) => panic!("{seq}: {refusal}"),
        }
    }
}

/// Polls `wait` a few times, and drops it if it has not answered.
async fn for_a_while<H: Borrow<Baton>>(
    wait: Acquire<H>,
    polls: u64,
) -> Option<Result<HeldBaton<H>, AcquireError>> {
    let mut wait = wait;
    for _ in 0..polls {
        if let std::task::Poll::Ready(answer) = futures::poll!(&mut wait) {
            return Some(answer);
        }
        tokio::task::yield_now().await;
    }
    None
}

async fn task_by_hand(books: &Books, ops: u64, seed: u64) {
    let mut random = Random(seed);
    for _ in 0..ops {
        let seq = books.baton.next().wrapping_add(random.below(8));
        let answer = match random.below(3) {
            0 => Some(books.baton.acquire(seq).await),
            polls => for_a_while(books.baton.acquire(seq), polls).await,
        };
        match answer {
            Some(Ok(guard)) => books.turn(guard),
            Some(Err(refusal)) => refused(refusal),
            None => books.give_up(seq),
        }
        if random.below(8) == 0 {
            let ahead = books.baton.next().wrapping_add(random.below(16));
            if books.baton.skip(ahead).is_ok() {
                books.note(ahead, |ends| ends.skipped += 1);
            }
        }
    }
}

// ===== tickets: they go on until nobody waits by hand, for they fill the gaps =====

fn thread_with_tickets(books: &Books, seed: u64) {
    let mut random = Random(seed);
    while !books.by_hand_done.load(SeqCst) {
        let mut ticket = books.baton.ticket();
        let seq = ticket.seq();
        let used = match random.below(4) {
            0 => books.took(ticket.blocking_acquire()),
            1 => books.took(ticket.blocking_acquire_timeout(Duration::from_micros(random.below(100)))),
            2 => books.took(ticket.try_acquire()),
            _ => false,
        };
        drop(ticket);
        if !used {
            books.note(seq, |ends| ends.forfeited += 1);
        }
    }
}

async fn task_with_tickets(books: &Books, seed: u64) {
    let mut random = Random(seed);
    while !books.by_hand_done.load(SeqCst) {
        let mut ticket = books.baton.ticket();
        let seq = ticket.seq();
        let used = match random.below(3) {
            0 => books.took(ticket.acquire().await),
            1 => for_a_while(ticket.acquire_owned(), random.below(4)).await.is_some_and(|t| books.took(t)),
            _ => {
                // Given up, perhaps granted and unseen, then taken up again.
                let used =
                    for_a_while(ticket.acquire(), random.below(3)).await.is_some_and(|t| books.took(t));
                used || books.took(ticket.acquire().await)
            }
        };
        if !used {
            books.note(seq, |ends| ends.forfeited += 1);
        }
        tokio::task::yield_now().await;
    }
}

// ===== all at once =====

/// Tells the other workers to stop, also when this one panics.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

fn run(books: &Arc<Books>, ops: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let spawn_by_hand = |seed| {
        let books = Arc::clone(books);
        runtime.spawn(async move { task_by_hand(&books, ops, seed).await })
    };
    let spawn_with_tickets = |seed| {
        let books = Arc::clone(books);
        runtime.spawn(async move { task_with_tickets(&books, seed).await })
    };
    thread::scope(|scope| {
        let done = SetOnDrop(&books.by_hand_done);
        for seed in [21, 22] {
            scope.spawn(move || thread_with_tickets(books, seed));
        }
        let with_tickets = [41, 42].map(spawn_with_tickets);
        let by_hand = [31, 32].map(spawn_by_hand);
        for thread in [11, 12].map(|seed| scope.spawn(move || thread_by_hand(books, ops, seed))) {
            thread.join().expect("no worker panics");
        }
        for task in by_hand {
            runtime.block_on(task).expect("no worker panics");
        }
        drop(done);
        for task in with_tickets {
            runtime.block_on(task).expect("no worker panics");
        }
    });
}

#[test]
fn under_threads_and_tasks_every_number_is_used_up_once_and_in_order() {
    let factor = std::env::var("BATONS_SOAK_OPS").map_or(1, |factor| factor.parse().unwrap());
    let books = Arc::new(Books::new());
    let (ended, end) = channel();
    let runner = {
        let books = Arc::clone(&books);
        thread::spawn(move || {
            run(&books, OPS * factor);
            let _ = ended.send(());
        })
    };
    // Only to turn a hang into a failure: without any progress for so long, it is one.
    let mut seen = 0;
    while end.recv_timeout(Duration::from_secs(150)) == Err(RecvTimeoutError::Timeout) {
        let progress = books.progress.load(SeqCst);
        assert_ne!(progress, seen, "no progress: {}", books.baton.snapshot());
        seen = progress;
    }
    assert!(runner.join().is_ok(), "a worker panicked");
    books.check();
}

#[test]
fn whoever_looks_at_an_empty_line_undoes_nothing_that_is_done_past_it() {
    const TURNS: u64 = 1_000_000;
    let baton = Baton::new(FIRST);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = SetOnDrop(&over);
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(SeqCst) {
                    assert_eq!(baton.skip(FIRST.wrapping_sub(1)), Err(SkipError::Passed));
                }
            });
        }
        for turn in 0..TURNS {
            let seq = FIRST.wrapping_add(turn);
            let guard = baton.try_acquire(seq).expect("free, and its turn");
            assert_eq!(baton.next(), seq.wrapping_add(1));
            drop(guard);
        }
    });
    assert_eq!(baton.snapshot(), Baton::new(FIRST.wrapping_add(TURNS)).snapshot());
}
