//! The sequential model of a baton: one map, no clocks, no threads, no wakers.

use batons::{AcquireError, SkipError};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Act {
    /// A ticket's holder begins a wait; `true`: one that owns the ticket.
    Wait(bool),
    /// With one of two wakers.
    Poll(usize),
    WaitNoTime,
    Drop,
    Try,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Pending,
    Granted(u64),
    Refused(AcquireError),
    TimedOut,
    Done,
}

// ===== the model =====

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Stands {
    Waiter(usize),
    Ticket,
    Skipped,
}

/// What a party is: a wait for a number, or a ticket with or without a wait on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Plain,
    Ticket,
    TicketInWait,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Stage {
    /// A ticket that nobody waits on.
    Idle,
    New,
    /// Polled; its answer may have come.
    Waiting,
    Holding,
    Gone,
}

#[derive(Debug)]
pub(crate) struct Party {
    number: u64,
    kind: Kind,
    stage: Stage,
    waker: usize,
}

/// Numbers in here count from 0; `first` is what the baton calls 0.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) first: u64,
    pub(crate) window: u64,
    pub(crate) next: u64,
    held: bool,
    /// The waiter that owns the baton and was not told yet.
    unseen: Option<usize>,
    pub(crate) closed: bool,
    line: BTreeMap<u64, Stands>,
    /// Above every number that a ticket ever had.
    tickets_from: u64,
    parties: Vec<Party>,
    pub(crate) wakes: Vec<[u32; 2]>,
}

impl Model {
    pub(crate) fn new(first: u64, window: u64) -> Self {
        Self { first, window, ..Self::default() }
    }

    pub(crate) fn seq(&self, number: u64) -> u64 {
        self.first.wrapping_add(number)
    }

    pub(crate) fn join(&mut self, number: u64, kind: Kind, stage: Stage) -> usize {
        self.parties.push(Party { number, kind, stage, waker: 0 });
        self.wakes.push([0, 0]);
        self.parties.len() - 1
    }

    fn wake(&mut self, party: usize) {
        self.wakes[party][self.parties[party].waker] += 1;
    }

    /// `Ok(true)`: the number is next and the baton is free. `Ok(false)`: it may wait.
    fn ask(&self, number: u64, own_ticket: bool) -> Result<bool, AcquireError> {
        let distance = number.wrapping_sub(self.next);
        let now = distance == 0 && !self.held;
        if self.closed {
            return Err(AcquireError::Closed);
        }
        match self.line.get(&number) {
            Some(Stands::Ticket) if own_ticket => Ok(now),
            Some(Stands::Skipped) => Err(AcquireError::Passed),
            Some(_) => Err(AcquireError::Duplicate),
            None if distance > u64::MAX / 2 => Err(AcquireError::Passed),
            None if distance >= self.window => {
                Err(AcquireError::TooFar { limit: self.seq(self.next + self.window - 1) })
            }
            None => Ok(now),
        }
    }

    fn take(&mut self, number: u64) {
        self.line.remove(&number);
        self.next += 1;
        self.held = true;
    }

    /// Lets the next one have the baton, if nobody has it.
    fn advance(&mut self) {
        while !self.held && !self.closed {
            match self.line.get(&self.next).copied() {
                Some(Stands::Skipped) => {
                    self.line.remove(&self.next);
                    self.next += 1;
                }
                Some(Stands::Waiter(party)) => {
                    self.take(self.next);
                    self.unseen = Some(party);
                    self.wake(party);
                }
                _ => return,
            }
        }
    }

    fn release(&mut self) {
        self.held = false;
        self.unseen = None;
        self.advance();
    }

    pub(crate) fn skip(&mut self, number: u64) -> Result<(), SkipError> {
        if self.ask(number, false)? {
            self.next += 1;
            self.advance();
        } else {
            self.line.insert(number, Stands::Skipped);
        }
        Ok(())
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
        for stands in std::mem::take(&mut self.line).into_values() {
            if let Stands::Waiter(party) = stands {
                self.wake(party);
            }
        }
    }

    pub(crate) fn ticket(&mut self) -> u64 {
        if self.closed {
            return self.next;
        }
        let mut number = self.next.max(self.tickets_from);
        while self.line.contains_key(&number) {
            number += 1;
        }
        self.line.insert(number, Stands::Ticket);
        self.tickets_from = number + 1;
        number
    }

    /// One that has waited is granted, refused because of a close, or still waiting (`None`).
    fn look(&mut self, id: usize) -> Option<Outcome> {
        if self.unseen == Some(id) {
            self.unseen = None;
            self.parties[id].stage = Stage::Holding;
            return Some(Outcome::Granted(self.seq(self.parties[id].number)));
        }
        self.closed.then(|| self.end(id, Outcome::Refused(AcquireError::Closed)))
    }

    /// A wait is over; what is left is the ticket, if it was only lent.
    fn end(&mut self, id: usize, outcome: Outcome) -> Outcome {
        let party = &mut self.parties[id];
        party.stage = if party.kind == Kind::Ticket { Stage::Idle } else { Stage::Gone };
        outcome
    }

