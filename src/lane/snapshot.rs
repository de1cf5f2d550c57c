//! What a lane counts.

use super::{Lane, state::State};
use std::fmt;
use std::time::Duration;

/// How often each thing happened in a lane since it was built.
///
/// # Examples
///
/// ```
/// use batons::lane::Lane;
///
/// let lane = Lane::new((), 4);
/// let mut ticket = lane.try_ticket()?;
/// drop(ticket.try_turn()?);
/// lane.try_ticket()?.skip();
/// let counters = lane.counters();
/// assert_eq!((counters.issued, counters.committed, counters.skipped), (2, 1, 1));
/// # Ok::<_, batons::LaneError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Tickets issued.
    pub issued: u64,
    /// Numbers committed, by turns and by deposits.
    pub committed: u64,
    /// Of them, those deposited.
    pub deposited: u64,
    /// Runs in which deposits were committed.
    pub runs: u64,
    /// How long the runs were: at index i those of 2^i to 2^(i+1) - 1 deposits, the last index for all longer ones.
    pub run_lengths: [u64; 16],
    /// Tickets that ended without a result.
    pub lost: u64,
    /// Numbers passed over.
    pub skipped: u64,
    /// Failures told.
    pub failed: u64,
    /// Numbers that a [deadline](super::Lane::head_deadline) ended.
    pub overdue: u64,
    /// Turns that had come when they were asked for.
    pub immediate: u64,
    /// Turns that were waited for.
    pub waited: u64,
    /// The most numbers that were out at once.
    pub most_out: u64,
}

impl Counters {
    pub(super) fn turn(&mut self, waited: bool) {
        self.waited += u64::from(waited);
        self.immediate += u64::from(!waited);
    }

    pub(super) fn run(&mut self, length: u64) {
        self.runs += 1;
        let index = usize::try_from(length.max(1).ilog2()).unwrap_or(0).min(self.run_lengths.len() - 1);
        self.run_lengths[index] += 1;
    }
}

/// How long something took, each time, by powers of two.
///
/// # Examples
///
/// ```
/// use batons::{ManualClock, lane::Lane};
/// use std::time::Duration;
///
/// let manual = ManualClock::new();
/// let lane: Lane<(), ()> = Lane::builder().timed_by(&manual.clock()).build(());
/// let mut ticket = lane.try_ticket()?;
/// let turn = ticket.try_turn()?;
/// manual.advance(Duration::from_micros(3));
/// drop(turn);
/// let snapshot = lane.snapshot();
/// let held = snapshot.hold_times().expect("the lane is timed");
/// assert_eq!((held.len(), held.at_most(0.5)), (1, Duration::from_nanos(4096)));
/// assert_eq!(held.counts()[11], 1); // from 2,048 to 4,095 ns
/// assert!(!held.is_empty());
/// let waited = snapshot.wait_times().expect("the lane is timed");
/// assert_eq!(waited.at_most(1.0), Duration::from_nanos(2)); // the turn had come: less than 2 ns
/// # Ok::<_, batons::LaneError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// At index i those of 2^i to 2^(i+1) - 1 nanoseconds, shorter ones at 0 and longer ones at the last.
    counts: [u64; 40],
}

impl Histogram {
    fn new() -> Self {
        Self { counts: [0; 40] }
    }

    pub(super) fn note(&mut self, took: Duration) {
        let nanos = took.as_nanos().max(1);
        let index = usize::try_from(nanos.ilog2()).unwrap_or(usize::MAX).min(self.counts.len() - 1);
        self.counts[index] += 1;
    }

    /// How many there were of 2^i to 2^(i+1) - 1 nanoseconds, for each index i from 0 to 39; the first counts shorter
    /// ones as well, the last longer ones (from 9 minutes).
    ///
    /// # Examples
    ///
    /// See [`Histogram`].
    #[must_use]
    pub fn counts(&self) -> &[u64; 40] {
        &self.counts
    }

