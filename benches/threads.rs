//! What does it cost to hand a turn to the next of N waiting threads?
//!
//! ```text
//! cargo bench --bench threads
//! ```
//!
//! Each of N threads takes every N-th turn, so that all of them wait all the time. Nanoseconds per
//! hand-over, against a word and a park for each thread, which is the least that the system asks for.

mod common;
#[path = "../tests/old_batons/mod.rs"]
mod old_batons;

use batons::Baton;
use common::{
    Mode,
    harness::{Case, Effort, Series, interleave, ns_each},
    report::{Bars, count, figure, table},
};
use event_listener::{Event, Listener, listener};
use old_batons::{
    OldBaton, keyed_table::KeyedTable, linked_list::LinkedList, pulsed_mutex::PulsedMutex,
    pulsed_section::PulsedSection, two_events::TwoEvents,
};
use std::{
    collections::HashMap,
    sync::{
        Barrier, Condvar, Mutex, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// A way for threads to take turns.
trait Turns: Sync + Sized {
    const NAME: &'static str;
    /// Wakes all threads at every turn.
    const HERD: bool = false;

    fn new(threads: u64) -> Self;
    /// Waits for the turn of `seq`, has it, and hands it on.
    fn turn(&self, seq: u64);
}

impl Turns for Baton {
    const NAME: &'static str = "batons: blocking_acquire";

    fn new(_: u64) -> Self {
        Baton::new(0)
    }

    fn turn(&self, seq: u64) {
        drop(self.blocking_acquire(seq).expect("each number is acquired once"));
    }
}

/// The floor: each thread has a word to look at, and is unparked by the one before.
struct Words(Box<[(AtomicU32, OnceLock<Thread>)]>);

impl Words {
    fn place(&self, seq: u64) -> &(AtomicU32, OnceLock<Thread>) {
        let length = self.0.len() as u64;
        &self.0[usize::try_from(seq % length).expect("an index")]
    }
}

impl Turns for Words {
    const NAME: &'static str = "floor: a word and a park each";

    fn new(threads: u64) -> Self {
        let words: Box<[_]> = (0..threads).map(|_| (AtomicU32::new(0), OnceLock::new())).collect();
        words[0].0.store(1, Ordering::Relaxed);
        Self(words)
    }

    fn turn(&self, seq: u64) {
        let (word, me) = self.place(seq);
        me.get_or_init(thread::current);
        while word.swap(0, Ordering::Acquire) == 0 {
            thread::park();
        }
        let (word, next) = self.place(seq + 1);
        word.store(1, Ordering::Release);
        // A thread that is still to come will find the word set.
        if let Some(next) = next.get() {
            next.unpark();
        }
    }
}

/// Who waits for which number, under a mutex; each thread parks.
struct ParkMap(Mutex<(u64, HashMap<u64, Thread>)>);

impl Turns for ParkMap {
    const NAME: &'static str = "park, Mutex<HashMap> of threads";

    fn new(_: u64) -> Self {
        Self(Mutex::default())
    }

    fn turn(&self, seq: u64) {
        let lock = || self.0.lock().expect("no panic under the lock");
        let mut line = lock();
        if line.0 != seq {
            line.1.insert(seq, thread::current());
        }
        while line.0 != seq {
            drop(line);
            thread::park();
            line = lock();
        }
        line.0 = seq + 1;
        let next = line.1.remove(&(seq + 1));
        drop(line);
        if let Some(next) = next {
            next.unpark();
        }
    }
}

/// A condition variable for each place.
struct CondvarRing(Mutex<u64>, Box<[Condvar]>);

impl CondvarRing {
    fn place(&self, seq: u64) -> &Condvar {
        let length = self.1.len() as u64;
        &self.1[usize::try_from(seq % length).expect("an index")]
    }
}

impl Turns for CondvarRing {
    const NAME: &'static str = "Mutex and a Condvar each";

    fn new(threads: u64) -> Self {
        Self(Mutex::new(0), (0..threads).map(|_| Condvar::new()).collect())
    }

    fn turn(&self, seq: u64) {
        let next = self.0.lock().expect("no panic under the lock");
        let mut next =
            self.place(seq).wait_while(next, |next| *next != seq).expect("no panic under the lock");
        *next = seq + 1;
        drop(next);
        self.place(seq + 1).notify_one();
    }
}

struct CondvarHerd(Mutex<u64>, Condvar);

impl Turns for CondvarHerd {
    const NAME: &'static str = "Mutex and one Condvar, all woken";
    const HERD: bool = true;

    fn new(_: u64) -> Self {
        Self(Mutex::new(0), Condvar::new())
    }

    fn turn(&self, seq: u64) {
        let next = self.0.lock().expect("no panic under the lock");
        let mut next = self.1.wait_while(next, |next| *next != seq).expect("no panic under the lock");
        *next = seq + 1;
        drop(next);
        self.1.notify_all();
    }
}

struct EventHerd(AtomicU64, Event);

impl Turns for EventHerd {
    const NAME: &'static str = "event-listener, all woken";
    const HERD: bool = true;

    fn new(_: u64) -> Self {
        Self(AtomicU64::new(0), Event::new())
    }

    fn turn(&self, seq: u64) {
        while self.0.load(Ordering::Acquire) != seq {
            listener!(self.1 => changed);
            if self.0.load(Ordering::Acquire) != seq {
                changed.wait();
            }
        }
        self.0.store(seq + 1, Ordering::Release);
        self.1.notify(usize::MAX);
    }
}

/// One of the batons of 2001, made of this crate's other objects.
struct Old<B>(B);

impl<B: OldBaton> Turns for Old<B> {
    const NAME: &'static str = B::NAME;
    const HERD: bool = B::HERD;

    fn new(_: u64) -> Self {
        Self(B::new(0))
    }

    fn turn(&self, seq: u64) {
        drop(self.0.acquire(seq).unwrap_or_else(|refusal| panic!("{refusal:?}")));
    }
}

/// One repetition. The clock runs from turn 0 to the one before the last round, so that neither the
/// start nor the end of the threads is seen.
fn repetition<T: Turns>(threads: u64, rounds: u64) -> [f64; 1] {
    let turns = T::new(threads);
    let ready = Barrier::new(usize::try_from(threads).expect("a number of threads"));
    let clock = Mutex::new(None);
    let timed = threads * (rounds - 2);
    let begin = threads;
    thread::scope(|scope| {
        for first in 0..threads {
            let (turns, ready, clock) = (&turns, &ready, &clock);
            let body = move || {
                ready.wait();
                for seq in (first..threads * rounds).step_by(usize::try_from(threads).expect("a step")) {
                    turns.turn(seq);
                    // Whoever has the first timed turn starts the clock, whoever has the last stops it.
                    if seq == begin {
                        *clock.lock().expect("no panic under the lock") =
                            Some((Instant::now(), Duration::ZERO));
                    } else if seq == begin + timed {
                        let mut clock = clock.lock().expect("no panic under the lock");
                        let (start, time) = clock.as_mut().expect("the start came before");
                        *time = start.elapsed();
                    }
                }
            };
            thread::Builder::new().stack_size(64 * 1024).spawn_scoped(scope, body).expect("a thread");
        }
    });
    let clock = clock.into_inner().expect("no panic under the lock");
    [ns_each(clock.expect("the clock was started").1, timed)]
}

type Contender = (&'static str, bool, fn(u64, u64) -> [f64; 1]);

fn contender<T: Turns>() -> Contender {
    (T::NAME, T::HERD, repetition::<T>)
}

fn contenders() -> Vec<Contender> {
    vec![
        contender::<Words>(),
        contender::<Baton>(),
        contender::<ParkMap>(),
        contender::<CondvarRing>(),
        contender::<CondvarHerd>(),
        contender::<EventHerd>(),
        contender::<Old<KeyedTable>>(),
        contender::<Old<LinkedList>>(),
        contender::<Old<TwoEvents>>(),
        contender::<Old<PulsedSection>>(),
        contender::<Old<PulsedMutex<true>>>(),
    ]
}

/// The figures of all contenders for a number of threads.
fn measure(mode: Mode, contenders: &[Contender], threads: u64) -> Vec<Series> {
    eprintln!("{threads} threads");
    let case = |&(name, herd, repetition): &Contender| {
        // A herd of 512 takes a millisecond or two for each turn.
        let turns = mode.pick(if herd { 1_500 } else { 5_000 }, 200);
        Case::new(name, move || repetition(threads, 3 + turns / threads))
    };
    let mut cases: Vec<_> = contenders.iter().map(case).collect();
    let effort = Effort { repetitions: mode.pick(11, 3), time: Duration::from_secs(mode.pick(6, 1)) };
    interleave(&mut cases, effort).into_iter().map(|[series]| series).collect()
}

fn main() {
    let mode = Mode::from_args();
    let sizes: &[u64] = mode.pick(&[2, 64, 512], &[2, 8]);
    let contenders = contenders();
    let columns: Vec<_> = sizes.iter().map(|&threads| measure(mode, &contenders, threads)).collect();

    let header = sizes.iter().map(|&size| format!("{} threads", count(size)));
    let header: Vec<_> = [String::new()].into_iter().chain(header).collect();
    let row = |(row, contender): (usize, &Contender)| {
        let cell = |column: &Vec<Series>| {
            format!("{} ({:.2})", figure(column[row].median()), column[row].ratio_to(&column[0]))
        };
        [contender.0.to_string()].into_iter().chain(columns.iter().map(cell)).collect()
    };
    let rows: Vec<Vec<_>> = contenders.iter().enumerate().map(row).collect();
    table("**threads**: ns per hand-over (times the floor)", &header, &rows);

    let mut bars = Bars::default();
    let at_64 = sizes.iter().position(|&size| size == 64).map(|index| &columns[index]);
    bars.at_most(
        "batons / floor, 64 threads",
        at_64.map_or(f64::NAN, |column| column[1].ratio_to(&column[0])),
        1.15,
    );
    bars.print();
}
