//! Completion ports: packets in line for those who work on them, and a bound on how many work at once. Their
//! rules are in `load.rs`.

use super::load::{Desk, Load};
use super::packet::{HeldPacket, NextPacket, Packet};
use super::store::Row;
use super::task::End;
use super::{Operation, OperationTask};
use crate::dispatch::{Header, Leave, Wait};
use crate::error::{OperationError, PortClosed, TryNextError};
use std::{fmt, future::Future, sync::Arc};

// ===== the object =====

/// What the handles of a port share.
pub(super) struct Shared<T> {
    pub(super) header: Arc<Header<Desk>>,
    pub(super) packets: Row<T>,
}

/// A queue of packets, and a bound on how many are worked on at once. Win32 `CreateIoCompletionPort`.
///
/// Clones are handles to one port. [`post`](CompletionPort::post) queues a packet, and so does every operation
/// that was started with [`spawn`](CompletionPort::spawn) when it completes. [`next`](CompletionPort::next)
/// takes one; the [`Packet`] counts as running until it is dropped, and there are never more of them than the
/// concurrency. For a result that somebody waits for, take the [`Operation`] itself.
///
/// # Concurrency
///
/// In Win32 a thread counts from when it gets a packet until it asks again or blocks, which the system sees.
/// Nothing sees what a task does, so here the guard counts. Call [`into_inner`](HeldPacket::into_inner), or
/// drop the guard, before waiting for long, and another gets in.
///
/// # Order
///
/// Packets are taken in the order in which they were posted, and waiters are served in the order of their first
/// polls. Win32 releases the thread that came last, whose caches are warm; a task has none, and the first would
/// starve.
///
/// # Memory ordering
///
/// What was done before a post is visible to whoever gets its packet; and what was done before the end of a guard
/// to whoever gets in because of it.
///
/// # Examples
///
/// ```
/// use batons::CompletionPort;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), batons::PortClosed> {
/// let port = CompletionPort::new(2);
/// for job in ["a", "b", "c"] {
///     port.post(job).expect("it is open");
/// }
/// let (first, _second) = (port.next().await?, port.next().await?);
/// assert_eq!(*first, "a");
/// assert!(port.try_next().is_err(), "two are running");
/// drop(first);
/// assert_eq!(*port.next().await?, "c");
/// # Ok(())
/// # }
/// ```
pub struct CompletionPort<T> {
    pub(super) shared: Arc<Shared<T>>,
}

