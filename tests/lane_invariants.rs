//! What holds in a lane whatever happens to its tickets: what is committed is what was issued up to some number,
//! without the gaps that were declared; the failure that is told is the lowest; the window is kept; nobody is left
//! waiting. Random programs are compared step by step with a lane that is too simple to be wrong.
#![allow(clippy::similar_names, clippy::too_many_lines, clippy::explicit_counter_loop)]

mod common;
#[path = "lane_invariants/naive.rs"]
mod naive;
#[path = "lane_invariants/steps.rs"]
mod steps;

use batons::LaneError;
use batons::lane::{Lane, OnFailure, Run, Ticket, Turn};
use common::panic_of;
use naive::{Deposit, Fate, Naive, No, no};
use proptest::prelude::*;
use proptest::sample::Index;
use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::Poll;
use steps::{End, Step, steps};
use tokio_test::task::{Spawn, spawn};

type TestLane = Lane<Vec<u64>, (u64, Deposit)>;
type TestTicket = Ticket<Vec<u64>, (u64, Deposit)>;
/// A task that waits for a ticket and answers with it.
type WaitsForTicket = Spawn<Pin<Box<dyn Future<Output = Result<Vec<TestTicket>, LaneError>>>>>;
/// A task that has a ticket, waits for its turn, commits, and gives the ticket back.
type WaitsForTurn = Spawn<Pin<Box<dyn Future<Output = (TestTicket, Result<(), LaneError>)>>>>;

fn commit(log: &mut Vec<u64>, run: &mut Run<(u64, Deposit)>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut seq = run.next_seq();
    for (number, deposit) in run {
        assert_eq!(number, seq, "a run is in order");
        match deposit {
            Deposit::Good => log.push(number),
            Deposit::Fails => return Err("it fails".into()),
            Deposit::Panics => panic!("on purpose"),
        }
        seq += 1;
    }
    Ok(())
}

// ===== the lane and its model, side by side =====

struct World {
    lane: TestLane,
    model: Naive,
    tickets: Vec<TestTicket>,
    /// With how many each asks for.
    ticket_waits: Vec<(u32, WaitsForTicket)>,
    turn_waits: Vec<(u64, WaitsForTurn)>,
}

/// The index of one of `all`.
fn of<T>(all: &[T], which: Index) -> Option<usize> {
    (!all.is_empty()).then(|| which.index(all.len()))
}

impl World {
    fn new(policy: OnFailure, skips_panics: bool, window: u32, longest_run: usize) -> Self {
        let on_panic = match policy {
            _ if skips_panics => OnFailure::Skip,
            OnFailure::Skip | OnFailure::Tell => OnFailure::Poison,
            policy => policy,
        };
        let lane = Lane::builder()
            .window(window)
            .longest_run(longest_run)
            .on_failure(policy)
            .on_panic(on_panic)
            .committer(Vec::new(), commit);
        let model = Naive::new(policy, on_panic, window.into());
        Self { lane, model, tickets: Vec::new(), ticket_waits: Vec::new(), turn_waits: Vec::new() }
    }

