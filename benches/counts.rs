//! How many polls, allocations and bytes does a wait take?
//!
//! ```text
//! cargo bench --bench counts
//! ```
//!
//! Waits for events, semaphores and mutexes, and for several of them, are polled by hand: 64 stand in line, and
//! each in its turn is signaled and polled again.
//!
//! No clock: the figures are the same on every machine. All tasks wait once and then have their turns;
//! the second time, when every table has its size, is what "after warm-up" means. The tasks run under
//! `FuturesUnordered`, which polls who was woken, in the order of the wakes, and allocates nothing
//! while it does.

#[path = "common/allocations.rs"]
mod allocations;
mod common;

use allocation_counter::{AllocationInfo, measure};
use allocations::{allocations, of_signal};
use batons::{AutoResetEvent, Baton, ManualResetEvent, Mutex, Owner, Semaphore, wait_all, wait_any};
use common::{
    Mode,
    floor::{Array, AtomicRing},
    herd::{EventHerd, NotifyHerd, WatchHerd},
    keyed::{Chain, EventRing, MaitakeMap, MapOfOneshots, MapOfWakers, NotifyRing},
    report::{Bars, count, table},
    signals::{Listened, Signal},
    turns::{Arrival, Plan, Turns, Workers},
};
use futures::{
    executor::block_on,
    future::{BoxFuture, FutureExt, join_all, select_all},
    poll,
    stream::{FuturesUnordered, StreamExt},
};
use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap},
    future::poll_fn,
    pin::pin,
    rc::Rc,
    sync::Arc,
};
use tokio::sync::Notify;

/// Figures of one contender, for each wait.
struct Counts {
    /// Polls that a hand-over causes; the one at the arrival is not counted.
    polls: f64,
    /// Allocations, the first time and after warm-up.
    allocations: [f64; 2],
    /// Bytes on the heap while all wait.
    bytes: f64,
}

/// The tasks of one race, and how often they were polled.
struct Race {
    tasks: FuturesUnordered<Box<dyn Future<Output = ()> + Unpin>>,
    polls: Rc<Cell<u64>>,
    waiters: u64,
}

impl Race {
    /// For the turns `numbers`; nothing is polled yet.
    fn new<T: Turns>(turns: &T, numbers: impl Iterator<Item = u64>) -> Self {
        let polls = Rc::new(Cell::new(0));
        let tasks: FuturesUnordered<_> = numbers
            .map(|seq| {
                let (mut turns, polls) = (turns.clone(), Rc::clone(&polls));
                let mut task: BoxFuture<'static, ()> = async move { turns.turn(seq).await }.boxed();
                let counted = poll_fn(move |cx| {
                    polls.set(polls.get() + 1);
                    task.poll_unpin(cx)
                });
                Box::new(counted) as Box<dyn Future<Output = ()> + Unpin>
            })
            .collect();
        let waiters = tasks.len() as u64;
        Self { tasks, polls, waiters }
    }

    /// Polls every task once: all of them stand in line then.
    fn arrive(&mut self) -> AllocationInfo {
        measure(|| {
            block_on(async {
                while self.polls.get() < self.waiters {
                    assert!(poll!(self.tasks.next()).is_pending(), "no turn before the first is taken");
                }
            });
        })
    }

    /// Takes the turn that all wait for, and lets them have theirs.
    fn run<T: Turns>(&mut self, turns: &mut T, first: u64) -> AllocationInfo {
        measure(|| {
            block_on(async {
                pin!(turns.turn(first)).await;
                while self.tasks.next().await.is_some() {}
            });
        })
    }
}

fn counts<T: Turns>(waiters: u64, arrival: Arrival) -> Counts {
    // Rounds enough for both races.
    let plan = Plan::new(Workers::One, Arrival::Again, waiters, 3 * waiters);
    let mut turns = T::new(&plan);
    let (mut allocations, mut bytes, mut polls) = ([0.0; 2], 0.0, 0.0);
    for (index, allocated) in allocations.iter_mut().enumerate() {
        let first = index as u64 * (waiters + 1);
        let numbers = arrival.numbers(waiters).into_iter().map(|seq| first + seq);
        let mut race = Race::new(&turns, numbers);
        let arrived = race.arrive();
        let passed = race.run(&mut turns, first);
        *allocated = each(arrived.count_total + passed.count_total, waiters);
        if index == 0 {
            bytes = each(u64::try_from(arrived.bytes_current).unwrap_or(0), waiters);
        }
        polls = each(race.polls.get() - waiters, waiters);
    }
    Counts { polls, allocations, bytes }
}

#[allow(clippy::cast_precision_loss, reason = "no count here has 52 bits")]
fn each(total: u64, waiters: u64) -> f64 {
    total as f64 / waiters as f64
}

