//! Random operations on a baton, compared step by step with a sequential model that is too simple to
//! be wrong: plain maps, written from the documentation.

use batons::{
    AcquireError, Baton, BatonSnapshot, HeldBaton, Ticket, TryAcquireError, blocking, futures::Acquire,
};
use proptest::{prelude::*, sample::Index};
use std::{
    borrow::Borrow,
    cell::RefCell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

#[path = "model/naive.rs"]
mod naive;

use naive::{Act, Kind, Model, Outcome, Stage};

// ===== steps =====

#[derive(Debug, Clone)]
enum Step {
    /// Makes a wait; `true`: one that owns its handle.
    Acquire(Number, bool),
    TryAcquire(Number),
    Ticket,
    Skip(Number),
    Close,
    /// To one of the parties that are there.
    To(Index, Act),
}

/// A number, relative to what is next.
#[derive(Debug, Clone)]
enum Number {
    Near(u64),
    Behind(u64),
    Edge(u64),
    Any(u64),
}

// ===== the real thing: every party is a task that obeys one command per poll =====

#[derive(Default)]
struct Port(RefCell<(Option<Act>, Option<Outcome>)>);

impl Port {
    async fn order(&self) -> Act {
        poll_fn(|_| self.0.borrow_mut().0.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    fn tell(&self, outcome: Outcome) {
        self.0.borrow_mut().1 = Some(outcome);
    }

    async fn hold<H: Borrow<Baton>>(&self, guard: HeldBaton<H>) {
        self.tell(Outcome::Granted(guard.seq()));
        assert_eq!(self.order().await, Act::Drop);
        guard.release();
    }

    async fn tried(&self, answer: Result<HeldBaton<&Baton>, TryAcquireError>) {
        match answer {
            Ok(guard) => self.hold(guard).await,
            Err(TryAcquireError::WouldBlock) => self.tell(Outcome::TimedOut),
            Err(TryAcquireError::Duplicate) => self.tell(Outcome::Refused(AcquireError::Duplicate)),
            Err(TryAcquireError::Passed) => self.tell(Outcome::Refused(AcquireError::Passed)),
            Err(TryAcquireError::TooFar { limit }) => {
                self.tell(Outcome::Refused(AcquireError::TooFar { limit }));
            }
            Err(_) => self.tell(Outcome::Refused(AcquireError::Closed)),
        }
    }

    async fn wait<H: Borrow<Baton>>(&self, mut wait: Acquire<H>, wakers: &[Waker; 2]) {
        loop {
            let answer = match self.order().await {
                Act::Poll(which) => Pin::new(&mut wait).poll(&mut Context::from_waker(&wakers[which])),
                Act::WaitNoTime => {
                    let Ok(answer) = blocking::wait_timeout(&mut wait, Duration::ZERO) else {
                        self.tell(Outcome::TimedOut);
                        continue;
                    };
                    Poll::Ready(answer)
                }
                _ => return,
            };
            match answer {
                Poll::Pending => self.tell(Outcome::Pending),
                Poll::Ready(Ok(guard)) => return self.hold(guard).await,
                Poll::Ready(Err(refusal)) => return self.tell(Outcome::Refused(refusal)),
            }
        }
    }
}

async fn plain(port: Rc<Port>, baton: Baton, seq: u64, wakers: [Waker; 2]) {
    match port.order().await {
        Act::Wait(true) => port.wait(baton.acquire_owned(seq), &wakers).await,
        Act::Wait(false) => port.wait(baton.acquire(seq), &wakers).await,
        _ => port.tried(baton.try_acquire(seq)).await,
    }
}

async fn with_ticket(port: Rc<Port>, mut ticket: Ticket, wakers: [Waker; 2]) {
    loop {
        match port.order().await {
            Act::Wait(true) => return port.wait(ticket.acquire_owned(), &wakers).await,
            Act::Wait(false) => port.wait(ticket.acquire(), &wakers).await,
            Act::Try => port.tried(ticket.try_acquire()).await,
            _ => return,
        }
    }
}

#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

struct Actor {
    port: Rc<Port>,
    counts: [Arc<Count>; 2],
    task: Pin<Box<dyn Future<Output = ()>>>,
}

impl Actor {
    fn new<F: Future<Output = ()> + 'static>(play: impl FnOnce(Rc<Port>, [Waker; 2]) -> F) -> Self {
        let (port, counts) = (Rc::<Port>::default(), <[Arc<Count>; 2]>::default());
        let task = Box::pin(play(Rc::clone(&port), counts.clone().map(Waker::from)));
        Self { port, counts, task }
    }

    fn act(&mut self, act: Act) -> Outcome {
        self.port.0.borrow_mut().0 = Some(act);
        let _ = self.task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.port.0.borrow_mut().1.take().unwrap_or(Outcome::Done)
    }
}

// ===== side by side =====

struct Both {
    baton: Baton,
    actors: Vec<Actor>,
    model: Model,
}

impl Both {
    fn new(first: u64, window: Option<u64>) -> Self {
        let builder = Baton::builder().first(first);
        let baton = window.map_or(builder.clone(), |window| builder.window(window)).build();
        let model = Model::new(first, window.unwrap_or(65_536));
        Self { baton, actors: Vec::new(), model }
    }

    fn seq(&self, number: &Number) -> u64 {
        let next = self.model.seq(self.model.next);
        match *number {
            Number::Near(ahead) => next.wrapping_add(ahead),
            Number::Behind(back) => next.wrapping_sub(back),
            Number::Edge(ahead) => next.wrapping_add(self.model.window - 1 + ahead),
            Number::Any(seq) => seq,
        }
    }

    /// A party that acquires by hand, and the first thing it does.
    fn plain(&mut self, number: &Number, stage: Stage, act: Act) -> Result<(), TestCaseError> {
        let (seq, baton) = (self.seq(number), self.baton.clone());
        let id = self.model.join(seq.wrapping_sub(self.model.first), Kind::Plain, stage);
        self.actors.push(Actor::new(|port, wakers| plain(port, baton, seq, wakers)));
        self.act(id, act)
    }

    fn act(&mut self, id: usize, act: Act) -> Result<(), TestCaseError> {
        let expected = self.model.act(id, act);
        prop_assert_eq!(self.actors[id].act(act), expected, "party {} with {:?}", id, act);
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Acquire(number, owned) => self.plain(number, Stage::New, Act::Wait(*owned))?,
            Step::TryAcquire(number) => self.plain(number, Stage::New, Act::Try)?,
            Step::Ticket => {
                let (ticket, number) = (self.baton.ticket(), self.model.ticket());
                prop_assert_eq!(ticket.seq(), self.model.seq(number));
                self.model.join(number, Kind::Ticket, Stage::Idle);
                self.actors.push(Actor::new(|port, wakers| with_ticket(port, ticket, wakers)));
            }
            Step::Skip(number) => {
                let seq = self.seq(number);
                let expected = self.model.skip(seq.wrapping_sub(self.model.first));
                prop_assert_eq!(self.baton.skip(seq), expected);
            }
            Step::Close => {
                self.baton.close();
                self.model.close();
            }
            Step::To(whom, act) => {
                let able: Vec<_> = (0..self.actors.len()).filter(|&id| self.model.allows(id, *act)).collect();
                if !able.is_empty() {
                    self.act(able[whom.index(able.len())], *act)?;
                }
            }
        }
        self.compare()
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let told = |shot: BatonSnapshot| {
            let lists = [shot.waiting(), shot.tickets(), shot.skipped()].map(<[u64]>::to_vec);
            (shot.next(), shot.holder(), shot.is_closed(), lists)
        };
        prop_assert_eq!(told(self.baton.snapshot()), self.model.told());
        prop_assert_eq!(self.baton.next(), self.model.seq(self.model.next));
        prop_assert_eq!(self.baton.is_closed(), self.model.closed);
        for (id, actor) in self.actors.iter().enumerate() {
            let wakes = [0, 1].map(|which: usize| actor.counts[which].0.load(Relaxed));
            prop_assert_eq!(wakes, self.model.wakes[id], "wakes of party {}", id);
        }
        Ok(())
    }

    /// Everyone leaves, perhaps after a close; nothing may be left of them.
    fn finish(mut self, close: bool) -> Result<(), TestCaseError> {
        if close {
            self.step(&Step::Close)?;
        }
        for id in 0..self.actors.len() {
            while self.model.allows(id, Act::Drop) {
                self.act(id, Act::Drop)?;
                self.compare()?;
            }
            self.actors[id].task = Box::pin(std::future::pending());
            prop_assert!(self.actors[id].counts.iter().all(|count| Arc::strong_count(count) == 1));
        }
        Ok(())
    }
}

// ===== choosing =====

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        12 => (0..8_u64).prop_map(Number::Near),
        1 => (1..4_u64).prop_map(Number::Behind),
        2 => (0..3_u64).prop_map(Number::Edge),
        1 => any::<u64>().prop_map(Number::Any),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        12 => (0..2_usize).prop_map(Act::Poll),
        2 => Just(Act::WaitNoTime),
        7 => Just(Act::Drop),
        3 => any::<bool>().prop_map(Act::Wait),
        1 => Just(Act::Try),
    ];
    prop_oneof![
        36 => (number(), any::<bool>()).prop_map(|(number, owned)| Step::Acquire(number, owned)),
        8 => number().prop_map(Step::TryAcquire),
        18 => Just(Step::Ticket),
        12 => number().prop_map(Step::Skip),
        2 => Just(Step::Close),
        100 => (any::<Index>(), act).prop_map(|(whom, act)| Step::To(whom, act)),
    ]
}

fn first() -> impl Strategy<Value = u64> {
    prop_oneof![3 => (0..30_u64).prop_map(|back| u64::MAX - back), 1 => Just(0), 1 => any::<u64>()]
}

fn window() -> impl Strategy<Value = Option<u64>> {
    prop::sample::select(vec![None, Some(1), Some(2), Some(5)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_baton_does_what_the_model_does(
        first in first(),
        window in window(),
        steps in prop::collection::vec(step(), 1..60),
        close in any::<bool>(),
    ) {
        let mut both = Both::new(first, window);
        for step in &steps {
            both.step(step)?;
        }
        both.finish(close)?;
    }
}