    /// The wait asks for the first time, and stands in line if it may.
    fn first(&mut self, id: usize, may_stand: bool) -> Outcome {
        let Party { number, kind, .. } = self.parties[id];
        match self.ask(number, kind != Kind::Plain) {
            Ok(true) => {
                self.take(number);
                self.parties[id].stage = Stage::Holding;
                Outcome::Granted(self.seq(number))
            }
            Ok(false) if may_stand => {
                self.line.insert(number, Stands::Waiter(id));
                self.parties[id].stage = Stage::Waiting;
                Outcome::Pending
            }
            Ok(false) => Outcome::TimedOut,
            Err(refusal) => self.end(id, Outcome::Refused(refusal)),
        }
    }

    fn poll(&mut self, id: usize, waker: usize) -> Outcome {
        self.parties[id].waker = waker;
        if self.parties[id].stage == Stage::New {
            return self.first(id, true);
        }
        self.look(id).unwrap_or(Outcome::Pending)
    }

    /// A wait that may not wait: it is answered, or it is as if it had never been polled.
    fn wait_no_time(&mut self, id: usize) -> Outcome {
        if self.parties[id].stage == Stage::New {
            return self.first(id, false);
        }
        self.look(id).unwrap_or_else(|| {
            let Party { number, kind, .. } = self.parties[id];
            self.line.remove(&number);
            if kind != Kind::Plain {
                self.line.insert(number, Stands::Ticket);
            }
            self.parties[id].stage = Stage::New;
            Outcome::TimedOut
        })
    }

    /// A ticket passes over, unless it was used or the baton closed.
    fn pass_over(&mut self, number: u64) {
        if let Some(stands @ Stands::Ticket) = self.line.get_mut(&number) {
            *stands = Stands::Skipped;
            self.advance();
        }
    }

    fn drop_party(&mut self, id: usize) {
        let Party { number, kind, stage, .. } = self.parties[id];
        self.end(id, Outcome::Done);
        match (stage, kind) {
            (Stage::Idle, _) => {
                self.parties[id].stage = Stage::Gone;
                self.pass_over(number);
            }
            (Stage::New, Kind::TicketInWait) => self.pass_over(number),
            (Stage::New | Stage::Gone, _) => {}
            (Stage::Holding, _) => self.release(),
            (Stage::Waiting, Kind::Ticket) if self.unseen == Some(id) && !self.closed => {
                self.next -= 1;
                self.held = false;
                self.unseen = None;
                self.line.insert(number, Stands::Ticket);
            }
            (Stage::Waiting, _) if self.unseen == Some(id) => self.release(),
            (Stage::Waiting, _) if self.closed => {}
            (Stage::Waiting, Kind::Plain) => drop(self.line.remove(&number)),
            (Stage::Waiting, Kind::Ticket) => drop(self.line.insert(number, Stands::Ticket)),
            (Stage::Waiting, Kind::TicketInWait) => drop(self.line.insert(number, Stands::Skipped)),
        }
    }

    pub(crate) fn act(&mut self, id: usize, act: Act) -> Outcome {
        match act {
            Act::Wait(owning) => {
                let party = &mut self.parties[id];
                party.stage = Stage::New;
                if owning && party.kind == Kind::Ticket {
                    party.kind = Kind::TicketInWait;
                }
                Outcome::Done
            }
            Act::Poll(waker) => self.poll(id, waker),
            Act::WaitNoTime => self.wait_no_time(id),
            Act::Try => match self.first(id, false) {
                // A refusal of `try_acquire` leaves the ticket as it was.
                Outcome::TimedOut => self.end(id, Outcome::TimedOut),
                answer => answer,
            },
            Act::Drop => {
                self.drop_party(id);
                Outcome::Done
            }
        }
    }

    /// Whether `act` can be written down for this party; the others the compiler refuses.
    pub(crate) fn allows(&self, id: usize, act: Act) -> bool {
        match (self.parties[id].stage, act) {
            (Stage::Gone, _) => false,
            (_, Act::Drop) => true,
            (Stage::Idle, act) => matches!(act, Act::Wait(_) | Act::Try),
            (Stage::New | Stage::Waiting, act) => matches!(act, Act::Poll(_) | Act::WaitNoTime),
            (Stage::Holding, _) => false,
        }
    }

    fn standing(&self, what: impl Fn(Stands) -> bool) -> Vec<u64> {
        self.line.iter().filter(|&(_, &stands)| what(stands)).map(|(&number, _)| self.seq(number)).collect()
    }

    /// The same that a snapshot of the baton tells.
    pub(crate) fn told(&self) -> (u64, Option<u64>, bool, [Vec<u64>; 3]) {
        let (next, waits) = (self.seq(self.next), |stands| matches!(stands, Stands::Waiter(_)));
        let [tickets, skipped] =
            [Stands::Ticket, Stands::Skipped].map(|kind| self.standing(|stands| stands == kind));
        let holder = self.held.then(|| next.wrapping_sub(1));
        (next, holder, self.closed, [self.standing(waits), tickets, skipped])
    }
}
