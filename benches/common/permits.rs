//! Semaphores.

use super::signals::yield_once;
use futures_intrusive::sync as intrusive;
use std::{
    cell::RefCell,
    collections::VecDeque,
    future::{Future, poll_fn},
    sync::Arc,
    task::{Poll, Waker},
};

/// Permits to be had and given back.
pub(crate) trait Permits: Clone + Send + Sync + 'static {
    const NAME: &'static str;
    /// Can acquire several at once.
    const MANY: bool = true;

    fn new(permits: u32) -> Self;

    /// Waits for `n` permits; they go back when the answer is dropped.
    fn acquire(&self, n: u32) -> impl Future<Output = impl Send> + Send;

    /// Has `n` permits while the other tasks run once.
    fn turn(&self, n: u32) -> impl Future<Output = ()> + Send {
        async move {
            let permits = self.acquire(n).await;
            yield_once().await;
            drop(permits);
        }
    }
}

/// The floor on one thread: a count and a line of wakers, no synchronization at all. It knows one permit at a
/// time.
#[derive(Clone)]
pub(crate) struct Wakers;

struct Line {
    free: u32,
    /// How many who stood in line were served.
    served: u64,
    wakers: VecDeque<Waker>,
}

impl Line {
    const fn new(free: u32) -> Self {
        Self { free, served: 0, wakers: VecDeque::new() }
    }
}

thread_local! {
    // The thread's own, since tokio wants tasks to be `Send`.
    static LINE: RefCell<Line> = const { RefCell::new(Line::new(0)) };
}

pub(crate) struct WakersPermit;

impl Drop for WakersPermit {
    fn drop(&mut self) {
        let next = LINE.with_borrow_mut(|line| {
            let next = line.wakers.pop_front();
            if next.is_some() {
                line.served += 1;
            } else {
                line.free += 1;
            }
            next
        });
        if let Some(next) = next {
            next.wake();
        }
    }
}

impl Permits for Wakers {
    const NAME: &'static str = "floor: deque of wakers";
    const MANY: bool = false;

    fn new(permits: u32) -> Self {
        LINE.set(Line::new(permits));
        Self
    }

    async fn acquire(&self, _: u32) -> impl Send {
        let mut number = None;
        poll_fn(|cx| {
            LINE.with_borrow_mut(|line| match number {
                None if line.free > 0 => {
                    line.free -= 1;
                    Poll::Ready(())
                }
                None => {
                    number = Some(line.served + line.wakers.len() as u64);
                    line.wakers.push_back(cx.waker().clone());
                    Poll::Pending
                }
                Some(number) if number < line.served => Poll::Ready(()),
                Some(_) => Poll::Pending,
            })
        })
        .await;
        WakersPermit
    }
}

impl Permits for batons::Semaphore {
    const NAME: &'static str = "batons Semaphore";

    fn new(permits: u32) -> Self {
        Self::new(permits, permits)
    }

    // Unwrapped, as a caller would, before the answer is handed on: what is moved is the permit.
    async fn acquire(&self, n: u32) -> impl Send {
        self.acquire_many(n).await.expect("never closed")
    }
}

impl Permits for Arc<tokio::sync::Semaphore> {
    const NAME: &'static str = "tokio Semaphore";

    fn new(permits: u32) -> Self {
        Self::new(tokio::sync::Semaphore::new(index(permits)))
    }

    // Unwrapped, as a caller would, before the answer is handed on: what is moved is the permit.
    async fn acquire(&self, n: u32) -> impl Send {
        self.acquire_many(n).await.expect("never closed")
    }
}

impl Permits for Arc<asyncband::semaphore::Semaphore> {
    const NAME: &'static str = "asyncband Semaphore";

    fn new(permits: u32) -> Self {
        Self::new(asyncband::semaphore::Semaphore::new(index(permits)))
    }

    fn acquire(&self, n: u32) -> impl Future<Output = impl Send> + Send {
        (**self).acquire(index(n))
    }
}

impl Permits for Arc<maitake_sync::Semaphore> {
    const NAME: &'static str = "maitake Semaphore";

    fn new(permits: u32) -> Self {
        Self::new(maitake_sync::Semaphore::new(index(permits)))
    }

    fn acquire(&self, n: u32) -> impl Future<Output = impl Send> + Send {
        (**self).acquire(index(n))
    }
}

impl Permits for Arc<async_lock::Semaphore> {
    const NAME: &'static str = "async-lock Semaphore (newcomers overtake)";
    const MANY: bool = false;

    fn new(permits: u32) -> Self {
        Self::new(async_lock::Semaphore::new(index(permits)))
    }

    fn acquire(&self, _: u32) -> impl Future<Output = impl Send> + Send {
        (**self).acquire()
    }
}

#[derive(Clone)]
pub(crate) struct Fair(Arc<intrusive::Semaphore>);

impl Permits for Fair {
    const NAME: &'static str = "futures-intrusive Semaphore, fair";

    fn new(permits: u32) -> Self {
        Self(Arc::new(intrusive::Semaphore::new(true, index(permits))))
    }

    fn acquire(&self, n: u32) -> impl Future<Output = impl Send> + Send {
        self.0.acquire(index(n))
    }
}

#[derive(Clone)]
pub(crate) struct Unfair(Arc<intrusive::Semaphore>);

impl Permits for Unfair {
    const NAME: &'static str = "futures-intrusive Semaphore, unfair (newcomers overtake)";

    fn new(permits: u32) -> Self {
        Self(Arc::new(intrusive::Semaphore::new(false, index(permits))))
    }

    fn acquire(&self, n: u32) -> impl Future<Output = impl Send> + Send {
        self.0.acquire(index(n))
    }
}

fn index(permits: u32) -> usize {
    usize::try_from(permits).expect("a number of permits")
}