impl<T> CompletionPort<T> {
    /// Creates an empty port at which up to `concurrency` packets are worked on at once; 0 means as many as
    /// there are processors for this process.
    ///
    /// # Panics
    ///
    /// If `concurrency` is more than 2,147,483,647.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// let port = CompletionPort::<u8>::new(0);
    /// assert!(port.concurrency() > 0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new(concurrency: u32) -> Self {
        let concurrency = if concurrency == 0 { crate::sync::processors() } else { concurrency };
        assert!(
            u64::from(concurrency) < Load::CLOSED,
            "the concurrency of a port must be less than 2^31, not {concurrency}; none was made"
        );
        let header = Arc::new(Header::new(Desk { concurrency }, 0));
        Self { shared: Arc::new(Shared { header, packets: Row::new() }) }
    }

    /// Queues a packet, and serves the line. Win32 `PostQueuedCompletionStatus`.
    ///
    /// Whether it comes before or after a [`close`](CompletionPort::close) is decided in one step: what was
    /// accepted is there to be taken.
    ///
    /// # Errors
    ///
    /// [`PortClosed`], with the packet in it.
    ///
    /// # Panics
    ///
    /// If there are 2,147,483,647 packets already; or if a waker does, and the packet has been queued then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// let port = CompletionPort::new(1);
    /// port.post((7, "seven"))?;
    /// assert_eq!(port.try_next().unwrap().into_inner(), (7, "seven"));
    /// # Ok::<_, batons::PortClosed<(i32, &str)>>(())
    /// ```
    #[track_caller]
    pub fn post(&self, packet: T) -> Result<(), PortClosed<T>> {
        let posted = self.shared.header.change_once(|state| {
            if Load(state).is_closed() {
                return (state, Err((packet, true)));
            }
            // Those granted and not yet seen are still there, and may have to be counted again.
            match self.shared.packets.push(packet, Load::MOST as usize) {
                Ok(()) => (state + Load::QUEUED, Ok(())),
                Err(packet) => (state, Err((packet, false))),
            }
        });
        match posted {
            Ok(()) => Ok(()),
            Err((packet, true)) => Err(PortClosed(packet)),
            Err((_, false)) => panic!("a completion port holds 2^31 - 1 packets at most; nothing was posted"),
        }
    }

    /// Waits for a packet. Win32 `GetQueuedCompletionStatus`.
    ///
    /// The first poll takes the packet at the head, if there is one, not too many are running, and nobody is in
    /// line; or it stands in line. Whoever posts, or ends a guard, counts the packet off for the first in line
    /// before waking it. It takes part in [`wait_any`](crate::wait_any). A packet that tells of a failure is a
    /// packet like any other. The thread's form is [`blocking_next`](CompletionPort::blocking_next).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Dropping the future before the grant gives up the place in line. After the grant the packet, which
    /// was not seen, is at the head again, and goes to the next in line.
    ///
    /// # Errors
    ///
    /// [`PortClosed`], once no packet is left.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::PortClosed> {
    /// let port = CompletionPort::new(1);
    /// port.post("job").expect("it is open");
    /// let packet = port.next().await?;
    /// assert_eq!((*packet, port.running()), ("job", 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn next(&self) -> NextPacket<&Self, T> {
        NextPacket::new(self, 1)
    }

    /// [`next`](CompletionPort::next) with a future and a packet that may leave the scope.
    ///
    /// # Cancel safety
    ///
    /// As [`next`](CompletionPort::next).
    ///
    /// # Errors
    ///
    /// As [`next`](CompletionPort::next).
    ///
    /// # Panics
    ///
    /// As [`next`](CompletionPort::next).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{CompletionPort, OwnedPacket};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::PortClosed> {
    /// let port = CompletionPort::new(1);
    /// port.post(1).expect("it is open");
    /// let packet: OwnedPacket<i32> = port.next_owned().await?;
    /// tokio::spawn(async move { assert_eq!(*packet, 1) }).await.unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_owned(&self) -> NextPacket<Self, T> {
        NextPacket::new(self.clone(), 1)
    }

    /// Waits for at least one packet and takes up to `most`, all in one guard that counts as one. Win32
    /// `GetQueuedCompletionStatusEx`.
    ///
    /// # Cancel safety
    ///
    /// As [`next`](CompletionPort::next).
    ///
    /// # Errors
    ///
    /// As [`next`](CompletionPort::next).
    ///
    /// # Panics
    ///
    /// If `most` is 0; otherwise as [`next`](CompletionPort::next).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::PortClosed> {
    /// let port = CompletionPort::new(1);
    /// (1..=3).for_each(|n| port.post(n).expect("it is open"));
    /// assert_eq!(*port.next_many(2).await?, [1, 2]);
    /// assert_eq!(*port.next_many(2).await?, [3]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn next_many(&self, most: u32) -> NextPacket<&Self, Vec<T>> {
        check_most(most);
        NextPacket::new(self, most)
    }

    /// [`next_many`](CompletionPort::next_many) with a future and a guard that may leave the scope.
    ///
    /// # Cancel safety
    ///
    /// As [`next`](CompletionPort::next).
    ///
    /// # Errors
    ///
    /// As [`next`](CompletionPort::next).
    ///
    /// # Panics
    ///
    /// As [`next_many`](CompletionPort::next_many).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{CompletionPort, OwnedPackets};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::PortClosed> {
    /// let port = CompletionPort::new(1);
    /// port.post(1).expect("it is open");
    /// let packets: OwnedPackets<i32> = port.next_many_owned(8).await?;
    /// assert_eq!(packets.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn next_many_owned(&self, most: u32) -> NextPacket<Self, Vec<T>> {
        check_most(most);
        NextPacket::new(self.clone(), most)
    }

    /// Takes the packet at the head if that needs no waiting. Win32 `GetQueuedCompletionStatus` with a time-out
    /// of 0.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](TryNextError::WouldBlock), [`Closed`](TryNextError::Closed). Nothing is changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{CompletionPort, TryNextError};
    /// let port = CompletionPort::<u8>::new(1);
    /// assert_eq!(port.try_next().unwrap_err(), TryNextError::WouldBlock);
    /// port.close();
    /// assert_eq!(port.try_next().unwrap_err(), TryNextError::Closed);
    /// ```
    pub fn try_next(&self) -> Result<Packet<'_, T>, TryNextError> {
        match Wait::new(1, 0, Leave::Vacant).now(&self.shared.header) {
            Some(granted) => Ok(granted.map(|n| HeldPacket::taking(self, n))?),
            None => Err(TryNextError::WouldBlock),
        }
    }

    /// Creates an operation whose result is posted here, and the task that does its work, for any executor;
    /// [`spawn`](CompletionPort::spawn) says how it behaves.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// let port = CompletionPort::new(1);
    /// let (_, task) = port.operation(async { 42 }, |result| result.unwrap());
    /// batons::blocking::wait(task);
    /// assert_eq!(port.try_next().unwrap().into_inner(), 42);
    /// ```
    pub fn operation<F, M>(&self, work: F, packet: M) -> (Operation<F::Output>, OperationTask<F>)
    where
        T: Send + 'static,
        F: Future,
        M: FnOnce(Result<F::Output, OperationError>) -> T + Send + 'static,
    {
        let port = self.clone();
        let end = End::Post(Box::new(move |result| drop(port.post(packet(result)))));
        let (operation, task) = Operation::ending(work, end);
        operation.detach();
        (operation, task)
    }

    /// Ends the port, and returns whether it was closed before. Win32 closes the handle.
    ///
    /// No packet is accepted any more. What is queued can still be taken, also by those who wait for others to
    /// finish; when nothing is queued everyone in line, and everyone who comes later, gets [`PortClosed`]. A
    /// packet that was granted and not yet seen is still answered; if its wait is dropped instead, the
    /// packet can be taken again.
    ///
    /// # Panics
    ///
    /// Only if a waker does; the others have been woken then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// let port = CompletionPort::new(1);
    /// port.post(1).expect("it is open");
    /// assert!(!port.close());
    /// assert_eq!(*port.blocking_next()?, 1);
    /// assert!(port.blocking_next().is_err());
    /// # Ok::<_, batons::PortClosed>(())
    /// ```
    #[allow(clippy::must_use_candidate)] // the state before is of use to some
    pub fn close(&self) -> bool {
        self.shared.header.change(|state| (state | Load::CLOSED, Load(state).is_closed()))
    }

    /// Whether the port was closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// assert!(!CompletionPort::<u8>::new(1).is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.load().is_closed()
    }

    /// How many packets are queued. Stale as soon as it is read: report it, do not act on it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// let port = CompletionPort::new(1);
    /// port.post(1).expect("it is open");
    /// assert_eq!(port.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.load().queued() as usize
    }

    /// Whether no packet is queued. Stale as soon as it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// assert!(CompletionPort::<u8>::new(1).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many guards are running, those granted and not yet seen among them. Stale as soon as it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// assert_eq!(CompletionPort::<u8>::new(1).running(), 0);
    /// ```
    #[must_use]
    pub fn running(&self) -> u32 {
        self.load().running()
    }

    /// How many may be running at once.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// assert_eq!(CompletionPort::<u8>::new(3).concurrency(), 3);
    /// ```
    #[must_use]
    pub fn concurrency(&self) -> u32 {
        self.shared.header.policy().concurrency
    }

    fn load(&self) -> Load {
        Load(self.shared.header.state())
    }
}

#[track_caller]
fn check_most(most: u32) {
    assert!(most > 0, "a wait for at most 0 packets would wait for ever; none was made");
}

impl<T> Clone for CompletionPort<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> fmt::Debug for CompletionPort<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = self.load();
        f.debug_struct("CompletionPort")
            .field("queued", &load.queued())
            .field("running", &load.running())
            .field("closed", &load.is_closed())
            .finish_non_exhaustive()
    }
}
