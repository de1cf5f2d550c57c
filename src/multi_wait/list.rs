//! Lists of waits: arrays, vectors and tuples, driven alike.

use crate::dispatch::{Member, Part, Record, is_last_call};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A future of this crate that waits for one object, and so can be part of a wait on several.
///
/// Sealed: any other future takes part through [`until`](crate::until). One that has been answered already is
/// refused by a panic.
///
/// # Examples
///
/// Code over any wait of this crate:
///
/// ```
/// use batons::{ManualResetEvent, Semaphore, WaitError, Waitable, blocking};
///
/// /// The answer of `wait`, unless `stop` is set.
/// fn unless_stopped<W: Waitable>(wait: W, stop: &ManualResetEvent) -> Result<Option<W::Output>, WaitError> {
///     let (_, (_stopped, answer)) = blocking::wait_any((stop.wait(), wait))?;
///     Ok(answer)
/// }
/// let (semaphore, stop) = (Semaphore::new(1, 1), ManualResetEvent::new(false));
/// assert!(unless_stopped(semaphore.acquire(), &stop)?.is_some());
/// stop.set();
/// assert!(unless_stopped(semaphore.acquire(), &stop)?.is_none());
/// # Ok::<_, WaitError>(())
/// ```
pub trait Waitable: Part {
    /// The same wait in a box, its output turned into `O`: for a `Vec` of waits of several kinds.
    ///
    /// `turn` is called under no lock, by the poll that answers; not if the wait ends without this member.
    /// The box is one allocation. It can only be part of a `Vec`; it is no future itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{ManualResetEvent, Semaphore, Waitable, blocking};
    ///
    /// let (stop, work) = (ManualResetEvent::new(true), Semaphore::new(0, 5));
    /// let waits = vec![work.acquire().boxed(|_| "work"), stop.wait().boxed(|()| "stop")];
    /// assert_eq!(blocking::wait_any(waits)?, (1, "stop"));
    /// # Ok::<_, batons::WaitError>(())
    /// ```
    fn boxed<'a, O: 'a>(self, turn: impl FnOnce(Self::Output) -> O + Send + Sync + 'a) -> BoxedWait<'a, O>
    where
        Self: Sized + Send + Sync + 'a,
        Self::Output: Send + Sync,
    {
        BoxedWait(Box::new(Turned { slot: Slot::new(self), turn: Some(turn) }))
    }
}

impl<T: Part> Waitable for T {}

/// A wait in a box; made by [`Waitable::boxed`]. Dropping it gives up the wait in it.
///
/// # Examples
///
/// See [`Waitable::boxed`].
pub struct BoxedWait<'a, O>(Box<dyn Turning<O> + Send + Sync + 'a>);

impl<O> fmt::Debug for BoxedWait<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxedWait").finish_non_exhaustive()
    }
}

/// A driven wait whose output is turned into `O`.
trait Turning<O> {
    fn output(&mut self) -> Option<O>;
    fn driven(&mut self) -> &mut dyn Driven;
}

struct Turned<T: Part, F> {
    slot: Slot<T>,
    turn: Option<F>,
}

impl<T: Part, O, F: FnOnce(T::Output) -> O> Turning<O> for Turned<T, F> {
    fn output(&mut self) -> Option<O> {
        let output = self.slot.output()?;
        Some(self.turn.take()?(output))
    }

    fn driven(&mut self) -> &mut dyn Driven {
        &mut self.slot
    }
}

/// A list of waits: `[T; N]` or `Vec<T>` of one kind, `Vec<BoxedWait>` of several, or a tuple of up to eight
/// [`Waitable`]s. Sealed. Arrays and vectors may have any length, where Win32 has a limit of 64.
///
/// # Examples
///
/// ```
/// use batons::{ManualResetEvent, WaitError, WaitList, blocking};
///
/// fn first<L: WaitList>(waits: L) -> Result<usize, WaitError> {
///     Ok(blocking::wait_any(waits)?.0)
/// }
/// let events: Vec<_> = (0..100).map(|n| ManualResetEvent::new(n == 70)).collect();
/// assert_eq!(first(events.iter().map(|event| event.wait()).collect::<Vec<_>>())?, 70);
/// # Ok::<_, WaitError>(())
/// ```
pub trait WaitList: sealed::IntoList<List: List<Any = Self::Any, All = Self::All>> {
    /// What a wait on any answers beside the index: the output of the one, or a tuple of options of which
    /// one is
    /// `Some`.
    type Any;
    /// What a wait on all answers: the outputs of all, in the shape of the list.
    type All;
}

