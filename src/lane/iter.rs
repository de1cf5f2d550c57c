//! Iterators whose items are worked on by several threads and come out in order.

use super::crew::Crew;
use super::{Deposits, Lane, Ticket, builder::check_window};
use crate::blocking;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::{fmt, future::poll_fn, iter::FusedIterator, thread};

/// What lanes add to each [`Iterator`].
///
/// # Examples
///
/// See [`in_lane`](LaneIteratorExt::in_lane).
pub trait LaneIteratorExt: Iterator + Sized {
    /// What `work` makes of the items, in the order of the items, worked on by at most `threads` threads, which are started as they are
    /// needed.
    ///
    /// At most `window` items are between the source and the consumer, however slow the first of them or the consumer
    /// is. The source is asked by the consumer, in `next`; what was begun goes on meanwhile.
    ///
    /// Rayon's `par_iter` is faster where all results fit into memory and are wanted at the end; it has no ordered form that
    /// streams.
    ///
    /// A panic of `work` is raised in its place: everything before it comes out first, and nothing after it. Dropping
    /// the iterator ends the threads, each after the item that it is at.
    ///
    /// # Panics
    ///
    /// If `window` is 0 or more than `i32::MAX` or `threads` is 0. In `next`: if `work` panicked, if no thread can be
    /// started, and on a worker thread of a tokio runtime; see [`blocking`].
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::LaneIteratorExt;
    ///
    /// let lengths = ["all", "in", "their", "order"].into_iter().in_lane(8, 2, str::len);
    /// assert_eq!(lengths.collect::<Vec<_>>(), [3, 2, 5, 5]);
    /// ```
    #[track_caller]
    fn in_lane<F, R>(self, window: u32, threads: usize, work: F) -> InLaneIter<Self, F, R>
    where
        F: Fn(Self::Item) -> R + Send + Sync + 'static,
        Self::Item: Send + 'static,
        R: Send + 'static,
    {
        check_window(window);
        assert!(threads > 0, "a crew has at least one worker");
        let lane = Lane::builder().window(window).build(());
        InLaneIter {
            source: Some(self),
            work: Arc::new(work),
            crew: Crew::new(),
            deposits: lane.into_stream(),
            window: u64::from(window),
            threads,
            started: 0,
            out: 0,
        }
    }
}

impl<I: Iterator> LaneIteratorExt for I {}

type Job<T, R> = (Ticket<(), thread::Result<R>>, T);

/// The results of [`LaneIteratorExt::in_lane`].
///
/// # Examples
///
/// See [`LaneIteratorExt::in_lane`].
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct InLaneIter<I: Iterator, F, R> {
    /// Absent once it has ended.
    source: Option<I>,
    work: Arc<F>,
    crew: Crew<Job<I::Item, R>>,
    deposits: Deposits<(), thread::Result<R>>,
    window: u64,
    threads: usize,
    started: usize,
    /// How many items are between the source and the consumer.
    out: u64,
}

impl<I, F, R> InLaneIter<I, F, R>
where
    I: Iterator<Item: Send + 'static>,
    F: Fn(I::Item) -> R + Send + Sync + 'static,
    R: Send + 'static,
{
    /// Takes from the source what there is room for.
    fn feed(&mut self) {
        // A quarter of the window at a time, unless somebody may have nothing to do.
        if self.window - self.out < (self.window / 4).max(1) && !self.crew.is_hungry() {
            return;
        }
        while self.out < self.window {
            let Some(source) = &mut self.source else { return };
            let Some(item) = source.next() else {
                self.source = None;
                self.deposits.lane().close();
                self.crew.finish();
                return;
            };
            // Nobody else takes tickets, so there is room.
            let Ok(ticket) = self.deposits.lane().try_ticket() else { return };
            self.crew.push((ticket, item));
            self.out += 1;
            if self.started < self.threads {
                self.start();
            }
        }
    }

    fn start(&mut self) {
        let (crew, work) = (self.crew.clone(), Arc::clone(&self.work));
        let started = thread::Builder::new().name("in_lane".to_owned()).spawn(move || {
            while let Some((ticket, item)) = blocking::wait(crew.next()) {
                let result = catch_unwind(AssertUnwindSafe(|| work(item)));
                if ticket.deposit(result).is_err() {
                    return;
                }
            }
        });
        match started {
            Ok(_) => self.started += 1,
            Err(error) => assert!(self.started > 0, "no thread can be started: {error}"),
        }
    }
}

impl<I: Iterator, F, R> InLaneIter<I, F, R> {
    fn stop(&mut self) {
        self.source = None;
        self.deposits.lane().cancel();
        self.crew.cancel();
    }
}

impl<I, F, R> Iterator for InLaneIter<I, F, R>
where
    I: Iterator<Item: Send + 'static>,
    F: Fn(I::Item) -> R + Send + Sync + 'static,
    R: Send + 'static,
{
    type Item = R;

    fn next(&mut self) -> Option<R> {
        self.feed();
        match blocking::wait(poll_fn(|cx| self.deposits.poll_deposit(cx))) {
            Some(Ok(Ok(result))) => {
                self.out -= 1;
                Some(result)
            }
            Some(Ok(Err(panic))) => {
                self.stop();
                resume_unwind(panic)
            }
            // Only after a panic.
            Some(Err(_)) | None => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let out = usize::try_from(self.out).unwrap_or(usize::MAX);
        let (least, most) = self.source.as_ref().map_or((0, Some(0)), Iterator::size_hint);
        (least.saturating_add(out), most.and_then(|most| most.checked_add(out)))
    }
}

impl<I, F, R> FusedIterator for InLaneIter<I, F, R>
where
    I: Iterator<Item: Send + 'static>,
    F: Fn(I::Item) -> R + Send + Sync + 'static,
    R: Send + 'static,
{
}

impl<I: Iterator, F, R> Drop for InLaneIter<I, F, R> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<I: Iterator, F, R> fmt::Debug for InLaneIter<I, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InLaneIter")
            .field("deposits", &self.deposits)
            .field("threads", &self.threads)
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}
