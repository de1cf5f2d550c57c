//! Contenders that wake exactly the next one: `batons`, and what people build by hand.

use super::floor::index;
use super::turns::{Plan, Turns};
use batons::Baton;
use event_listener::Event;
use maitake_sync::WaitMap;
use std::{
    collections::{BTreeMap, HashMap},
    future::poll_fn,
    hash::RandomState,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    task::{Poll, Waker},
};
use tokio::sync::{Mutex as TokioMutex, Notify, OwnedMutexGuard, oneshot};

impl Turns for Baton {
    const NAME: &'static str = "batons";

    fn new(plan: &Plan) -> Self {
        Baton::builder().window(2 * plan.waiters + 1).build()
    }

    async fn turn(&mut self, seq: u64) {
        drop(self.acquire(seq).await.expect("each number is acquired once"));
    }
}

// ===== maps under a mutex =====

/// A map with numbers as keys.
pub(crate) trait Map<V>: Default + Send + 'static {
    const OF_WAKERS: &'static str = "";
    fn put(&mut self, seq: u64, value: V);
    fn take(&mut self, seq: u64) -> Option<V>;
}

impl<V: Send + 'static> Map<V> for HashMap<u64, V, RandomState> {
    const OF_WAKERS: &'static str = "Mutex<HashMap> of wakers";

    fn put(&mut self, seq: u64, value: V) {
        self.insert(seq, value);
    }

    fn take(&mut self, seq: u64) -> Option<V> {
        self.remove(&seq)
    }
}

impl<V: Send + 'static> Map<V> for BTreeMap<u64, V> {
    const OF_WAKERS: &'static str = "Mutex<BTreeMap> of wakers";

    fn put(&mut self, seq: u64, value: V) {
        self.insert(seq, value);
    }

    fn take(&mut self, seq: u64) -> Option<V> {
        self.remove(&seq)
    }
}

/// The next number, and who waits for the others.
#[derive(Default)]
struct Line<M> {
    next: u64,
    map: M,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic under the lock")
}

/// Ends the turn before `next` and takes out who waits for `next`, to be woken after the lock.
fn advance<V, M: Map<V>>(line: &Mutex<Line<M>>, next: u64) -> Option<V> {
    let mut line = lock(line);
    line.next = next;
    line.map.take(next)
}

pub(crate) struct MapOfWakers<M>(Arc<Mutex<Line<M>>>);

impl<M> Clone for MapOfWakers<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Map<Waker>> Turns for MapOfWakers<M> {
    const NAME: &'static str = M::OF_WAKERS;

    fn new(_: &Plan) -> Self {
        Self(Arc::new(Mutex::new(Line { next: 0, map: M::default() })))
    }