mod sealed {
    pub trait IntoList {
        type List;
        fn into_list(self) -> Self::List;
    }
}

/// The futures of a list, and what they have answered.
pub trait List {
    type Any;
    type All;
    fn len(&self) -> usize;
    fn slot(&mut self, index: usize) -> &mut dyn Driven;
    fn any(&mut self, index: usize) -> Option<Self::Any>;
    fn all(&mut self) -> Option<Self::All>;
}

type Refusal = Box<dyn Error + Send + Sync>;

/// One future of a list, whatever its kind.
pub trait Driven {
    /// What identifies its object.
    fn id(&mut self) -> Option<u64>;
    fn drive(&mut self, cx: &mut Context<'_>);
    fn attend(&mut self);
    /// Asks without standing in line; true if it was answered.
    fn ask(&mut self) -> bool;
    /// Stands in line as a place of `record`; true if it was answered instead.
    fn join(&mut self, record: &Arc<Record>, index: usize) -> bool;
    fn join_all(&mut self, record: &Arc<Record>, index: usize) -> Result<(), Refusal>;
    fn member(&mut self) -> Option<Member>;
    /// Takes the answer after the record was claimed for it; false if there is none.
    fn collect(&mut self) -> bool;
    fn collect_all(&mut self) -> Result<(), Refusal>;
    /// Leaves the line, giving back what it was granted.
    fn part(&mut self);
}

/// A future and its answer.
#[allow(missing_debug_implementations)] // the lists' own futures are what is seen
pub struct Slot<T: Part> {
    part: T,
    output: Option<T::Output>,
}

impl<T: Part> Slot<T> {
    /// # Panics
    ///
    /// If the wait was answered already.
    pub(super) fn new(mut part: T) -> Self {
        assert!(part.wait().is_some(), "a wait that has answered cannot be part of another one");
        Self { part, output: None }
    }

