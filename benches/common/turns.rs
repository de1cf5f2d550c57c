//! The race that all contenders run: tasks that take turns in the order of their numbers.

use super::harness::ns_each;
use futures::poll;
use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{runtime, sync::Notify, task};

/// A way to take turns in the order of numbers. Each task has a clone of its own.
pub(crate) trait Turns: Clone + Send + 'static {
    const NAME: &'static str;
    /// Its state is the thread's own.
    const ONE_THREAD: bool = false;
    /// It knows no numbers: turns go in the order of arrival.
    const ARRIVAL_ORDER: bool = false;

    /// Turn 0 is free; nobody else has one before it is taken.
    fn new(plan: &Plan) -> Self;

    /// Waits for the turn of `seq`, has it, and hands it on to `seq + 1`.
    fn turn(&mut self, seq: u64) -> impl Future<Output = ()> + Send;
}

/// The order in which the tasks arrive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// In order, and again for `seq + N` after each turn: `N` tasks wait all the time.
    Again,
    /// In order, once.
    InOrder,
    /// The last one first.
    Reversed,
    /// Any order, the same in every run.
    Shuffled,
}

impl Arrival {
    pub(crate) const ALL: [Self; 4] = [Self::Again, Self::InOrder, Self::Reversed, Self::Shuffled];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Again => "each arrives again after its turn",
            Self::InOrder => "waiting once, arrival in order",
            Self::Reversed => "waiting once, arrival reversed",
            Self::Shuffled => "waiting once, arrival shuffled",
        }
    }

    /// The numbers 1 to `waiters` in the order of arrival.
    pub(crate) fn numbers(self, waiters: u64) -> Vec<u64> {
        let mut numbers: Vec<u64> = (1..=waiters).collect();
        match self {
            Self::Again | Self::InOrder => {}
            Self::Reversed => numbers.reverse(),
            Self::Shuffled => shuffle(&mut numbers),
        }
        numbers
    }
}

/// Fisher and Yates with the numbers of xorshift64: the same on every machine.
fn shuffle(numbers: &mut [u64]) {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for end in (1..numbers.len()).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let other = usize::try_from(random % (end as u64 + 1)).expect("an index");
        numbers.swap(end, other);
    }
}

/// Where the tasks run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workers {
    One,
    Two,
}

impl Workers {
    pub(crate) const ALL: [Self; 2] = [Self::One, Self::Two];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "one thread",
            Self::Two => "two workers",
        }
    }

    fn runtime(self) -> runtime::Runtime {
        let runtime = match self {
            Self::One => runtime::Builder::new_current_thread().build(),
            Self::Two => runtime::Builder::new_multi_thread().worker_threads(2).build(),
        };
        runtime.expect("a runtime")
    }
}

/// How a race is run.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) workers: Workers,
    pub(crate) arrival: Arrival,
    pub(crate) waiters: u64,
    /// Turns of each task.
    pub(crate) rounds: u64,
    /// Races in one repetition.
    pub(crate) races: u64,
}

/// A race that takes longer than this, and longer than [`PATIENCE_PER_TASK`], is given up.
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE_PER_TASK: Duration = Duration::from_micros(20);
/// The clock is looked at every so many turns.
const LOOK_EVERY: u64 = 64;

impl Plan {
    /// With about `turns` turns in a repetition, or a few for each task where that is more.
    pub(crate) fn new(workers: Workers, arrival: Arrival, waiters: u64, turns: u64) -> Self {
        let (rounds, races) = match arrival {
            Arrival::Again => ((turns / waiters + 1).max(3), 1),
            _ => (1, (turns / waiters).max(1)),
        };
        Self { workers, arrival, waiters, rounds, races }
    }

    /// The last turn of the race.
    pub(crate) fn last(&self) -> u64 {
        self.waiters * self.rounds
    }

    /// The turn at which the clock stops. Of tasks that arrive again, all are still in line then.
    pub(crate) fn timed(&self) -> u64 {
        if self.arrival == Arrival::Again { self.last() - self.waiters } else { self.last() }
    }

