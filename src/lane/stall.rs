//! What a lane waits for.

use super::state::{Holder, Slot, Stand, State};
use super::{Lane, OnFailure};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why the head of a lane does not pass.
///
/// # Examples
///
/// ```
/// use batons::lane::{Lane, StallCause};
///
/// let lane = Lane::new((), 4);
/// let mut ticket = lane.try_ticket()?;
/// let cause = || lane.stall().map(|stall| stall.cause());
/// assert_eq!(cause(), Some(StallCause::NotRequested));
/// let turn = ticket.try_turn()?;
/// assert_eq!(cause(), Some(StallCause::Held));
/// drop(turn);
/// assert_eq!(cause(), None);
/// # Ok::<_, batons::LaneError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StallCause {
    /// Nobody has [named](Lane::ticket_at) the number, but a later one.
    NeverIssued,
    /// Its ticket is alive, and nobody waits for its turn: the work is not done, or whoever waited has given up.
    NotRequested,
    /// Its turn has come, and whoever waits for it has not taken it: a task that is not polled, or a thread that does
    /// not run.
    NotTaken,
    /// Its turn is held.
    Held,
    /// A run that begins with it is being committed.
    Committing {
        /// So many numbers are in it.
        deposits: u64,
    },
    /// It was deposited, and whoever drives the [commits](Lane::commits) has not taken it.
    NotCommitted,
    /// Somebody [looks at the value](Lane::with_value).
    LookedAt,
    /// It went away as a [token](super::Ticket::into_token), and did not come back.
    TokenOut,
    /// It failed, and nobody has [repaired](Lane::repair) it.
    Stopped,
}

/// The most numbers that are listed.
const LISTED: usize = 16;

/// What a lane waits for at one moment; made by [`Lane::stall`].
///
/// Its `Display` is a line for people.
///
/// # Examples
///
/// ```
/// use batons::lane::Lane;
///
/// let lane: Lane<(), u8> = Lane::builder().window(2).build(());
/// let _head = lane.try_ticket()?.label("block 0");
/// lane.try_ticket()?.deposit(1)?;
/// let mut more = tokio_test::task::spawn(lane.ticket());
/// assert!(more.poll().is_pending());
/// let stall = lane.stall().expect("nothing passes");
/// assert_eq!((stall.seq(), stall.label(), stall.waiting()), (0, Some("block 0"), &[1][..]));
/// assert_eq!((stall.is_full(), stall.wanted()), (true, 1));
/// assert_eq!(
///     stall.to_string(),
///     "stalled at 0: ticket alive (\"block 0\"), turn never requested; 1 waiting; window full, 1 asking for tickets",
/// );
/// assert_eq!((stall.next(), stall.waits(), stall.station()), (2, 1, None));
/// # Ok::<_, batons::LaneError>(())
/// ```
///
/// Ages, and a number that is at an earlier station:
///
/// ```
/// # use batons::{ManualClock, lane::{Lane, StallCause}};
/// # use std::time::Duration;
/// let manual = ManualClock::new();
/// let lane: Lane<()> = Lane::builder().window(1).timed_by(&manual.clock()).build(());
/// let gate = lane.station("gate", ());
/// let mut ticket = lane.try_ticket()?;
/// let mut more = tokio_test::task::spawn(lane.ticket());
/// assert!(more.poll().is_pending());
/// manual.advance(Duration::from_secs(1));
/// let _turn = ticket.try_turn_at(&gate)?;
/// manual.advance(Duration::from_secs(2));
/// let stall = lane.stall().expect("nothing passes");
/// assert_eq!((stall.cause(), stall.station()), (StallCause::Held, Some("gate")));
/// assert_eq!((stall.age(), stall.head_age()), (Some(Duration::from_secs(2)), Some(Duration::from_secs(3))));
/// assert_eq!(stall.wanted_age(), Some(Duration::from_secs(3)));
/// # Ok::<_, batons::LaneError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    seq: u64,
    next: u64,
    cause: StallCause,
    station: Option<Arc<str>>,
    label: Option<Arc<str>>,
    age: Option<Duration>,
    head_age: Option<Duration>,
    waiting: Vec<u64>,
    waits: usize,
    full: bool,
    wanted: usize,
    wanted_age: Option<Duration>,
}