    /// How many there were.
    ///
    /// # Examples
    ///
    /// See [`Histogram`].
    #[must_use]
    pub fn len(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Whether there was none.
    ///
    /// # Examples
    ///
    /// See [`Histogram`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a `share` of them did not exceed, rounded up to a power of two of nanoseconds: 0.5 asks for the median, 0.99 for all but
    /// the slowest hundredth. A share below 0.0 is taken for 0.0, one above 1.0 for 1.0. Zero if there was none.
    ///
    /// # Examples
    ///
    /// See [`Histogram`].
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a share of them is no exact number
    pub fn at_most(&self, share: f64) -> Duration {
        let wanted = self.len() as f64 * share.clamp(0.0, 1.0);
        let mut sum = 0;
        for (index, count) in self.counts.iter().enumerate() {
            sum += count;
            if sum > 0 && sum as f64 >= wanted {
                return Duration::from_nanos(2 << index);
            }
        }
        Duration::ZERO
    }
}

/// How long numbers waited for their turns or lay deposited, and how long turns were held and runs took.
#[derive(Debug, Clone)]
pub(super) struct Times {
    pub(super) wait: Histogram,
    pub(super) hold: Histogram,
}

impl Times {
    pub(super) fn new() -> Self {
        Self { wait: Histogram::new(), hold: Histogram::new() }
    }
}

/// How a lane stands and what it counted, at one moment; made by [`Lane::snapshot`].
///
/// Its `Display` is a line for people.
///
/// # Examples
///
/// ```
/// use batons::{ManualClock, lane::Lane};
/// use std::time::Duration;
///
/// let manual = ManualClock::new();
/// let lane: Lane<()> = Lane::builder().window(8).timed_by(&manual.clock()).build(());
/// let (mut first, _second) = (lane.try_ticket()?, lane.try_ticket()?);
/// let turn = first.try_turn()?;
/// manual.advance(Duration::from_micros(100));
/// drop(turn);
/// let snapshot = lane.snapshot();
/// assert_eq!((snapshot.head(), snapshot.next(), snapshot.out(), snapshot.room()), (1, 2, 1, 7));
/// assert_eq!((snapshot.window(), snapshot.wanted(), snapshot.counters().most_out), (8, 0, 2));
/// assert_eq!(snapshot.wait_times().expect("it is timed").len(), 1);
/// assert_eq!(snapshot.hold_times().expect("it is timed").at_most(0.99), Duration::from_nanos(1 << 17));
/// # Ok::<_, batons::LaneError>(())
/// ```
#[derive(Debug, Clone)]
pub struct LaneSnapshot {
    head: u64,
    next: u64,
    room: u32,
    window: u32,
    wanted: usize,
    counters: Counters,
    times: Option<Box<Times>>,
}

impl LaneSnapshot {
    fn take<D>(state: &State<D>, room: u32) -> Self {
        Self {
            head: state.head,
            next: state.next(),
            room,
            window: state.window,
            wanted: state.queue.len(),
            counters: state.counters.clone(),
            times: state.times.clone(),
        }
    }

    /// The number whose turn it is.
    ///
    /// # Examples
    ///
    /// See [`LaneSnapshot`].
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// The number that is issued next.
    ///
    /// # Examples
    ///
    /// See [`LaneSnapshot`].
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// How many numbers are out, from the head to the newest. How many that ever were is
    /// [`most_out`](Counters::most_out).
    ///
    /// # Examples
    ///
    /// See [`LaneSnapshot`].
    #[must_use]
    pub fn out(&self) -> u64 {
        self.next - self.head
    }

    /// How many more could be issued.
    ///
    /// # Examples
    ///
    /// See [`LaneSnapshot`].
    #[must_use]
    pub fn room(&self) -> u32 {
        self.room
    }

    /// How many may be out.
    ///
    /// # Examples
    ///
    /// See [`LaneSnapshot`].
    #[must_use]
    pub fn window(&self) -> u32 {
        self.window
    }

    /// How many wait for tickets.
    ///
    /// # Examples
    ///
    /// See [`LaneSnapshot`].
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// What it counted.
    ///
    /// # Examples
    ///
    /// See [`LaneSnapshot`].
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How long numbers waited for their turns, from the first poll, or lay deposited; if the lane is
    /// [timed](super::LaneBuilder::timed).
    ///
    /// # Examples
    ///
    /// See [`LaneSnapshot`].
    #[must_use]
    pub fn wait_times(&self) -> Option<&Histogram> {
        self.times.as_ref().map(|times| &times.wait)
    }

    /// How long turns were held and the commits of runs took; if the lane is [timed](super::LaneBuilder::timed).
    ///
    /// # Examples
    ///
    /// See [`LaneSnapshot`].
    #[must_use]
    pub fn hold_times(&self) -> Option<&Histogram> {
        self.times.as_ref().map(|times| &times.hold)
    }
}

impl fmt::Display for LaneSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters { committed, deposited, runs, skipped, failed, most_out, .. } = self.counters;
        write!(f, "head {}, {} of {} out, {most_out} at most; ", self.head, self.out(), self.window)?;
        write!(
            f,
            "{committed} committed, {deposited} of them in {runs} runs, {skipped} skipped, {failed} failed"
        )?;
        if let Some(times) = self.times.as_ref().filter(|times| !times.hold.is_empty()) {
            let (wait, hold) = (times.wait.at_most(0.5), times.hold.at_most(0.5));
            write!(f, "; half waited at most {wait:?} and were held at most {hold:?}")?;
        }
        Ok(())
    }
}

impl<T, D> Lane<T, D> {
    /// What it counted so far.
    ///
    /// # Examples
    ///
    /// See [`Counters`].
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.lock().state.counters.clone()
    }

    /// How it stands and what it counted, at this moment.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::Lane;
    ///
    /// let lane = Lane::new((), 4);
    /// let mut first = lane.try_ticket()?;
    /// let _second = lane.try_ticket()?;
    /// drop(first.try_turn()?);
    /// let snapshot = lane.snapshot();
    /// assert_eq!((snapshot.head(), snapshot.next(), snapshot.out(), snapshot.room()), (1, 2, 1, 3));
    /// assert_eq!(
    ///     snapshot.to_string(),
    ///     "head 1, 1 of 4 out, 2 at most; 1 committed, 0 of them in 0 runs, 0 skipped, 0 failed",
    /// );
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> LaneSnapshot {
        let room = self.room();
        LaneSnapshot::take(&self.lock().state, room)
    }
}