    fn deadline(&self) -> Instant {
        let tasks = u32::try_from(self.waiters).expect("a number of tasks");
        Instant::now() + PATIENCE.max(PATIENCE_PER_TASK * tasks)
    }

    /// Cells of a ring in which turn 0 and the numbers of all waiters have places of their own.
    pub(crate) fn ring(&self) -> usize {
        usize::try_from(self.waiters + 1).expect("a number of tasks").next_power_of_two()
    }
}

/// What the tasks of one race share.
struct Race {
    plan: Plan,
    deadline: Instant,
    arrived: AtomicU64,
    stopped: OnceLock<Instant>,
    gave_up: AtomicBool,
    over: Notify,
}

impl Race {
    fn new(plan: Plan) -> Arc<Self> {
        let (deadline, arrived, stopped) = (plan.deadline(), AtomicU64::new(0), OnceLock::new());
        let (gave_up, over) = (AtomicBool::new(false), Notify::new());
        Arc::new(Self { plan, deadline, arrived, stopped, gave_up, over })
    }

    fn is_late(&self) -> bool {
        Instant::now() > self.deadline
    }

    fn passed(&self, seq: u64) {
        if seq == self.plan.timed() {
            self.stopped.set(Instant::now()).expect("a turn is taken once");
        }
        if seq == self.plan.last() {
            self.over.notify_one();
        }
        if seq % LOOK_EVERY == 0 && self.is_late() {
            self.gave_up.store(true, Relaxed);
            self.over.notify_one();
        }
    }
}

async fn take_turns<T: Turns>(mut turns: T, race: Arc<Race>, mut seq: u64) {
    {
        let mut first = pin!(turns.turn(seq));
        assert!(poll!(first.as_mut()).is_pending(), "no turn before turn 0 is taken");
        // Counted when it surely stands in line.
        race.arrived.fetch_add(1, Relaxed);
        first.await;
    }
    loop {
        race.passed(seq);
        seq += race.plan.waiters;
        if seq > race.plan.last() {
            return;
        }
        turns.turn(seq).await;
    }
}

/// Time of the hand-overs and of the arrivals; nothing if it was given up.
async fn run_race<T: Turns>(plan: Plan) -> Option<[Duration; 2]> {
    let mut turns = T::new(&plan);
    let numbers = plan.arrival.numbers(plan.waiters);
    let race = Race::new(plan);

    let start = Instant::now();
    for seq in numbers {
        task::spawn(take_turns(turns.clone(), Arc::clone(&race), seq));
    }
    while race.arrived.load(Relaxed) < race.plan.waiters {
        if race.is_late() {
            return None;
        }
        task::yield_now().await;
    }
    let standing = Instant::now();
    turns.turn(0).await;
    race.over.notified().await;
    if race.gave_up.load(Relaxed) {
        return None;
    }
    let stopped = race.stopped.get().expect("stopped before it was over");
    Some([*stopped - standing, standing - start])
}

/// One repetition: nanoseconds per hand-over while all stand in line, and per arrival (which is
/// mostly the spawning of the task, the same for all); NaN if it was given up.
pub(crate) fn repetition<T: Turns>(plan: &Plan) -> [f64; 2] {
    let runtime = plan.workers.runtime();
    let mut sums = [Duration::ZERO; 2];
    for _ in 0..plan.races {
        let race = run_race::<T>(plan.clone());
        let times = match plan.workers {
            Workers::One => runtime.block_on(race),
            // Spawned, since the thread of `block_on` is none of the workers.
            Workers::Two => runtime.block_on(async { task::spawn(race).await.expect("no panic") }),
        };
        // The tasks that are left go with the runtime.
        let Some(times) = times else { return [f64::NAN; 2] };
        sums.iter_mut().zip(times).for_each(|(sum, time)| *sum += time);
    }
    [ns_each(sums[0], plan.timed() * plan.races), ns_each(sums[1], plan.waiters * plan.races)]
}