    async fn turn(&mut self, seq: u64) {
        poll_fn(|cx| {
            let mut line = lock(&self.0);
            if line.next == seq {
                return Poll::Ready(());
            }
            line.map.put(seq, cx.waker().clone());
            Poll::Pending
        })
        .await;
        let waker = advance(&self.0, seq + 1);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

type Senders = HashMap<u64, oneshot::Sender<()>>;

/// A channel for each wait, made when the wait begins.
#[derive(Clone)]
pub(crate) struct MapOfOneshots(Arc<Mutex<Line<Senders>>>);

impl MapOfOneshots {
    fn stand_in_line(&self, seq: u64) -> Option<oneshot::Receiver<()>> {
        let mut line = lock(&self.0);
        if line.next == seq {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        line.map.put(seq, sender);
        Some(receiver)
    }
}

impl Turns for MapOfOneshots {
    const NAME: &'static str = "Mutex<HashMap> of oneshots";

    fn new(_: &Plan) -> Self {
        Self(Arc::default())
    }

    async fn turn(&mut self, seq: u64) {
        if let Some(turn) = self.stand_in_line(seq) {
            turn.await.expect("the turn before does not vanish");
        }
        if let Some(next) = advance(&self.0, seq + 1) {
            next.send(()).expect("who stands in line listens");
        }
    }
}

// ===== made in advance =====

/// What turn `n` waits for, and what it sends to `n + 1`.
type Link = (oneshot::Receiver<()>, Option<oneshot::Sender<()>>);

/// A channel for each turn, all of them made before anybody arrives.
#[derive(Clone)]
pub(crate) struct Chain(Arc<Mutex<Vec<Option<Link>>>>);

impl Turns for Chain {
    const NAME: &'static str = "oneshots made in advance";

    fn new(plan: &Plan) -> Self {
        let (first, mut turn) = oneshot::channel();
        first.send(()).expect("the receiver is here");
        let links = (0..=plan.last()).map(|seq| {
            let (sender, receiver) = oneshot::channel();
            let link = (std::mem::replace(&mut turn, receiver), (seq < plan.last()).then_some(sender));
            Some(link)
        });
        Self(Arc::new(Mutex::new(links.collect())))
    }

    async fn turn(&mut self, seq: u64) {
        let link = lock(&self.0)[index(seq, usize::MAX)].take();
        let (turn, next) = link.expect("a turn is taken once");
        turn.await.expect("the turn before does not vanish");
        if let Some(next) = next {
            // The task of the next turn may be still to come: the channel is there already.
            next.send(()).expect("the chain is alive");
        }
    }
}

// ===== rings: a primitive for each place =====

/// A `Notify` for each place; it keeps a permit for who comes later.
#[derive(Clone)]
pub(crate) struct NotifyRing(Arc<[Notify]>);

impl Turns for NotifyRing {
    const NAME: &'static str = "ring of tokio Notify";

    fn new(plan: &Plan) -> Self {
        let ring: Arc<[Notify]> = (0..plan.ring()).map(|_| Notify::new()).collect();
        ring[0].notify_one();
        Self(ring)
    }

    async fn turn(&mut self, seq: u64) {
        let mask = self.0.len() - 1;
        self.0[index(seq, mask)].notified().await;
        self.0[index(seq + 1, mask)].notify_one();
    }
}

/// An `Event` for each place; it keeps nothing, so one must look before and after.
#[derive(Clone)]
pub(crate) struct EventRing(Arc<(AtomicU64, Box<[Event]>)>);

impl Turns for EventRing {
    const NAME: &'static str = "ring of event-listener";

    fn new(plan: &Plan) -> Self {
        let ring = (0..plan.ring()).map(|_| Event::new()).collect();
        Self(Arc::new((AtomicU64::new(0), ring)))
    }

    async fn turn(&mut self, seq: u64) {
        let (next, ring) = &*self.0;
        let mask = ring.len() - 1;
        while next.load(Ordering::Acquire) != seq {
            let turn = ring[index(seq, mask)].listen();
            if next.load(Ordering::Acquire) != seq {
                turn.await;
            }
        }
        next.store(seq + 1, Ordering::Release);
        ring[index(seq + 1, mask)].notify(1);
    }
}

// ===== others =====

/// maitake's map of wakers; a wake that finds nobody is not kept.
#[derive(Clone)]
pub(crate) struct MaitakeMap(Arc<(AtomicU64, WaitMap<u64, ()>)>);

impl Turns for MaitakeMap {
    const NAME: &'static str = "maitake WaitMap";

    fn new(_: &Plan) -> Self {
        Self(Arc::new((AtomicU64::new(0), WaitMap::new())))
    }

    async fn turn(&mut self, seq: u64) {
        let (next, map) = &*self.0;
        if next.load(Ordering::Acquire) != seq {
            let mut turn = pin!(map.wait(seq));
            // In line first, then looked at again; an error says that it was woken between.
            let waits = turn.as_mut().subscribe().await.is_ok();
            if waits && next.load(Ordering::Acquire) != seq {
                turn.await.expect("the map is not closed");
            }
        }
        next.store(seq + 1, Ordering::Release);
        map.wake(&(seq + 1), ());
    }
}

/// tokio's mutex: first in, first out, no numbers. For the cost of its hand-over alone.
#[derive(Clone)]
pub(crate) struct Fifo {
    mutex: Arc<TokioMutex<()>>,
    /// Held until turn 0.
    first: Arc<Mutex<Option<OwnedMutexGuard<()>>>>,
}

impl Turns for Fifo {
    const NAME: &'static str = "tokio Mutex (no numbers)";
    const ARRIVAL_ORDER: bool = true;

    fn new(_: &Plan) -> Self {
        let mutex = Arc::new(TokioMutex::new(()));
        let first = Arc::clone(&mutex).try_lock_owned().expect("nobody else has it");
        Self { mutex, first: Arc::new(Mutex::new(Some(first))) }
    }

    async fn turn(&mut self, seq: u64) {
        if seq == 0 {
            drop(lock(&self.first).take());
        } else {
            drop(self.mutex.lock().await);
        }
    }
}
