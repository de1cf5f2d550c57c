//! What does it cost to wait for any of k events, or for all of them?
//!
//! ```text
//! cargo bench --bench multi_wait
//! ```
//!
//! Nanoseconds per round, two tasks on one thread: one signals and lets the other run, the other waits. For
//! any: one event a round, each in its turn. For all: all k of them, one after the other, before the waiting
//! task runs.
//!
//! They do not do the same. `wait_any` takes exactly one event, by a decision of who signals; `select!` and
//! `select_all` poll one event after the other and drop the rest. `wait_all` takes all at one instant or none;
//! `join!` and `join_all` take what comes and hold it: two of them may wait for each other.

mod common;

use batons::{AutoResetEvent, wait_all, wait_any};
use common::{
    Mode,
    harness::{Case, Effort, Series, interleave, ns_each},
    report::{Bars, figure, table},
    signals::{Listened, Signal, yield_once},
};
use futures::{
    future::{join_all, select_all},
    task::AtomicWaker,
};
use std::{
    future::{Future, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};
use tokio::{runtime, sync::Notify, task};

// ===== contenders =====

/// `K` events, and a way to wait for them.
trait Several<const K: usize>: Send + Sync + 'static {
    const NAME: &'static str;
    fn new() -> Self;
    fn set(&self, index: usize);
    fn wait(&self) -> impl Future<Output = ()> + Send;
}

/// The floor: a bit for each event and a place for one waker.
#[derive(Default)]
struct Bits {
    set: AtomicU32,
    waker: AtomicWaker,
}

impl Bits {
    fn set(&self, index: usize) {
        self.set.fetch_or(1 << index, Ordering::Release);
        self.waker.wake();
    }

    /// Waits until `take` takes bits: it tells what is left of those that are set.
    fn wait(&self, take: impl Fn(u32) -> Option<u32> + Send) -> impl Future<Output = ()> + Send {
        poll_fn(move |cx| {
            let taken = || self.set.fetch_update(Ordering::Acquire, Ordering::Relaxed, &take).is_ok();
            if taken() {
                return Poll::Ready(());
            }
            self.waker.register(cx.waker());
            // Looked at again: the signal may have come before the waker did.
            if taken() { Poll::Ready(()) } else { Poll::Pending }
        })
    }
}

struct BitsAny(Bits);

impl<const K: usize> Several<K> for BitsAny {
    const NAME: &'static str = "floor: word of bits and AtomicWaker";

    fn new() -> Self {
        Self(Bits::default())
    }

    fn set(&self, index: usize) {
        self.0.set(index);
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        // Without the lowest one that is set.
        self.0.wait(|set| (set != 0).then(|| set & (set - 1)))
    }
}

struct BitsAll(Bits);

impl<const K: usize> Several<K> for BitsAll {
    const NAME: &'static str = "floor: word of bits and AtomicWaker";

    fn new() -> Self {
        Self(Bits::default())
    }

    fn set(&self, index: usize) {
        self.0.set(index);
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        self.0.wait(|set| (set.count_ones() as usize == K).then_some(0))
    }
}

/// Defines a contender: its name, the event that it has `K` of, and how it waits for them.
macro_rules! several {
    ($kind:ident, $name:literal, $event:ty, $events:ident => $wait:expr) => {
        struct $kind<const K: usize>([$event; K]);

        impl<const K: usize> Several<K> for $kind<K> {
            const NAME: &'static str = $name;

            fn new() -> Self {
                Self(std::array::from_fn(|_| Signal::new()))
            }

            fn set(&self, index: usize) {
                Signal::set(&self.0[index]);
            }

            async fn wait(&self) {
                let $events = &self.0;
                $wait
            }
        }
    };
}