    pub(super) fn output(&mut self) -> Option<T::Output> {
        self.output.take()
    }

    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<T::Output> {
        let Some((header, wait)) = self.part.wait() else { return Poll::Pending };
        match wait.poll(header, cx) {
            Poll::Ready(answer) => Poll::Ready(self.part.finish(answer)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: Part> Driven for Slot<T> {
    fn id(&mut self) -> Option<u64> {
        self.part.wait().map(|(header, _)| header.id())
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        self.part.drive(cx);
    }

    fn attend(&mut self) {
        self.part.attend();
    }

    fn ask(&mut self) -> bool {
        let answer = self.part.wait().and_then(|(header, wait)| wait.now(header));
        self.output = answer.map(|answer| self.part.finish(answer));
        self.output.is_some()
    }

    fn join(&mut self, record: &Arc<Record>, index: usize) -> bool {
        let answer = self.part.wait().and_then(|(header, wait)| wait.join(header, record, index));
        self.output = answer.map(|answer| self.part.finish(answer));
        self.output.is_some()
    }

    fn join_all(&mut self, record: &Arc<Record>, index: usize) -> Result<(), Refusal> {
        match self.part.wait().and_then(|(header, wait)| wait.join(header, record, index)) {
            Some(Err(refusal)) => Err(refusal.into()),
            _ => Ok(()),
        }
    }

    fn member(&mut self) -> Option<Member> {
        self.part.wait().map(|(header, wait)| wait.member(header))
    }

    fn collect(&mut self) -> bool {
        let answer = self.part.wait().and_then(|(header, wait)| wait.collect(header));
        self.output = answer.map(|answer| self.part.finish(answer));
        self.output.is_some()
    }

    fn collect_all(&mut self) -> Result<(), Refusal> {
        match self.part.wait().and_then(|(header, wait)| wait.collect(header)) {
            Some(Err(refusal)) => Err(refusal.into()),
            Some(granted) => {
                self.output = Some(self.part.finish(granted));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn part(&mut self) {
        if let Some((header, wait)) = self.part.wait() {
            wait.part(header);
        }
    }
}

// ===== all members at once =====

/// Takes all members but one out of their lines.
pub(super) fn part(list: &mut impl List, but: Option<usize>) {
    for index in (0..list.len()).filter(|&index| Some(index) != but) {
        list.slot(index).part();
    }
}

/// The end of a poll without an answer: the members see to it that they are signaled. Not before, since what is
/// answered at once needs nobody who rings.
pub(super) fn attend<T>(list: &mut impl List, cx: &Context<'_>) -> Poll<T> {
    for index in (0..list.len()).filter(|_| !is_last_call(cx.waker())) {
        list.slot(index).attend();
    }
    Poll::Pending
}

/// Lets members that need it make progress.
pub(super) fn drive(list: &mut impl List, cx: &mut Context<'_>) {
    for index in 0..list.len() {
        list.slot(index).drive(cx);
    }
}

// ===== vectors and arrays =====

impl<T: Waitable> sealed::IntoList for Vec<T> {
    type List = Vec<Slot<T>>;

    fn into_list(self) -> Self::List {
        self.into_iter().map(Slot::new).collect()
    }
}

impl<T: Waitable> WaitList for Vec<T> {
    type Any = T::Output;
    type All = Vec<T::Output>;
}

impl<T: Part> List for Vec<Slot<T>> {
    type Any = T::Output;
    type All = Vec<T::Output>;

    fn len(&self) -> usize {
        self.len()
    }

    fn slot(&mut self, index: usize) -> &mut dyn Driven {
        &mut self[index]
    }

    fn any(&mut self, index: usize) -> Option<T::Output> {
        self[index].output()
    }

    fn all(&mut self) -> Option<Vec<T::Output>> {
        self.iter_mut().map(Slot::output).collect()
    }
}

impl<O> sealed::IntoList for Vec<BoxedWait<'_, O>> {
    type List = Self;

    fn into_list(self) -> Self {
        self
    }
}

impl<O> WaitList for Vec<BoxedWait<'_, O>> {
    type Any = O;
    type All = Vec<O>;
}

impl<O> List for Vec<BoxedWait<'_, O>> {
    type Any = O;
    type All = Vec<O>;

    fn len(&self) -> usize {
        self.len()
    }

    fn slot(&mut self, index: usize) -> &mut dyn Driven {
        self[index].0.driven()
    }

    fn any(&mut self, index: usize) -> Option<O> {
        self[index].0.output()
    }

    fn all(&mut self) -> Option<Vec<O>> {
        self.iter_mut().map(|wait| wait.0.output()).collect()
    }
}

impl<T: Waitable, const N: usize> sealed::IntoList for [T; N] {
    type List = [Slot<T>; N];

    fn into_list(self) -> Self::List {
        self.map(Slot::new)
    }
}

impl<T: Waitable, const N: usize> WaitList for [T; N] {
    type Any = T::Output;
    type All = [T::Output; N];
}

impl<T: Part, const N: usize> List for [Slot<T>; N] {
    type Any = T::Output;
    type All = [T::Output; N];

    fn len(&self) -> usize {
        N
    }

    fn slot(&mut self, index: usize) -> &mut dyn Driven {
        &mut self[index]
    }

    fn any(&mut self, index: usize) -> Option<T::Output> {
        self[index].output()
    }

    fn all(&mut self) -> Option<[T::Output; N]> {
        let outputs: Option<Vec<_>> = self.iter_mut().map(Slot::output).collect();
        outputs?.try_into().ok()
    }
}

// ===== tuples =====

macro_rules! tuple {
    ($len:literal: $($T:ident $index:tt),+) => {
        impl<$($T: Waitable),+> sealed::IntoList for ($($T,)+) {
            type List = ($(Slot<$T>,)+);

            fn into_list(self) -> Self::List {
                ($(Slot::new(self.$index),)+)
            }
        }

        impl<$($T: Waitable),+> WaitList for ($($T,)+) {
            type Any = ($(Option<$T::Output>,)+);
            type All = ($($T::Output,)+);
        }

        impl<$($T: Part),+> List for ($(Slot<$T>,)+) {
            type Any = ($(Option<$T::Output>,)+);
            type All = ($($T::Output,)+);

            fn len(&self) -> usize {
                $len
            }

            fn slot(&mut self, index: usize) -> &mut dyn Driven {
                match index {
                    $($index => &mut self.$index,)+
                    _ => unreachable!("a list is asked only for what it has"),
                }
            }

            fn any(&mut self, _: usize) -> Option<Self::Any> {
                Some(($(self.$index.output(),)+))
            }

            fn all(&mut self) -> Option<Self::All> {
                Some(($(self.$index.output()?,)+))
            }
        }
    };
}

tuple!(1: A 0);
tuple!(2: A 0, B 1);
tuple!(3: A 0, B 1, C 2);
tuple!(4: A 0, B 1, C 2, D 3);
tuple!(5: A 0, B 1, C 2, D 3, E 4);
tuple!(6: A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(7: A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
