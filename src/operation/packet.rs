//! The packets of a port, and the wait for them.

use super::load::{Desk, Load};
use super::port::CompletionPort;
use super::store::Row;
use crate::dispatch::{Answer, Halves, Leave, Part, Wait, drop_part, poll_part};
use crate::error::PortClosed;
use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    pin::Pin,
    task::{Context, Poll},
};

// ===== through what, and how many =====

pub(super) mod sealed {
    use super::{CompletionPort, Row};

    /// A handle or a reference to one.
    pub trait Handle {
        type Packet;

        fn port(&self) -> &CompletionPort<Self::Packet>;
    }

    impl<T> Handle for CompletionPort<T> {
        type Packet = T;

        fn port(&self) -> &CompletionPort<T> {
            self
        }
    }

    impl<T> Handle for &CompletionPort<T> {
        type Packet = T;

        fn port(&self) -> &CompletionPort<T> {
            self
        }
    }

    /// One packet, or several.
    pub trait Content<T>: Sized {
        fn taken(packets: Taking<'_, T>) -> Self;
    }

    /// Packets that were granted.
    #[allow(missing_debug_implementations)] // nobody outside has one
    pub struct Taking<'a, T> {
        pub(in super::super) row: &'a Row<T>,
        pub(in super::super) n: usize,
    }

    impl<T> Content<T> for T {
        fn taken(packets: Taking<'_, T>) -> Self {
            packets.row.pop().expect("a packet is there before it is counted")
        }
    }

    impl<T> Content<T> for Vec<T> {
        fn taken(packets: Taking<'_, T>) -> Self {
            packets.row.pop_many(packets.n)
        }
    }
}

use sealed::{Content, Handle, Taking};

// ===== packet =====

/// A packet held through a reference: what [`CompletionPort::next`] answers.
///
/// # Examples
///
/// See [`CompletionPort::next`].
pub type Packet<'a, T> = HeldPacket<&'a CompletionPort<T>, T>;

/// A packet held through a handle of its own: what [`CompletionPort::next_owned`] answers.
///
/// # Examples
///
/// See [`CompletionPort::next_owned`].
pub type OwnedPacket<T> = HeldPacket<CompletionPort<T>, T>;

/// Several packets held through a reference: what [`CompletionPort::next_many`] answers.
///
/// # Examples
///
/// See [`CompletionPort::next_many`].
pub type Packets<'a, T> = HeldPacket<&'a CompletionPort<T>, Vec<T>>;

/// Several packets held through a handle of their own: what [`CompletionPort::next_many_owned`] answers.
///
/// # Examples
///
/// See [`CompletionPort::next_many_owned`].
pub type OwnedPackets<T> = HeldPacket<CompletionPort<T>, Vec<T>>;

/// A packet that is worked on, or several: it counts as running at its port until it is dropped. Used by its names
/// [`Packet`], [`OwnedPacket`], [`Packets`] and [`OwnedPackets`].
///
/// Dropping it ends the work first and drops what it holds then. In Win32 a thread is what counts, until it asks for the next
/// packet or blocks; nobody sees a task block, so the guard counts (ours).
///
/// # Examples
///
/// ```
/// use batons::CompletionPort;
///
/// let port = CompletionPort::new(1);
/// port.post(vec![1, 2])?;
/// let mut packet = port.try_next().unwrap();
/// packet.push(3); // derefs to what was posted
/// assert_eq!((packet.len(), port.running()), (3, 1));
/// drop(packet);
/// assert_eq!(port.running(), 0);
/// # Ok::<_, batons::PortClosed<Vec<i32>>>(())
/// ```
#[must_use = "the packet is dropped at once"]
#[clippy::has_significant_drop]
pub struct HeldPacket<H: Handle, C> {
    running: Running<H>,
    content: C,
}

/// Counts as running.
struct Running<H: Handle>(H);

impl<H: Handle> Drop for Running<H> {
    fn drop(&mut self) {
        self.0.port().shared.header.change(|state| (state - Load::RUNNING, ()));
    }
}

impl<H: Handle, C: Content<H::Packet>> HeldPacket<H, C> {
    /// Takes out the `n` packets that were granted.
    pub(super) fn taking(port: H, n: u32) -> Self {
        let content = C::taken(Taking { row: &port.port().shared.packets, n: n as usize });
        Self { running: Running(port), content }
    }
}

impl<H: Handle, C> HeldPacket<H, C> {
    /// Takes the packet out and ends its running: another gets in.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// let port = CompletionPort::new(1);
    /// port.post("job".to_owned())?;
    /// let job: String = port.try_next().unwrap().into_inner();
    /// assert_eq!((job.as_str(), port.running()), ("job", 0));
    /// # Ok::<_, batons::PortClosed<String>>(())
    /// ```
    pub fn into_inner(self) -> C {
        let Self { running, content } = self;
        drop(running);
        content
    }
}

impl<H: Handle, C> Deref for HeldPacket<H, C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.content
    }
}

impl<H: Handle, C> DerefMut for HeldPacket<H, C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.content
    }
}

impl<H: Handle, C> fmt::Debug for HeldPacket<H, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldPacket").field("port", self.running.0.port()).finish_non_exhaustive()
    }
}

// ===== future =====

/// Future of [`CompletionPort::next`], [`next_owned`](CompletionPort::next_owned), [`next_many`](CompletionPort::next_many) and
/// [`next_many_owned`](CompletionPort::next_many_owned).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NextPacket<H: Handle, C: Content<H::Packet>> {
    /// Leaves with the answer.
    port: Option<H>,
    wait: Wait<Desk>,
    content: PhantomData<fn() -> C>,
}

impl<H: Handle, C: Content<H::Packet>> NextPacket<H, C> {
    pub(super) fn new(port: H, most: u32) -> Self {
        let wait = Wait::new(most, 0, Leave::Vacant);
        Self { port: Some(port), wait, content: PhantomData }
    }
}

// Nothing in here is ever pinned.
impl<H: Handle, C: Content<H::Packet>> Unpin for NextPacket<H, C> {}

impl<H: Handle, C: Content<H::Packet>> Part for NextPacket<H, C> {
    type Policy = Desk;

    fn wait(&mut self) -> Option<Halves<'_, Desk>> {
        Some((&self.port.as_ref()?.port().shared.header, &mut self.wait))
    }

    fn finish(&mut self, answer: Answer<Desk>) -> Self::Output {
        let port = self.port.take().expect("a wait is answered once");
        answer.map(|n| HeldPacket::taking(port, n))
    }
}

impl<H: Handle, C: Content<H::Packet>> Future for NextPacket<H, C> {
    type Output = Result<HeldPacket<H, C>, PortClosed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_part(&mut *self, cx, "NextPacket")
    }
}

impl<H: Handle, C: Content<H::Packet>> Drop for NextPacket<H, C> {
    fn drop(&mut self) {
        drop_part(self);
    }
}

impl<H: Handle, C: Content<H::Packet>> fmt::Debug for NextPacket<H, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextPacket").field("most", &self.wait.request()).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<H: Handle, C: Content<H::Packet>> futures::future::FusedFuture for NextPacket<H, C> {
    fn is_terminated(&self) -> bool {
        self.port.is_none()
    }
}