/// Heap bytes for each of `waiters` whose numbers lie `apart`.
fn bytes_when_sparse(waiters: u64, apart: u64) -> f64 {
    let baton = Baton::builder().window(waiters * apart + 1).build();
    let mut waits: Vec<_> = (1..=waiters).map(|place| Box::pin(baton.acquire(place * apart))).collect();
    let info = measure(|| {
        block_on(async {
            for wait in &mut waits {
                assert!(poll!(wait.as_mut()).is_pending(), "its turn is far");
            }
        });
    });
    each(u64::try_from(info.bytes_current).unwrap_or(0), waiters)
}

type Contender = (&'static str, fn(u64, Arrival) -> Counts);

fn contender<T: Turns>() -> Contender {
    (T::NAME, counts::<T>)
}

fn contenders() -> Vec<Contender> {
    vec![
        contender::<Array>(),
        contender::<AtomicRing>(),
        contender::<Baton>(),
        contender::<MapOfWakers<HashMap<_, _>>>(),
        contender::<MapOfWakers<BTreeMap<_, _>>>(),
        contender::<NotifyRing>(),
        contender::<EventRing>(),
        contender::<Chain>(),
        contender::<MapOfOneshots>(),
        contender::<MaitakeMap>(),
        contender::<NotifyHerd>(),
        contender::<EventHerd>(),
        contender::<WatchHerd>(),
    ]
}

fn print_counts(waiters: u64) {
    for arrival in [Arrival::InOrder, Arrival::Shuffled] {
        let rows: Vec<_> = contenders()
            .iter()
            .map(|(name, counts)| {
                let Counts { polls, allocations: [cold, warm], bytes } = counts(waiters, arrival);
                vec![
                    (*name).to_string(),
                    format!("{polls:.1}"),
                    format!("{cold:.3}"),
                    format!("{warm:.3}"),
                    format!("{bytes:.1}"),
                ]
            })
            .collect();
        let title = format!("**{} tasks, {}**", count(waiters), arrival.name());
        let header = [
            "",
            "polls per hand-over",
            "allocations per wait, first",
            "after warm-up",
            "heap bytes per waiter",
        ];
        table(&title, &header.map(String::from), &rows);
    }
}

// ===== the other objects =====

type Allocations = (&'static str, [f64; 2]);

/// Of our single waits; each is signaled once.
fn our_waits() -> Vec<Allocations> {
    let (event, manual) = (AutoResetEvent::new(false), ManualResetEvent::new(false));
    let semaphore = Semaphore::new(0, 1_000);
    let acquire = async |_| semaphore.acquire().await.expect("it is not closed").forget();
    let (mutex, me, owner) = (Mutex::new(), Owner::new(), Owner::new());
    // Everybody has the mutex in turn; it is free again when all have had it.
    let lock = async |_| drop(mutex.lock(&owner).await.expect("nobody abandons it"));
    vec![
        ("batons AutoResetEvent: wait", allocations(|_| event.wait(), |_| _ = event.set())),
        ("batons ManualResetEvent: wait, pulse", allocations(|_| manual.wait(), |_| _ = manual.pulse())),
        ("batons Semaphore: acquire", {
            allocations(acquire, |_| _ = semaphore.release(1).expect("the maximum is far"))
        }),
        ("batons Mutex: lock", {
            let held = Cell::new(None);
            let take = |index| {
                if index == 0 {
                    held.set(mutex.try_lock(&me));
                }
                lock(index)
            };
            allocations(take, |_| drop(held.take()))
        }),
    ]
}

fn peer_waits() -> Vec<Allocations> {
    fn of<T: Signal>() -> Allocations {
        (T::NAME, of_signal::<T>())
    }
    vec![
        of::<Arc<Notify>>(),
        of::<Arc<tokio::sync::Semaphore>>(),
        of::<Arc<maitake_sync::WaitQueue>>(),
        of::<Arc<asyncband::event::AutoResetEvent>>(),
        of::<Arc<futures_intrusive::sync::Semaphore>>(),
        of::<Arc<async_lock::Semaphore>>(),
        of::<Listened>(),
    ]
}

/// Waits for several of our events and their peers.
fn multi_waits() -> Vec<Allocations> {
    fn any<const K: usize>() -> [f64; 2] {
        let events = [(); K].map(|()| AutoResetEvent::new(false));
        let waits = |_| wait_any(events.each_ref().map(AutoResetEvent::wait));
        allocations(waits, |index| _ = events[index % K].set())
    }
    fn all<const K: usize>() -> [f64; 2] {
        let events = [(); K].map(|()| AutoResetEvent::new(false));
        let waits = |_| wait_all(events.each_ref().map(AutoResetEvent::wait));
        allocations(waits, |_| events.iter().for_each(|event| _ = event.set()))
    }
    let notifies: [Notify; 8] = Default::default();
    let select = |_| async { select_all(notifies.iter().map(|one| Box::pin(one.notified()))).await.1 };
    let join = |_| async { join_all(notifies.iter().map(Notify::notified)).await.len() };
    vec![
        ("batons: wait_any, k = 2", any::<2>()),
        ("batons: wait_any, k = 8", any::<8>()),
        ("select_all over Notify, k = 8", allocations(select, |index| notifies[index % 8].notify_one())),
        ("batons: wait_all, k = 2", all::<2>()),
        ("batons: wait_all, k = 8", all::<8>()),
        ("join_all over Notify, k = 8", allocations(join, |_| notifies.iter().for_each(Notify::notify_one))),
    ]
}

fn print_waits(title: &str, waits: &[Allocations]) {
    let row = |&(name, [first, warm]): &Allocations| {
        vec![name.to_string(), format!("{first:.3}"), format!("{warm:.3}")]
    };
    let rows: Vec<_> = waits.iter().map(row).collect();
    table(title, &["", "allocations per wait, first", "after warm-up"].map(String::from), &rows);
}

fn future_sizes() -> Vec<(&'static str, usize)> {
    let baton = Baton::new(0);
    let (event, permits, lock) = (AutoResetEvent::new(false), Semaphore::new(1, 1), Mutex::new());
    let (mutex, semaphore) = (tokio::sync::Mutex::new(()), tokio::sync::Semaphore::new(1));
    let notify = tokio::sync::Notify::new();
    let (_sender, mut receiver) = tokio::sync::watch::channel(0);
    let (_oneshot, oneshot) = tokio::sync::oneshot::channel::<()>();
    let map = maitake_sync::WaitMap::<u64, ()>::new();
    let (async_mutex, async_semaphore) = (async_lock::Mutex::new(()), async_lock::Semaphore::new(1));
    vec![
        ("batons: acquire", size_of_val(&baton.acquire(0))),
        ("batons: acquire_owned", size_of_val(&baton.acquire_owned(0))),
        ("batons: event wait", size_of_val(&event.wait())),
        ("batons: semaphore acquire", size_of_val(&permits.acquire())),
        ("batons: mutex lock", size_of_val(&lock.lock(&Owner::new()))),
        ("batons: wait_any of 8 events", size_of_val(&wait_any([(); 8].map(|()| event.wait())))),
        ("batons: wait_all of 8 events", size_of_val(&wait_all([(); 8].map(|()| event.wait())))),
        ("tokio Mutex: lock", size_of_val(&mutex.lock())),
        ("tokio Semaphore: acquire", size_of_val(&semaphore.acquire())),
        ("tokio Notify: notified", size_of_val(&notify.notified())),
        ("tokio watch: wait_for", size_of_val(&receiver.wait_for(|_| true))),
        ("tokio oneshot: Receiver", size_of_val(&oneshot)),
        ("maitake WaitMap: wait", size_of_val(&map.wait(0))),
        ("event-listener: EventListener", size_of_val(&event_listener::Event::<()>::new().listen())),
        ("async-lock Mutex: lock", size_of_val(&async_mutex.lock())),
        ("async-lock Semaphore: acquire", size_of_val(&async_semaphore.acquire())),
    ]
}

fn main() {
    let mode = Mode::from_args();
    print_counts(mode.pick(1_000, 100));
    let (single, peers, multi) = (our_waits(), peer_waits(), multi_waits());
    let all: Vec<_> = single.iter().chain(&peers).copied().collect();
    print_waits("**one object**", &all);
    print_waits("**several objects**", &multi);
    let sizes = future_sizes();
    let rows: Vec<_> = sizes.iter().map(|(name, size)| vec![(*name).into(), size.to_string()]).collect();
    table("**futures**", &["", "bytes"].map(String::from), &rows);

    let mut bars = Bars::default();
    let once = [Arrival::InOrder, Arrival::Reversed, Arrival::Shuffled];
    for arrival in once {
        let many = counts::<Baton>(10_000, arrival);
        let name = arrival.name();
        bars.at_most(format!("polls per hand-over, N = 10,000, {name}"), many.polls, 1.0);
        let few = counts::<Baton>(100, arrival);
        bars.at_most(format!("allocations per wait after warm-up, N = 100, {name}"), few.allocations[1], 0.0);
        let what = format!("the same, N = 10,000 (a table that was given back grows again), {name}");
        bars.at_most(what, many.allocations[1], 0.005);
        // One more than a power of two: where tables that double are emptiest.
        let bytes = counts::<Baton>(16_385, arrival).bytes;
        bars.at_most(format!("heap bytes per waiter, N = 16,385, {name}"), bytes, 48.0);
    }
    for apart in [2, 7, 1_000] {
        let what = format!("heap bytes per waiter, N = 16,385, numbers {apart} apart");
        bars.at_most(what, bytes_when_sparse(16_385, apart), 48.0);
    }
    for (name, [_, warm]) in single {
        bars.at_most(format!("allocations per wait after warm-up, {name}"), warm, 0.0);
    }
    // Ours come first, those for one object before the others.
    for (name, size) in sizes.into_iter().take(5) {
        let size = u32::try_from(size).expect("a size");
        bars.at_most(format!("bytes of the future, {name}"), size.into(), 64.0);
    }
    bars.print();
}