    /// `f`, whose panics are those of the committer, or of a holder.
    fn foreign<R>(f: impl FnOnce() -> R) -> Option<R> {
        let mut result = None;
        let panic = panic_of(AssertUnwindSafe(|| result = Some(f())));
        if let Some(panic) = panic {
            assert_eq!(panic.message, "on purpose");
        }
        result
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Ticket => {
                let expected = match self.model.issues() {
                    None if !self.ticket_waits.is_empty() => Err(No::WouldBlock),
                    _ => self.model.issue(),
                };
                self.model.settle();
                let ticket = self.lane.try_ticket();
                assert_eq!(ticket.as_ref().map(Ticket::seq).map_err(no), expected);
                self.tickets.extend(ticket);
            }
            Step::TicketAt(ahead) => {
                let seq = (self.model.head + ahead).saturating_sub(2);
                let expected = self.model.issue_at(seq, !self.ticket_waits.is_empty());
                let ticket = self.lane.ticket_at(seq);
                assert_eq!(ticket.as_ref().map(|_| ()).map_err(no), expected, "{seq}");
                self.tickets.extend(ticket);
            }
            Step::WaitForTicket(count) => {
                let lane = self.lane.clone();
                let task = async move {
                    if count == 1 {
                        lane.ticket().await.map(|one| vec![one])
                    } else {
                        lane.tickets(count).await
                    }
                };
                let mut wait: WaitsForTicket = spawn(Box::pin(task));
                // The first poll is what stands in line.
                if self.ticket_waits.is_empty()
                    || self.model.issues().is_some()
                    || u64::from(count) > self.model.window
                {
                    let answer = wait.poll();
                    if !self.got_tickets(count, answer) {
                        self.ticket_waits.push((count, wait));
                    }
                } else {
                    assert!(wait.poll().is_pending());
                    self.ticket_waits.push((count, wait));
                }
            }
            Step::DropTicketWait(which) => {
                if let Some(at) = of(&self.ticket_waits, which) {
                    drop(self.ticket_waits.remove(at));
                }
            }
            Step::Sync => {
                if self.ticket_waits.is_empty() && (self.model.room() > 0 || self.model.issues().is_some()) {
                    let expected = self.model.issue();
                    if let Ok(seq) = expected {
                        self.model.sync(seq);
                    }
                    let lane = self.lane.clone();
                    let Poll::Ready(ticket) = spawn(lane.sync()).poll() else { panic!("there is room") };
                    assert_eq!(ticket.as_ref().map(Ticket::seq).map_err(no), expected);
                    self.tickets.extend(ticket);
                }
            }
            Step::Repair => {
                let head = self.model.head;
                let ticket = self.lane.repair(head);
                let stopped = self.model.fates.get(&head) == Some(&Fate::Stopped);
                assert_eq!(ticket.is_ok(), stopped);
                if stopped {
                    self.model.fates.insert(head, Fate::Out);
                }
                self.tickets.extend(ticket);
            }
            Step::TicketOf(which) => {
                let tokens: Vec<u64> = self.tokens();
                if let Some(at) = of(&tokens, which) {
                    self.tickets.push(self.lane.ticket_of(tokens[at]).expect("it is a token"));
                    self.model.fates.insert(tokens[at], Fate::Out);
                }
            }
            Step::Resize(window) => {
                self.lane.resize(window);
                self.model.window = window.into();
            }
            Step::Close => {
                Self::foreign(|| self.lane.close());
                self.model.close();
            }
            Step::Cancel => {
                self.lane.cancel();
                self.model.cancelled = true;
            }
            Step::Abort(which) => {
                if let Some(at) = of(&self.turn_waits, which) {
                    let (seq, wait) = self.turn_waits.remove(at);
                    Self::foreign(|| drop(wait));
                    self.model.drop(seq);
                }
            }
            Step::Turn(which, _)
            | Step::Look(which)
            | Step::WaitForTurn(which)
            | Step::Deposit(which, _)
            | Step::Skip(which)
            | Step::Fail(which)
            | Step::Drop(which)
            | Step::Panic(which)
            | Step::Accept(which)
            | Step::Token(which) => {
                if let Some(at) = of(&self.tickets, which) {
                    let ticket = self.tickets.remove(at);
                    self.with_ticket(step, ticket);
                }
            }
        }
    }

    fn tokens(&self) -> Vec<u64> {
        let out = |seq: &u64| *seq >= self.model.head;
        let is_token = |fate: &Fate| *fate == Fate::Token;
        self.model.fates.iter().filter(|(_, fate)| is_token(fate)).map(|(&seq, _)| seq).filter(out).collect()
    }

    fn with_ticket(&mut self, step: &Step, mut ticket: TestTicket) {
        let seq = ticket.seq();
        match *step {
            Step::Turn(_, end) => {
                let expected = self.model.turn(seq).unwrap_or(Err(No::WouldBlock));
                let real =
                    ticket.try_turn().map(|turn| Self::end_turn(turn, end)).map_err(|refusal| no(&refusal));
                assert_eq!(real, expected, "{seq}");
                if real.is_err() {
                    return self.tickets.push(ticket);
                }
                match end {
                    End::Commit => self.model.commit(),
                    End::Fail => self.model.fail(seq),
                    End::Panic => self.model.panic(seq),
                }
                // A turn is had once.
                assert!(ticket.try_turn().is_err());
                assert!(ticket.deposit((seq, Deposit::Good)).is_err());
            }
            Step::Look(_) => {
                if self.model.turn(seq).is_none() {
                    assert!(spawn(ticket.turn()).poll().is_pending());
                    assert!(!ticket.ready().is_set());
                } else {
                    assert!(ticket.ready().is_set());
                }
                self.tickets.push(ticket);
            }
            Step::WaitForTurn(_) => {
                let task = async move {
                    let turn = ticket.turn().await.map(|mut turn| {
                        let seq = turn.seq();
                        turn.push(seq);
                    });
                    (ticket, turn)
                };
                self.turn_waits.push((seq, spawn(Box::pin(task))));
                self.poll_turn(self.turn_waits.len() - 1);
            }
            Step::Deposit(_, deposit) => {
                let expected = self.model.refusal(seq);
                let real = Self::foreign(|| ticket.deposit((seq, deposit)));
                if let Some(real) = real {
                    assert_eq!(real.err().map(|refusal| no(&refusal)), expected, "{seq}");
                } else {
                    assert_eq!(expected, None, "it was committed, and panicked");
                }
                match expected {
                    None => {
                        self.model.fates.insert(seq, Fate::Deposited(deposit));
                        self.model.settle();
                    }
                    Some(_) => self.model.drop(seq),
                }
            }
            Step::Skip(_) => {
                Self::foreign(|| ticket.skip());
                self.model.lose(seq, OnFailure::Skip);
            }
            Step::Fail(_) => {
                Self::foreign(|| ticket.fail("it fails"));
                self.model.fail(seq);
            }
            Step::Drop(_) => {
                Self::foreign(|| drop(ticket));
                self.model.drop(seq);
            }
            Step::Panic(_) => {
                Self::foreign(|| {
                    let _ticket = ticket;
                    panic!("on purpose");
                });
                self.model.panic(seq);
            }
            Step::Accept(_) => {
                ticket.accept_gap();
                self.model.accept(seq);
                self.tickets.push(ticket);
            }
            Step::Token(_) => {
                assert_eq!(ticket.into_token(), seq);
                if seq >= self.model.head {
                    self.model.fates.insert(seq, Fate::Token);
                }
            }
            _ => unreachable!("not for a ticket"),
        }
    }

    fn end_turn(mut turn: Turn<'_, Vec<u64>, (u64, Deposit)>, end: End) {
        Self::foreign(|| match end {
            End::Commit => {
                let seq = turn.seq();
                turn.push(seq);
                drop(turn);
            }
            End::Fail => turn.fail("it fails"),
            End::Panic => {
                let _turn = turn;
                panic!("on purpose");
            }
        });
    }

    /// Whether a wait for tickets was answered, as the model has it.
    fn got_tickets(&mut self, count: u32, answer: Poll<Result<Vec<TestTicket>, LaneError>>) -> bool {
        let expected = match self.model.issues() {
            Some(no) if u64::from(count) <= self.model.window || count == 1 => Err(no),
            _ if count == 1 => {
                let seq = self.model.issue();
                self.model.settle();
                seq.map(|seq| vec![seq])
            }
            _ => self.model.issue_many(count.into()),
        };
        match answer {
            Poll::Pending => {
                assert_eq!(expected, Err(No::WouldBlock));
                false
            }
            Poll::Ready(answer) => {
                let numbers = |tickets: &Vec<TestTicket>| tickets.iter().map(Ticket::seq).collect::<Vec<_>>();
                assert_eq!(answer.as_ref().map(numbers).map_err(no), expected);
                self.tickets.extend(answer.into_iter().flatten());
                true
            }
        }
    }

    /// Whether a wait for a turn was answered, as the model has it.
    fn poll_turn(&mut self, at: usize) -> bool {
        let seq = self.turn_waits[at].0;
        let expected = self.model.turn(seq);
        let mut answer = None;
        let polled = Self::foreign(|| match self.turn_waits[at].1.poll() {
            Poll::Pending => false,
            Poll::Ready(ready) => {
                answer = Some(ready);
                true
            }
        });
        match (polled, expected) {
            (Some(false), None) => return false,
            // Its commit was followed by one that panicked, which ended the task.
            (None, Some(Ok(()))) => self.model.commit(),
            (Some(true), Some(expected)) => {
                let (ticket, real) = answer.expect("it was ready");
                assert_eq!(real.map_err(|refusal| no(&refusal)), expected, "{seq}");
                if expected.is_ok() {
                    self.model.commit();
                } else {
                    self.tickets.push(ticket);
                }
            }
            (polled, expected) => panic!("{seq}: polled {polled:?}, expected {expected:?}"),
        }
        let (_, wait) = self.turn_waits.remove(at);
        drop(wait);
        true
    }

    /// Polls whoever was woken, until nobody is; nobody who could go on is left asleep.
    fn run(&mut self) {
        loop {
            let waits = &mut self.ticket_waits;
            if let Some(at) = waits.iter().position(|(_, wait)| wait.is_woken()) {
                let (count, mut wait) = waits.remove(at);
                let answer = wait.poll();
                if answer.is_pending() && at > 0 {
                    // Not the first in line: woken for something that is past.
                    self.ticket_waits.insert(at, (count, wait));
                } else if !self.got_tickets(count, answer) {
                    self.ticket_waits.insert(at, (count, wait));
                }
                continue;
            }
            match self.turn_waits.iter().position(|(_, wait)| wait.is_woken()) {
                Some(at) => drop(self.poll_turn(at)),
                None => break,
            }
        }
        if let Some((count, _)) = self.ticket_waits.first() {
            assert!(
                self.model.issues().is_none() && self.model.room() < u64::from(*count),
                "the first is left"
            );
        }
        for (seq, _) in &self.turn_waits {
            assert_eq!(self.model.turn(*seq), None, "{seq} is left");
        }
    }

    fn check(&self) {
        let (lane, model) = (&self.lane, &self.model);
        assert_eq!(lane.with_value(|log| log.clone()), model.log);
        assert_eq!(lane.frontier(), model.head);
        assert_eq!(lane.failure().map(|failure| failure.seq()), model.failed.first().copied());
        let snapshot = lane.snapshot();
        assert_eq!(snapshot.next(), model.next());
        assert_eq!(snapshot.wanted(), self.ticket_waits.len());
        if model.issues().is_none() && self.ticket_waits.is_empty() {
            assert_eq!(u64::from(lane.room()), model.room());
        }
        // What was committed, and what was declared lost, is all that has passed.
        let mut passed: Vec<u64> = model.log.iter().chain(&model.gaps).copied().collect();
        passed.sort_unstable();
        assert!(passed.iter().copied().eq(0..model.head));
        assert!(model.log.is_sorted());
        let ended = model.cancelled || model.failed.contains(&model.head);
        assert_eq!(
            lane.stall().is_some(),
            !ended && snapshot.out() > 0 || lane.stall().is_some() && !model.cancelled
        );
    }

    /// Everything goes, and nobody waits any more.
    fn end(mut self) {
        self.ticket_waits.clear();
        while let Some((seq, wait)) = self.turn_waits.pop() {
            Self::foreign(|| drop(wait));
            self.model.drop(seq);
            self.run();
        }
        while let Some(ticket) = self.tickets.pop() {
            let seq = ticket.seq();
            Self::foreign(|| drop(ticket));
            self.model.drop(seq);
            self.run();
        }
        for token in self.tokens() {
            if let Ok(ticket) = self.lane.ticket_of(token) {
                Self::foreign(|| ticket.skip());
                self.model.lose(token, OnFailure::Skip);
            }
        }
        Self::foreign(|| self.lane.close());
        self.model.close();
        while let Ok(ticket) = self.lane.repair(self.model.head) {
            Self::foreign(|| ticket.skip());
            self.model.lose(self.model.head, OnFailure::Skip);
        }
        self.check();
        let Poll::Ready(drained) = spawn(self.lane.drain()).poll() else { panic!("the lane does not end") };
        let root = self.lane.failure().map(|failure| failure.seq());
        match drained.map_err(|refusal| no(&refusal)) {
            Ok(()) => assert_eq!(self.lane.stall(), None),
            Err(No::Cancelled) => assert!(self.model.cancelled),
            Err(No::Poisoned(seq)) => assert_eq!(Some(seq), root),
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn policies() -> impl Strategy<Value = OnFailure> {
    let all = [OnFailure::Skip, OnFailure::Poison, OnFailure::Tell, OnFailure::Stop, OnFailure::UntilSync];
    proptest::sample::select(all.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_lane_does_what_the_simple_one_does(
        policy in policies(),
        skips_panics in any::<bool>(),
        window in 1_u32..7,
        longest_run in 1_usize..4,
        steps in steps(),
    ) {
        let mut world = World::new(policy, skips_panics, window, longest_run);
        for step in &steps {
            world.step(step);
            world.run();
            world.check();
        }
        world.end();
    }
}