/// Awaits a macro of tokio's over as many branches as there are events.
macro_rules! by_count {
    ($events:ident, $branches:ident) => {
        match K {
            2 => $branches!($events: 0 1),
            4 => $branches!($events: 0 1 2 3),
            8 => $branches!($events: 0 1 2 3 4 5 6 7),
            16 => $branches!($events: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
            _ => unreachable!("no macro for so many"),
        }
    };
}

macro_rules! select {
    ($events:ident: $($index:literal)+) => {
        tokio::select! { $(() = $events[$index].notified() => {})+ }
    };
}

macro_rules! select_biased {
    ($events:ident: $($index:literal)+) => {
        tokio::select! { biased; $(() = $events[$index].notified() => {})+ }
    };
}

macro_rules! join {
    ($events:ident: $($index:literal)+) => {{
        tokio::join!($($events[$index].notified()),+);
    }};
}

several!(WaitAny, "batons: wait_any", AutoResetEvent, events => {
    wait_any(events.each_ref().map(AutoResetEvent::wait)).await.expect("no empty list");
});
several!(OursSelected, "select_all over batons AutoResetEvent", AutoResetEvent, events => {
    select_all(events.iter().map(AutoResetEvent::wait)).await;
});
several!(Selected, "tokio::select! over Notify", Arc<Notify>, events => by_count!(events, select));
several!(SelectedBiased, "tokio::select! biased over Notify", Arc<Notify>, events => {
    by_count!(events, select_biased);
});
several!(SelectAll, "select_all over Notify", Arc<Notify>, events => {
    select_all(events.iter().map(|event| Box::pin(event.notified()))).await;
});
several!(SelectListeners, "select_all over event-listener", Listened, events => loop {
    let listeners: Vec<_> = events.iter().map(|event| event.0.1.listen()).collect();
    if events.iter().any(Listened::take) {
        break;
    }
    select_all(listeners).await;
});
several!(WaitAll, "batons: wait_all", AutoResetEvent, events => {
    wait_all(events.each_ref().map(AutoResetEvent::wait)).await.expect("no object is listed twice");
});
several!(OursJoined, "join_all over batons AutoResetEvent, not atomic", AutoResetEvent, events => {
    join_all(events.iter().map(AutoResetEvent::wait)).await;
});
several!(Joined, "tokio::join! over Notify, not atomic", Arc<Notify>, events => by_count!(events, join));
several!(JoinAll, "join_all over Notify, not atomic", Arc<Notify>, events => {
    join_all(events.iter().map(|event| event.notified())).await;
});
several!(JoinListened, "join_all over event-listener, not atomic", Listened, events => {
    join_all(events.iter().map(Signal::wait)).await;
});

// ===== measuring =====

/// Nanoseconds per round, in each of which `signals` events are set.
fn rounds<const K: usize, T: Several<K>>(rounds: usize, signals: usize) -> f64 {
    let several = Arc::new(T::new());
    let waits = {
        let several = Arc::clone(&several);
        async move {
            for _ in 0..rounds {
                several.wait().await;
            }
        }
    };
    // Both start in the order of their spawning, and take turns from then on.
    let sets = async move {
        let start = Instant::now();
        for round in 0..rounds {
            for signal in 0..signals {
                several.set((round + signal) % K);
            }
            yield_once().await;
        }
        start.elapsed()
    };
    let runtime = runtime::Builder::new_current_thread().build().expect("a runtime");
    let time = runtime.block_on(async {
        let waits = task::spawn(task::unconstrained(waits));
        let sets = task::spawn(task::unconstrained(sets));
        let time = sets.await.expect("no panic");
        waits.await.expect("no panic");
        time
    });
    ns_each(time, rounds as u64)
}

fn any<const K: usize, T: Several<K>>(mode: Mode) -> Case<'static, 1> {
    let count = mode.pick(10_000, 300);
    Case::new(T::NAME, move || [rounds::<K, T>(count, 1)])
}

fn all<const K: usize, T: Several<K>>(mode: Mode) -> Case<'static, 1> {
    let count = mode.pick(10_000, 300);
    Case::new(T::NAME, move || [rounds::<K, T>(count, K)])
}

type Column = Vec<(&'static str, Series)>;

fn measure(mode: Mode, mut cases: Vec<Case<'_, 1>>) -> Column {
    let effort = Effort { repetitions: mode.pick(31, 3), time: Duration::from_secs(5) };
    let results = interleave(&mut cases, effort);
    cases.iter().map(|case| case.name).zip(results.into_iter().map(|[series]| series)).collect()
}

fn any_of<const K: usize>(mode: Mode) -> Column {
    let cases = vec![
        any::<K, BitsAny>(mode),
        any::<K, WaitAny<K>>(mode),
        any::<K, Selected<K>>(mode),
        any::<K, SelectedBiased<K>>(mode),
        any::<K, SelectAll<K>>(mode),
        any::<K, OursSelected<K>>(mode),
        any::<K, SelectListeners<K>>(mode),
    ];
    measure(mode, cases)
}

fn all_of<const K: usize>(mode: Mode) -> Column {
    let cases = vec![
        all::<K, BitsAll>(mode),
        all::<K, WaitAll<K>>(mode),
        all::<K, Joined<K>>(mode),
        all::<K, JoinAll<K>>(mode),
        all::<K, OursJoined<K>>(mode),
        all::<K, JoinListened<K>>(mode),
    ];
    measure(mode, cases)
}

// ===== main =====

/// Prints columns for k = 2, 4, 8, 16; in brackets how many times ours, which come second.
fn print(title: &str, columns: &[Column]) {
    let header = ["", "k = 2", "k = 4", "k = 8", "k = 16"].map(String::from);
    let row = |row: usize| {
        let cell = |column: &Column| {
            let (series, ours) = (&column[row].1, &column[1].1);
            format!("{} ({:.2})", figure(series.median()), series.ratio_to(ours))
        };
        [columns[0][row].0.to_string()].into_iter().chain(columns.iter().map(cell)).collect()
    };
    let rows: Vec<Vec<_>> = (0..columns[0].len()).map(row).collect();
    table(title, &header, &rows);
}

fn main() {
    let mode = Mode::from_args();
    let any = [any_of::<2>(mode), any_of::<4>(mode), any_of::<8>(mode), any_of::<16>(mode)];
    let all = [all_of::<2>(mode), all_of::<4>(mode), all_of::<8>(mode), all_of::<16>(mode)];
    print("**any of k events, one thread**: ns per round (times batons)", &any);
    print("**all of k events, one thread**: ns per round (times batons)", &all);
    println!("\n`join!` and `join_all` are not atomic: what came first is held while the rest is awaited.");

    let mut bars = Bars::default();
    let [_, ours, select, ..] = &any[2][..] else { unreachable!("seven contenders") };
    bars.at_most("wait_any / select! over Notify, k = 8", ours.1.ratio_to(&select.1), 0.8);
    bars.print();
}