impl Stall {
    /// The number at the head.
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The number that is issued next.
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Why it does not pass.
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn cause(&self) -> StallCause {
        self.cause
    }

    /// The [station](Lane::station) at which it is so, if it is not at the end of the lane.
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn station(&self) -> Option<&str> {
        self.station.as_deref()
    }

    /// What the ticket of the head was [labelled](super::Ticket::label).
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// For how long the cause has lasted; if the lane is [timed](super::LaneBuilder::timed).
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.age
    }

    /// For how long the number has been at the head and waited for; if the lane is [timed](super::LaneBuilder::timed), or
    /// from a [watch](Lane::watch).
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn head_age(&self) -> Option<Duration> {
        self.head_age
    }

    /// The numbers behind the head whose holders have done their part: they wait for their turns, or have
    /// deposited. The first 16; [`waits`](Stall::waits) counts all.
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn waiting(&self) -> &[u64] {
        &self.waiting
    }

    /// How many numbers behind the head wait.
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn waits(&self) -> usize {
        self.waits
    }

    /// Whether the window is full.
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// How many wait for tickets. If the holder of the head is one of them, it waits for itself.
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// For how long the first of them has waited; if the lane is [timed](super::LaneBuilder::timed).
    ///
    /// # Examples
    ///
    /// See [`Stall`].
    #[must_use]
    pub fn wanted_age(&self) -> Option<Duration> {
        self.wanted_age
    }

    /// It was seen at the head for so long.
    pub(super) fn seen_for(&mut self, age: Duration) {
        self.head_age.get_or_insert(age);
    }
}

/// A duration for people.
struct For(Option<Duration>);

impl fmt::Display for For {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(age) if age >= Duration::from_secs(1) => write!(f, " for {:.1} s", age.as_secs_f64()),
            Some(age) => write!(f, " for {} ms", age.as_millis()),
        }
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stalled at {}: ", self.seq)?;
        let (what, more) = match self.cause {
            StallCause::NeverIssued => ("never issued", ""),
            StallCause::NotRequested => ("ticket alive", ", turn never requested"),
            StallCause::NotTaken => ("its turn has been there", ", and whoever waits for it was not polled"),
            StallCause::Held => ("held", ""),
            StallCause::Committing { .. } => ("being committed", ""),
            StallCause::NotCommitted => ("deposited", ", and nobody commits it"),
            StallCause::LookedAt => ("somebody has been looking at the value", ""),
            StallCause::TokenOut => ("its token has been out", ""),
            StallCause::Stopped => ("failed and not repaired", ""),
        };
        write!(f, "{what}{}", For(self.age))?;
        if let Some(label) = &self.label {
            write!(f, " (\"{label}\")")?;
        }
        f.write_str(more)?;
        if let Some(station) = &self.station {
            write!(f, " at \"{station}\"")?;
        }
        match self.cause {
            StallCause::NeverIssued => write!(f, ", next is {}", self.next)?,
            StallCause::Committing { deposits } if deposits > 1 => write!(f, " with {} more", deposits - 1)?,
            _ => {}
        }
        for (index, seq) in self.waiting.iter().enumerate() {
            write!(f, "{}{seq}", if index == 0 { "; " } else { ", " })?;
        }
        match self.waits - self.waiting.len() {
            _ if self.waits == 0 => {}
            0 => f.write_str(" waiting")?,
            more => write!(f, " and {more} more waiting")?,
        }
        if self.wanted > 0 {
            let full = if self.full { "window full, " } else { "" };
            write!(f, "; {full}{} asking for tickets{}", self.wanted, For(self.wanted_age))?;
        }
        Ok(())
    }
}

