//! What several test files need: counted wakes, futures polled by hand, tests that end instead of hanging.

#![allow(dead_code, reason = "each test file uses its own part")]

use batons::{Baton, futures::Acquire};
use std::{
    any::Any,
    cell::{Cell, RefCell},
    fmt::Debug,
    future::Future,
    panic::{UnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

// ===== wakers =====

/// A waker that counts how often it is woken.
#[derive(Debug, Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A waker, and the count of its wakes.
pub(crate) fn counting_waker() -> (Waker, Arc<Wakes>) {
    let wakes = Arc::<Wakes>::default();
    (Waker::from(Arc::clone(&wakes)), wakes)
}

/// A waker that calls `f`.
pub(crate) fn calling_waker(f: impl Fn() + Send + Sync + 'static) -> Waker {
    struct Calling<F>(F);

    impl<F: Fn() + Send + Sync + 'static> Wake for Calling<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }

    Waker::from(Arc::new(Calling(f)))
}

/// Polls `future` once with `waker`.
pub(crate) fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

// ===== futures polled by hand =====

/// A future polled by hand, with a waker of its own whose wakes are counted.
pub(crate) struct Counted<F> {
    future: Pin<Box<F>>,
    waker: Waker,
    wakes: Arc<Wakes>,
}

/// As `tokio_test::task::spawn`, but it counts.
pub(crate) fn counted<F: Future>(future: F) -> Counted<F> {
    let (waker, woken) = counting_waker();
    Counted { future: Box::pin(future), waker, wakes: woken }
}

impl<F: Future> Counted<F> {
    pub(crate) fn poll(&mut self) -> Poll<F::Output> {
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.count()
    }
}

/// A wait of a baton, polled by hand.
pub(crate) type Waiting<'a> = Counted<Acquire<&'a Baton>>;

/// Lets each of `numbers` wait, in this order.
pub(crate) fn line_up(baton: &Baton, numbers: impl IntoIterator<Item = u64>) -> Vec<Waiting<'_>> {
    let stand = |number| {
        let mut wait = counted(baton.acquire(number));
        assert!(wait.poll().is_pending(), "{number} was answered at once");
        wait
    };
    numbers.into_iter().map(stand).collect()
}

/// How often each of `waits` was woken.
pub(crate) fn wakes_of<F: Future>(waits: &[Counted<F>]) -> Vec<usize> {
    waits.iter().map(Counted::wakes).collect()
}

// ===== batons =====

/// Calls `refused` and checks that it left the baton as it was.
#[track_caller]
pub(crate) fn unchanged<R>(baton: &Baton, refused: impl FnOnce() -> R) -> R {
    let before = baton.snapshot();
    let result = refused();
    assert_eq!(baton.snapshot(), before, "a refusal changed something");
    result
}

/// The first poll's refusal of `number`.
#[track_caller]
pub(crate) fn refusal(baton: &Baton, number: u64) -> batons::AcquireError {
    match counted(baton.acquire(number)).poll() {
        Poll::Ready(Err(refusal)) => refusal,
        other => panic!("{number} was not refused: {other:?}"),
    }
}

/// The numbers `0..count`, shuffled; equal seeds shuffle equally.
pub(crate) fn shuffled(count: u64, seed: u64) -> Vec<u64> {
    let mut random = Random(seed);
    let mut numbers: Vec<_> = (0..count).collect();
    for last in (1..numbers.len()).rev() {
        numbers.swap(last, random.below(last + 1));
    }
    numbers
}

/// Numbers that look random and repeat from run to run (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z >> 33) % limit as u64).expect("less than a usize")
    }
}

// ===== threads =====

/// Far more than any test takes; only a test that hangs waits for it.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs `test` on a thread of its own, and fails instead of hanging if it does not end.
#[track_caller]
pub(crate) fn must_end<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || done.send(test()));
    match ended.recv_timeout(LIMIT) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("the test hangs"),
        Err(RecvTimeoutError::Disconnected) => resume_unwind(thread.join().expect_err("it sent nothing")),
    }
}

/// Lets the other threads run until `value()` is `expected`.
pub(crate) fn until<T: PartialEq + Debug>(expected: &T, value: impl Fn() -> T) {
    while value() != *expected {
        thread::yield_now();
    }
}

// ===== panics =====

/// Where a panic came from and what it said.
#[derive(Debug, Clone)]
pub(crate) struct Panicked {
    pub(crate) file: String,
    pub(crate) message: String,
}

thread_local! {
    /// Whether this thread's next panic is expected.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Option<Panicked>> = const { RefCell::new(None) };
}

/// The panic of `f`, which is not printed; `None` if it does not panic.
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R + UnwindSafe) -> Option<Panicked> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if EXPECTED.get() {
                let file = info.location().map(|place| place.file().to_owned()).unwrap_or_default();
                SEEN.set(Some(Panicked { file, message: message(info.payload()) }));
            } else {
                usual(info);
            }
        }));
    });
    EXPECTED.set(true);
    let result = catch_unwind(f);
    EXPECTED.set(false);
    let seen = SEEN.take();
    result.is_err().then(|| seen.expect("the hook saw the panic"))
}

/// The words of a panic or of a task's failure.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}