impl<D> State<D> {
    /// What is waited for, if anything is.
    pub(super) fn stall(&self, now: Option<Instant>) -> Option<Stall> {
        let head = self.slots.front()?;
        if self.cancelled || self.failures.contains_key(&self.head) && self.on_failure != OnFailure::UntilSync
        {
            return None;
        }
        let since = |since: Option<Instant>| Some(now?.saturating_duration_since(since?));
        let latest = head.since.max(self.head_since);
        let (cause, from) = match (self.holder, &head.stand) {
            (Holder::Turn, _) => (StallCause::Held, self.held_since),
            (Holder::Run(deposits), _) => (StallCause::Committing { deposits }, self.held_since),
            (Holder::Look, _) => (StallCause::LookedAt, self.held_since),
            (Holder::Nobody, Stand::Vacant) => (StallCause::NeverIssued, latest),
            (Holder::Nobody, Stand::Issued) if head.asking > 0 => (StallCause::NotTaken, latest),
            (Holder::Nobody, Stand::Issued) => (StallCause::NotRequested, head.since),
            (Holder::Nobody, Stand::Token) => (StallCause::TokenOut, head.since),
            (Holder::Nobody, Stand::Deposited(_)) => (StallCause::NotCommitted, latest),
            (Holder::Nobody, Stand::Stopped) => (StallCause::Stopped, head.since),
            // It passes with whoever settles next.
            (Holder::Nobody, Stand::Lost) => return None,
        };
        let in_hand = match self.holder {
            Holder::Run(deposits) => usize::try_from(deposits).unwrap_or(usize::MAX),
            _ => 1,
        };
        let behind =
            || (self.head..).zip(&self.slots).skip(in_hand).filter(|(_, slot)| Slot::is_waiting(slot));
        Some(Stall {
            seq: self.head,
            next: self.next(),
            cause,
            station: None,
            label: head.label.clone(),
            age: since(from),
            head_age: since(self.head_since),
            waiting: behind().map(|(seq, _)| seq).take(LISTED).collect(),
            waits: behind().count(),
            full: self.slots.len() as u64 >= u64::from(self.window),
            wanted: self.queue.len(),
            wanted_age: since(self.queue.values().next().copied().flatten()),
        })
    }
}

impl<T, D> Lane<T, D> {
    /// What the lane waits for at this moment: why its head does not pass, and who waits behind it. `None` if nothing is out, or
    /// nothing will ever pass any more.
    ///
    /// One look cannot tell a lane that stands still from one that moves, which waits for something at every moment as
    /// well. Look twice, and compare [`seq`](Stall::seq); or see how [old](Stall::head_age) it is, in a lane that is
    /// [timed](super::LaneBuilder::timed); or have the lane [watched](Lane::watch). It holds the lane up for as long as it
    /// takes to go through the numbers that are out, and no longer.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{ManualClock, lane::Lane};
    /// use std::time::Duration;
    ///
    /// let manual = ManualClock::new();
    /// let lane: Lane<()> = Lane::builder().first(17).timed_by(&manual.clock()).build(());
    /// assert_eq!(lane.stall(), None);
    /// let (_head, mut other) = (lane.try_ticket()?.label("GET k"), lane.try_ticket()?);
    /// let mut waits = tokio_test::task::spawn(other.turn());
    /// assert!(waits.poll().is_pending());
    /// manual.advance(Duration::from_millis(3200));
    /// assert_eq!(
    ///     lane.stall().expect("17 is out").to_string(),
    ///     "stalled at 17: ticket alive for 3.2 s (\"GET k\"), turn never requested; 18 waiting",
    /// );
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn stall(&self) -> Option<Stall> {
        let stall = {
            let locked = self.lock();
            locked.state.stall(locked.state.now())
        };
        stall.map(|stall| self.placed(stall))
    }

    /// It may be at a station meanwhile.
    pub(super) fn placed(&self, mut stall: Stall) -> Stall {
        if stall.cause == StallCause::NotRequested {
            if let Some((name, there)) = self.inner.stations.stall(stall.seq) {
                (stall.station, stall.cause, stall.age) = (Some(name), there.cause, there.age);
            }
        }
        stall
    }
}
